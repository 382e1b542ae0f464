//! The text of one block as it stands in the book: its speakable tokens, joined, with the way back.
//!
//! Tokens that the manuscript skips are left out, and so are tokens in which nothing can be pronounced
//! and which say nothing about the phrasing either: rules, bullets, ornaments. What is left is what the
//! segments of the block must say, word for word.

use std::ops::Range;

use narrator_core::Token;

/// A dash or an ellipsis standing alone is worth its pause; what is longer is a rule or an ornament.
const PAUSE_MARK_MAX_CHARS: usize = 4;
/// Punctuation glued to a word is kept with it up to this length; beyond it is a drawn line.
const GLUED_MARK_MAX_CHARS: usize = 8;
/// Of several marks in a row only so many are kept, so that no pile of them can outgrow a segment.
const MARKS_IN_A_ROW: usize = 2;
/// And so many symbols that differ: `<<, <=, =, >=, >>` is a list, `= = =` an ornament.
const SYMBOLS_IN_A_ROW: usize = 8;

/// A token of the block that is to be spoken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SourceToken {
    /// Its index in the block's `tokens`.
    pub(crate) index: usize,
    /// Its bytes in [`Source::text`].
    pub(crate) range: Range<usize>,
    /// Whether a space stands before it in [`Source::text`].
    pub(crate) space_before: bool,
}

/// The block's speakable tokens, joined as they stand in the book.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Source {
    pub(crate) text: String,
    pub(crate) tokens: Vec<SourceToken>,
}

impl Source {
    pub(crate) fn of(tokens: &[Token]) -> Self {
        let keep = kept(tokens);
        let mut text = String::new();
        let mut out = Vec::new();
        let mut space = false;
        for (index, token) in tokens.iter().enumerate() {
            space |= token.space_before;
            if keep[index] {
                let space_before = space && !text.is_empty();
                if space_before {
                    text.push(' ');
                }
                let start = text.len();
                text.push_str(&token.text);
                out.push(SourceToken { index, range: start..text.len(), space_before });
                space = false;
            } else if token.skip.is_none() {
                // An ornament between two words parts them even where no space is written.
                space = true;
            }
        }
        Self { text, tokens: out }
    }

    /// The token that holds byte `offset`, or the last one before it.
    pub(crate) fn token_at(&self, offset: usize) -> usize {
        self.tokens.partition_point(|token| token.range.start <= offset).saturating_sub(1)
    }
}

/// Whether anything in `text` can be pronounced: a letter, an ideograph or a digit of any script.
pub(crate) fn is_pronounceable(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// Marks that show on the page, or do not, and of which nothing is left in speech.
pub(crate) fn is_vanishing(c: char) -> bool {
    matches!(c, '_' | '*') || c.is_whitespace() || is_invisible(c)
}

/// Soft hyphens, joiners between words, byte-order and direction marks, control characters.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// Symbols that a language's rules may put into words; they are left to the rules.
fn is_speakable_symbol(c: char) -> bool {
    "&%§©#+=@°$£€¥¢<>≤≥≠≈×÷±√∞".contains(c)
}

fn is_phrasing_mark(c: char) -> bool {
    "-–—―….,;:!?¿¡«»‹›“”„‘’\"'()[]、。，".contains(c)
}

/// Punctuation that phrases a sentence even where it stands alone, as French sets it.
fn is_phrasing(text: &str) -> bool {
    text.chars().count() <= PAUSE_MARK_MAX_CHARS && text.chars().all(is_phrasing_mark)
}

/// A symbol that may be a word, perhaps with the punctuation behind it: `%.`
fn is_speakable(text: &str) -> bool {
    text.contains(is_speakable_symbol) && text.chars().all(|c| is_speakable_symbol(c) || is_phrasing_mark(c))
}

/// Which tokens take part in the block's text.
fn kept(tokens: &[Token]) -> Vec<bool> {
    let mut keep = vec![false; tokens.len()];
    let mut marks = 0;
    for (index, token) in tokens.iter().enumerate() {
        if token.skip.is_some() {
            continue;
        }
        if is_pronounceable(&token.text) {
            marks = 0;
            keep[index] = true;
            continue;
        }
        let length = token.text.chars().count();
        let glued_after = tokens.get(index + 1).is_some_and(|next| next.skip.is_none() && !next.space_before);
        let glued_before = index > 0 && !token.space_before;
        let worth = (1..=GLUED_MARK_MAX_CHARS).contains(&length)
            && !token.text.chars().all(is_vanishing)
            && (glued_before
                || glued_after
                || (is_phrasing(&token.text) && marks == 0)
                || is_speakable(&token.text));
        let differs = index.checked_sub(1).is_none_or(|before| tokens[before].text != token.text);
        let most = if differs && is_speakable(&token.text) { SYMBOLS_IN_A_ROW } else { MARKS_IN_A_ROW };
        if worth && marks < most {
            marks += 1;
            keep[index] = true;
        }
    }
    keep
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tokens;

    fn source(text: &str) -> String {
        Source::of(&tokens(text)).text
    }

    #[test]
    fn ornaments_leave_and_phrasing_stays() {
        assert_eq!(source("one — two"), "one — two");
        assert_eq!(source("* * *"), "");
        assert_eq!(source("• First item"), "First item");
        assert_eq!(source("one ********** two"), "one two");
        assert_eq!(source("wait ... what"), "wait ... what");
        assert_eq!(source("a ------------- b"), "a b");
        assert_eq!(source("salt & pepper"), "salt & pepper");
    }

    #[test]
    fn a_skipped_token_leaves_no_space_of_its_own() {
        let mut with_note = tokens("word 1 , next");
        with_note[1].skip = Some(narrator_core::SkipRule::NoteReference);
        with_note[1].space_before = false;
        with_note[2].space_before = false;
        assert_eq!(Source::of(&with_note).text, "word, next");
    }
}
