//! The moves of the alignment: which rows of atoms may stand for each other, and what that costs.
//!
//! Costs are in words: 1 is a word lost. What they have to get right is their order. Equal is free; a
//! known other way to write the same costs less than any doubt; a likely mishearing costs less than a loss
//! beside an addition, so that both stand in one place; two unlike words cost nearly as much as losing one
//! and adding the other, so that equal neighbours win over a row of forced pairs.

use super::Reason;
use crate::readings;
use crate::sound::{Sound, unlikeness, unlikeness_in_passing};
use crate::words::Atom;

/// Longest row of atoms that one move takes on a side, but for a reading, which has its own length.
pub(super) const MAX_ROW: usize = 3;

const SPELLING: f32 = 0.02;
const READING: f32 = 0.04;
const COMPOUND: f32 = 0.06;
const HOMOPHONE: f32 = 0.12;
/// Sounds nearer than this are one sound to a recogniser: what `Bennet` and `Bennett`, `two` and `to`
/// leave, no more. `then` and `than` are at 0.1.
const SAME_SOUND: f32 = 0.06;
/// What a small word said in passing differs by at least from another that is said so.
const IN_PASSING: f32 = 0.15;
/// What a changed word costs at least and at most.
const CHANGED_LIKE: f32 = 0.3;
const CHANGED_UNLIKE: f32 = 1.5;

/// A word that is soon missed by a recogniser, and soon made up.
const SLIGHT: f32 = 0.8;

/// What losing or adding an atom costs.
pub(super) fn gap(atom: &Atom) -> f32 {
    if atom.folded.len() <= 2 { SLIGHT } else { 1.0 }
}

/// What one atom costs for another: the price, and the reason if it is the same word.
pub(super) fn single(written: &Atom, said: &Atom) -> Option<(f32, Option<Reason>)> {
    if written.folded == said.folded {
        return Some((0.0, None));
    }
    (written.canon == said.canon).then_some((SPELLING, Some(Reason::Spelling)))
}

/// What hearing one unlike word for another costs.
pub(super) fn changed(unlike: f32) -> f32 {
    CHANGED_LIKE + (CHANGED_UNLIKE - CHANGED_LIKE) * (unlike * 1.6).min(1.0)
}

/// The move for rows that sound the same, if they do.
pub(super) fn homophone(unlike: f32) -> Option<f32> {
    (unlike <= SAME_SOUND).then_some(HOMOPHONE + unlike)
}

/// Sounds of the rows from each atom on: one, and two in one breath.
pub(super) struct Sounds(Vec<[Option<Sound>; 2]>);

impl Sounds {
    pub(super) fn of(atoms: &[Atom]) -> Self {
        let single: Vec<Sound> = atoms.iter().map(sound_of).collect();
        let rows = (0..atoms.len()).map(|at| {
            let pair = single.get(at + 1).map(|next| Sound::join(&single[at], next));
            [Some(single[at].clone()), pair]
        });
        Self(rows.collect())
    }

    /// How unlike two rows sound: as they stand, and where small words may be said in passing. Of two single words
    /// that is no more than likely: `his` and `is` are not the same word.
    pub(super) fn unlike(
        &self,
        at: usize,
        length: usize,
        other: &Self,
        other_at: usize,
        other_length: usize,
    ) -> f32 {
        let (Some(one), Some(other)) = (self.get(at, length), other.get(other_at, other_length)) else {
            return 1.0;
        };
        let passing = unlikeness_in_passing(one, other);
        if length == 1 && other_length == 1 {
            passing.max(IN_PASSING).min(unlikeness(one, other))
        } else {
            passing
        }
    }

    fn get(&self, at: usize, length: usize) -> Option<&Sound> {
        self.0.get(at).and_then(|rows| rows[length - 1].as_ref())
    }
}

/// Figures sound like their first reading.
fn sound_of(atom: &Atom) -> Sound {
    match atom.readings.first().filter(|_| atom.folded.contains(|c: char| c.is_ascii_digit())) {
        Some(reading) => reading
            .iter()
            .map(|word| Sound::of(word))
            .reduce(|one, next| Sound::join(&one, &next))
            .unwrap_or_default(),
        None => Sound::of(&atom.folded),
    }
}

/// Whether rows of different lengths are the same letters: `Curve buster`, `Curvebuster`.
pub(super) fn compound(written: &[Atom], said: &[Atom]) -> Option<f32> {
    let letters = |row: &[Atom]| row.iter().map(|atom| atom.folded.len()).sum::<usize>();
    if letters(written) != letters(said) {
        return None;
    }
    let one = written.iter().flat_map(|atom| atom.folded.bytes());
    one.eq(said.iter().flat_map(|atom| atom.folded.bytes())).then_some(COMPOUND)
}

/// How many of the other side's atoms say one of `atom`'s readings, with the price and the reason.
pub(super) fn reading(atom: &Atom, others: &[Atom]) -> impl Iterator<Item = (usize, f32, Reason)> {
    let reason = reason_of(atom);
    atom.readings.iter().filter_map(move |reading| {
        let length = said_length(reading, others)?;
        Some((length, READING, reason))
    })
}

/// Readings of both sides that meet: `it's` against `its'`-like forms, `£5` against `$5` never.
pub(super) fn readings_meet(one: &Atom, other: &Atom) -> Option<(f32, Reason)> {
    let meet = one.readings.iter().any(|reading| other.readings.contains(reading));
    meet.then(|| (READING, reason_of(one)))
}

fn reason_of(atom: &Atom) -> Reason {
    let figures = atom.folded.starts_with(|c: char| c.is_ascii_digit());
    if figures {
        Reason::Numeral
    } else if atom.folded.contains('\'')
        || matches!(&*atom.folded, "cannot" | "gonna" | "wanna" | "gotta" | "tis" | "twas" | "till")
    {
        Reason::Contraction
    } else if atom.folded.chars().all(|c| "ivxlc".contains(c)) {
        Reason::Numeral
    } else {
        Reason::Abbreviation
    }
}

/// How many of `others` say `reading`, with an `and` between its words or none.
fn said_length(reading: &[Box<str>], others: &[Atom]) -> Option<usize> {
    let mut at = 0;
    for (index, word) in reading.iter().enumerate() {
        if index > 0
            && **word != *readings::LINK
            && others.get(at).is_some_and(|other| *other.folded == *readings::LINK)
        {
            at += 1;
        }
        let other = others.get(at)?;
        if !readings::same(word, &other.folded) && word != &other.canon {
            return None;
        }
        at += 1;
    }
    Some(at)
}
