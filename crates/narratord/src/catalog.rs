//! The catalog: every job of this user, known before it starts, so that a job whose process is gone can
//! be found and taken up again.
//!
//! One TOML file a job, in `$XDG_STATE_HOME/narratord/jobs`, replaced whole and durably at every change.
//! What a job has done is not kept here: its own journal is the authority. Whether a job runs is told by
//! its lock, never by a process number. Whoever acts on the catalog as a supervisor holds the folder's own
//! lock, so that two of them never start the same job twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use narrator_journal::{JobLock, JournalError};

use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::exit::Exit;
use crate::job::write_whole;

/// One job, as the catalog knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub title: String,
    /// The job's folder, absolute.
    pub folder: PathBuf,
    /// Where the command was given.
    pub directory: PathBuf,
    /// The arguments after `narratord`, as they were given.
    pub arguments: Vec<String>,
    /// What the command found in its environment that decides how it runs: whoever takes the job up again
    /// at boot has none of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    pub started: String,
    /// Restarts by `narratord supervise`.
    #[serde(default)]
    pub tries: u32,
    /// Restarts in a row after which no more segments were done than before.
    #[serde(default)]
    pub tries_without_progress: u32,
    /// Segments done when it was last restarted.
    #[serde(default)]
    pub done_at_restart: u32,
    #[serde(default)]
    pub ending: Ending,
}

/// How the job's last run ended, as far as it could say so itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Ending {
    /// It has not said: it runs, or it died.
    #[default]
    Unknown,
    /// It ended with this exit code.
    Exited { code: u8 },
    /// A person stopped it (Ctrl-C): it is theirs to start again.
    StoppedByPerson,
    /// `supervise` tried and stopped trying.
    GivenUp { why: String },
}

/// What is to be done about a job whose process is not there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Finished, or in a person's hands.
    Leave,
    Restart,
    GiveUp(String),
}

/// Restarts after which a job is left to a person; the field's habit, and enough for one bad night.
pub const MAX_TRIES: u32 = 3;
/// Restarts in a row that may bring nothing.
pub const MAX_TRIES_WITHOUT_PROGRESS: u32 = 2;

impl Entry {
    /// What to do about this job, which nobody holds, with `done` segments done. Only endings that
    /// another try could change are tried again.
    pub fn verdict(&self, done: u32) -> Verdict {
        let again = match &self.ending {
            Ending::Unknown => true,
            Ending::Exited { code } => {
                [Exit::Stopped, Exit::Disk, Exit::Held].iter().any(|exit| exit.code() == *code)
            }
            Ending::StoppedByPerson | Ending::GivenUp { .. } => false,
        };
        if !again {
            return Verdict::Leave;
        }
        if self.tries >= MAX_TRIES {
            return Verdict::GiveUp(format!("restarted {} times and still not finished", self.tries));
        }
        let fruitless = self.fruitless(done);
        if fruitless >= MAX_TRIES_WITHOUT_PROGRESS {
            return Verdict::GiveUp(format!("restarted {fruitless} times without one more segment done"));
        }
        Verdict::Restart
    }

    /// The entry as it is written before a restart.
    #[must_use]
    pub fn restarted(&self, done: u32) -> Self {
        Self {
            tries: self.tries + 1,
            tries_without_progress: self.fruitless(done),
            done_at_restart: done,
            ending: Ending::Unknown,
            ..self.clone()
        }
    }

    /// The entry after a restart that the supervisor itself cut off, as it stands now: that try counts for
    /// nothing.
    #[must_use]
    pub fn uncounted(self, before: &Self) -> Self {
        Self {
            tries: before.tries,
            tries_without_progress: before.tries_without_progress,
            done_at_restart: before.done_at_restart,
            ..self
        }
    }

    fn fruitless(&self, done: u32) -> u32 {
        match self.tries {
            0 => 0,
            _ if done > self.done_at_restart => 0,
            _ => self.tries_without_progress + 1,
        }
    }
}

/// Variables that go into an entry, by name: where programs and libraries are found.
const KEPT_NAMES: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "XDG_CONFIG_HOME", "XDG_DATA_HOME"];
/// Families of variables that go into an entry. Nothing else does: an environment holds secrets.
const KEPT_PREFIXES: [&str; 3] = ["NARRATOR_", "CUDA_", "OMP_"];

