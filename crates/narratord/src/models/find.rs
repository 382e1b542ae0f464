//! Which model speaks: the one that was named, the one that the job began with, or the best that is here.

use std::path::Path;

use super::checkpoint::Kind;
use super::model::Model;
use crate::error::Failure;
use crate::exit::Exit;
use crate::home::Home;

/// The voice of the first run, brought by set-up.
pub const STARTER: &str = "starter-en";

/// A folder in the place of models: a model, or what is wrong with it.
#[derive(Debug)]
pub struct Found {
    pub name: String,
    pub model: Result<Model, Failure>,
}

/// What is known of the model that is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// As flags and settings name it.
    pub model: Option<&'a str>,
    pub voice: Option<&'a str>,
    /// What the job spoke with before, for a command that names neither.
    pub before: Option<&'a str>,
}

/// Everything in the place of models, by name.
pub fn installed(home: &Home) -> Vec<Found> {
    let Ok(entries) = std::fs::read_dir(home.models()) else { return Vec::new() };
    let folders = entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir());
    let mut found: Vec<Found> = folders
        .filter(|folder| !folder.file_name().to_string_lossy().starts_with('.'))
        .map(|folder| Found {
            name: folder.file_name().to_string_lossy().into_owned(),
            model: Model::read(home, &folder.path()),
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
        return Model::read(home, &dir);
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

/// The model to speak with. A command that names none goes on with what its job began with; a new job takes
/// the best that is installed and has the voice asked for: Qwen3-TTS before the starter voice.
pub fn choose(home: &Home, wanted: Wanted<'_>) -> Result<Model, Failure> {
    if let Some(name) = wanted.model {
        return find(home, name);
    }
    if let Some(name) = wanted.before
        && (wanted.voice.is_none() || find(home, name)?.speaker(wanted.voice).is_ok())
    {
        return find(home, name);
    }
    let mut models: Vec<Model> = installed(home).into_iter().filter_map(|found| found.model.ok()).collect();
    models.retain(Model::speaks);
    models.sort_by_key(rank);
    let has = |model: &&Model| wanted.voice.is_none_or(|voice| model.speaker(Some(voice)).is_ok());
    match (models.iter().find(has), wanted.voice) {
        (Some(model), _) => Ok(model.clone()),
        (None, Some(voice)) if !models.is_empty() => {
            Err(Failure::new(Exit::BadSettings, format!("no installed model has a voice called `{voice}`"))
                .hint("`narratord voices` lists the voices there are"))
        }
        // With what is wrong with it, when it is there and damaged.
        (None, _) => find(home, STARTER),
    }
}

/// Place in the order of preference: voices that were made to narrate, larger before smaller, before clones,
/// which their owners ask for by name.
pub fn rank(model: &Model) -> (u8, bool, String) {
    let kind = match model.kind() {
        Some(Kind::CustomVoice) => 0,
        Some(Kind::Base) => 1,
        Some(Kind::VoiceDesign) => 2,
        None => 3,
    };
    let small = model.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.small);
    (kind, small, model.manifest.name.clone())
}
