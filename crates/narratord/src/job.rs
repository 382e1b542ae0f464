//! The job folder: one book being narrated, and everything that is known of it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use narrator_core::{ContentKey, Settings};
use narrator_journal::{Holder, JobLock, Standing, StdFs};
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::exit::Exit;

/// Ending of a job folder's name.
const ENDING: &str = "narration";

/// Paths inside a job folder.
#[derive(Clone, Debug)]
pub struct JobDir {
    pub root: PathBuf,
}

impl JobDir {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The job folder that belongs to an output: `NAME.narration` beside it.
    pub fn beside(output: &Path) -> Self {
        let name = output.file_stem().unwrap_or(output.as_os_str()).to_string_lossy();
        Self::new(output.with_file_name(format!("{name}.{ENDING}")))
    }

    /// The job that a person means: its folder, its audiobook, or (without a word) the one in the current
    /// folder whose log was written last.
    pub fn find(given: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = given else { return Self::latest_here() };
        let candidates = [Self::new(path), Self::beside(path)];
        candidates.into_iter().find(Self::is_job).ok_or_else(|| {
            Failure::new(Exit::Missing, format!("there is no job at {}", path.display()))
                .hint("name a job's folder (NAME.narration) or the audiobook beside it")
        })
    }

    fn latest_here() -> Result<Self, Failure> {
        let entries = std::fs::read_dir(".").map_err(|error| Failure::io("read", Path::new("."), error))?;
        let jobs = entries
            .filter_map(Result::ok)
            .map(|entry| Self::new(entry.file_name()))
            .filter(|job| job.root.extension().is_some_and(|ending| ending == ENDING));
        let written = |job: &Self| std::fs::metadata(job.journal()).and_then(|found| found.modified()).ok();
        jobs.filter(Self::is_job).max_by_key(written).ok_or_else(|| {
            Failure::new(Exit::Missing, "there is no job in this folder")
                .hint("name one: narratord status path/to/NAME.narration")
        })
    }

    /// Whether a job was begun there, be it that nothing is left of it but the folder's name.
    fn is_job(&self) -> bool {
        let named = self.root.extension().is_some_and(|ending| ending == ENDING);
        self.root.is_dir() && (named || self.settings_file().is_file() || self.journal().is_file())
    }

    pub fn settings_file(&self) -> PathBuf {
        self.root.join("job.toml")
    }

    pub fn script(&self) -> PathBuf {
        self.root.join("script.jsonl")
    }

    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger.jsonl")
    }

    /// The lexicon that the last run read, as it was then; none when it had none.
    pub fn lexicon(&self) -> PathBuf {
        self.root.join("lexicon.toml")
    }

    /// Where each segment is in the audiobook.
    pub fn places(&self) -> PathBuf {
        self.root.join("places.jsonl")
    }

    pub fn journal(&self) -> PathBuf {
        self.root.join("segments.ckpt")
    }

    pub fn takes(&self) -> PathBuf {
        self.root.join("takes")
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// What was said of every take.
    pub fn verdicts(&self) -> PathBuf {
        self.root.join("verdicts.jsonl")
    }

    pub fn page(&self) -> PathBuf {
        self.root.join("report.html")
    }

    pub fn report(&self) -> PathBuf {
        self.root.join("report.json")
    }

    /// Who narrates this job now; nobody when the lock is free or cannot be looked at.
    pub fn holder(&self) -> Option<Holder> {
        JobLock::holder(&self.root).ok().flatten()
    }

    /// Segments of today's script that have a take.
    pub fn segments_done(&self) -> u32 {
        let Ok(replay) = narrator_journal::read(&StdFs, &self.journal()) else { return 0 };
        let is_done = |key: &ContentKey| matches!(replay.standing(key), Standing::Done(_));
        self.script_keys().map_or(0, |keys| keys.iter().filter(|key| is_done(key)).count() as u32)
    }

    /// The content keys of the script, in order.
    ///
    /// A script may have a hundred thousand lines, and a status is to be quick: the key is cut out of
    /// each line instead of reading all of it. The bytes `"key":"` cannot stand inside a JSON string,
    /// where a quotation mark always follows a backslash.
    pub fn script_keys(&self) -> Result<Vec<ContentKey>, Failure> {
        const FIELD: &[u8] = b"\"key\":\"";
        let path = self.script();
        let failed = |error| Failure::io("read", &path, error);
        let mut reader = BufReader::with_capacity(1 << 18, File::open(&path).map_err(failed)?);
        let (mut keys, mut line) = (Vec::new(), Vec::new());
        while reader.read_until(b'\n', &mut line).map_err(failed)? > 0 {
            let found = memchr::memmem::rfind(&line, FIELD);
            let hex = found.and_then(|at| line.get(at + FIELD.len()..)?.first_chunk::<64>());
            keys.extend(hex.and_then(ContentKey::from_hex));
            line.clear();
        }
        Ok(keys)
    }
}

