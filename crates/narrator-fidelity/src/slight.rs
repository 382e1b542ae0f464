//! Words that speech swallows, and that recognisers leave out, put in and take for each other.
//!
//! That one of them is missing is never sure. A denial is none of them: `not` must be heard.

use crate::readings::is_number_word;
use crate::words::{atoms, fold};

const SLIGHT: &[&str] = &[
    "a", "am", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "do", "does", "for", "from",
    "had", "has", "have", "he", "her", "him", "his", "i", "in", "is", "it", "me", "my", "of", "oh", "on",
    "or", "she", "so", "some", "than", "that", "the", "them", "then", "there", "they", "this", "to", "us",
    "was", "we", "were", "who", "with", "you", "your",
];

/// Cries, which subtitles leave out and recognisers learn to leave out.
const CRIES: &[&str] = &[
    "ah", "eh", "er", "ha", "hm", "hmm", "mhm", "mm", "o", "oh", "pooh", "psst", "sh", "shh", "tsk", "ugh",
    "um",
];

/// Denials, whose neighbours in sound mean something else altogether.
const DENIALS: &[&str] = &["no", "not", "never", "nor", "none", "nothing", "nobody", "cannot"];

/// Whether a word has a number or a denial in it that is not in what was heard: such a word must have been heard.
/// `can` is not can't; `want` for won't denies as much.
pub(crate) fn is_exact(word: &str, heard: &str) -> bool {
    let denies = |text: &str, ending: &str| atoms([text]).iter().any(|atom| atom.folded.ends_with(ending));
    atoms([word]).iter().any(|atom| DENIALS.contains(&&*atom.folded) || is_number_word(&atom.folded))
        || (denies(word, "n't") && !denies(heard, "nt") && !denies(heard, "n't"))
}

pub(crate) fn is_cry(word: &str) -> bool {
    CRIES.contains(&fold(word).as_str())
}

/// Single letters are slight too, whatever they are: `w w w` is heard as `dw`.
pub(crate) fn is_slight(word: &str) -> bool {
    let folded = fold(word);
    folded.chars().count() == 1 || SLIGHT.contains(&folded.as_str()) || is_cry(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_exact_until_another_denial_is_heard() {
        assert!(is_exact("can't", "can") && is_exact("Won't", "") && is_exact("not", "nut"));
        assert!(!is_exact("Won't", "Want") && !is_exact("garden", "guarding"));
        assert!(is_exact("sixteen", "sixty"));
    }
}
