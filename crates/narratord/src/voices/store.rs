//! The folder of voices.
//!
//! ```text
//! voices/NAME/voice.toml               what it is, and what the clip says
//! voices/NAME/clip.wav                 mono, 24 kHz
//! voices/NAME/prompts/KEY.safetensors  what a model made of the clip: KEY names the model and the clip
//! ```
//!
//! A voice appears whole: it is made in a folder beside its place and renamed.

use std::path::PathBuf;

use narrator_engine::VoiceInfo;
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::exit::Exit;
use crate::home::Home;

pub(super) const VOICE_FILE: &str = "voice.toml";
pub(super) const CLIP_FILE: &str = "clip.wav";

/// Raised when a model makes something else of the same clip.
const PROMPT_FORMAT: &str = "narratord voice v1";

/// `voice.toml`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoiceFile {
    /// BCP 47; `und` when it was not said.
    pub language: String,
    /// What the clip says: all of it. Without it the timbre alone is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// BLAKE3 of the clip, hex.
    pub clip_blake3: String,
    pub seconds: f64,
    pub origin: Origin,
}

/// Where a voice came from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Origin {
    Cloned { clip: String },
    Designed { model: String, instruct: String, seed: u64 },
}

/// A voice of the user.
#[derive(Clone, PartialEq, Debug)]
pub struct UserVoice {
    pub name: String,
    pub dir: PathBuf,
    pub file: VoiceFile,
}

impl UserVoice {
    pub fn info(&self) -> VoiceInfo {
        let manner = if self.file.text.is_some() { "" } else { ", timbre alone" };
        let description = match &self.file.origin {
            Origin::Cloned { clip } => format!("cloned from {clip}{manner}"),
            Origin::Designed { instruct, .. } => format!("designed: {instruct}"),
        };
        VoiceInfo { name: self.name.clone(), language: self.file.language.clone(), description }
    }

    pub fn clip(&self) -> PathBuf {
        self.dir.join(CLIP_FILE)
    }

    /// Hash of all that a model is given of this voice: the clip and its words.
    pub fn recipe(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key(PROMPT_FORMAT);
        let text = self.file.text.as_deref();
        for field in [Some(self.file.clip_blake3.as_str()), text] {
            let field = field.unwrap_or_default();
            hasher.update(&(field.len() as u64).to_le_bytes()).update(field.as_bytes());
        }
        hasher.update(&[u8::from(text.is_some())]);
        hasher.finalize().to_hex().to_string()
    }

    /// Where what the model of this hash makes of the clip is kept.
    pub fn prompt(&self, model_hash: &str) -> PathBuf {
        let key = blake3::hash(format!("{model_hash} {}", self.recipe()).as_bytes()).to_hex();
        self.dir.join("prompts").join(format!("{}.safetensors", &key[..32]))
    }
}

/// Refuses a name that could be taken for a path, an option or another voice.
pub fn check_name(name: &str) -> Result<(), Failure> {
    let fine = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.len() <= 64 && name.chars().all(fine) && !name.starts_with('-') {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format!("`{name}` cannot be a voice's name"))
        .hint("use letters, digits, - and _, such as `ada` or `uncle-tom`"))
}

/// All voices, by name; with what is wrong with those that cannot be used.
pub fn all(home: &Home) -> Vec<Result<UserVoice, Failure>> {
    let Ok(entries) = std::fs::read_dir(home.voices()) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| check_name(name).is_ok())
        .collect();
    names.sort();
    names.iter().filter_map(|name| find(home, name).transpose()).collect()
}

/// The voice of this name, if there is one.
pub fn find(home: &Home, name: &str) -> Result<Option<UserVoice>, Failure> {
    check_name(name)?;
    let dir = home.voices().join(name);
    let path = dir.join(VOICE_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io("read", &path, error)),
    };
    let broken = |what: String| {
        Failure::new(Exit::BadSettings, format!("the voice {name} cannot be used: {what}"))
            .hint(format!("`narratord voices remove {name}`, then make it again"))
    };
    let file: VoiceFile =
        toml::from_str(&text).map_err(|error| broken(format!("{}: {}", path.display(), error.message())))?;
    let voice = UserVoice { name: name.to_string(), dir, file };
    if !voice.clip().is_file() {
        return Err(broken(format!("{} is missing", voice.clip().display())));
    }
    Ok(Some(voice))
}
