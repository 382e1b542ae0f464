//! Words: those of a transcript, put together from tokens, and those of a text that should have been said.
//!
//! A transcript's tokens are joined into words as the reference does it: a token that begins with a space
//! begins a word, signs are words of their own and then join the word that they belong to.
//!
//! The expected text is written as the recogniser would write it: straight apostrophes, no quotation marks,
//! dashes as commas. What is not a letter or a number is read (it is the right text before the next word) but
//! not judged, since nobody hears it.

use std::ops::Range;

use narrator_engine::EngineError;

use super::tokenizer::Vocabulary;

/// A word of a transcript: its text without white space around it, and which tokens it is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TokenWord {
    pub(crate) text: String,
    pub(crate) tokens: Range<usize>,
}

/// The reference asks whether a token is a stretch of these, so that a lone sign is one and `...` is not.
const SIGNS: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Signs that join the word behind them, and those that join the word before them.
const OPENING: &str = "\"'“¡¿([{-";
const CLOSING: &str = "\"'.。,，!！?？:：”)]}、";

/// Splits `ids`, which are all of text, into words.
pub(crate) fn transcript_words(vocabulary: &Vocabulary, ids: &[i64], spaced: bool) -> Vec<TokenWord> {
    let mut words: Vec<(String, Range<usize>)> = Vec::new();
    for (piece, tokens) in whole_characters(vocabulary, ids) {
        let is_sign = SIGNS.contains(piece.trim());
        match words.last_mut() {
            Some((text, range)) if spaced && !piece.starts_with(' ') && !is_sign => {
                text.push_str(&piece);
                range.end = tokens.end;
            }
            _ => words.push((piece, tokens)),
        }
    }
    join_signs(words)
        .into_iter()
        .map(|(text, tokens)| TokenWord { text: text.trim().to_owned(), tokens })
        .filter(|word| !word.text.is_empty())
        .collect()
}

/// Joins tokens until they end with a whole character.
fn whole_characters(vocabulary: &Vocabulary, ids: &[i64]) -> Vec<(String, Range<usize>)> {
    let mut pieces = Vec::new();
    let (mut bytes, mut from) = (Vec::new(), 0);
    for (at, &id) in ids.iter().enumerate() {
        bytes.extend_from_slice(vocabulary.bytes(id));
        let whole = std::str::from_utf8(&bytes).is_ok();
        if whole || at + 1 == ids.len() {
            pieces.push((String::from_utf8_lossy(&bytes).into_owned(), from..at + 1));
            bytes.clear();
            from = at + 1;
        }
    }
    pieces
}

fn join_signs(words: Vec<(String, Range<usize>)>) -> Vec<(String, Range<usize>)> {
    // Opening signs with a space before them go to the word behind them, from the end backwards.
    let mut joined: Vec<(String, Range<usize>)> = Vec::new();
    for (text, tokens) in words.into_iter().rev() {
        match joined.last_mut() {
            Some((next, range)) if text.starts_with(' ') && is_one_of(text.trim(), OPENING) => {
                next.insert_str(0, &text);
                range.start = tokens.start;
            }
            _ => joined.push((text, tokens)),
        }
    }
    let mut words: Vec<(String, Range<usize>)> = Vec::new();
    for (text, tokens) in joined.into_iter().rev() {
        match words.last_mut() {
            Some((before, range)) if !before.ends_with(' ') && is_one_of(&text, CLOSING) => {
                before.push_str(&text);
                range.end = tokens.end;
            }
            _ => words.push((text, tokens)),
        }
    }
    words
}

/// Whether `text` is a stretch of `signs`, as the reference asks it.
fn is_one_of(text: &str, signs: &str) -> bool {
    !text.is_empty() && signs.contains(text)
}

/// A word of the expected text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ExpectedWord {
    /// Byte range in the text that was given.
    pub(crate) at: Range<u32>,
    /// Those of its tokens that have letters or figures; never empty.
    pub(crate) tokens: Vec<usize>,
}

/// A text as the decoder is made to say it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) ids: Vec<i64>,
    pub(crate) words: Vec<ExpectedWord>,
}

impl Expected {
    pub(crate) fn new(vocabulary: &Vocabulary, text: &str) -> Result<Self, EngineError> {
        let (spelled, spans) = spell(text);
        let ids = vocabulary.encode(&spelled)?;
        let mut words: Vec<ExpectedWord> =
            spans.iter().map(|span| ExpectedWord { at: span.source.clone(), tokens: Vec::new() }).collect();
        let (mut at, mut word) = (0, 0);
        for (index, &id) in ids.iter().enumerate() {
            let token = at..at + vocabulary.bytes(id).len();
            at = token.end;
            while spans.get(word).is_some_and(|span| span.spelled.end <= token.start) {
                word += 1;
            }
            if spans.get(word).is_some_and(|span| span.spelled.start < token.end) && !vocabulary.is_silent(id)
            {
                words[word].tokens.push(index);
            }
        }
        // A word whose tokens all began in the word before it has been judged there.
        words.retain(|word| !word.tokens.is_empty());
        Ok(Self { ids, words })
    }
}

