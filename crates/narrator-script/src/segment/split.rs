//! Breaking a sentence that is longer than a segment may be.
//!
//! The break goes where a reader would breathe: after a sentence inside the sentence (a long parenthesis
//! holds some), after a semicolon, colon or dash, after a comma, before a conjunction, and only then
//! between any two words. Pieces are balanced: a dynamic programme weighs each break's quality against
//! how far the pieces are from equal, so no tail of two words is left over.

use std::ops::Range;

use super::{Lengths, Unit};

/// How good a place for a breath is the end of a unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Breath {
    None,
    Conjunction,
    Comma,
    Clause,
    Stop,
}

impl Breath {
    /// Cost of a break here, in the unit of [`piece_cost`]: a piece a third longer or shorter than its
    /// share costs 111, so one comma is worth moving a break by a quarter of a piece.
    fn cost(self) -> u64 {
        match self {
            Self::Stop => 0,
            Self::Clause => 20,
            Self::Comma => 80,
            Self::Conjunction => 150,
            Self::None => 400,
        }
    }
}

/// English words before which a clause begins; other languages do with punctuation.
const CONJUNCTIONS: [&str; 24] = [
    "and", "or", "but", "nor", "yet", "for", "so", "because", "which", "who", "whom", "whose", "that",
    "when", "where", "while", "if", "unless", "though", "although", "as", "than", "until", "since",
];

/// What ends with `unit`, when `next` comes after it.
pub(crate) fn breath_after(unit: &Unit, next: Option<&Unit>) -> Breath {
    let core = unit.spoken.trim_end_matches(|c: char| !c.is_alphanumeric() && !is_breath_mark(c));
    let closed = core.len() < unit.spoken.len();
    match core.chars().next_back() {
        _ if unit.ends_sentence => Breath::Stop,
        Some('!' | '?' | '…' | '。' | '！' | '？' | '।' | '؟' | '۔') => Breath::Stop,
        Some(';' | ':' | '—' | '–' | '；' | '：' | '؛') => Breath::Clause,
        Some(',' | '，' | '、' | '،') => Breath::Comma,
        _ if closed => Breath::Comma,
        _ if next.is_some_and(|next| CONJUNCTIONS.contains(&next.spoken.as_str())) => Breath::Conjunction,
        _ => Breath::None,
    }
}

fn is_breath_mark(c: char) -> bool {
    "!?…。！？।؟۔;:—–；：؛,，、،.".contains(c)
}

/// Cost of a piece of `length` where `share` would be even.
fn piece_cost(length: u64, share: u64) -> u64 {
    let off = length.abs_diff(share) * 1000 / share.max(1);
    off * off / 1000
}

/// `units` in pieces of at most `max_chars`, as ranges of indices; a unit that is longer stays alone.
pub(crate) fn split(
    units: &[Unit],
    lengths: &Lengths,
    sentence: Range<usize>,
    max_chars: u64,
) -> Vec<Range<usize>> {
    let (first, end) = (sentence.start, sentence.end);
    let total = lengths.of_range(first, end);
    if total <= max_chars {
        return vec![sentence];
    }
    // A little air, so that breaks have somewhere to go.
    let share = total / total.div_ceil((max_chars * 4 / 5).max(1)).max(1);
    // best[k]: the least cost of the units up to `first + k`, and where the last piece begins.
    let mut best: Vec<(u64, usize)> = vec![(0, first)];
    for to in first + 1..=end {
        let breath = if to == end { Breath::Stop } else { breath_after(&units[to - 1], units.get(to)) };
        let mut choice = (u64::MAX, to - 1);
        for from in (first..to).rev() {
            let length = lengths.of_range(from, to);
            if length > max_chars && from + 1 < to {
                break;
            }
            let cost = best[from - first].0 + piece_cost(length, share) + breath.cost();
            if cost < choice.0 {
                choice = (cost, from);
            }
        }
        best.push(choice);
    }
    let mut pieces = Vec::new();
    let mut to = end;
    while to > first {
        let from = best[to - first].1;
        pieces.push(from..to);
        to = from;
    }
    pieces.reverse();
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::units;
    use crate::source::Source;
    use crate::testing::tokens;

    fn pieces(text: &str, max: u64) -> Vec<String> {
        let source = Source::of(&tokens(text));
        let units = units(&source, &[], &[], max as usize);
        split(&units, &Lengths::of(&units), 0..units.len(), max)
            .into_iter()
            .map(|range| units[range].iter().map(|unit| unit.spoken.as_str()).collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn a_long_sentence_breaks_where_a_reader_breathes() {
        insta::assert_debug_snapshot!(
            pieces(
                "However little known the feelings or views of such a man may be on his first entering a \
                 neighbourhood, this truth is so well fixed in the minds of the surrounding families; that he is \
                 considered as the rightful property of some one or other of their daughters.",
                160,
            ),
            @r#"
        [
            "However little known the feelings or views of such a man may be on his first entering a neighbourhood,",
            "this truth is so well fixed in the minds of the surrounding families;",
            "that he is considered as the rightful property of some one or other of their daughters.",
        ]
        "#
        );
    }

    #[test]
    fn without_any_mark_the_pieces_are_even() {
        let words = "word ".repeat(50);
        let lengths: Vec<usize> = pieces(&words, 100).iter().map(String::len).collect();
        assert!(lengths.iter().all(|&length| (60..=100).contains(&length)), "{lengths:?}");
    }

    #[test]
    fn a_word_longer_than_a_segment_stays_alone() {
        let long = "x".repeat(300);
        assert_eq!(pieces(&format!("a {long} b"), 100), ["a", &long, "b"]);
    }
}
