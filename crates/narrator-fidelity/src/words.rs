//! Text as words, and words as atoms: what the alignment compares.
//!
//! A *word* is what a reader would point at: a run between white space, broken after dashes and ellipses,
//! with its byte range in the text. An *atom* is what is compared: one folded piece of a word (`forty-two`
//! has two), without case, accents and punctuation. An atom may carry *readings*: other rows of words that
//! say the same, such as the words of a number or the long form of a contraction.
//!
//! Invariant: a word without a letter, a digit or a spoken sign has no atoms, and every atom belongs to
//! exactly one word, in order.
//!
//! It does not decide which side is right, and it knows no sounds.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{readings, spelling};

/// A word of a text, as it stands there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TextWord {
    pub text: String,
    /// Byte range in the text.
    pub at: Range<u32>,
}

/// A folded piece of a word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Atom {
    /// Lower case, no accents, no punctuation but apostrophes between letters.
    pub folded: Box<str>,
    /// One spelling for all of one word: `colour` and `color` share it.
    pub canon: Box<str>,
    /// Index of the word it belongs to.
    pub word: u32,
    /// Index of the last word it covers; another than `word` only where words were taken together.
    pub last_word: u32,
    /// Other ways to say it, as folded words; empty for most.
    pub readings: Vec<Vec<Box<str>>>,
}

/// The words of `text`: those that have something to say.
pub fn text_words(text: &str) -> Vec<TextWord> {
    let mut words = Vec::new();
    let mut start = None;
    let mut previous = ' ';
    let mut push = |range: Range<usize>| {
        let piece = &text[range.clone()];
        if piece.chars().any(is_sayable) {
            words.push(TextWord { text: piece.to_owned(), at: range.start as u32..range.end as u32 });
        }
    };
    for (at, char) in text.char_indices() {
        if char.is_whitespace() {
            if let Some(from) = start.take() {
                push(from..at);
            }
        } else if let Some(from) = start
            && is_break(previous)
            && !is_break(char)
            && text[from..at].chars().any(is_sayable)
            && is_sayable(char)
            && !is_range(&text[..at], char)
        {
            push(from..at);
            start = Some(at);
        } else if start.is_none() {
            start = Some(at);
        }
        // `--` breaks as a dash does; a lone hyphen does not.
        previous = if char == '-' && previous == '-' { '—' } else { char };
    }
    if let Some(from) = start {
        push(from..text.len());
    }
    words
}

/// A mark after which a word ends although no space follows.
fn is_break(char: char) -> bool {
    matches!(char, '—' | '–' | '―' | '…')
}

/// `1914–18`: a dash between digits is part of the number's reading.
fn is_range(before: &str, next: char) -> bool {
    next.is_ascii_digit() && before.trim_end_matches(is_break).ends_with(|c: char| c.is_ascii_digit())
}

fn is_sayable(char: char) -> bool {
    char.is_alphanumeric() || readings::sign(char).is_some()
}

/// The atoms of a row of words.
pub fn atoms<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for (index, word) in words.into_iter().enumerate() {
        atoms_of(word, index as u32, &mut atoms);
    }
    readings::join_scaled_money(&mut atoms);
    atoms
}

fn atoms_of(word: &str, index: u32, atoms: &mut Vec<Atom>) {
    for piece in pieces(word) {
        let atom = match piece {
            Piece::Letters(letters) => letters_atom(letters, index),
            Piece::Number(number) => Some(number_atom(number, index)),
            Piece::Sign(word) => Some(plain(word.into(), index)),
        };
        atoms.extend(atom);
    }
}

fn plain(folded: Box<str>, word: u32) -> Atom {
    let canon = spelling::canonical(&folded);
    Atom { canon, folded, word, last_word: word, readings: Vec::new() }
}

fn letters_atom(letters: &str, word: u32) -> Option<Atom> {
    let folded = fold(letters);
    if folded.is_empty() {
        return None;
    }
    let mut atom = plain(folded.into(), word);
    atom.readings = readings::of_letters(letters, &atom.folded);
    Some(atom)
}

