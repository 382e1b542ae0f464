//! The catalog: every job of this user, known before it starts, so that a job whose process is gone can
//! be found and taken up again.
//!
//! One TOML file a job, in `$XDG_STATE_HOME/narratord/jobs`, replaced whole at every change. What a job
//! has done is not kept here: its own journal is the authority. Whether a job runs is told by its lock,
//! never by a process number.

use std::path::{Path, PathBuf};

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

    fn fruitless(&self, done: u32) -> u32 {
        match self.tries {
            0 => 0,
            _ if done > self.done_at_restart => 0,
            _ => self.tries_without_progress + 1,
        }
    }
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

    /// All entries, the oldest first; unreadable ones are passed over.
    pub fn all(&self) -> Vec<Entry> {
        let Ok(files) = std::fs::read_dir(&self.dir) else { return Vec::new() };
        let read = |file: std::fs::DirEntry| {
            let path = file.path();
            let named = path.extension().is_some_and(|ending| ending == "toml");
            toml::from_str(&std::fs::read_to_string(path).ok().filter(|_| named)?).ok()
        };
        let mut entries: Vec<Entry> = files.filter_map(Result::ok).filter_map(read).collect();
        entries.sort_by(|a, b| a.started.cmp(&b.started));
        entries
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
