//! Installed models and their voices, as their manifests tell.
//!
//! A model is a folder with a `manifest.json` (see docs/models.md). The worker loads it; here only names,
//! sizes and hashes matter.

use std::path::{Path, PathBuf};

use narrator_engine::{Manifest, VoiceInfo};
use serde::Serialize;

use crate::error::Failure;
use crate::exit::Exit;
use crate::home::Home;

/// An installed model.
#[derive(Clone, Debug, Serialize)]
pub struct Model {
    pub dir: PathBuf,
    #[serde(flatten)]
    pub manifest: Manifest,
}

/// A folder in the place of models: a model, or what is wrong with it.
#[derive(Debug)]
pub struct Found {
    pub name: String,
    pub model: Result<Model, Failure>,
}

impl Model {
    /// Reads the model in `dir`, whole: every file that its manifest lists is there with its size.
    pub fn read(dir: &Path) -> Result<Self, Failure> {
        let manifest = Manifest::read(dir).map_err(|error| Failure::new(Exit::Missing, error.to_string()))?;
        Ok(Self { dir: dir.to_path_buf(), manifest })
    }

    /// Whether it speaks; others listen.
    pub fn speaks(&self) -> bool {
        !self.manifest.voices.is_empty()
    }

    /// The voice asked for, or the default one.
    pub fn voice(&self, asked: Option<&str>) -> Result<&VoiceInfo, Failure> {
        let Manifest { name, voices, .. } = &self.manifest;
        let known = || voices.iter().map(|voice| voice.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some(asked) = asked else {
            return voices.first().ok_or_else(|| {
                Failure::new(Exit::BadSettings, format!("the model {name} does not speak"))
                    .hint("`narratord voices` lists what does")
            });
        };
        voices.iter().find(|voice| voice.name == asked).ok_or_else(|| {
            Failure::new(Exit::BadSettings, format!("the model {name} has no voice called `{asked}`"))
                .hint(format!("its voices: {}", known()))
        })
    }
}

/// Everything in the place of models, by name.
pub fn installed(home: &Home) -> Vec<Found> {
    let Ok(entries) = std::fs::read_dir(home.models()) else { return Vec::new() };
    let folders = entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir());
    let mut found: Vec<Found> = folders
        .filter(|folder| !folder.file_name().to_string_lossy().starts_with('.'))
        .map(|folder| Found {
            name: folder.file_name().to_string_lossy().into_owned(),
            model: Model::read(&folder.path()),
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The model named, or the one in the folder given.
pub fn find(home: &Home, name: &str) -> Result<Model, Failure> {
    let as_path = Path::new(name);
    let dir = if as_path.is_dir() { as_path.to_path_buf() } else { home.models().join(name) };
    if dir.is_dir() {
        return Model::read(&dir);
    }
    let speakers: Vec<String> = installed(home)
        .into_iter()
        .filter(|found| found.model.as_ref().is_ok_and(Model::speaks))
        .map(|found| found.name)
        .collect();
    let hint = match speakers.as_slice() {
        [] => "no model is installed: run scripts/setup".to_string(),
        names => format!("installed models that speak: {}", names.join(", ")),
    };
    Err(Failure::new(Exit::Missing, format!("there is no model called `{name}`")).hint(hint))
}