/// A word in the given text and in the spelled one.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Span {
    source: Range<u32>,
    spelled: Range<usize>,
}

/// Writes `text` as the recogniser would, with the place of every word in both.
fn spell(text: &str) -> (String, Vec<Span>) {
    let mut out = String::with_capacity(text.len() + 1);
    let mut spans = Vec::new();
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let mut at = 0;
    while at < letters.len() {
        let (from, letter) = letters[at];
        if !is_word_letter(letter) {
            write_sign(&mut out, letter);
            at += 1;
            continue;
        }
        let begin = out.len();
        let alone = stands_alone(letter);
        if !alone || out.is_empty() {
            out.push(' ');
        }
        let mut end = from;
        while at < letters.len() {
            let (place, letter) = letters[at];
            let next = letters.get(at + 1).map(|&(_, letter)| letter);
            let inside = place > from && joins(letter) && next.is_some_and(is_word_letter);
            if !(is_word_letter(letter) || inside) || (place > from && (alone || stands_alone(letter))) {
                break;
            }
            out.push(if is_apostrophe(letter) { '\'' } else { letter });
            end = place + letter.len_utf8();
            at += 1;
        }
        spans.push(Span { source: from as u32..end as u32, spelled: begin..out.len() });
    }
    (out, spans)
}

fn is_word_letter(letter: char) -> bool {
    letter.is_alphanumeric()
        || matches!(letter, '£' | '$' | '€' | '%' | '&' | '°')
        || ('\u{300}'..='\u{36f}').contains(&letter)
}

fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '’' | '‘' | 'ʼ')
}

/// Signs that a word may have between two letters.
fn joins(letter: char) -> bool {
    is_apostrophe(letter) || matches!(letter, '-' | '‐' | '‑' | '.' | ',' | ':' | '/' | '@')
}

/// Scripts that are written without spaces: every letter is a word.
fn stands_alone(letter: char) -> bool {
    matches!(letter, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{2fa1f}')
}

/// Signs end the word before them; what is written twice is written once.
fn write_sign(out: &mut String, letter: char) {
    let sign = match letter {
        ',' | ';' | ':' | '.' | '?' | '!' | '。' | '、' | '，' | '？' | '！' => letter,
        '—' | '–' | '―' => ',',
        '…' => '.',
        _ => return,
    };
    if out.chars().next_back().is_some_and(|last| last.is_alphanumeric() || matches!(last, '%' | '°' | '.'))
    {
        if sign == '.' && out.ends_with('.') {
            return;
        }
        out.push(sign);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str) -> (String, Vec<&str>) {
        let (out, spans) = spell(text);
        let words =
            spans.iter().map(|span| &text[span.source.start as usize..span.source.end as usize]).collect();
        (out, words)
    }

    #[test]
    fn text_is_written_as_it_is_heard() {
        let (out, words) = spelled("“You’ll be the lady—about the bell,” he said…  ‘Yes.’");
        assert_eq!(out, " You'll be the lady, about the bell, he said. Yes.");
        assert_eq!(words, ["You’ll", "be", "the", "lady", "about", "the", "bell", "he", "said", "Yes"]);
    }

    #[test]
    fn a_word_keeps_what_it_has_inside() {
        let (out, words) = spelled("tea-time at 9:40 p.m., O’Shea; £1,200.50!");
        assert_eq!(out, " tea-time at 9:40 p.m., O'Shea; £1,200.50!");
        assert_eq!(words, ["tea-time", "at", "9:40", "p.m", "O’Shea", "£1,200.50"]);
    }

    #[test]
    fn what_has_no_letters_has_no_words() {
        for text in ["", "  ", "***", "— … —", "\"'\""] {
            assert!(spell(text).1.is_empty(), "{text}");
        }
    }

    #[test]
    fn scripts_without_spaces_are_judged_letter_by_letter() {
        let (out, words) = spelled("你好。世界");
        assert_eq!(out, " 你好。世界");
        assert_eq!(words, ["你", "好", "世", "界"]);
    }

    #[test]
    fn signs_join_their_words() {
        let words = |pieces: &[&str]| {
            let pieces =
                pieces.iter().enumerate().map(|(at, text)| ((*text).to_owned(), at..at + 1)).collect();
            join_signs(pieces).into_iter().map(|(text, tokens)| (text, tokens.len())).collect::<Vec<_>>()
        };
        assert_eq!(words(&[" He", ",", " said"]), [(" He,".to_owned(), 2), (" said".to_owned(), 1)]);
        assert_eq!(words(&[" \"", "Yes", "."]), [(" \"Yes.".to_owned(), 3)]);
    }
}
