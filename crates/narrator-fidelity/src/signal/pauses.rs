//! Silences and sounds where the words are known.
//!
//! A pause at a full stop is reading; the same pause in the middle of a phrase is a hole. Word times of a
//! recogniser are rough, so a silence is excused by any mark of punctuation near it.

use std::ops::Range;

use super::{Finding, Signal, SignalFault};
use crate::times::WordTime;

/// Longest pause at a mark of punctuation. The starter voice's longest in 150 takes is 0.8 s.
const AT_MARK_MS: u32 = 1500;
/// Longest silence inside a phrase. Voices rest before `while` and `as well as` too: in 1,700 takes of the
/// starter voice one such rest has 460 ms, two more than 420; half a second put in measures 480 and more.
const INSIDE_MS: u32 = 460;
/// How wrong the time of a boundary between words may be: with more, a silence in a phrase is excused by the
/// comma of the next; with 200 ms, 2 of 80 are, with 300, more.
const ROUGH_MS: u32 = 150;
/// Sound behind the last word that is no breath, and how far behind its end.
const AFTER_MS: u32 = 350;
const BEHIND_MS: u32 = 300;

/// Findings that need the times of the words of `text`; without any, only silences that no mark excuses.
pub fn against_words(signal: &Signal, text: &str, times: &[WordTime]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for silence in &signal.silences {
        let measure = silence.end - silence.start;
        let limit = if times.is_empty() || is_at_mark(silence, text, times) { AT_MARK_MS } else { INSIDE_MS };
        if measure > limit {
            findings.push(finding(SignalFault::Pause, silence, measure, limit));
        }
    }
    if let Some(last) = times.last() {
        let from = last.end_ms + BEHIND_MS;
        let after: Vec<Range<u32>> = signal
            .sounding
            .iter()
            .filter(|run| run.end > from)
            .map(|run| run.start.max(from)..run.end)
            .collect();
        let measure: u32 = after.iter().map(|run| run.end - run.start).sum();
        if let (Some(first), Some(end)) = (after.first(), after.last())
            && measure > AFTER_MS
        {
            findings.push(finding(SignalFault::SpeechAfter, &(first.start..end.end), measure, AFTER_MS));
        }
    }
    findings
}

fn finding(kind: SignalFault, at: &Range<u32>, measure: u32, limit: u32) -> Finding {
    Finding { kind, start_ms: at.start, end_ms: at.end, measure: measure as f32, limit: limit as f32 }
}

/// Whether a mark of punctuation stands between two words that are spoken near the silence, or inside a word
/// that is spoken around it: `Makefile.PL` is read in two breaths. A silence within the time of one word is before
/// or behind it: recognisers begin a word where the last one ended, with the pause before it.
fn is_at_mark(silence: &Range<u32>, text: &str, times: &[WordTime]) -> bool {
    let around = |word: &WordTime| word.start_ms < silence.end && silence.start < word.end_ms;
    let within = |word: &WordTime| word.start_ms <= silence.start && silence.end <= word.end_ms;
    times.iter().any(|word| around(word) && has_mark_inside(text, word))
        || times.windows(2).any(|pair| {
            let gap = pair[0].end_ms.saturating_sub(ROUGH_MS)..pair[1].start_ms + ROUGH_MS;
            let near = gap.start < silence.end && silence.start < gap.end;
            (near || pair.iter().any(within)) && has_mark(text, &pair[0], &pair[1])
        })
}

/// Punctuation at the end of the one word, at the beginning of the other, or between them.
fn has_mark(text: &str, one: &WordTime, other: &WordTime) -> bool {
    let words = text.get(one.at.start as usize..one.at.end as usize).unwrap_or_default();
    let next = text.get(other.at.start as usize..other.at.end as usize).unwrap_or_default();
    let between = text.get(one.at.end as usize..other.at.start as usize).unwrap_or_default();
    words.ends_with(is_mark) || next.starts_with(is_mark) || between.contains(is_mark)
}

/// Marks that a word has inside: not its apostrophes and hyphens.
fn has_mark_inside(text: &str, word: &WordTime) -> bool {
    let word = text.get(word.at.start as usize..word.at.end as usize).unwrap_or_default();
    word.trim_matches(is_mark).contains(|c: char| is_mark(c) && !matches!(c, '\'' | '’' | '-'))
}

fn is_mark(c: char) -> bool {
    !c.is_alphanumeric() && !c.is_whitespace()
}
