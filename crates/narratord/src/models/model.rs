//! One model on disk, and whose voice it can be asked for.

use std::path::{Path, PathBuf};

use narrator_engine::{MANIFEST_FILE, Manifest, VoiceInfo};
use serde::Serialize;

use super::checkpoint::{Checkpoint, Kind, QWEN3_TTS};
use super::fingerprint;
use crate::error::Failure;
use crate::exit::Exit;
use crate::home::Home;
use crate::voices::{self, UserVoice};

/// An installed model, or one in a folder that was named.
#[derive(Clone, Debug, Serialize)]
pub struct Model {
    pub dir: PathBuf,
    /// With every voice that can be asked for, the default first.
    #[serde(flatten)]
    pub manifest: Manifest,
    #[serde(skip)]
    pub checkpoint: Option<Checkpoint>,
    /// The user's own voices, when it can speak with them.
    #[serde(skip)]
    voices: Vec<UserVoice>,
    #[serde(skip)]
    memory: PathBuf,
    /// Whether it lies where models are.
    #[serde(skip)]
    installed: bool,
}

/// Where a voice is.
#[derive(Clone, Debug)]
pub enum VoiceAt {
    /// In the model itself.
    Model,
    /// In a file that the worker reads.
    File(PathBuf),
    /// Among the user's own: its file is made from its clip when it is first wanted.
    User(Box<UserVoice>),
}

/// A voice that was asked for.
#[derive(Clone, Debug)]
pub struct Speaker {
    pub info: VoiceInfo,
    /// How a setting names it.
    pub setting: String,
    pub at: VoiceAt,
    /// Hash of what the voice was made from, when it is not in the model.
    pub hash: Option<String>,
}

impl Model {
    /// Reads the model in `dir`: its manifest, or what a published checkpoint says of itself.
    pub fn read(home: &Home, dir: &Path) -> Result<Self, Failure> {
        let memory = home.hashes();
        if dir.join(MANIFEST_FILE).exists() {
            let manifest =
                Manifest::read(dir).map_err(|error| Failure::new(Exit::Missing, error.to_string()))?;
            let checkpoint = if manifest.engine == QWEN3_TTS { Some(Checkpoint::read(dir)?) } else { None };
            return Ok(Self::with(home, dir, manifest, checkpoint, memory));
        }
        if !Checkpoint::is_at(dir) {
            return Err(Failure::new(
                Exit::BadSettings,
                format!("{} is not a model: it has neither manifest.json nor config.json", dir.display()),
            )
            .hint("give the folder of a published Qwen3-TTS checkpoint, or a name that `narratord models` lists"));
        }
        let checkpoint = Checkpoint::read(dir)?;
        let files = fingerprint::files(dir, &checkpoint.files, &memory)?;
        let absolute = dir.canonicalize().map_err(|error| Failure::io("read", dir, error))?;
        let manifest = Manifest {
            name: absolute.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            engine: QWEN3_TTS.into(),
            source: absolute.display().to_string(),
            license: "NOASSERTION".into(),
            voices: Vec::new(),
            sha256: fingerprint::of_model(&files),
            files,
        };
        Ok(Self::with(home, dir, manifest, Some(checkpoint), memory))
    }

    fn with(
        home: &Home,
        dir: &Path,
        mut manifest: Manifest,
        checkpoint: Option<Checkpoint>,
        memory: PathBuf,
    ) -> Self {
        let mut own = Vec::new();
        if let Some(checkpoint) = &checkpoint {
            manifest.voices.clone_from(&checkpoint.voices);
            if checkpoint.kind == Kind::Base {
                own = voices::all(home).into_iter().filter_map(Result::ok).collect();
                manifest.voices.extend(in_folder(dir));
                manifest.voices.extend(own.iter().map(UserVoice::info));
            }
        }
        let installed = dir.parent() == Some(home.models().as_path());
        Self { dir: dir.to_path_buf(), manifest, checkpoint, voices: own, memory, installed }
    }

    /// How a setting names it: by name where models are, else by its folder.
    pub fn handle(&self) -> String {
        if self.installed {
            return self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        }
        std::path::absolute(&self.dir).unwrap_or_else(|_| self.dir.clone()).display().to_string()
    }

    pub fn kind(&self) -> Option<Kind> {
        self.checkpoint.as_ref().map(|checkpoint| checkpoint.kind)
    }

    /// Whether it can speak as it is; others listen, or want a voice first.
    pub fn speaks(&self) -> bool {
        !self.manifest.voices.is_empty()
    }

