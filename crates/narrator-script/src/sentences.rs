//! Where sentences begin, found by the crate sentencex and brought back to token edges.
//!
//! sentencex never breaks inside quotation marks, and a novel is full of long speeches. So it is shown
//! the block without its quotation marks, and what it finds is mapped back: a closing mark stays with the
//! sentence it closes, an opening one goes with the sentence it opens. A sentence that would begin with a
//! small letter is none (`“What?” said he.`), and neither is one that an abbreviation which always has
//! something after it seems to end (`Lieut. Smith`, `vol. II`).

use crate::normalise;
use crate::source::{Source, is_pronounceable};

/// Indices into `source.tokens` at which a sentence begins, in rising order, without the first.
pub(crate) fn sentence_starts(source: &Source, language: &str) -> Vec<usize> {
    let shadow = Shadow::of(&source.text);
    let mut starts = Vec::new();
    for sentence in sentencex::get_sentence_boundaries(primary_subtag(language), &shadow.text) {
        let Some(&offset) = shadow.offsets.get(sentence.end_byte) else { continue };
        let at = start_token(source, offset);
        let is_new = starts.last().is_none_or(|&last| last < at);
        if is_new && (1..source.tokens.len()).contains(&at) && is_sentence_edge(source, at, language) {
            starts.push(at);
        }
    }
    starts
}

/// `en` of `en-GB`, in small letters, as sentencex names its languages.
pub(crate) fn primary_subtag(language: &str) -> &str {
    let end = language.find(['-', '_']).unwrap_or(language.len());
    match &language[..end] {
        tag if tag.eq_ignore_ascii_case("en") || tag.is_empty() => "en",
        tag => tag,
    }
}

/// The block's text without quotation marks, each byte with its place in the text.
struct Shadow {
    text: String,
    offsets: Vec<usize>,
}

impl Shadow {
    fn of(source: &str) -> Self {
        let mut shadow = Self { text: String::with_capacity(source.len()), offsets: Vec::new() };
        let mut before = ' ';
        let mut chars = source.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let after = chars.peek().map_or(' ', |&(_, next)| next);
            if !is_quotation_mark(before, c, after) {
                shadow.push(c, at);
            } else if !before.is_whitespace() && after.is_alphanumeric() {
                shadow.push(' ', at);
            }
            before = c;
        }
        shadow
    }

    fn push(&mut self, c: char, at: usize) {
        self.text.push(c);
        self.offsets.resize(self.text.len(), at);
    }
}

fn is_quotation_mark(before: char, c: char, after: char) -> bool {
    match c {
        '"' | '“' | '”' | '„' | '‟' | '«' | '»' | '‹' | '›' | '「' | '」' | '『' | '』' | '`' => {
            true
        }
        // An apostrophe between letters, or at a word's end or start (`dogs’`, `’twas`), is none.
        '\'' | '‘' | '’' | '‚' => !before.is_alphanumeric() && (c != '’' || !after.is_alphanumeric()),
        _ => false,
    }
}

/// The token with which the sentence begins whose first character stands at `offset`.
fn start_token(source: &Source, offset: usize) -> usize {
    let mut at = source.token_at(offset);
    let token = &source.tokens[at];
    if offset >= token.range.end
        || is_pronounceable(&source.text[token.range.start..offset.max(token.range.start)])
    {
        at += 1;
    }
    while at > 0 && is_opening(token_text(source, at - 1)) {
        at -= 1;
    }
    at
}

fn token_text(source: &Source, at: usize) -> &str {
    source.tokens.get(at).map_or("", |token| &source.text[token.range.clone()])
}

/// Whether `text` is nothing but marks that open something.
pub(crate) fn is_opening(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| matches!(c, '“' | '‘' | '„' | '«' | '‹' | '「' | '『' | '(' | '[' | '{' | '¿' | '¡'))
}

fn is_sentence_edge(source: &Source, at: usize, language: &str) -> bool {
    let after = &source.text[source.tokens[at].range.start..];
    let begins_small = after.chars().find(|c| c.is_alphanumeric()).is_some_and(char::is_lowercase);
    !begins_small && !normalise::wants_more(language, token_text(source, at - 1), after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tokens;

    fn sentences(text: &str) -> Vec<String> {
        let source = Source::of(&tokens(text));
        let mut edges = sentence_starts(&source, "en");
        edges.insert(0, 0);
        edges.push(source.tokens.len());
        edges
            .windows(2)
            .map(|edge| {
                let words = &source.tokens[edge[0]..edge[1]];
                source.text[words[0].range.start..words[words.len() - 1].range.end].to_owned()
            })
            .collect()
    }

    #[test]
    fn speech_and_narration_part_where_sentences_end() {
        insta::assert_debug_snapshot!(
            sentences(
                "“Mrs. Long has just been here. She told me all about it.” Mr. Bennet made no answer. \
                 “What?” said he. “Do you want to know?” cried his wife. It was at 5 p.m. He left. \
                 Lieut. Smith read vol. II. The dogs’ bowl."
            ),
            @r#"
        [
            "“Mrs. Long has just been here.",
            "She told me all about it.”",
            "Mr. Bennet made no answer.",
            "“What?” said he.",
            "“Do you want to know?” cried his wife.",
            "It was at 5 p.m.",
            "He left.",
            "Lieut. Smith read vol. II.",
            "The dogs’ bowl.",
        ]
        "#
        );
    }

    #[test]
    fn a_boundary_inside_a_token_moves_to_its_edge() {
        assert_eq!(
            sentences("It was the end.Next Mary came. Fine."),
            ["It was the end.Next", "Mary came.", "Fine."]
        );
    }

    #[test]
    fn other_languages_have_their_own_marks() {
        let mut ideographs = tokens("これは文です。 次の文です。");
        ideographs[1].space_before = false;
        assert_eq!(sentence_starts(&Source::of(&ideographs), "ja"), [1]);
        assert_eq!(sentence_starts(&Source::of(&tokens("Das ist z. B. gut. Nun denn.")), "de-AT"), [5]);
    }
}
