//! What was lost here and added there was moved; what was added and stands in the book nearby was said
//! twice.

use std::collections::HashMap;
use std::ops::Range;

use narrator_core::HeardWord;

use super::sort::{is_slight, place, written};
use super::{BookWord, Difference, Discrepancy};
use crate::words::atoms;

/// Words in a row by which a passage is recognised elsewhere.
const ROW: usize = 3;
/// The part of its rows that must be found there in order.
const ENOUGH: f32 = 0.5;
/// Passages shorter than a row are looked for word by word, and only so many discrepancies away.
const NEAR: usize = 4;
/// Insertions shift what follows by a few words.
const SLACK: i64 = 3;

pub(super) fn find(all: &mut Vec<Discrepancy>, book: &[BookWord], heard: &[HeardWord]) {
    moved(all, book, heard);
    repeated(all, book, heard);
}

fn canons(texts: &[&str]) -> Vec<Box<str>> {
    atoms(texts.iter().copied()).into_iter().map(|atom| atom.canon).collect()
}

fn book_canons(book: &[BookWord], words: &Range<u32>) -> Vec<Box<str>> {
    let words = book.get(words.start as usize..words.end as usize).unwrap_or_default();
    canons(&words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>())
}

fn heard_canons(heard: &[HeardWord], words: &Range<u32>) -> Vec<Box<str>> {
    let words = heard.get(words.start as usize..words.end as usize).unwrap_or_default();
    canons(&words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>())
}

/// The part of `passage` that is in `other` in order, by rows of [`ROW`], and where its rows begin there.
fn likeness(passage: &[Box<str>], other: &[Box<str>]) -> f32 {
    if passage.len() < ROW {
        return f32::from(u8::from(!passage.is_empty() && passage == other));
    }
    let mut places: HashMap<&[Box<str>], Vec<usize>> = HashMap::new();
    for (at, row) in other.windows(ROW).enumerate() {
        places.entry(row).or_default().push(at);
    }
    let rows = passage.windows(ROW).enumerate();
    let mut votes: HashMap<i64, u32> = HashMap::new();
    for (at, row) in rows {
        for &to in places.get(row).into_iter().flatten() {
            *votes.entry(to as i64 - at as i64).or_default() += 1;
        }
    }
    let around =
        |offset: i64| -> u32 { (-SLACK..=SLACK).filter_map(|slack| votes.get(&(offset + slack))).sum() };
    let most = votes.keys().map(|&offset| around(offset)).max().unwrap_or(0);
    most as f32 / (passage.len() - ROW + 1) as f32
}

fn moved(all: &mut Vec<Discrepancy>, book: &[BookWord], heard: &[HeardWord]) {
    let is_lost =
        |it: &Discrepancy| matches!(it.kind, Difference::Lost | Difference::Changed) && !it.words.is_empty();
    let is_new = |it: &Discrepancy| {
        matches!(it.kind, Difference::Added | Difference::Changed | Difference::Repeated)
            && !it.heard_words.is_empty()
    };
    let passages: Vec<Vec<Box<str>>> = all.iter().map(|it| book_canons(book, &it.words)).collect();
    let sounds: Vec<Vec<Box<str>>> = all.iter().map(|it| heard_canons(heard, &it.heard_words)).collect();
    let mut taken = vec![false; all.len()];
    for lost in 0..all.len() {
        if !is_lost(&all[lost]) || taken[lost] {
            continue;
        }
        let near = passages[lost].len() < ROW;
        // A word less here and one more there are two mistakes of a recogniser, and no passage that was moved.
        if passages[lost].len() < 2 || (near && passages[lost].iter().all(|word| is_slight(word))) {
            continue;
        }
        let candidates = (0..all.len()).filter(|&new| {
            new != lost && is_new(&all[new]) && !taken[new] && (!near || new.abs_diff(lost) <= NEAR)
        });
        let best = candidates
            .map(|new| (new, likeness(&passages[lost], &sounds[new])))
            .max_by(|one, other| one.1.total_cmp(&other.1));
        let Some((new, _)) = best.filter(|(_, likeness)| *likeness >= ENOUGH) else { continue };
        let (start_ms, end_ms) = (all[new].start_ms, all[new].end_ms);
        let heard_words = all[new].heard_words.clone();
        let heard_as = all[new].heard.clone();
        // What was written where it is now heard is not explained by it.
        taken[new] = all[new].words.is_empty();
        let it = &mut all[lost];
        *it = Discrepancy {
            kind: Difference::Moved,
            sure: true,
            heard_words,
            heard: heard_as,
            start_ms,
            end_ms,
            lost: 0,
            ..it.clone()
        };
    }
    let mut keep = taken.iter();
    all.retain(|_| !keep.next().copied().unwrap_or(false));
}

fn repeated(all: &mut [Discrepancy], book: &[BookWord], heard: &[HeardWord]) {
    let rows: HashMap<Vec<Box<str>>, Vec<u32>> = wanted_rows(all, book, heard);
    for it in all.iter_mut().filter(|it| it.kind == Difference::Added) {
        let passage = heard_canons(heard, &it.heard_words);
        if passage.len() < ROW {
            continue;
        }
        let mut votes: HashMap<i64, u32> = HashMap::new();
        for (at, row) in passage.windows(ROW).enumerate() {
            for &word in rows.get(row).into_iter().flatten() {
                *votes.entry(i64::from(word) - at as i64).or_default() += 1;
            }
        }
        let around =
            |offset: i64| -> u32 { (-SLACK..=SLACK).filter_map(|slack| votes.get(&(offset + slack))).sum() };
        // Of equally good places, the nearest: a segment is doubled beside itself.
        let here = i64::from(it.words.start);
        let best = votes.keys().copied().max_by_key(|&offset| (around(offset), -(offset - here).abs()));
        let Some(offset) = best else { continue };
        if around(offset) as f32 / ((passage.len() - ROW + 1) as f32) < ENOUGH {
            continue;
        }
        let start = offset.max(0) as u32;
        let words = start..(start + passage.len() as u32).min(book.len() as u32);
        (it.tokens, it.span, it.chapter) = place(book, &words);
        it.written = written(book, &words);
        (it.words, it.kind, it.sure) = (words, Difference::Repeated, true);
    }
}

/// Where in the book the rows stand that were heard beside it.
fn wanted_rows(
    all: &[Discrepancy],
    book: &[BookWord],
    heard: &[HeardWord],
) -> HashMap<Vec<Box<str>>, Vec<u32>> {
    let mut rows: HashMap<Vec<Box<str>>, Vec<u32>> = HashMap::new();
    for it in all.iter().filter(|it| it.kind == Difference::Added) {
        for row in heard_canons(heard, &it.heard_words).windows(ROW) {
            rows.entry(row.to_vec()).or_default();
        }
    }
    if rows.is_empty() {
        return rows;
    }
    let atoms = atoms(book.iter().map(|word| word.text.as_str()));
    let canons: Vec<Box<str>> = atoms.iter().map(|atom| atom.canon.clone()).collect();
    for (at, row) in canons.windows(ROW).enumerate() {
        if let Some(places) = rows.get_mut(row) {
            places.push(atoms[at].word);
        }
    }
    rows
}
