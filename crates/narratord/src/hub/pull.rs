//! A whole repository into the place of models.

use std::path::{Path, PathBuf};

use narrator_engine::{Manifest, ManifestFile};
use narrator_journal::JobLock;

use super::access::Access;
use super::listing::{Listing, Remote, list};
use super::meter::Meter;
use super::names::{PUBLISHED, repository};
use super::transfer::{fetch, is_there, part_of};
use crate::error::Failure;
use crate::exit::Exit;
use crate::home::Home;
use crate::models::{Model, settle};
use crate::{commands, output};

/// Left free beside what is fetched: a disk that is full to the last byte helps nobody.
const SPARE_BYTES: u64 = 200 << 20;

/// Brings the model that `asked` names at `revision`, under `name` when one is given.
pub fn pull(
    home: &Home,
    access: &Access,
    asked: &str,
    name: Option<&str>,
    revision: &str,
) -> Result<Model, Failure> {
    let Some((repository, own_name)) = repository(asked) else {
        let names: Vec<&str> = PUBLISHED.iter().map(|published| published.name).collect();
        return Err(Failure::new(
            Exit::Usage,
            format!("`{asked}` is neither a published model nor OWNER/NAME"),
        )
        .hint(format!("published: {}", names.join(", "))));
    };
    let name = name.unwrap_or(&own_name);
    let place = home.models().join(name);
    let listing = list(access, &repository, revision)?;
    let source = format!("{}/{}@{}", host(&access.endpoint), listing.repository, listing.commit);
    if let Ok(model) = Model::read(home, &place)
        && model.manifest.source == source
    {
        output::note(format_args!("{name} is here already, as the hub has it ({}).", short(&listing.commit)));
        return Ok(model);
    }
    let staging = home.models().join(".pull");
    make(&staging)?;
    let _lock = JobLock::acquire(&staging)?;
    let folder = staging.join(name);
    make(&folder)?;
    let files = bring(access, &listing, &folder)?;
    let manifest = Manifest {
        name: name.into(),
        engine: crate::models::QWEN3_TTS.into(),
        source,
        license: listing.license.clone(),
        voices: Vec::new(),
        files,
        sha256: String::new(),
    };
    settle(home, &folder, &place, manifest)
}

/// Fetches every file into `folder`; what is there already, whole or in part, is not fetched again.
fn bring(access: &Access, listing: &Listing, folder: &Path) -> Result<Vec<ManifestFile>, Failure> {
    let total: u64 = listing.files.iter().map(|file| file.bytes).sum();
    let mut have = 0;
    let mut missing: Vec<&Remote> = Vec::new();
    let mut files = Vec::new();
    for file in &listing.files {
        let path = folder.join(&file.path);
        if let Some(sha256) = is_there(&path, file) {
            have += file.bytes;
            files.push(ManifestFile { path: file.path.clone(), bytes: file.bytes, sha256 });
        } else {
            let part = std::fs::metadata(part_of(&path, file)).map_or(0, |found| found.len());
            have += part.min(file.bytes);
            missing.push(file);
        }
    }
    check_room(folder, total - have)?;
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    let resumed =
        if have > 0 { format!(", {:.2} GB of it here already", gigabytes(have)) } else { String::new() };
    output::note(format_args!(
        "{} at {}: {} files, {:.2} GB{resumed}.",
        listing.repository,
        short(&listing.commit),
        listing.files.len(),
        gigabytes(total),
    ));
    let mut meter = Meter::new(total, have);
    for file in missing {
        meter.file(&file.path);
        let fetched = fetch(access, file, &folder.join(&file.path), &mut meter);
        let sha256 = fetched.inspect_err(|_| meter.clear())?;
        files.push(ManifestFile { path: file.path.clone(), bytes: file.bytes, sha256 });
    }
    meter.clear();
    Ok(files)
}

/// Refuses to begin what the disk cannot hold.
fn check_room(folder: &Path, bytes: u64) -> Result<(), Failure> {
    let needed = bytes.saturating_add(SPARE_BYTES);
    match commands::doctor::free_bytes(folder) {
        Some(free) if free < needed => {
            let gigabytes = |bytes: u64| bytes as f64 / 1e9;
            Err(Failure::new(
                Exit::Disk,
                format!(
                    "{} has {:.1} GB free; the model needs {:.1} GB more",
                    folder.display(),
                    gigabytes(free),
                    gigabytes(needed)
                ),
            )
            .hint("free some space, or put the models on another disk: NARRATOR_HOME names the folder they are in"))
        }
        _ => Ok(()),
    }
}

fn make(folder: &PathBuf) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::io("make", folder, error))
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

fn host(endpoint: &str) -> &str {
    endpoint.split_once("://").map_or(endpoint, |(_, host)| host)
}
