//! English text to phonemes: the crate misaki-rs, with the voice's own spelling network for words that its
//! lexicons lack.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use misaki_rs::fallback::FallbackError;
use misaki_rs::{Fallback, G2P, Language};
use narrator_engine::EngineError;

use super::spelling::Spelling;
use crate::error::kind_of_torch_error;

/// Stands at both ends of what the voice is given.
const PAD: i64 = 0;

pub(super) struct Phonemiser {
    g2p: G2P,
    ids: HashMap<char, i64>,
}

impl Phonemiser {
    pub(super) fn new(spelling: Spelling, ids: HashMap<char, i64>) -> Self {
        let unknown = UnknownWords { spelling: Mutex::new(spelling), read: Mutex::default() };
        let mut g2p = G2P::with_fallback(Language::EnglishUS, Some(Box::new(unknown)));
        // What nothing can read must not become a phoneme of its own.
        g2p.unk = String::new();
        Self { g2p, ids }
    }

    /// Phonemes of a sentence, in misaki's alphabet; empty when it has nothing to say.
    pub(super) fn phonemes(&self, sentence: &str) -> Result<String, EngineError> {
        let (phonemes, _) = self.g2p.g2p(sentence).map_err(|error| {
            let text = error.to_string();
            EngineError::new(kind_of_torch_error(&text), format!("cannot read `{sentence}`: {text}"))
        })?;
        let known = phonemes.chars().filter(|phoneme| self.ids.contains_key(phoneme));
        Ok(known.collect::<String>().trim().to_owned())
    }

    /// Ids for the voice, padded.
    pub(super) fn ids(&self, phonemes: &str) -> Vec<i64> {
        let inner = phonemes.chars().filter_map(|phoneme| self.ids.get(&phoneme).copied());
        std::iter::once(PAD).chain(inner).chain(std::iter::once(PAD)).collect()
    }
}

/// Whether a phoneme string has something to hear, beyond marks and stress.
pub(super) fn is_audible(phonemes: &str) -> bool {
    // Stress and length marks count as letters in Unicode.
    phonemes.chars().any(|phoneme| phoneme.is_alphabetic() && !matches!(phoneme, 'ˈ' | 'ˌ' | 'ː'))
}

/// Reads what the lexicons lack. A book says its invented names often, so readings are kept.
struct UnknownWords {
    spelling: Mutex<Spelling>,
    read: Mutex<HashMap<String, String>>,
}

impl Fallback for UnknownWords {
    fn phonemize(&self, word: &str) -> Result<String, FallbackError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.get(word) {
            return Ok(known.clone());
        }
        let spelling = self.spelling.lock().unwrap_or_else(PoisonError::into_inner);
        let mut phonemes = Vec::new();
        for piece in pieces(word) {
            let reading = match piece {
                Piece::Letters(letters) => spelling.phonemes(letters).map_err(|error| {
                    FallbackError::Espeak { word: word.to_owned(), error: error.to_string() }
                })?,
                Piece::Sign(sign) => reading_of(sign).to_owned(),
            };
            if !reading.is_empty() {
                phonemes.push(reading);
            }
        }
        let phonemes = phonemes.join(" ");
        if !is_audible(&phonemes) && word.chars().any(char::is_alphanumeric) {
            tracing::warn!(word, "word_without_a_reading");
        }
        read.insert(word.to_owned(), phonemes.clone());
        Ok(phonemes)
    }
}

/// A part of a word that is read in one way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Piece<'a> {
    /// Letters, with apostrophes between them.
    Letters(&'a str),
    /// A digit or a symbol.
    Sign(char),
}

fn pieces(word: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphabetic() { letters_at(rest) } else { first.len_utf8() };
        let (piece, behind) = rest.split_at(length);
        pieces.push(if first.is_alphabetic() { Piece::Letters(piece) } else { Piece::Sign(first) });
        rest = behind;
    }
    pieces
}

/// Length of the letters that `text` begins with; an apostrophe belongs to them if a letter follows it.
fn letters_at(text: &str) -> usize {
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let goes_on = match letter {
            '\'' | '’' => letters.peek().is_some_and(|(_, next)| next.is_alphabetic()),
            other => other.is_alphabetic(),
        };
        if !goes_on {
            return at;
        }
    }
    text.len()
}