/// The part of this process's environment that a later run of the same command needs.
pub fn environment_to_keep() -> BTreeMap<String, String> {
    let kept = |name: &str| {
        name != crate::commands::supervise::MARK
            && (KEPT_NAMES.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
    };
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    variables.filter(|(name, _)| kept(name)).collect()
}

/// The folder of the catalog.
#[derive(Clone, Debug)]
pub struct Catalog {
    dir: PathBuf,
}

impl Catalog {
    pub fn of_user() -> Self {
        let state = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")))
            .or_else(|| std::env::var_os("LOCALAPPDATA").map(PathBuf::from))
            .unwrap_or_else(std::env::temp_dir);
        Self::at(state.join("narratord").join("jobs"))
    }

    pub fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn path(&self, folder: &Path) -> PathBuf {
        let name = blake3::hash(folder.as_os_str().as_encoded_bytes()).to_hex();
        self.dir.join(format!("{}.toml", &name[..16]))
    }

    /// The entry of the job in `folder` (absolute), if it is known.
    pub fn get(&self, folder: &Path) -> Option<Entry> {
        toml::from_str(&std::fs::read_to_string(self.path(folder)).ok()?).ok()
    }

    pub fn put(&self, entry: &Entry) -> Result<(), Failure> {
        std::fs::create_dir_all(&self.dir).map_err(|error| Failure::io("make", &self.dir, error))?;
        let text = toml::to_string_pretty(entry).map_err(|error| {
            Failure::new(Exit::BadSettings, "the catalog entry cannot be written").because(error)
        })?;
        write_whole(&self.path(&entry.folder), text.as_bytes())
    }

    /// Drops the entry of the job in `folder`; it is no error when there is none.
    pub fn forget(&self, folder: &Path) -> Result<(), Failure> {
        let path = self.path(folder);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::io("remove", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// All entries, the oldest first; unreadable ones are passed over.
    pub fn all(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.read().filter_map(Result::ok).collect();
        entries.sort_by(|a, b| a.started.cmp(&b.started));
        entries
    }

    /// Files of the catalog that cannot be read as an entry.
    pub fn unreadable(&self) -> Vec<PathBuf> {
        self.read().filter_map(Result::err).collect()
    }

    fn read(&self) -> impl Iterator<Item = Result<Entry, PathBuf>> {
        let files = std::fs::read_dir(&self.dir).into_iter().flatten().filter_map(Result::ok);
        let named =
            files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "toml"));
        named.map(|path| {
            let text = std::fs::read_to_string(&path).map_err(|_| path.clone())?;
            toml::from_str(&text).map_err(|_| path)
        })
    }

    /// Becomes the one supervisor of this catalog, for as long as the lock lives.
    pub fn lock(&self) -> Result<JobLock, Failure> {
        std::fs::create_dir_all(&self.dir).map_err(|error| Failure::io("make", &self.dir, error))?;
        JobLock::acquire(&self.dir).map_err(|error| match error {
            JournalError::Held { holder, .. } => {
                Failure::new(Exit::Held, format!("another `narratord supervise` is at work{holder}"))
                    .hint("one is enough: it looks after every job")
            }
            other => other.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            title: "A Book".into(),
            folder: "/jobs/book.narration".into(),
            directory: "/jobs".into(),
            arguments: vec!["run".into(), "book.epub".into()],
            environment: [("NARRATOR_HOME".to_string(), "/models".to_string())].into(),
            started: "2026-01-01T00:00:00.000Z".into(),
            tries: 0,
            tries_without_progress: 0,
            done_at_restart: 0,
            ending: Ending::Unknown,
        }
    }

    #[test]
    fn an_entry_comes_back_as_it_was_put() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::at(dir.path().join("jobs"));
        let entry = Entry { ending: Ending::GivenUp { why: "x".into() }, ..entry() };
        catalog.put(&entry).unwrap();
        assert_eq!(catalog.get(&entry.folder), Some(entry.clone()));
        assert_eq!(catalog.all(), [entry]);
        assert!(catalog.unreadable().is_empty());
    }

    #[test]
    fn a_damaged_entry_hides_no_other_and_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::at(dir.path().to_path_buf());
        catalog.put(&entry()).unwrap();
        let damaged = dir.path().join("0123456789abcdef.toml");
        std::fs::write(&damaged, "title = ").unwrap();
        assert_eq!(catalog.all(), [entry()]);
        assert_eq!(catalog.unreadable(), [damaged]);
    }

    #[test]
    fn one_supervisor_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::at(dir.path().join("jobs"));
        let first = catalog.lock().unwrap();
        let second = catalog.lock().unwrap_err();
        assert_eq!(second.exit, Exit::Held);
        assert!(second.message.contains("at work"), "{}", second.message);
        drop(first);
        catalog.lock().unwrap();
        assert!(catalog.all().is_empty() && catalog.unreadable().is_empty(), "the lock is no entry");
    }

    #[test]
    fn a_restart_that_the_supervisor_cut_off_is_not_counted() {
        let job = entry().restarted(5);
        let again = job.restarted(5);
        let ended = Entry { ending: Ending::Exited { code: 75 }, ..again };
        let after = ended.clone().uncounted(&job);
        assert_eq!((after.tries, after.tries_without_progress), (1, 0));
        assert_eq!(after.ending, ended.ending);
    }

    #[test]
    fn three_restarts_are_all_there_are() {
        let mut job = entry();
        for done in [10, 20, 30] {
            assert_eq!(job.verdict(done), Verdict::Restart);
            job = job.restarted(done);
        }
        assert!(matches!(job.verdict(40), Verdict::GiveUp(why) if why.contains("3 times")));
    }

    #[test]
    fn two_restarts_without_progress_are_the_last() {
        let mut job = entry();
        assert_eq!(job.verdict(5), Verdict::Restart);
        job = job.restarted(5);
        assert_eq!(job.verdict(5), Verdict::Restart, "the first restart brought nothing: one more");
        job = job.restarted(5);
        assert!(matches!(job.verdict(5), Verdict::GiveUp(why) if why.contains("without one more")));
        assert_eq!(job.verdict(6), Verdict::Restart, "the second one brought something");
    }

    #[test]
    fn endings_that_need_a_person_are_left() {
        for ending in [
            Ending::Exited { code: 0 },
            Ending::Exited { code: 3 },
            Ending::Exited { code: 65 },
            Ending::Exited { code: 78 },
            Ending::StoppedByPerson,
        ] {
            assert_eq!(Entry { ending, ..entry() }.verdict(0), Verdict::Leave);
        }
        for code in [74, 75] {
            let ending = Ending::Exited { code };
            assert_eq!(Entry { ending, ..entry() }.verdict(0), Verdict::Restart);
        }
    }
}
