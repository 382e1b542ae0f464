//! Text to utterances of a length that the voice was trained on.

/// Phonemes that the voice speaks at once; its training sentences were not longer.
pub(super) const MAX_PHONEMES: usize = 400;

/// Marks in a phoneme string after which speech can pause, best first.
const CLAUSE_MARKS: [char; 7] = [';', ':', '—', ',', '.', '!', '?'];

/// The sentences of `text`. Each is spoken by itself, which is how the voice learnt its melody.
pub(super) fn sentences(text: &str) -> Vec<String> {
    sentencex::segment("en", text)
        .into_iter()
        .map(|sentence| speakable(sentence.trim()))
        .filter(|sentence| !sentence.is_empty())
        .collect()
}

/// Without what the phonemiser would take for markup or choke on: `[word](/phonemes/)` is its syntax for
/// a reading, and a book's own brackets must not trigger it; invisible characters break words apart.
fn speakable(sentence: &str) -> String {
    sentence
        .replace("](", "] (")
        .chars()
        .filter(|letter| !matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'))
        .map(|letter| if letter.is_whitespace() || letter.is_control() { ' ' } else { letter })
        .collect()
}

/// Cuts a phoneme string into parts of at most `most` characters: behind a clause if there is one in the
/// second half, else between words, else anywhere.
pub(super) fn parts(phonemes: &str, most: usize) -> Vec<&str> {
    let mut rest = phonemes.trim();
    let mut parts = Vec::new();
    while let Some((limit, _)) = rest.char_indices().nth(most) {
        let (part, behind) = rest.split_at(cut(&rest[..limit]));
        parts.push(part.trim());
        rest = behind.trim_start();
    }
    parts.push(rest);
    parts.retain(|part| !part.is_empty());
    parts
}

/// Where to end a part that can have all of `window`.
fn cut(window: &str) -> usize {
    let behind = |mark: char| window.rfind(mark).map(|at| at + mark.len_utf8());
    let late = |at: &usize| *at > window.len() / 2;
    CLAUSE_MARKS
        .iter()
        .find_map(|&mark| behind(mark).filter(late))
        .or_else(|| window.rfind(' ').filter(|at| *at > 0))
        .unwrap_or(window.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn titles_do_not_end_sentences() {
        assert_eq!(sentences("Mr. Bennet came. He sat\ndown."), ["Mr. Bennet came.", "He sat down."]);
        assert!(sentences(" \n ").is_empty());
    }

    #[test]
    fn brackets_of_a_book_are_no_markup() {
        assert_eq!(sentences("See [here](there)."), ["See [here] (there)."]);
    }

    #[test]
    fn a_long_string_is_cut_behind_a_clause_then_between_words_then_anywhere() {
        assert_eq!(parts("aa bb, cc dd", 8), ["aa bb,", "cc dd"]);
        assert_eq!(parts("aa bb cc dd", 8), ["aa bb", "cc dd"]);
        assert_eq!(parts("aabbccdd", 3), ["aab", "bcc", "dd"]);
        assert_eq!(parts("a", 3), ["a"]);
    }

    proptest! {
        #[test]
        fn no_phoneme_is_lost_in_cutting(text in "[a-zˈə ,;—]{0,300}", most in 1usize..60) {
            let cut = parts(&text, most);
            prop_assert!(cut.iter().all(|part| part.chars().count() <= most && !part.is_empty()));
            let bare = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(bare(&cut.concat()), bare(&text));
        }
    }
}
