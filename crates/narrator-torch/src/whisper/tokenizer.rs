//! Text to ids and back, and the ids that mean something else than text.
//!
//! The vocabulary is the checkpoint's `tokenizer.json`. Control tokens are looked up by name, since their
//! numbers differ between the English and the multilingual vocabularies and again from the third generation
//! on. Text that is encoded here never becomes a control token, whatever characters it has.

use std::collections::HashMap;
use std::path::Path;

use narrator_engine::EngineError;
use tokenizers::Tokenizer;

use super::config::Config;
use crate::error::{bad_model, bad_request};

/// A checkpoint's tokenizer.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    tokenizer: Tokenizer,
    /// Bytes of every token of text; empty for control tokens.
    bytes: Vec<Vec<u8>>,
    pub(crate) end_of_text: i64,
    pub(crate) start: i64,
    pub(crate) transcribe: Option<i64>,
    /// Before the text of an earlier window, or words that may come up.
    pub(crate) previous: Option<i64>,
    pub(crate) no_speech: Option<i64>,
    pub(crate) no_timestamps: i64,
    /// `<|0.00|>`, from which every step of 20 ms is one id more.
    pub(crate) first_timestamp: i64,
    /// Ids of languages by their code; empty in a model that hears English alone.
    languages: HashMap<String, i64>,
}

impl Vocabulary {
    /// Reads `tokenizer.json` in `dir`.
    pub(crate) fn read(dir: &Path, config: &Config) -> Result<Self, EngineError> {
        let file = dir.join("tokenizer.json");
        let wrong = |what: String| bad_model(format!("{}: {what}", file.display()));
        let tokenizer =
            Tokenizer::from_file(&file).map_err(|error| wrong(format!("cannot be used: {error}")))?;
        let find = |name: &str| tokenizer.token_to_id(name).map(i64::from);
        let need =
            |name: &str| find(name).ok_or_else(|| wrong(format!("has no token `{name}`; is this Whisper?")));
        let no_timestamps = need("<|notimestamps|>")?;
        let end_of_text = need("<|endoftext|>")?;
        let start = need("<|startoftranscript|>")?;
        let transcribe = find("<|transcribe|>");
        let multilingual =
            config.generation.is_multilingual.unwrap_or(config.shape.vocab_size >= SMALLEST_MULTILINGUAL);
        let mut languages = HashMap::new();
        // Languages stand between the start of a transcript and the first task.
        let first_task = find("<|translate|>").or(transcribe).unwrap_or(start);
        for id in start + 1..if multilingual { first_task.min(config.shape.vocab_size) } else { 0 } {
            let name = tokenizer.id_to_token(id as u32).unwrap_or_default();
            if let Some(code) = name.strip_prefix("<|").and_then(|name| name.strip_suffix("|>")) {
                languages.insert(code.to_owned(), id);
            }
        }
        let mut bytes = vec![Vec::new(); config.shape.vocab_size as usize];
        let letters = byte_letters();
        for (id, bytes) in bytes.iter_mut().enumerate().take(end_of_text as usize) {
            let token = tokenizer.id_to_token(id as u32).unwrap_or_default();
            *bytes = token.chars().filter_map(|letter| letters.get(&letter).copied()).collect();
        }
        let this = Self {
            bytes,
            end_of_text,
            start,
            transcribe,
            previous: find("<|startofprev|>"),
            no_speech: find("<|nospeech|>").or_else(|| find("<|nocaptions|>")),
            no_timestamps,
            first_timestamp: no_timestamps + 1,
            languages,
            tokenizer,
        };
        let largest = this.first_timestamp.max(this.end_of_text).max(this.start);
        if largest > config.shape.vocab_size {
            return Err(wrong(format!(
                "has token {largest} where config.json has a vocabulary of {}",
                config.shape.vocab_size
            )));
        }
        Ok(this)
    }

