//! Word times of a take: where each word of the text is.

use std::ops::Range;

use narrator_core::Hearing;
use serde::{Deserialize, Serialize};

use crate::align::Alignment;

/// A word of the text and its place in the take.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WordTime {
    /// Byte range in the text.
    pub at: Range<u32>,
    pub start_ms: u32,
    pub end_ms: u32,
}

/// Whether so much time is less than the word takes to say.
pub(crate) fn is_squeezed(word: &str, length_ms: u32) -> bool {
    narrator_core::is_squeezed(word.chars().filter(|c| c.is_alphabetic()).count(), length_ms)
}

/// Times of every word of the text, rising. Forced scoring timed the words themselves, so its times are
/// taken where they are; otherwise a word has the time of what was heard for it, and words that were not
/// heard share the gap between their neighbours.
pub fn word_times(alignment: &Alignment, hearing: &Hearing) -> Vec<WordTime> {
    let words = &alignment.words;
    let mut times: Vec<Option<(u32, u32)>> = vec![None; words.len()];
    if hearing.scored.is_empty() {
        for edit in alignment.edits.iter().filter(|edit| !edit.text.is_empty() && !edit.heard.is_empty()) {
            let count = edit.text.end - edit.text.start;
            let length = edit.end_ms.saturating_sub(edit.start_ms);
            for index in 0..count {
                let share =
                    |n: u32| edit.start_ms + (u64::from(length) * u64::from(n) / u64::from(count)) as u32;
                let time = &mut times[(edit.text.start + index) as usize];
                let (start, end) = (share(index), share(index + 1));
                // A word of several atoms gets them all.
                *time =
                    Some(time.map_or((start, end), |(from, to): (u32, u32)| (from.min(start), to.max(end))));
            }
        }
    } else {
        for (word, time) in words.iter().zip(&mut times) {
            let own = hearing
                .scored
                .iter()
                .filter(|scored| scored.at.start < word.at.end && scored.at.end > word.at.start);
            *time = own.fold(None, |time, scored| {
                let (from, to) = time.unwrap_or((scored.start_ms, scored.end_ms));
                Some((from.min(scored.start_ms), to.max(scored.end_ms)))
            });
        }
    }
    fill_gaps(&mut times, hearing.audio_ms);
    let mut last = 0;
    words
        .iter()
        .zip(times)
        .map(|(word, time)| {
            let (start, end) = time.unwrap_or((last, last));
            let start_ms = start.max(last);
            last = start_ms;
            WordTime { at: word.at.clone(), start_ms, end_ms: end.max(start_ms) }
        })
        .collect()
}

fn fill_gaps(times: &mut [Option<(u32, u32)>], audio_ms: u32) {
    let mut at = 0;
    while at < times.len() {
        if times[at].is_some() {
            at += 1;
            continue;
        }
        let end = times[at..].iter().position(Option::is_some).map_or(times.len(), |more| at + more);
        let from = at.checked_sub(1).and_then(|before| times[before]).map_or(0, |(_, end)| end);
        let to = times.get(end).copied().flatten().map_or(audio_ms.max(from), |(start, _)| start.max(from));
        let count = (end - at) as u64;
        for (index, time) in times[at..end].iter_mut().enumerate() {
            let share = |n: u64| from + (u64::from(to - from) * n / count) as u32;
            *time = Some((share(index as u64), share(index as u64 + 1)));
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::align;
    use crate::trust::tests::hearing;

    #[test]
    fn every_word_has_a_time_and_times_rise() {
        let heard = hearing("in 1842 she went home");
        let text = "In eighteen forty-two she quietly went home.";
        let times = word_times(&align(text, &heard.words), &heard);
        assert_eq!(times.len(), 7);
        assert!(times.windows(2).all(|pair| pair[0].start_ms <= pair[1].start_ms));
        assert!(times.iter().all(|time| time.start_ms <= time.end_ms));
        assert_eq!((times[0].start_ms, times[3].start_ms), (0, 600));
        // `1842` is shared by the two words that it stands for; `quietly` has the gap.
        assert_eq!((times[1].start_ms, times[2].end_ms), (300, 550));
        assert_eq!((times[4].start_ms, times[4].end_ms), (850, 900));
    }
}
