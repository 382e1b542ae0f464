//! The voices of a loaded checkpoint, by name.
//!
//! A custom-voice model has its own. A voice-design model takes any description as a voice's name, and has
//! one description ready. A base model speaks with the clones that lie in its folder's `voices`
//! (`NAME.safetensors`), or with one given by path; it has none of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use narrator_engine::{EngineError, VoiceInfo};

use super::config::ModelKind;
use super::model::Qwen3Tts;
use super::prompt::Voice;
use super::voice::ClonePrompt;
use crate::error::bad_request;

/// What a voice-design model speaks with when nothing is asked for.
const NARRATOR: (&str, &str) =
    ("narrator", "A calm, warm narrator of books, mature, clear and unhurried, with natural expression.");

/// What the published English-speaking default is; any other when a checkpoint lacks it.
const PREFERRED: &str = "ryan";

/// Voices that can be asked for.
#[derive(Debug)]
pub(crate) struct Cast {
    kind: ModelKind,
    /// Clones of a base model, read when first used or found at the start.
    clones: BTreeMap<String, ClonePrompt>,
}

impl Cast {
    /// Finds the voices in `dir`.
    pub(crate) fn find(model: &Qwen3Tts, dir: &Path) -> Result<Self, EngineError> {
        let mut clones = BTreeMap::new();
        if model.config().kind == ModelKind::Base {
            for path in clone_files(&dir.join("voices")) {
                let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
                clones.insert(name.to_owned(), model.load_voice(&path)?);
            }
        }
        Ok(Self { kind: model.config().kind, clones })
    }

    /// Whether its voices are clones.
    pub(crate) fn clones(&self) -> bool {
        self.kind == ModelKind::Base
    }

    /// What the engine says of its voices, and which is the default; empty when there is none.
    pub(crate) fn list(&self, model: &Qwen3Tts) -> (Vec<VoiceInfo>, String) {
        let info = |name: &str, description: &str| VoiceInfo {
            name: name.to_owned(),
            // They speak every language of the model.
            language: "und".to_owned(),
            description: description.to_owned(),
        };
        match self.kind {
            ModelKind::CustomVoice => {
                let speakers = &model.config().talker.speakers;
                let dialects = &model.config().talker.dialects;
                let voices: Vec<VoiceInfo> = speakers
                    .keys()
                    .map(|name| info(name, dialects.get(name).map_or("", String::as_str)))
                    .collect();
                let preferred = voices.iter().find(|voice| voice.name == PREFERRED).or(voices.first());
                let default = preferred.map(|voice| voice.name.clone()).unwrap_or_default();
                (voices, default)
            }
            ModelKind::VoiceDesign => (vec![info(NARRATOR.0, NARRATOR.1)], NARRATOR.0.to_owned()),
            ModelKind::Base => {
                let voices: Vec<VoiceInfo> =
                    self.clones.keys().map(|name| info(name, "cloned from a clip")).collect();
                let default = voices.first().map(|voice| voice.name.clone()).unwrap_or_default();
                (voices, default)
            }
        }
    }

    /// Reads a clone that is asked for by path, so that [`Self::voice`] finds it.
    pub(crate) fn prepare(&mut self, model: &Qwen3Tts, name: &str) -> Result<(), EngineError> {
        if self.kind != ModelKind::Base || self.clones.contains_key(name) {
            return Ok(());
        }
        let path = Path::new(name);
        if path.extension().is_some_and(|extension| extension == "safetensors") && path.exists() {
            self.clones.insert(name.to_owned(), model.load_voice(path)?);
            return Ok(());
        }
        let known: Vec<&str> = self.clones.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(bad_request(format!(
            "the model has no voice `{name}`: it has {known}; a base model gets voices from clips"
        )))
    }

    /// The voice `name`.
    pub(crate) fn voice<'a>(&'a self, name: &'a str) -> Result<Voice<'a>, EngineError> {
        match self.kind {
            ModelKind::CustomVoice => Ok(Voice::Named { speaker: name, instruct: None }),
            ModelKind::VoiceDesign => {
                let instruct = if name == NARRATOR.0 { NARRATOR.1 } else { name };
                Ok(Voice::Designed { instruct })
            }
            ModelKind::Base => {
                let missing = || bad_request(format!("the model has no voice `{name}`"));
                self.clones.get(name).map(Voice::Cloned).ok_or_else(missing)
            }
        }
    }
}

fn clone_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
        .collect();
    files.sort();
    files
}
