//! Where the voice breaks off: the end of a word is missing, though a recogniser guesses the word from its beginning.
//!
//! The samples tell it ([`crate::signal::breaks`]), the alignment tells which word it was. A file in which the voice
//! breaks off all the time was made so, by a gate for noise: then nothing is sure.

use narrator_core::HeardWord;

use super::sort::discrepancy;
use super::{BookWord, Difference, Discrepancy};
use crate::align::Edit;

/// Recognisers begin a word up to so much too late, and end one too early.
const ROUGH_MS: u32 = 300;
/// More breaks than these, and more than one for so many words, are a gate's.
const MOST: usize = 20;
const WORDS_A_BREAK: usize = 100;

pub(super) fn find(
    all: &mut Vec<Discrepancy>,
    book: &[BookWord],
    heard: &[HeardWord],
    edits: &[Edit],
    breaks_ms: &[u32],
) {
    let sure = breaks_ms.len() <= MOST.max(heard.len() / WORDS_A_BREAK);
    for &at in breaks_ms {
        let is_near = |it: &&mut Discrepancy| {
            matches!(it.kind, Difference::Lost | Difference::Changed)
                && it.start_ms <= at + ROUGH_MS
                && at <= it.end_ms + ROUGH_MS
        };
        // What is in doubt already is the likeliest: the last of it, for the end of a word is what is missing.
        if let Some(it) = all.iter_mut().filter(is_near).last() {
            it.breaks_off = true;
            it.sure |= sure;
            it.lost = it.lost.max(1);
        } else if let Some(edit) = said_before(edits, heard, at) {
            let found = discrepancy(book, heard, Difference::Changed, std::slice::from_ref(edit));
            all.push(Discrepancy { breaks_off: true, sure, lost: 1, ..found });
        }
    }
}

/// The last word of the book that was begun by then.
fn said_before<'a>(edits: &'a [Edit], heard: &[HeardWord], at_ms: u32) -> Option<&'a Edit> {
    let next = heard.partition_point(|word| word.start_ms < at_ms);
    let word = next.checked_sub(1)? as u32;
    let edit = edits.partition_point(|edit| edit.heard.end <= word);
    edits.get(edit).filter(|edit| edit.heard.contains(&word) && edit.kind.is_right())
}

#[cfg(test)]
mod tests {
    use narrator_core::{DocId, Span};

    use crate::audit::{Audit, BookWord, Difference, audit};

    const PAGE: &str = "they had gone down to the harbour long before the sun was over the hills of the bay";

    /// Heard as `said`, a word every 300 ms, with breaks at these times.
    fn heard(said: &str, breaks_ms: &[u32]) -> Audit {
        let book = PAGE.split_whitespace().zip(0_u32..).map(|(word, at)| {
            let span = Span { doc: DocId(0), start: at * 10, end: at * 10 + 9 };
            BookWord { text: word.into(), chapter: 0, tokens: at..at + 1, span }
        });
        let said = said.split_whitespace().zip(0_u32..).map(|(word, at)| narrator_core::HeardWord {
            text: word.into(),
            start_ms: at * 300,
            end_ms: at * 300 + 250,
            log_prob: -0.1,
        });
        audit(&book.collect::<Vec<_>>(), &said.collect::<Vec<_>>(), breaks_ms)
    }

    #[test]
    fn a_word_that_breaks_off_is_lost_though_it_was_guessed() {
        let found = heard(PAGE, &[6 * 300 + 120]);
        let [it] = &found.discrepancies[..] else { panic!("{:#?}", found.discrepancies) };
        assert_eq!((it.kind, it.breaks_off, it.sure, it.lost), (Difference::Changed, true, true, 1));
        assert_eq!((it.written.as_str(), it.heard.as_str()), ("harbour", "harbour"));
        assert_eq!(found.words_lost(), 1);
    }

    #[test]
    fn a_doubt_beside_a_break_is_what_breaks_off() {
        let found = heard(&PAGE.replace("harbour", "hubbub"), &[6 * 300 + 200]);
        let [it] = &found.discrepancies[..] else { panic!("{:#?}", found.discrepancies) };
        assert!(it.breaks_off && it.sure && it.lost == 1);
        assert!(found.questions(&[], &[]).is_empty(), "what the samples tell is not asked about");
    }

    #[test]
    fn where_it_breaks_off_all_the_time_nothing_is_sure() {
        let all: Vec<u32> = (0..40).map(|at| 1000 + at).collect();
        let found = heard(PAGE, &all);
        assert!(found.discrepancies.iter().all(|it| it.breaks_off && !it.sure));
        assert_eq!(found.words_lost(), 0);
    }

    #[test]
    fn before_the_first_word_there_is_nothing_to_break_off() {
        assert!(heard(PAGE, &[0]).discrepancies.is_empty());
    }
}
