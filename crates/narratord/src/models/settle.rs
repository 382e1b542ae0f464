//! Putting a model in its place: whole, described, at once.

use std::path::{Path, PathBuf};

use narrator_engine::{MANIFEST_FILE, Manifest};

use super::checkpoint::Checkpoint;
use super::fingerprint;
use super::model::Model;
use crate::error::Failure;
use crate::exit::Exit;
use crate::home::Home;
use crate::job::write_whole;

/// Completes the checkpoint that was gathered in `folder`, whose files `manifest` lists, and puts it at
/// `place`. Voices that lie in a model that was there before stay.
pub fn settle(home: &Home, folder: &Path, place: &Path, mut manifest: Manifest) -> Result<Model, Failure> {
    sweep(folder, folder, &manifest)?;
    let checkpoint = Checkpoint::read(folder)?;
    // Only what decides the sound counts, so that the same weights are the same model however they came.
    manifest.files.retain(|file| checkpoint.files.contains(&file.path));
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    manifest.voices.clear();
    manifest.sha256 = fingerprint::of_model(&manifest.files);
    let json = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| Failure::new(Exit::Disk, "the manifest cannot be written").because(error))?;
    write_whole(&folder.join(MANIFEST_FILE), &json)?;
    put(folder, place)?;
    Model::read(home, place)
}

/// Removes what is not of the model: parts of earlier versions.
fn sweep(root: &Path, folder: &Path, manifest: &Manifest) -> Result<(), Failure> {
    let failed = |path: &Path, error| Failure::io("read", path, error);
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "voices" {
                sweep(root, &path, manifest)?;
            }
        } else if !manifest.files.iter().any(|file| file.path == name) {
            std::fs::remove_file(&path).map_err(|error| Failure::io("remove", &path, error))?;
        }
    }
    Ok(())
}

/// Renames `folder` to `place`. What was there goes when the new one stands.
fn put(folder: &Path, place: &Path) -> Result<(), Failure> {
    let old = aside(place);
    let rename =
        |from: &Path, to: &Path| std::fs::rename(from, to).map_err(|error| Failure::io("write", to, error));
    // Left by a run that ended between its renames.
    let _ = std::fs::remove_dir_all(&old);
    if place.exists() {
        let voices = place.join("voices");
        rename(place, &old)?;
        if let Err(failure) = rename(folder, place) {
            rename(&old, place)?;
            return Err(failure);
        }
        let kept = old.join("voices");
        if kept.is_dir() && !voices.exists() {
            rename(&kept, &voices)?;
        }
        // It is out of the way; what is left of it only takes room.
        let _ = std::fs::remove_dir_all(&old);
        return Ok(());
    }
    rename(folder, place)
}

/// Where a model that is replaced waits; hidden, as everything that is no model.
fn aside(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".old-{name}"))
}
