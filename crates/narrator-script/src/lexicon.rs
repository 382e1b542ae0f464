//! The lexicon: how the person wants words to be said.
//!
//! A TOML file with one table, `[words]`: on the left what the page shows, on the right what is spoken
//! for it. A key matches whole words only. A key in small letters matches the word however it is
//! capitalised; a key with capitals matches that spelling and the word in capitals. A possessive `’s` is
//! carried over. Deliberately not here: phonemes and rules by pattern.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::error::ScriptError;
use crate::normalise::lexeme::{Kind, is_apostrophe, lexemes};
use crate::normalise::{Claim, View};
use crate::source::is_pronounceable;

/// A respelling longer than this is a mistake, and would not fit into a segment.
const SPOKEN_MAX_CHARS: usize = 200;

/// Respellings by word; empty by default.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lexicon {
    /// By the first lexeme of the key in small letters; longer keys first.
    entries: HashMap<String, Vec<Entry>>,
    count: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    /// The key's lexemes as written.
    key: Vec<String>,
    spoken: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    words: HashMap<Spanned<String>, Spanned<String>>,
}

impl Lexicon {
    /// Reads a lexicon file.
    pub fn load(path: &Path) -> Result<Self, ScriptError> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|source| ScriptError::LexiconFile { file: file.clone(), source })?;
        Self::parse(&text, &file)
    }

    /// Reads the text of a lexicon; `file` names it in messages.
    pub fn parse(text: &str, file: &str) -> Result<Self, ScriptError> {
        let refuse = |at: usize, reason: String| {
            let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
            ScriptError::Lexicon { file: file.to_owned(), line, reason }
        };
        let parsed: File = toml::from_str(text)
            .map_err(|error| refuse(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
        let mut lexicon = Self::default();
        for (key, spoken) in parsed.words {
            let at = key.span().start;
            let (key, spoken) = (key.into_inner(), spoken.into_inner());
            let parts: Vec<String> = lexemes(key.trim()).iter().map(|part| part.text.to_owned()).collect();
            let Some(first) = parts.first().filter(|_| is_pronounceable(&key)) else {
                return Err(refuse(at, format!("{key:?} has no word in it")));
            };
            if !is_pronounceable(&spoken) || spoken.chars().any(char::is_control) {
                return Err(refuse(at, format!("what is spoken for {key:?} must be words on one line")));
            }
            if spoken.chars().count() > SPOKEN_MAX_CHARS {
                return Err(refuse(
                    at,
                    format!("what is spoken for {key:?} is over {SPOKEN_MAX_CHARS} characters"),
                ));
            }
            let entries = lexicon.entries.entry(first.to_lowercase()).or_default();
            entries.push(Entry { key: parts, spoken: spoken.trim().to_owned() });
            // Longest first, and then by spelling, so that the order in memory decides nothing.
            entries.sort_by(|a, b| b.key.len().cmp(&a.key.len()).then_with(|| b.key.cmp(&a.key)));
            lexicon.count += 1;
        }
        Ok(lexicon)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn claim(&self, view: &View<'_>, at: usize) -> Option<Claim> {
        if self.count == 0 {
            return None;
        }
        let (word, _) = without_possessive(view.lexemes[at].text);
        let entries = self.entries.get(&word.to_lowercase())?;
        entries.iter().find_map(|entry| entry.claim(view, at))
    }
}

impl Entry {
    fn claim(&self, view: &View<'_>, at: usize) -> Option<Claim> {
        let here = view.lexemes.get(at..at + self.key.len())?;
        let last = self.key.len() - 1;
        let mut possessive = "";
        for (index, (part, lexeme)) in self.key.iter().zip(here).enumerate() {
            let mut text = lexeme.text;
            if index == last && !part.contains(is_apostrophe) {
                (text, possessive) = without_possessive(text);
            }
            if !matches_case(part, text) {
                return None;
            }
        }
        // Whole words only: `R2` is not in `R2D2`.
        let touches = |other: Option<&super::normalise::lexeme::Lexeme<'_>>| {
            other.is_some_and(|other| matches!(other.kind, Kind::Word | Kind::Digits))
        };
        if touches(at.checked_sub(1).and_then(|before| view.lexemes.get(before)))
            || touches(view.lexemes.get(at + self.key.len()))
        {
            return None;
        }
        Some(Claim::new(self.key.len(), format!("{}{possessive}", self.spoken), "lexicon"))
    }
}

fn without_possessive(word: &str) -> (&str, &str) {
    for suffix in ["’s", "'s", "’S", "'S"] {
        if let Some(stem) = word.strip_suffix(suffix) {
            return (stem, &word[stem.len()..]);
        }
    }
    (word, "")
}

/// A key in small letters takes any capitals; one with capitals takes itself and all capitals.
fn matches_case(key: &str, text: &str) -> bool {
    if key == text {
        return true;
    }
    let is_all_capitals = text.chars().count() > 1 && text == text.to_uppercase();
    let any_case = key == key.to_lowercase();
    (any_case || is_all_capitals) && key.to_lowercase() == text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::normalised_with;

    fn said(text: &str) -> String {
        let lexicon = Lexicon::parse(
            "[words]\n\"Netherfield\" = \"Nether field\"\n\"read\" = \"red\"\n\"St. Ives\" = \"Saint Eyves\"\n\"R2\" = \"are two\"\n",
            "test",
        )
        .unwrap();
        normalised_with(text, "de", &lexicon)
    }

    #[test]
    fn whole_words_are_respelled_with_their_case_in_mind() {
        assert_eq!(said("Netherfield’s park, NETHERFIELD."), "Nether field’s park, Nether field.");
        assert_eq!(said("netherfield Netherfields."), "netherfield Netherfields.");
        assert_eq!(said("Read, reading, READ."), "red, reading, red.");
        assert_eq!(said("At St. Ives, R2 and R2D2."), "At Saint Eyves, are two and R2D2.");
    }

    #[test]
    fn a_wrong_lexicon_is_refused_with_its_line() {
        let message = |text| Lexicon::parse(text, "my.toml").unwrap_err().to_string();
        insta::assert_snapshot!(message("[words]\n\"a\" = \"b\"\n\"...\" = \"dots\"\n"), @r#"the lexicon my.toml, line 3: "..." has no word in it"#);
        insta::assert_snapshot!(message("[words]\n\"a\" = \"\"\n"), @r#"the lexicon my.toml, line 2: what is spoken for "a" must be words on one line"#);
        insta::assert_snapshot!(message("[words]\n\n\"a\" = 5\n"), @"the lexicon my.toml, line 3: invalid type: integer `5`, expected a string");
        insta::assert_snapshot!(message("[wurds]\n"), @"the lexicon my.toml, line 1: unknown field `wurds`, expected `words`");
        insta::assert_snapshot!(message("[words]\n\"a\" = \"b\"\n\"a\" = \"c\"\n"), @"the lexicon my.toml, line 3: duplicate key");
    }

    #[test]
    fn the_example_is_a_lexicon() {
        let example = include_str!("../../../config/lexicon.example.toml");
        let lexicon = Lexicon::parse(example, "config/lexicon.example.toml").unwrap();
        assert_eq!((lexicon.len(), lexicon.is_empty()), (4, false));
        assert_eq!(
            normalised_with("St. John Rivers’s victuals.", "en", &lexicon),
            "Sinjin Rivers’s vittles."
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Lexicon::load(Path::new("nowhere/lexicon.toml")).unwrap_err();
        assert!(error.to_string().starts_with("cannot read the lexicon nowhere/lexicon.toml: "), "{error}");
    }
}