    /// Ids of `text` as it stands.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<i64>, EngineError> {
        let encoding = self
            .tokenizer
            .encode(text, false)
            .map_err(|error| bad_request(format!("the text cannot be tokenized: {error}")))?;
        let ids = encoding.get_ids().iter().map(|&id| i64::from(id));
        // What looks like a control token is one to the tokenizer, and has no place in a text.
        Ok(ids.filter(|&id| id < self.end_of_text).collect())
    }

    /// Bytes of one token: a token may end within a character.
    pub(crate) fn bytes(&self, id: i64) -> &[u8] {
        usize::try_from(id).ok().and_then(|id| self.bytes.get(id)).map_or(&[], Vec::as_slice)
    }

    /// The text of `ids`, control tokens left out.
    pub(crate) fn decode(&self, ids: &[i64]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.bytes(id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn is_multilingual(&self) -> bool {
        !self.languages.is_empty()
    }

    /// The token of a language, from its BCP 47 tag.
    pub(crate) fn language(&self, tag: &str) -> Option<i64> {
        let code = tag.split(['-', '_']).next().unwrap_or_default().to_lowercase();
        self.languages.get(code.as_str()).copied()
    }

    /// All language tokens with their codes, in the order of their ids.
    pub(crate) fn languages(&self) -> Vec<(i64, &str)> {
        let mut all: Vec<(i64, &str)> =
            self.languages.iter().map(|(code, &id)| (id, code.as_str())).collect();
        all.sort_unstable();
        all
    }

    /// Whether a token is made of signs alone, which are written and not heard.
    pub(crate) fn is_silent(&self, id: i64) -> bool {
        let bytes = self.bytes(id);
        !bytes.is_empty()
            && std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(char::is_alphanumeric))
    }

    /// Of every token of text, the one that differs from it in its first letter's case alone; else itself.
    pub(crate) fn other_case(&self) -> Vec<i64> {
        let by_bytes: HashMap<&[u8], i64> =
            self.bytes.iter().enumerate().map(|(id, bytes)| (bytes.as_slice(), id as i64)).collect();
        (0..self.bytes.len())
            .map(|id| {
                let toggled = toggle_first(&self.bytes[id]);
                toggled.and_then(|bytes| by_bytes.get(bytes.as_slice()).copied()).unwrap_or(id as i64)
            })
            .collect()
    }

    /// Size of the vocabulary.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Of the published vocabularies the smallest that has languages.
const SMALLEST_MULTILINGUAL: i64 = 51_865;

/// Toggles the case of the first ASCII letter, after an optional space.
fn toggle_first(bytes: &[u8]) -> Option<Vec<u8>> {
    let at = usize::from(bytes.first() == Some(&b' '));
    let letter = *bytes.get(at)?;
    letter.is_ascii_alphabetic().then(|| {
        let mut toggled = bytes.to_vec();
        toggled[at] = letter ^ 0x20;
        toggled
    })
}

/// The letters that a byte-level vocabulary writes bytes with: printable ones stand for themselves, the rest
/// are counted up from U+0100.
fn byte_letters() -> HashMap<char, u8> {
    let mut next = 0x100;
    (0..=u8::MAX)
        .map(|byte| {
            if matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) {
                (char::from(byte), byte)
            } else {
                next += 1;
                (char::from_u32(next - 1).unwrap_or('\0'), byte)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_letter() {
        let letters = byte_letters();
        assert_eq!(letters.len(), 256);
        for (letter, byte) in [('a', b'a'), ('Ġ', b' '), ('Ċ', b'\n'), ('é', 0xe9)] {
            assert_eq!(letters.get(&letter), Some(&byte), "{letter}");
        }
    }

    #[test]
    fn cases_are_toggled_at_the_first_letter() {
        assert_eq!(toggle_first(b" must").as_deref(), Some(&b" Must"[..]));
        assert_eq!(toggle_first(b"The").as_deref(), Some(&b"the"[..]));
        assert_eq!(toggle_first(b" 12"), None);
        assert_eq!(toggle_first(b""), None);
    }
}
