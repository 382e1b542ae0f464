//! Damage to a whole book is found, named and placed, and a recogniser's own errors are not taken for it.

use narrator_fidelity::{Audit, Difference, Discrepancy, audit};
use proptest::prelude::*;

use crate::support::{STRANGERS, WORDS, book, heard, text};

/// Segments of a book, as ranges of its words.
fn segments(words: usize, lengths: &[usize]) -> Vec<std::ops::Range<usize>> {
    let mut segments = Vec::new();
    let (mut at, mut next) = (0, 0);
    while at < words {
        let end = (at + lengths[next % lengths.len()]).min(words);
        segments.push(at..end);
        (at, next) = (end, next + 1);
    }
    segments
}

/// A recogniser that gets one word in `every` wrong, by itself.
fn misheard(words: &[&'static str], every: usize, from: usize) -> Vec<&'static str> {
    let mut said = words.to_vec();
    let mut at = from % every;
    while at < said.len() {
        said[at] = match said[at] {
            "garden" => "guarding",
            "window" => "widow",
            "river" => "rivers",
            "number" => "numb",
            other => other,
        };
        at += every;
    }
    said
}

fn one(found: &Audit, kind: Difference) -> (u32, u32) {
    let of_kind: Vec<_> = found.discrepancies.iter().filter(|it| it.kind == kind && it.sure).collect();
    assert_eq!(of_kind.len(), 1, "{:#?}", found.discrepancies);
    (of_kind[0].words.start, of_kind[0].words.end)
}

/// Equal words at both edges leave a choice of where a passage begins.
fn near(one: u32, other: usize) -> bool {
    one.abs_diff(other as u32) <= 1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_dropped_segment(row in text(300..900), lengths in prop::collection::vec(3_usize..25, 5), which in 0_usize..100) {
        let words: Vec<&str> = row.iter().map(|&index| WORDS[index]).collect();
        let segments = segments(words.len(), &lengths);
        let dropped = segments[which % segments.len()].clone();
        let mut said = misheard(&words, 37, which);
        said.drain(dropped.clone());
        let found = audit(&book(&words), &heard(&said), &[]);
        let (from, to) = one(&found, Difference::Lost);
        prop_assert!(near(from, dropped.start) && near(to, dropped.end));
        prop_assert_eq!(found.words_lost() as usize, dropped.len());
        prop_assert!(!found.is_clean());
    }

    #[test]
    fn a_doubled_segment(row in text(300..900), lengths in prop::collection::vec(3_usize..25, 5), which in 0_usize..100) {
        let words: Vec<&str> = row.iter().map(|&index| WORDS[index]).collect();
        let segments = segments(words.len(), &lengths);
        let doubled = segments[which % segments.len()].clone();
        // What is left over for the last segment may be a single word, and one word said twice is not sure.
        prop_assume!(doubled.len() > 1);
        let mut said = words.clone();
        said.splice(doubled.end..doubled.end, words[doubled.clone()].iter().copied());
        let found = audit(&book(&words), &heard(&said), &[]);
        one(&found, Difference::Repeated);
        prop_assert_eq!(found.words_lost(), 0);
    }

    #[test]
    fn two_segments_swapped(row in text(300..900), lengths in prop::collection::vec(4_usize..25, 5), which in 0_usize..100) {
        let words: Vec<&str> = row.iter().map(|&index| WORDS[index]).collect();
        let segments = segments(words.len(), &lengths);
        let first = which % (segments.len() - 1);
        let (one_, other) = (segments[first].clone(), segments[first + 1].clone());
        prop_assume!(one_.len() >= 4 && other.len() >= 4);
        let mut said = words.clone();
        let swapped: Vec<&str> = words[other.clone()].iter().chain(&words[one_.clone()]).copied().collect();
        said.splice(one_.start..other.end, swapped);
        let found = audit(&book(&words), &heard(&said), &[]);
        let (begin, end) = (one_.start as u32, other.end as u32);
        let is_here = |it: &Discrepancy| it.sure && it.words.start <= end && begin <= it.words.end;
        prop_assert!(found.discrepancies.iter().any(is_here), "{:#?}", found.discrepancies);
        // A word that both have stays where it is, and the rest is moved in pieces around it.
        if words[one_.clone()].iter().all(|word| !words[other.clone()].contains(word)) {
            let (from, _) = one(&found, Difference::Moved);
            prop_assert!(near(from, one_.start) || near(from, other.start), "{:#?}", found.discrepancies);
            prop_assert_eq!(found.words_lost(), 0);
        }
    }

    #[test]
    fn a_single_word_cut(row in text(300..900), at in 0_usize..300) {
        let words: Vec<&str> = row.iter().map(|&index| WORDS[index]).collect();
        let mut said = words.clone();
        said.remove(at);
        let found = audit(&book(&words), &heard(&said), &[]);
        let (from, to) = one(&found, Difference::Lost);
        prop_assert!(near(from, at) && to == from + 1);
        prop_assert_eq!(found.words_lost(), 1);
        prop_assert_eq!(found.words_found as usize, words.len() - 1);
    }

    #[test]
    fn a_segment_of_other_text(row in text(300..900), at in 0_usize..280, length in 5_usize..15) {
        let words: Vec<&str> = row.iter().map(|&index| WORDS[index]).collect();
        let mut said = words.clone();
        for (offset, word) in said[at..at + length].iter_mut().enumerate() {
            *word = STRANGERS[offset % STRANGERS.len()];
        }
        let found = audit(&book(&words), &heard(&said), &[]);
        let (from, to) = one(&found, Difference::Changed);
        prop_assert!(near(from, at) && near(to, at + length));
        prop_assert!(found.words_lost() as usize * 2 > length);
    }

    #[test]
    fn a_good_book_misheard_here_and_there_loses_nothing(row in text(300..900), every in 11_usize..60) {
        let words: Vec<&str> = row.iter().map(|&index| WORDS[index]).collect();
        let found = audit(&book(&words), &heard(&misheard(&words, every, 3)), &[]);
        prop_assert_eq!(found.words_lost(), 0);
        prop_assert_eq!(found.words_in_book as usize, words.len());
        prop_assert_eq!(found.words_found as usize, words.len());
    }
}

#[test]
fn another_book_altogether_is_lost_and_added() {
    let words: Vec<&str> = (0..400).map(|at| WORDS[at * 7 % WORDS.len()]).collect();
    let other: Vec<&str> = (0..300).map(|at| STRANGERS[at * 3 % STRANGERS.len()]).collect();
    let found = audit(&book(&words), &heard(&other), &[]);
    assert!(found.words_lost() > 390, "{}", found.words_lost());
    let silence = audit(&book(&words), &[], &[]);
    assert_eq!((silence.words_lost(), silence.words_found), (400, 0));
    assert!(audit(&[], &[], &[]).is_clean());
}

/// One edit of every kind, each far from the others.
const KINDS: [Difference; 5] =
    [Difference::Lost, Difference::Added, Difference::Changed, Difference::Moved, Difference::Repeated];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_kind_at_once(
        row in text(500..900),
        order in Just(KINDS.to_vec()).prop_shuffle(),
        lengths in prop::collection::vec(5_usize..12, 5),
        shifts in prop::collection::vec(0_usize..20, 5),
    ) {
        let words: Vec<&str> = row.iter().map(|&index| WORDS[index]).collect();
        let (mut said, mut upto, mut made) = (Vec::new(), 0, Vec::new());
        for (number, &kind) in order.iter().enumerate() {
            let length = lengths[number];
            let at = 20 + number * 90 + shifts[number];
            let passage = &words[at..at + length];
            said.extend_from_slice(&words[upto..at]);
            upto = at + length;
            match kind {
                Difference::Lost => {}
                Difference::Added => {
                    said.extend(STRANGERS.iter().cycle().take(length));
                    said.extend_from_slice(passage);
                }
                Difference::Changed => said.extend(STRANGERS.iter().cycle().take(length)),
                Difference::Repeated => {
                    said.extend_from_slice(passage);
                    said.extend_from_slice(passage);
                }
                Difference::Moved => {
                    let next = &words[upto..upto + length];
                    // A word that both have stays where it is, and the rest is moved in pieces around it.
                    prop_assume!(passage.iter().all(|word| !next.contains(word)));
                    said.extend_from_slice(next);
                    said.extend_from_slice(passage);
                    upto += length;
                }
            }
            made.push((kind, at, length));
        }
        said.extend_from_slice(&words[upto..]);
        let found = audit(&book(&words), &heard(&said), &[]);
        let sure: Vec<_> = found.discrepancies.iter().filter(|it| it.sure).collect();
        prop_assert_eq!(sure.len(), made.len(), "{:#?}", found.discrepancies);
        for (it, &(kind, at, length)) in sure.iter().zip(&made) {
            prop_assert_eq!(it.kind, kind);
            // Of two passages that changed places, either was moved.
            let is_here = near(it.words.start, at) || (kind == Difference::Moved && near(it.words.start, at + length));
            prop_assert!(is_here, "{at}: {it:#?}");
        }
    }
}
