//! English.

use super::{Claim, View};

#[derive(Debug)]
pub(crate) struct English {}

impl English {
    pub(crate) fn for_language(language: &str) -> Option<Self> {
        (crate::sentences::primary_subtag(language) == "en").then_some(Self {})
    }

    pub(crate) fn claim(&self, _view: &View<'_>, _at: usize) -> Option<Claim> {
        None
    }
}

/// Titles before a name, and words before a number: whatever sentencex thinks of them.
pub(crate) fn wants_more(word: &str, after: &str) -> bool {
    const BEFORE_NAMES: [&str; 28] = [
        "Mr.", "Mrs.", "Ms.", "Messrs.", "Dr.", "Prof.", "Rev.", "Revd.", "Hon.", "Capt.", "Col.", "Gen.",
        "Lt.", "Lieut.", "Sgt.", "Serjt.", "Maj.", "Cmdr.", "Adm.", "Gov.", "Pres.", "Sen.", "Rep.", "Mme.",
        "Mlle.", "Bp.", "Abp.", "Mt.",
    ];
    const BEFORE_NUMBERS: [&str; 16] = [
        "vol.", "vols.", "ch.", "chap.", "no.", "nos.", "p.", "pp.", "pg.", "fig.", "figs.", "pt.", "bk.",
        "art.", "sect.", "op.",
    ];
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let numeral = |text: &str| {
        let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
        let first = &text[..end];
        // `I` with more behind it is the pronoun.
        !first.is_empty()
            && !(first == "I" && text[end..].starts_with(char::is_whitespace))
            && (first.starts_with(|c: char| c.is_ascii_digit())
                || first
                    .chars()
                    .all(|c| matches!(c, 'I' | 'V' | 'X' | 'L' | 'C' | 'i' | 'v' | 'x' | 'l' | 'c')))
    };
    BEFORE_NAMES.iter().any(|title| title.eq_ignore_ascii_case(word))
        || (BEFORE_NUMBERS.iter().any(|short| short.eq_ignore_ascii_case(word)) && numeral(after))
}