/// A sign inside an unknown word, as in `R2D2`. What ornaments a page (`*`, `|`, `~`) is not spoken.
fn reading_of(sign: char) -> &'static str {
    match sign {
        '0' => "zˈɪɹO",
        '1' => "wˈʌn",
        '2' => "tˈu",
        '3' => "θɹˈi",
        '4' => "fˈɔɹ",
        '5' => "fˈIv",
        '6' => "sˈɪks",
        '7' => "sˈɛvən",
        '8' => "ˈAt",
        '9' => "nˈIn",
        '&' => "ænd",
        '+' => "plˈʌs",
        '=' => "ˈikwᵊlz",
        '@' => "æt",
        '%' => "pəɹsˈɛnt",
        '/' => "slˈæʃ",
        '#' => "nˈʌmbəɹ",
        '—' => "—",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::starter::config::Config;
    use crate::starter::layers::{Arithmetic, Source};
    use crate::starter::text::sentences;
    use crate::starter::text_encoder::SYMBOLS;
    use crate::weights::Weights;

    #[test]
    fn a_word_falls_into_letters_and_signs() {
        use Piece::{Letters, Sign};
        assert_eq!(pieces("R2D2"), [Letters("R"), Sign('2'), Letters("D"), Sign('2')]);
        assert_eq!(pieces("O’Brien's-"), [Letters("O’Brien's"), Sign('-')]);
        assert_eq!(pieces("dogs'"), [Letters("dogs"), Sign('\'')]);
        assert!(pieces("").is_empty());
    }

    fn phonemiser() -> Phonemiser {
        let dir = super::super::parity::model_dir();
        let config = Config::read(&dir).expect("a config");
        let weights = Weights::open(&dir.join("model.safetensors"), tch::Device::Cpu).expect("weights");
        let names = weights.names().expect("a header");
        let source = Source { names: &names, arithmetic: Arithmetic::Rounded };
        let spelling = Spelling::load(&source, config.spelling).expect("a spelling network");
        Phonemiser::new(spelling, config.phonemes)
    }

    #[test]
    fn names_that_no_lexicon_has_are_not_dropped() {
        let sentence = "Mr. Bennet of Netherfield";
        // What misaki-rs makes of it by itself: both names are gone.
        let (bare, _) = G2P::with_fallback(Language::EnglishUS, None).g2p(sentence).expect("phonemes");
        insta::assert_snapshot!(bare, @"mˈɪstəɹ ❓ ʌv ❓");
        let phonemes = phonemiser().phonemes(sentence).expect("phonemes");
        insta::assert_snapshot!(phonemes, @"mˈɪstəɹ bˈɛnɪt ʌv nˈɛðəɹfˌild");
    }

    #[test]
    fn unknown_words_of_every_make_are_read() {
        let phonemiser = phonemiser();
        for word in
            ["Xanthippe-Jones", "R2D2", "Zzyzx’s", "Žižek", "qwertyuiopasdfghjklzxcvbnmqwertyuiop", "Ünalın"]
        {
            let phonemes = phonemiser.phonemes(word).expect("phonemes");
            assert!(is_audible(&phonemes), "{word}: {phonemes}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_gets_ids_that_the_voice_knows(text in r"(\PC|[a-zA-Z0-9 .,'’$%/()\[\]-]){0,60}") {
            // Building it takes longer than all cases together.
            thread_local!(static PHONEMISER: Phonemiser = phonemiser());
            PHONEMISER.with(|phonemiser| {
                for sentence in sentences(&text) {
                    let phonemes = phonemiser.phonemes(&sentence).expect("phonemes");
                    let ids = phonemiser.ids(&phonemes);
                    assert!(ids.iter().all(|id| (0..SYMBOLS).contains(id)));
                    assert_eq!(ids.len(), phonemes.chars().count() + 2);
                }
            });
        }
    }

    #[test]
    fn marks_alone_are_not_audible() {
        assert!(!is_audible("…—. “”"));
        assert!(!is_audible("ˈ"));
        assert!(is_audible("jˈɛs."));
    }
}
