//! Words that speech swallows, and that recognisers leave out, put in and take for each other.
//!
//! That one of them is missing is never sure. A denial is none of them: `not` must be heard.

use crate::words::fold;

const SLIGHT: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "had", "has", "have", "he", "her", "his",
    "i", "in", "is", "it", "me", "my", "of", "oh", "on", "or", "she", "so", "that", "the", "them", "then",
    "they", "this", "to", "us", "was", "we", "were", "with", "you", "your",
];

/// Cries before a sentence, which subtitles leave out and recognisers learn to leave out.
const CRIES: &[&str] = &["ah", "eh", "ha", "hm", "o", "oh", "pooh", "ugh"];

pub(crate) fn is_cry(word: &str) -> bool {
    CRIES.contains(&fold(word).as_str())
}

/// Single letters are slight too, whatever they are: `w w w` is heard as `dw`.
pub(crate) fn is_slight(word: &str) -> bool {
    let folded = fold(word);
    folded.chars().count() == 1 || SLIGHT.contains(&folded.as_str()) || is_cry(word)
}