    pub fn bytes(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.bytes).sum()
    }

    /// The voice asked for, or the default one.
    pub fn speaker(&self, asked: Option<&str>) -> Result<Speaker, Failure> {
        let Manifest { name, voices, .. } = &self.manifest;
        if self.kind() == Some(Kind::VoiceDesign) {
            return designed(name, asked);
        }
        let path =
            asked.map(Path::new).filter(|path| path.extension().is_some_and(|end| end == "safetensors"));
        if let (Some(Kind::Base), Some(path)) = (self.kind(), path) {
            return self.in_file(path);
        }
        let found = match asked {
            None => voices.first(),
            // Names are matched as checkpoints match them.
            Some(asked) => voices
                .iter()
                .find(|voice| voice.name == asked)
                .or_else(|| voices.iter().find(|voice| voice.name.to_lowercase() == asked.to_lowercase())),
        };
        let Some(info) = found else { return Err(self.no_voice(asked)) };
        let user = self.voices.iter().find(|voice| voice.name == info.name);
        let in_folder = self.dir.join("voices").join(format!("{}.safetensors", info.name));
        let (at, hash) = match user {
            _ if self.kind() != Some(Kind::Base) => (VoiceAt::Model, None),
            Some(user) => (VoiceAt::User(Box::new(user.clone())), Some(user.recipe())),
            None => {
                let hash = self.hash(&in_folder)?;
                (VoiceAt::File(in_folder), Some(hash))
            }
        };
        Ok(Speaker { info: info.clone(), setting: info.name.clone(), at, hash })
    }

    /// A voice in a file that was named by its path.
    fn in_file(&self, path: &Path) -> Result<Speaker, Failure> {
        let absolute = path.canonicalize().map_err(|error| Failure::io("read the voice", path, error))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let info = VoiceInfo { name, language: "und".into(), description: "cloned from a clip".into() };
        let hash = self.hash(&absolute)?;
        let setting = absolute.display().to_string();
        Ok(Speaker { info, setting, at: VoiceAt::File(absolute), hash: Some(hash) })
    }

    fn hash(&self, path: &Path) -> Result<String, Failure> {
        let dir = path.parent().unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let hashed = fingerprint::files(dir, &[name], &self.memory)?;
        Ok(hashed.into_iter().map(|file| file.sha256).collect())
    }

    fn no_voice(&self, asked: Option<&str>) -> Failure {
        let Manifest { name, voices, .. } = &self.manifest;
        let known = || voices.iter().map(|voice| voice.name.as_str()).collect::<Vec<_>>().join(", ");
        let failure = match asked {
            Some(asked) => {
                Failure::new(Exit::BadSettings, format!("the model {name} has no voice called `{asked}`"))
            }
            None if self.kind() == Some(Kind::Base) => {
                Failure::new(Exit::BadSettings, format!("the model {name} has no voice yet"))
            }
            None => Failure::new(Exit::BadSettings, format!("the model {name} does not speak")),
        };
        match (self.kind(), self.speaks()) {
            (_, true) => failure.hint(format!("its voices: {}", known())),
            (Some(Kind::Base), false) => failure.hint(
                "it clones: give it one with `narratord voices add NAME --clip CLIP.wav --text \"what it says\"`",
            ),
            _ => failure.hint("`narratord voices` lists what does"),
        }
    }
}

/// A description takes the place of a voice's name. Without one there is nobody to speak.
fn designed(model: &str, asked: Option<&str>) -> Result<Speaker, Failure> {
    let described = asked.map(str::trim).filter(|asked| asked.contains(char::is_whitespace));
    let Some(description) = described else {
        return Err(Failure::new(
            Exit::BadSettings,
            format!("the model {model} makes voices from descriptions and has none of its own"),
        )
        .hint(
            "make one that stays the same through a book: `narratord voices design NAME --instruct \"…\"`, then \
             run with --voice NAME; or describe one here: --voice \"An old man, calm and warm\"",
        ));
    };
    let info = VoiceInfo {
        name: description.into(),
        language: "und".into(),
        description: "designed anew for every segment".into(),
    };
    Ok(Speaker { info, setting: description.into(), at: VoiceAt::Model, hash: None })
}

/// Clones that lie in a base model's own folder.
fn in_folder(dir: &Path) -> Vec<VoiceInfo> {
    let Ok(entries) = std::fs::read_dir(dir.join("voices")) else { return Vec::new() };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let files = paths.filter(|path| path.extension().is_some_and(|ending| ending == "safetensors"));
    let mut voices: Vec<VoiceInfo> = files
        .filter_map(|path| {
            let name = path.file_stem()?.to_str()?.to_string();
            Some(VoiceInfo { name, language: "und".into(), description: "cloned from a clip".into() })
        })
        .collect();
    voices.sort_by(|a, b| a.name.cmp(&b.name));
    voices
}
