//! Lexemes: a text as words, numbers, white space and single marks.

/// What a lexeme is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Letters of any script with their combining marks, and apostrophes between letters.
    Word,
    /// ASCII digits.
    Digits,
    /// A single character of white space.
    Space,
    /// Any other single character.
    Mark,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lexeme<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// Byte offset in the text.
    pub(crate) start: usize,
}

impl Lexeme<'_> {
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// `text` as lexemes: every byte in exactly one, in order.
pub(crate) fn lexemes(text: &str) -> Vec<Lexeme<'_>> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut start = 0;
    while let Some(first) = rest.chars().next() {
        let kind = kind_of(first);
        let length = match kind {
            Kind::Mark | Kind::Space => first.len_utf8(),
            Kind::Word => word_length(rest),
            Kind::Digits => rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()),
        };
        out.push(Lexeme { kind, text: &rest[..length], start });
        start += length;
        rest = &rest[length..];
    }
    out
}

fn kind_of(c: char) -> Kind {
    match c {
        '0'..='9' => Kind::Digits,
        c if c.is_alphabetic() => Kind::Word,
        c if c.is_whitespace() => Kind::Space,
        _ => Kind::Mark,
    }
}

/// Bytes of the word with which `text` begins.
fn word_length(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let belongs = c.is_alphabetic()
            || is_combining(c)
            || (is_apostrophe(c) && chars.peek().is_some_and(|&(_, next)| next.is_alphabetic()));
        if !belongs {
            return at;
        }
    }
    text.len()
}

pub(crate) fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’')
}

/// Marks that stand on the letter before them, and joiners between letters.
fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
        | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}' | '\u{200C}' | '\u{200D}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_words_numbers_and_marks() {
        let parts = |text| lexemes(text).into_iter().map(|lexeme| lexeme.text).collect::<Vec<_>>();
        assert_eq!(
            parts("don’t pay $1,234.50!"),
            ["don’t", " ", "pay", " ", "$", "1", ",", "234", ".", "50", "!"]
        );
        assert_eq!(parts("5th p.m. ‘dogs’"), ["5", "th", " ", "p", ".", "m", ".", " ", "‘", "dogs", "’"]);
        assert_eq!(parts("cafe\u{301} 日本"), ["cafe\u{301}", " ", "日本"]);
    }
}
