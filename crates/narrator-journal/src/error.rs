//! What can go wrong with the journal and the takes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Which of the program's answers an error calls for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// The journal cannot be believed as it stands: exit 65, `checkpoint verify`, `checkpoint repair`.
    Damaged,
    /// Not a journal at all, or one that a newer narratord wrote: exit 65, nothing to repair.
    Foreign,
    /// The disk or its quota is full; nothing is lost and the same call may be made again: pause.
    DiskFull,
    /// A write or a sync failed and the log takes nothing more: drain, exit 74.
    Disk,
    /// Another run holds the job: exit 73.
    Held,
    /// The caller asked for what no journal can hold: a bug.
    Refused,
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{} takes no more records since an earlier failure ({first})\n\
         hint: what was recorded is safe; see to the disk and run the same command again",
        path.display()
    )]
    Poisoned { path: PathBuf, first: String },
    #[error(
        "{} is not a segment journal: it does not begin with the journal's mark\n\
         hint: move it out of the job folder, then run the same command again",
        path.display()
    )]
    NotAJournal { path: PathBuf },
    #[error(
        "{} was written by a newer narratord ({what} at byte {offset})\n\
         hint: resume this job with the version that wrote it, or start a new job folder",
        path.display()
    )]
    Newer { path: PathBuf, offset: u64, what: String },
    #[error(
        "{} is damaged at byte {offset}: {what}\n\
         hint: `narratord checkpoint verify` shows what is readable, `narratord checkpoint repair \
         --dry-run` what can be saved",
        path.display()
    )]
    Damaged { path: PathBuf, offset: u64, what: String },
    #[error("{} has {bytes} bytes, more than the {limit} that a journal can have\n\
         hint: move it out of the job folder, then run the same command again",
        path.display())]
    TooLong { path: PathBuf, bytes: u64, limit: u64 },
    #[error("a journal record of {bytes} bytes is longer than the {limit} allowed")]
    RecordTooLong { bytes: usize, limit: usize },
    #[error("{} exists already, and a journal is never created over another file", path.display())]
    Exists { path: PathBuf },
    #[error("the job {} is held by another run{holder}\nhint: wait for it or stop it, then try again",
        path.display())]
    Held { path: PathBuf, holder: Holder },
}

impl JournalError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source, .. } if is_full(source) => ErrorKind::DiskFull,
            Self::Io { .. } | Self::Poisoned { .. } => ErrorKind::Disk,
            Self::NotAJournal { .. } | Self::Newer { .. } | Self::TooLong { .. } => ErrorKind::Foreign,
            Self::Damaged { .. } => ErrorKind::Damaged,
            Self::RecordTooLong { .. } | Self::Exists { .. } => ErrorKind::Refused,
            Self::Held { .. } => ErrorKind::Held,
        }
    }
}

/// Who holds a job, as far as its lock file tells; only for the message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holder {
    pub pid: Option<u32>,
    pub host: Option<String>,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub since_ms: Option<u64>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pid) = self.pid {
            write!(f, ": process {pid}")?;
            if let Some(host) = &self.host {
                write!(f, " on {host}")?;
            }
        }
        Ok(())
    }
}

/// Whether an error means that there is no room, which waiting or clearing up can cure.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// Names what was being done, and to what, for an error of the file system.
pub(crate) fn io_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> JournalError + 'a {
    move |source| JournalError::Io { action, path: path.to_path_buf(), source }
}
