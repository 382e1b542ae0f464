//! The voice's `config.json`: its alphabet of phonemes and that of the spelling network.

use std::collections::HashMap;
use std::path::Path;

use narrator_engine::EngineError;
use serde::Deserialize;

use crate::error::bad_model;

#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) struct Config {
    pub(super) sample_rate: u32,
    pub(super) language: String,
    pub(super) voice: VoiceConfig,
    /// Phoneme to id, in misaki's alphabet.
    pub(super) phonemes: HashMap<char, i64>,
    pub(super) spelling: SpellingConfig,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct VoiceConfig {
    pub(super) name: String,
    pub(super) description: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct SpellingConfig {
    /// Letter number `n` has id `n + 1`.
    pub(super) letters: Vec<char>,
    /// Phoneme number `n` has id `n + 1`; 0 is the blank.
    pub(super) phonemes: Vec<char>,
    /// Phonemes that one letter gives at most.
    pub(super) slots: i64,
    /// Letters that the network reads at once.
    pub(super) max_letters: usize,
}

impl Config {
    pub(super) fn read(model_dir: &Path) -> Result<Self, EngineError> {
        let path = model_dir.join("config.json");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| bad_model(format!("cannot read {}: {error}", path.display())))?;
        serde_json::from_str(&text).map_err(|error| {
            bad_model(format!("{} does not describe a starter voice: {error}", path.display()))
        })
    }
}
