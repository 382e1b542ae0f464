//! A checkpoint folder that is somewhere already, put where models are.
//!
//! Its files are linked where that is possible (one copy on the disk, and the source may be removed), and
//! copied elsewhere.

use std::path::Path;

use narrator_engine::Manifest;

use super::model::Model;
use super::settle::settle;
use crate::error::Failure;
use crate::exit::Exit;
use crate::home::Home;
use crate::voices::check_name;

/// Imports the model in `from` under `name`, or the name of its folder.
pub fn import(home: &Home, from: &Path, name: Option<&str>, copy: bool) -> Result<Model, Failure> {
    let model = Model::read(home, from)?;
    if model.checkpoint.is_none() {
        let engine = &model.manifest.engine;
        return Err(Failure::new(
            Exit::Usage,
            format!("only Qwen3-TTS checkpoints are imported, not {engine}"),
        ));
    }
    let name = name.map_or_else(|| model.manifest.name.to_lowercase(), str::to_string);
    check_model_name(&name)?;
    let place = home.models().join(&name);
    let here = |path: &Path| path.canonicalize().ok();
    if here(&place).is_some() && here(&place) == here(from) {
        return Err(Failure::new(Exit::Usage, format!("{name} lies where models are already")));
    }
    let folder = home.models().join(format!(".import-{name}"));
    // An import that was interrupted begins anew: linking takes no time, and a copy may be half.
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| Failure::io("remove", &folder, error))?;
    }
    let mut paths: Vec<String> = model.manifest.files.iter().map(|file| file.path.clone()).collect();
    paths.extend(voices_in(from));
    for path in &paths {
        take(&from.join(path), &folder.join(path), copy)?;
    }
    let manifest = Manifest { name, voices: Vec::new(), ..model.manifest };
    settle(home, &folder, &place, manifest)
}

/// A name that is a folder beside others and nothing else.
pub fn check_model_name(name: &str) -> Result<(), Failure> {
    check_name(&name.replace('.', "-")).map_err(|_| {
        Failure::new(Exit::Usage, format!("`{name}` cannot be a model's name"))
            .hint("use letters, digits, dots, - and _: --name my-voice-1.7b")
    })
}

fn voices_in(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir.join("voices")) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_voice = |name: &String| Path::new(name).extension().is_some_and(|ending| ending == "safetensors");
    names.filter(is_voice).map(|name| format!("voices/{name}")).collect()
}

/// Links or copies one file. The hub's own cache has links in the place of files, which are followed.
fn take(from: &Path, to: &Path, copy: bool) -> Result<(), Failure> {
    let folder = to.parent().unwrap_or(to);
    std::fs::create_dir_all(folder).map_err(|error| Failure::io("make", folder, error))?;
    let from = from.canonicalize().map_err(|error| Failure::io("read", from, error))?;
    if !copy && std::fs::hard_link(&from, to).is_ok() {
        return Ok(());
    }
    let copied = std::fs::copy(&from, to).and_then(|_| std::fs::File::open(to)?.sync_all());
    copied.map_err(|error| Failure::io("write", to, error))
}
