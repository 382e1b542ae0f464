//! Which bytes a model consists of: SHA-256 of every file, read once and remembered.
//!
//! The whole of every file counts, not a sample of it: the hash is in every content key, and a take must never
//! be taken for one that other weights made. Reading them all costs little beside loading the model, which
//! reads them too; what was read is remembered in the user's cache by path, size and time of change. A file
//! that changed within the last seconds is not remembered, since another change could leave the same time.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use narrator_engine::ManifestFile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Failure;
use crate::job::write_whole;
use crate::output;

/// Files whose hashing is worth a word to the person who waits: about two seconds.
const TELL_BYTES: u64 = 1 << 30;

/// File systems that keep times coarsely keep them to two seconds.
const SETTLED_MS: u64 = 2_000;

/// SHA-256 values of files, by absolute path.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Known(BTreeMap<PathBuf, Entry>);

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Entry {
    bytes: u64,
    changed_ns: u64,
    sha256: String,
}

/// Hashes `files` of `dir` in the order given; what is remembered in `memory` is not read again.
pub fn files(dir: &Path, files: &[String], memory: &Path) -> Result<Vec<ManifestFile>, Failure> {
    let mut known = remembered(memory);
    let mut learned = false;
    let mut hashed = Vec::with_capacity(files.len());
    for name in files {
        let path = dir.join(name);
        let absolute = path.canonicalize().map_err(|error| Failure::io("read", &path, error))?;
        let (bytes, changed_ns) = standing(&absolute)?;
        let sha256 = match known.0.get(&absolute) {
            Some(entry) if (entry.bytes, entry.changed_ns) == (bytes, changed_ns) => entry.sha256.clone(),
            _ => {
                if bytes >= TELL_BYTES {
                    let gigabytes = bytes as f64 / 1e9;
                    output::note(format_args!("Hashing {} ({gigabytes:.1} GB), once.", path.display()));
                }
                let sha256 = sha256(&absolute)?;
                let settled = changed_ns / 1_000_000 + SETTLED_MS < narrator_core::clock::unix_ms();
                if settled && standing(&absolute)? == (bytes, changed_ns) {
                    known.0.insert(absolute, Entry { bytes, changed_ns, sha256: sha256.clone() });
                    learned = true;
                }
                sha256
            }
        };
        hashed.push(ManifestFile { path: name.clone(), bytes, sha256 });
    }
    if learned {
        // Files that are gone are forgotten, so that the memory does not grow for ever.
        known.0.retain(|path, _| path.exists());
        remember(memory, &known);
    }
    Ok(hashed)
}

/// The hash of a model of `files`, as manifests have it: over the lines that `sha256sum` prints.
pub fn of_model(files: &[ManifestFile]) -> String {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(format!("{}  {}\n", file.sha256, file.path));
    }
    hex(&hasher.finalize())
}

/// SHA-256 of a file, hex.
pub fn sha256(path: &Path) -> Result<String, Failure> {
    let failed = |error| Failure::io("read", path, error);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Size and time of change.
fn standing(path: &Path) -> Result<(u64, u64), Failure> {
    let found = std::fs::metadata(path).map_err(|error| Failure::io("read", path, error))?;
    let changed = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok((found.len(), changed.map_or(0, |time| time.as_nanos() as u64)))
}

/// An unreadable memory is an empty one.
fn remembered(memory: &Path) -> Known {
    std::fs::read(memory).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn remember(memory: &Path, known: &Known) {
    let written = serde_json::to_vec_pretty(known).ok().and_then(|bytes| {
        std::fs::create_dir_all(memory.parent()?).ok()?;
        write_whole(memory, &bytes).ok()
    });
    if written.is_none() {
        // Nothing is lost but time: the next run reads the files again.
        tracing::warn!(path = %memory.display(), "the hashes of the model's files cannot be remembered");
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    /// A file that was last changed at `at_s`.
    fn file(dir: &Path, name: &str, text: &str, at_s: u64) {
        std::fs::write(dir.join(name), text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(at_s);
        std::fs::File::options().write(true).open(dir.join(name)).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn a_known_file_is_not_read_again_and_a_changed_one_is() {
        let dir = tempfile::tempdir().unwrap();
        let memory = dir.path().join("cache/hashes.json");
        let names = ["a".to_string()];
        let hash = |dir: &Path| files(dir, &names, &memory).unwrap()[0].sha256.clone();
        file(dir.path(), "a", "one", 1_000);
        let one = hash(dir.path());
        assert_eq!(one, "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed");
        // The same size and time: believed, not read.
        file(dir.path(), "a", "two", 1_000);
        assert_eq!(hash(dir.path()), one);
        file(dir.path(), "a", "two", 2_000);
        assert_ne!(hash(dir.path()), one);
        file(dir.path(), "a", "three", 2_000);
        assert_ne!(hash(dir.path()), one);
    }

    #[test]
    fn what_changed_just_now_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let memory = dir.path().join("hashes.json");
        std::fs::write(dir.path().join("a"), "one").unwrap();
        files(dir.path(), &["a".into()], &memory).unwrap();
        assert!(!memory.exists());
    }

    #[test]
    fn a_models_hash_is_what_two_runs_of_sha256sum_give() {
        let file =
            |path: &str, sha256: &str| ManifestFile { path: path.into(), bytes: 1, sha256: sha256.into() };
        // printf 'aa  x\nbb  y/z\n' | sha256sum
        let expected = "0bc1dbdb885494e70d96bdc7154ea2c5eefafc5e44747e6058b24e1fac632ff1";
        assert_eq!(of_model(&[file("x", "aa"), file("y/z", "bb")]), expected);
    }
}
