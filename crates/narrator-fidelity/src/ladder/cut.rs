//! Where a text may be cut to be spoken in parts.

use std::ops::Range;

use crate::words::{is_closing, text_words};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// Behind `.`, `!`, `?`, `…` and what closes with them.
    Sentence,
    /// Behind `,`, `;`, `:` and dashes too.
    Clause,
}

/// The parts of `text`, as byte ranges that cover all of it: joined they are the text. No part has fewer
/// than `min_words` words, so one that cannot be cut comes back whole.
pub fn cut(text: &str, at: Cut, min_words: usize) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for end in ends(text, at) {
        let enough = |part: &str| text_words(part).len() >= min_words;
        if end > start && enough(&text[start..end]) && enough(&text[end..]) {
            parts.push(start..end);
            start = end;
        }
    }
    parts.push(start..text.len());
    parts
}

/// A sentence up to here is joined to the next: `Oh! But`, `Very well. I`.
const SHORT_SENTENCE: usize = 2;

/// `text` with a comma behind each short sentence that another one follows: voices swallow or bend a single word with
/// a fall of its own, and say it with what comes next. None when there is no such sentence, or when `words` holds no
/// word of one.
pub fn joined(text: &str, words: impl Fn(u32) -> bool) -> Option<String> {
    let parts = cut(text, Cut::Sentence, 1);
    let (mut joined, mut first, mut concerned) = (String::with_capacity(text.len()), 0, false);
    for (index, part) in parts.iter().enumerate() {
        let part = &text[part.clone()];
        let count = text_words(part).len();
        let sentence = part.trim_end_matches(|c: char| c.is_whitespace() || is_closing(c));
        let core = sentence.trim_end_matches(['.', '!', '?', '…']);
        if index + 1 < parts.len() && count <= SHORT_SENTENCE && core.len() < sentence.len() {
            concerned |= (first..first + count as u32).any(&words);
            joined.extend([core, ",", &part[sentence.len()..]]);
        } else {
            joined.push_str(part);
        }
        first += count as u32;
    }
    concerned.then_some(joined)
}

/// Offsets behind a mark, its closing quotes and the space after it.
fn ends(text: &str, at: Cut) -> Vec<usize> {
    let mut ends = Vec::new();
    for (index, char) in text.char_indices() {
        let sentence = matches!(char, '.' | '!' | '?' | '…');
        let dash = matches!(char, '—' | '–');
        let clause = at == Cut::Clause && (matches!(char, ',' | ';' | ':') || dash);
        if !sentence && !clause {
            continue;
        }
        let behind = &text[index + char.len_utf8()..];
        let closing = behind.len()
            - behind.trim_start_matches(|c: char| matches!(c, '.' | '!' | '?' | '…') || is_closing(c)).len();
        let rest = &behind[closing..];
        let space = rest.len() - rest.trim_start().len();
        // `3.14`, `U.S.A`, `ten:thirty`: a mark inside a word ends nothing.
        if space == 0 && !dash {
            continue;
        }
        if char == '.' && closing == 0 && is_abbreviation(&text[..index]) {
            continue;
        }
        ends.push(index + char.len_utf8() + closing + space);
    }
    ends
}

/// Whether the dot belongs to the word before it: an initial, a title.
fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let initial = word.chars().count() == 1 && word != "I" && word.starts_with(char::is_uppercase);
    initial
        || matches!(
            word,
            "Mr" | "Mrs"
                | "Ms"
                | "Dr"
                | "St"
                | "Prof"
                | "Capt"
                | "Col"
                | "Gen"
                | "Rev"
                | "Hon"
                | "Messrs"
                | "No"
                | "vs"
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str, at: Cut) -> Vec<&str> {
        cut(text, at, 2).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn sentences_and_clauses_are_found() {
        let text = "“Is he here?” asked Mr. Smith, who knew; nobody answered. He left.";
        assert_eq!(
            parts(text, Cut::Sentence),
            ["“Is he here?” ", "asked Mr. Smith, who knew; nobody answered. ", "He left."]
        );
        assert_eq!(
            parts(text, Cut::Clause),
            ["“Is he here?” ", "asked Mr. Smith, ", "who knew; ", "nobody answered. ", "He left."]
        );
        assert_eq!(parts("No.", Cut::Clause), ["No."]);
    }

    #[test]
    fn a_short_sentence_is_joined_to_the_next() {
        let joined = |text, word: u32| joined(text, |it| it == word);
        assert_eq!(joined("“All! What, all five?", 0).as_deref(), Some("“All, What, all five?"));
        let said = joined("“Oh!” She rose at once. “Yes. I will go.”", 5);
        assert_eq!(said.as_deref(), Some("“Oh,” She rose at once. “Yes, I will go.”"));
        assert_eq!(joined("He went home. Then he came.", 1), None, "three words are enough");
        assert_eq!(joined("“All! What, all five?", 2), None, "the fault is elsewhere");
        assert_eq!(joined("He came. No!", 2), None, "nothing follows");
    }

    proptest! {
        #[test]
        fn parts_joined_are_the_text(text in "\\PC{0,60}", words in 1_usize..4) {
            for at in [Cut::Sentence, Cut::Clause] {
                let joined: String = cut(&text, at, words).into_iter().map(|range| &text[range]).collect();
                prop_assert_eq!(&joined, &text);
            }
        }
    }
}
