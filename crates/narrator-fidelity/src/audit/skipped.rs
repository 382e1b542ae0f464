//! Speech for which there are no words.
//!
//! A recogniser that hears half a minute ends now and then before the audio does, or skips a sentence, and says nothing
//! of it. The samples know: where there is a voice there must be words. Such a stretch is heard again by itself before
//! anything is missed in it.

use std::ops::Range;

use narrator_core::HeardWord;

/// Voice without words, from here on. A word that is dragged, a breath and a sigh are shorter.
const VOICE_MS: u32 = 700;
/// A word that is given more time than this was given its neighbours' too.
const LONGEST_WORD_MS: u32 = 1000;
/// Times of words are rough: so much is heard on both sides.
const EDGE_MS: u32 = 100;

/// Stretches, in order, with a voice in them (`sounding`, in order) and without words. `end_ms` is where the audio ends.
pub fn skipped(words: &[HeardWord], sounding: &[Range<u32>], end_ms: u32) -> Vec<Range<u32>> {
    let ends = words.iter().map(|word| word.end_ms.min(word.start_ms + LONGEST_WORD_MS));
    let starts = words.iter().map(|word| word.start_ms);
    let gaps = std::iter::once(0).chain(ends).zip(starts.chain([end_ms]));
    let mut sounding = sounding.iter().peekable();
    gaps.filter_map(|(from, to)| {
        while sounding.next_if(|run| run.end <= from).is_some() {}
        let inside = sounding.clone().take_while(|run| run.start < to);
        let voice: u32 = inside.map(|run| run.end.min(to).saturating_sub(run.start.max(from))).sum();
        (voice >= VOICE_MS).then(|| from.saturating_sub(EDGE_MS)..to + EDGE_MS)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(times: &[(u32, u32)]) -> Vec<HeardWord> {
        let word = |&(start_ms, end_ms): &(u32, u32)| HeardWord {
            text: "word".into(),
            start_ms,
            end_ms,
            log_prob: -0.1,
        };
        times.iter().map(word).collect()
    }

    fn left_out(heard: &[HeardWord], sounding: &[(u32, u32)], end_ms: u32) -> Vec<(u32, u32)> {
        let sounding: Vec<Range<u32>> = sounding.iter().map(|&(from, to)| from..to).collect();
        skipped(heard, &sounding, end_ms).into_iter().map(|it| (it.start, it.end)).collect()
    }

    #[test]
    fn a_voice_without_words_is_found_wherever_it_is() {
        let heard = words(&[(2000, 2300), (2300, 2700), (9000, 9400)]);
        let sounding = [(500, 2800), (3200, 8800), (8950, 9450), (10_000, 12_000)];
        assert_eq!(left_out(&heard, &sounding, 12_500), [(0, 2100), (2600, 9100), (9300, 12_600)]);
    }

    #[test]
    fn a_pause_and_the_rest_of_a_word_are_not() {
        let heard = words(&[(0, 400), (3000, 3400)]);
        assert!(left_out(&heard, &[(0, 900), (2900, 3500)], 4000).is_empty());
        assert!(left_out(&[], &[], 4000).is_empty());
    }

    #[test]
    fn one_word_for_a_whole_sentence_hides_it_not() {
        assert_eq!(left_out(&words(&[(0, 7500)]), &[(0, 7400)], 7500), [(900, 7600)]);
    }

    #[test]
    fn where_nothing_was_heard_all_of_it_is_heard_again() {
        assert_eq!(left_out(&[], &[(1000, 3000)], 5000), [(0, 5100)]);
    }
}