/// `job.toml`: what this job is, frozen at its last start.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct JobFile {
    pub job: JobFacts,
    pub settings: Settings,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JobFacts {
    pub title: String,
    pub source: PathBuf,
    pub source_bytes: u64,
    /// BLAKE3 of the book's file, hex.
    pub source_blake3: String,
    pub output: PathBuf,
    /// The selection given with `--chapters`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chapters: Option<String>,
    pub segments: u32,
    /// Characters to speak, for a live job's remaining time.
    pub characters: u64,
}

impl JobFile {
    pub fn read(job: &JobDir) -> Result<Option<Self>, Failure> {
        let path = job.settings_file();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io("read", &path, error)),
        };
        toml::from_str(&text).map(Some).map_err(|error| {
            Failure::new(Exit::BadInput, format!("{} cannot be read as a job", path.display()))
                .because(error)
                .hint("move the file away: the next run writes it anew and keeps every take")
        })
    }

    pub fn write(&self, job: &JobDir) -> Result<(), Failure> {
        let path = job.settings_file();
        let text = toml::to_string_pretty(self).map_err(|error| {
            Failure::new(Exit::BadSettings, "the settings cannot be written as TOML").because(error)
        })?;
        write_whole(&path, text.as_bytes())
    }
}

/// Writes a file so that a reader sees the old content or the new, never a part, and so that a power cut
/// after it leaves the new.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write;
    let partial = path.with_extension("part");
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| std::fs::rename(&partial, path)).and_then(|()| sync_name(path));
    placed.map_err(|error| {
        // What is left of the attempt is of no use to anybody.
        let _ = std::fs::remove_file(&partial);
        Failure::io("write", path, error)
    })
}

/// Removes a file; one that is not there is as good as removed.
pub fn remove_if_there(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::io("remove", path, error)),
        _ => Ok(()),
    }
}

/// A new name is durable when its folder is.
#[cfg(unix)]
fn sync_name(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
}

/// Where a folder cannot be opened as a file, the file system's own journal keeps names.
#[cfg(not(unix))]
fn sync_name(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// The settings that differ between two runs, as `name old → new`.
pub fn changed_settings(before: &Settings, after: &Settings) -> Vec<String> {
    let (Ok(before), Ok(after)) = (toml::Value::try_from(before), toml::Value::try_from(after)) else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    compare("", Some(&before), Some(&after), &mut changes);
    changes
}

fn compare(name: &str, before: Option<&toml::Value>, after: Option<&toml::Value>, changes: &mut Vec<String>) {
    use toml::Value::Table;
    let empty = toml::map::Map::new();
    if let (Some(Table(_)), _) | (_, Some(Table(_))) = (before, after) {
        let table = |value: Option<&toml::Value>| match value {
            Some(Table(table)) => table.clone(),
            _ => empty.clone(),
        };
        let (before, after) = (table(before), table(after));
        let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
        for key in keys {
            let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            compare(&path, before.get(key), after.get(key), changes);
        }
    } else if before != after {
        let shown = |value: Option<&toml::Value>| value.map_or("default".to_string(), ToString::to_string);
        changes.push(format!("{name} {} → {}", shown(before), shown(after)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_lies_beside_its_output() {
        assert_eq!(JobDir::beside(Path::new("a/Emma.m4b")).root, Path::new("a/Emma.narration"));
        assert_eq!(JobDir::beside(Path::new("chapters/")).root, Path::new("chapters.narration"));
    }

    #[test]
    fn changed_settings_are_named() {
        let before = Settings::default();
        let mut after = Settings::default();
        after.speech.speed = 1.5;
        after.speech.voice = Some("ada".into());
        assert_eq!(
            changed_settings(&before, &after),
            ["speech.speed 1.0 → 1.5", "speech.voice default → \"ada\""]
        );
        assert!(changed_settings(&before, &before).is_empty());
    }

    #[test]
    fn a_whole_file_is_replaced_or_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.toml");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert!(!path.with_extension("part").exists());
        assert!(write_whole(&dir.path().join("none/x.toml"), b"").is_err());
    }
}
