//! Bringing sentences together to segments.
//!
//! Very short texts are where speech models go astray, and very long ones are where they drift; so
//! sentences are gathered until a segment has `min_chars`, and no further than need be. A dynamic
//! programme over the block decides, so that a short last sentence is not left over when its neighbour
//! has room for it.

use std::ops::Range;

use super::split::split;
use super::{Lengths, Unit};

/// A sentence, or a piece of one that was too long, as a range of units.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Piece {
    units: Range<usize>,
}

/// The segments of a block as ranges of its units.
pub(crate) fn gather(units: &[Unit], min_chars: u64, max_chars: u64) -> Vec<Range<usize>> {
    let lengths = Lengths::of(units);
    let pieces = sentences(units).flat_map(|sentence| split(units, &lengths, sentence, max_chars));
    let pieces: Vec<Piece> = pieces.map(|units| Piece { units }).collect();

    let mut best: Vec<(u64, usize)> = vec![(0, 0)];
    for to in 1..=pieces.len() {
        let mut choice = (u64::MAX, to - 1);
        for from in (0..to).rev() {
            let length = lengths.of_range(pieces[from].units.start, pieces[to - 1].units.end);
            let alone = from + 1 == to;
            if !alone && (length > max_chars || !may_share_segment(units, &pieces[from], &pieces[from + 1])) {
                break;
            }
            let cost = best[from].0 + segment_cost(length, alone, min_chars);
            if cost < choice.0 {
                choice = (cost, from);
            }
        }
        best.push(choice);
    }
    let mut segments = Vec::new();
    let mut to = pieces.len();
    while to > 0 {
        let from = best[to].1;
        segments.push(pieces[from].units.start..pieces[to - 1].units.end);
        to = from;
    }
    segments.reverse();
    segments
}

fn sentences(units: &[Unit]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    units.iter().enumerate().filter(|(_, unit)| unit.ends_sentence).map(move |(at, _)| {
        let sentence = start..at + 1;
        start = at + 1;
        sentence
    })
}

/// What a segment of `length` characters costs: being short of the minimum hurts most, and a segment of
/// several sentences should not go far beyond it.
fn segment_cost(length: u64, alone: bool, min_chars: u64) -> u64 {
    let short = min_chars.saturating_sub(length);
    let over = if alone { 0 } else { length.saturating_sub(min_chars) };
    // 40: joining is worth it as long as it exceeds the minimum by less than six times what it repairs.
    1 + short * short * 40 + over * over
}

/// Whether two neighbouring pieces of a block may be spoken in one segment. They may not where one
/// speech ends and another begins without a word between them: in print that is another speaker.
///
/// This is the seam for casting: who speaks a piece will be decided before, and compared here.
fn may_share_segment(units: &[Unit], before: &Piece, after: &Piece) -> bool {
    let ends = units.get(before.units.end - 1).is_some_and(|unit| closes_speech(&unit.spoken));
    let begins = units.get(after.units.start).is_some_and(|unit| opens_speech(&unit.spoken));
    !(ends && begins)
}

fn closes_speech(text: &str) -> bool {
    let mut back = text.chars().rev();
    match back.next() {
        Some('”' | '"' | '»' | '」' | '』') => true,
        Some('’' | '\'') => back.next().is_some_and(|c| matches!(c, '.' | ',' | '!' | '?' | '…' | '—')),
        _ => false,
    }
}

fn opens_speech(text: &str) -> bool {
    text.starts_with(['“', '"', '«', '„', '「', '『', '‘'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::units;
    use crate::sentences::sentence_starts;
    use crate::source::Source;
    use crate::testing::tokens;

    fn segments(text: &str, min: u64, max: u64) -> Vec<String> {
        let source = Source::of(&tokens(text));
        let units = units(&source, &[], &sentence_starts(&source, "en"), max as usize);
        gather(&units, min, max)
            .into_iter()
            .map(|range| units[range].iter().map(|unit| unit.spoken.as_str()).collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn short_sentences_are_gathered_to_the_minimum_and_not_far_beyond() {
        insta::assert_debug_snapshot!(
            segments("It rained. It rained again. Nobody came to the door that day. The house was still. At six the bell rang. She ran.", 40, 200),
            @r#"
        [
            "It rained. It rained again. Nobody came to the door that day.",
            "The house was still. At six the bell rang. She ran.",
        ]
        "#
        );
    }

    #[test]
    fn a_short_tail_joins_its_neighbour() {
        let long = format!("{}end.", "word ".repeat(12));
        assert_eq!(segments(&format!("{long} So."), 60, 200), [format!("{long} So.")]);
    }

    #[test]
    fn two_speeches_side_by_side_are_two_speakers() {
        assert_eq!(segments("“Yes.” “No.” “Why?” he said.", 60, 400), ["“Yes.”", "“No.”", "“Why?” he said."]);
    }
}