fn number_atom(number: &str, word: u32) -> Atom {
    let kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '%' | '$' | '£' | '€');
    let folded: String = number.chars().filter(kept).collect::<String>().to_lowercase();
    let folded: Box<str> = folded.into();
    Atom { canon: folded.clone(), folded, word, last_word: word, readings: readings::of_number(number) }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Piece<'a> {
    Letters(&'a str),
    /// With its currency sign before it and its ordinal ending or percent sign behind it.
    Number(&'a str),
    Sign(&'static str),
}

/// What a word falls into.
fn pieces(word: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let number = number_length(rest);
        if number > 0 {
            pieces.push(Piece::Number(&rest[..number]));
            rest = &rest[number..];
        } else if first.is_alphabetic() {
            let length = letters_length(rest);
            pieces.push(Piece::Letters(&rest[..length]));
            rest = &rest[length..];
        } else {
            pieces.extend(readings::sign(first).map(Piece::Sign));
            // An apostrophe that begins a word belongs to it: 'tis, 'em.
            let apostrophe = matches!(first, '\'' | '’') && pieces.is_empty();
            let behind = &rest[first.len_utf8()..];
            if apostrophe && behind.starts_with(char::is_alphabetic) {
                let length = first.len_utf8() + letters_length(behind);
                pieces.push(Piece::Letters(&rest[..length]));
                rest = &rest[length..];
            } else {
                rest = behind;
            }
        }
    }
    pieces
}

/// Length of the number that `text` begins with, 0 if there is none.
fn number_length(text: &str) -> usize {
    let unsigned = text.trim_start_matches(['$', '£', '€']);
    let digits = unsigned.trim_start_matches('.');
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || unsigned.len() - digits.len() > 1 {
        return 0;
    }
    let mut end = text.len() - digits.len();
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(end) {
        let next_is_digit = bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        if byte.is_ascii_digit() || (matches!(byte, b',' | b'.' | b':') && next_is_digit) {
            end += 1;
        } else {
            break;
        }
    }
    let behind = &text[end..];
    for ending in ["st", "nd", "rd", "th", "s", "'s", "’s", "%"] {
        let follows = behind.get(..ending.len()).is_some_and(|it| it.eq_ignore_ascii_case(ending));
        if follows && !behind[ending.len()..].starts_with(char::is_alphanumeric) {
            return end + ending.len();
        }
    }
    end
}

/// Length of the letters that `text` begins with: apostrophes between letters belong to them, and so do
/// the dots of `U.S.A.` and `a.m.`.
fn letters_length(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    let mut run = 0;
    while let Some((at, char)) = chars.next() {
        let next_is_letter = chars.peek().is_some_and(|(_, next)| next.is_alphabetic());
        match char {
            '\'' | '’' if next_is_letter => run = 2,
            '.' if next_is_letter && run == 1 => run = 0,
            _ if char.is_alphabetic() || is_mark(char) => run += 1,
            _ => return at,
        }
    }
    text.len()
}

/// A combining accent.
fn is_mark(char: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&char)
}

/// Whether it closes what a sentence stands in: its mark is before it.
pub(crate) fn is_closing(c: char) -> bool {
    matches!(c, '"' | '”' | '’' | '\'' | ')')
}

/// Letters in lower case, without accents, with plain apostrophes between them.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for char in text.chars().flat_map(char::to_lowercase) {
        match char {
            '\'' | '’' | '‘' => folded.push('\''),
            _ if is_mark(char) => {}
            _ if char.is_ascii_alphanumeric() => folded.push(char),
            _ if char.is_alphanumeric() => match plain_letters(char) {
                Some(letters) => folded.push_str(letters),
                None => folded.push(char),
            },
            _ => {}
        }
    }
    let trimmed = folded.trim_end_matches('\'');
    trimmed.to_owned()
}

/// The plain letters for a Latin letter with an accent, as recognisers like to write it.
fn plain_letters(char: char) -> Option<&'static str> {
    Some(match char {
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'ì'..='ï' | 'ī' | 'ı' => "i",
        'ł' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => "o",
        'œ' => "oe",
        'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' => "t",
        'þ' => "th",
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> Vec<String> {
        atoms(text.split_whitespace()).into_iter().map(|atom| atom.folded.into()).collect()
    }

    #[test]
    fn words_are_broken_at_space_and_dashes_and_know_their_place() {
        let text = "“Yes,” he said—no… Well -- *  forty-two.";
        let words = text_words(text);
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(texts, ["“Yes,”", "he", "said—", "no…", "Well", "forty-two."]);
        for word in &words {
            assert_eq!(&text[word.at.start as usize..word.at.end as usize], word.text);
        }
        assert!(text_words(" — … “ ”").is_empty());
        assert_eq!(text_words("1914–18").len(), 1);
        assert_eq!(text_words("no--yes").len(), 2);
    }

    #[test]
    fn atoms_have_no_case_no_accents_and_no_punctuation() {
        assert_eq!(
            folded("“Café!” (O’Brien’s) forty-two _him_"),
            ["cafe", "o'brien's", "forty", "two", "him"]
        );
        assert_eq!(folded("U.S.A. a.m. dogs’ 'tis Mr."), ["usa", "am", "dogs", "'tis", "mr"]);
        assert_eq!(folded("Tom & 5% B12"), ["tom", "and", "5%", "b", "12"]);
        assert_eq!(folded("10,000 £5 3rd 1840s 10:30"), ["10000", "£5", "3rd", "1840s", "1030"]);
    }

    #[test]
    fn every_atom_has_its_word() {
        let places: Vec<u32> = atoms(["one-two", "—", "three"]).iter().map(|atom| atom.word).collect();
        assert_eq!(places, [0, 0, 2]);
    }
}
