//! Words that were heard as they are written by a recogniser that was not sure of them.
//!
//! A recogniser is a reader too: of `my dear, you must` it writes the third word though nobody says it, if the fourth
//! follows. It is less sure of it then than of what it hears, and finds little room for it. So a word that has
//! something to say and was heard without confidence is asked about like a doubt, and is one only when the answer says
//! that it is not there.

use std::ops::Range;

use narrator_core::HeardWord;

use super::sort::{discrepancy, is_slight};
use super::{BookWord, Difference, Discrepancy};
use crate::align::Edit;
use crate::times::is_squeezed;

/// Mean log-probability of a word's tokens below which it may have been guessed.
const UNSURE_LOG_PROB: f32 = -0.5;
/// The same of a word that has less time than it takes to say.
const SQUEEZED_LOG_PROB: f32 = -0.25;
/// Differences before a word that may still reach to it.
const NEAR: usize = 8;

pub(super) fn find(all: &mut Vec<Discrepancy>, book: &[BookWord], heard: &[HeardWord], edits: &[Edit]) {
    // In the order of the book, as the edits are.
    let mut doubted = all.iter().map(|it| it.words.clone()).collect::<Vec<_>>();
    doubted.sort_by_key(|words| words.start);
    let is_doubted = |edit: &Edit| {
        let behind = doubted.partition_point(|words| words.start <= edit.text.end);
        doubted[..behind].iter().rev().take(NEAR).any(|words| edit.text.start <= words.end)
    };
    for (at, edit) in edits.iter().enumerate() {
        let ([word], [said]) = (of(book, &edit.text), of(heard, &edit.heard)) else { continue };
        // A part of `half-hour` is no word that could be cut.
        let is_part = |other: Option<&Edit>| other.is_some_and(|other| other.text == edit.text);
        let is_part = is_part(at.checked_sub(1).and_then(|at| edits.get(at))) || is_part(edits.get(at + 1));
        if edit.kind.is_right()
            && may_be_guessed(said)
            && !is_part
            && !is_slight(&word.text)
            && !is_doubted(edit)
        {
            let found = discrepancy(book, heard, Difference::Lost, std::slice::from_ref(edit));
            all.push(Discrepancy { guessed: true, ..found });
        }
    }
}

fn may_be_guessed(said: &HeardWord) -> bool {
    let length_ms = said.end_ms.saturating_sub(said.start_ms);
    said.log_prob < if is_squeezed(&said.text, length_ms) { SQUEEZED_LOG_PROB } else { UNSURE_LOG_PROB }
}

fn of<'a, T>(all: &'a [T], range: &Range<u32>) -> &'a [T] {
    all.get(range.start as usize..range.end as usize).unwrap_or_default()
}
