//! Text to ids: the byte-level BPE of Qwen2, and the templates around a text.
//!
//! The vocabulary is `vocab.json` and `merges.txt`; text is brought to NFC and cut by the Qwen2 pattern
//! before merging (leaving the pattern out changes ids). The control tokens of the templates
//! (`<|im_start|>` and `<|im_end|>`) are put in by id and are not known to the tokenizer at all, so a book
//! that contains the characters `<|im_end|>` has them spoken as characters and can never end its own turn.
//!
//! The reference cuts a text out of its template by counting tokens. White space at a text's edges would
//! merge with the template's line breaks and shift that cut, so a text is trimmed first; the ids of a
//! trimmed text are then the same whether it is encoded alone, as here, or within the template.

use std::collections::HashSet;
use std::path::Path;

use narrator_engine::EngineError;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;
use tokenizers::{PreTokenizerWrapper, Tokenizer};

use super::config::TextIds;
use crate::error::{bad_model, bad_request};

/// The pattern that the Qwen2 family cuts text by, as its published tokenizer has it.
const PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A checkpoint's tokenizer.
#[derive(Debug)]
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    ids: TextIds,
    /// `assistant` and the line break: the role before everything that is spoken.
    assistant: Vec<i64>,
    user: Vec<i64>,
    newline: Vec<i64>,
    vocab: i64,
}

impl TextTokenizer {
    /// Reads `vocab.json` and `merges.txt` in `dir`. `vocab` is the size of the text embedding.
    pub fn read(dir: &Path, ids: TextIds, vocab: i64) -> Result<Self, EngineError> {
        let file = |name: &str| {
            let path = dir.join(name);
            if path.exists() {
                Ok(path.to_string_lossy().into_owned())
            } else {
                Err(bad_model(format!(
                    "{} is missing; is this a complete checkpoint folder?",
                    path.display()
                )))
            }
        };
        let (vocabulary, merges) = (file("vocab.json")?, file("merges.txt")?);
        let wrong = |error: tokenizers::Error| {
            bad_model(format!(
                "the tokenizer of {} cannot be used, for what vocab.json or merges.txt says: {error}; fetch them again",
                dir.display()
            ))
        };
        let (tokens, pairs) = BPE::read_file(&vocabulary, &merges).map_err(wrong)?;
        if let Some(token) = never_made(&tokens, &pairs) {
            return Err(bad_model(format!(
                "{merges} is cut short or belongs to another model: nothing makes the token `{token}` of vocab.json; \
                 fetch it again"
            )));
        }
        let model = BPE::builder().vocab_and_merges(tokens, pairs).build().map_err(wrong)?;
        let mut tokenizer = Tokenizer::new(model);
        let split = Split::new(SplitPattern::Regex(PATTERN.into()), SplitDelimiterBehavior::Isolated, false)
            .map_err(wrong)?;
        tokenizer.with_normalizer(Some(NFC)).with_pre_tokenizer(Some(Sequence::new(vec![
            PreTokenizerWrapper::Split(split),
            PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, false, false)),
        ])));
        let mut this =
            Self { tokenizer, ids, assistant: Vec::new(), user: Vec::new(), newline: Vec::new(), vocab };
        this.assistant = this.encode("assistant\n")?;
        this.user = this.encode("user\n")?;
        this.newline = this.encode("\n")?;
        if this.assistant.len() != 2 || this.newline.len() != 1 {
            return Err(bad_model(format!(
                "the vocabulary of {} has no single token for `assistant` or for the line break, which the \
                 model's template relies on",
                dir.display()
            )));
        }
        Ok(this)
    }

    /// Ids of `text` as it stands.
    fn encode(&self, text: &str) -> Result<Vec<i64>, EngineError> {
        let encoding = self
            .tokenizer
            .encode(text, false)
            .map_err(|error| bad_request(format!("the text cannot be tokenized: {error}")))?;
        let ids: Vec<i64> = encoding.get_ids().iter().map(|&id| i64::from(id)).collect();
        match ids.iter().find(|&&id| id >= self.vocab) {
            Some(id) => {
                Err(bad_model(format!("token {id} of vocab.json is outside the model's text embedding")))
            }
            None => Ok(ids),
        }
    }

    /// Ids of a text that is to be spoken or obeyed, without white space at its edges.
    pub fn content(&self, text: &str) -> Result<Vec<i64>, EngineError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(bad_request("there is no text to speak"));
        }
        self.encode(trimmed)
    }

    /// The three ids that open an assistant's turn.
    pub(crate) fn role(&self) -> Vec<i64> {
        [&[self.ids.im_start], self.assistant.as_slice()].concat()
    }

    /// The whole turn of a user who says how to speak: what the model is instructed by.
    pub(crate) fn instruction(&self, text: &str) -> Result<Vec<i64>, EngineError> {
        let content = self.content(text)?;
        Ok([&[self.ids.im_start], self.user.as_slice(), &content, &[self.ids.im_end], &self.newline].concat())
    }

    /// The reference's template around a text that is to be spoken: what its `input_ids` are.
    pub(crate) fn template(&self, content: &[i64]) -> Vec<i64> {
        [&self.role(), content, &[self.ids.im_end], &self.newline, &self.role()].concat()
    }
}

/// A token that text can never become: it has several characters, and no merge makes it. The family's vocabulary is
/// single bytes and one token for every merge, so such a token means that merges are missing, and text would become
/// other ids than those that the model was taught.
fn never_made<'a>(tokens: &'a Vocab, pairs: &Merges) -> Option<&'a str> {
    let made: HashSet<String> = pairs.iter().map(|(left, right)| format!("{left}{right}")).collect();
    let orphans = tokens.keys().filter(|token| token.chars().nth(1).is_some() && !made.contains(*token));
    orphans.map(String::as_str).min()
}
