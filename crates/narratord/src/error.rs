//! What a command can fail with, as a person reads it: what is wrong, where, and what to do.

use std::path::Path;

use thiserror::Error;

use crate::exit::Exit;

/// A failed command: the exit code, one sentence, and what to do about it.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
    pub hint: Option<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, source: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// An error of one of the crates, whose message may end in a hint of its own.
    pub fn of(exit: Exit, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut said = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let more = error.to_string();
            if !said.contains(&more) {
                said = format!("{said}: {more}");
            }
            cause = error.source();
        }
        match said.split_once("hint: ") {
            Some((message, hint)) => Self::new(exit, message.trim_end()).hint(hint.trim()),
            None => Self::new(exit, said),
        }
    }

    /// A file could not be read or written: full and failing disks are 74, absent files 69.
    pub fn io(doing: &str, path: &Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        let exit = match source.kind() {
            Kind::NotFound | Kind::PermissionDenied | Kind::NotADirectory => Exit::Missing,
            _ => Exit::Disk,
        };
        let failure = Self::new(exit, format!("cannot {doing} {}", path.display())).because(source);
        match exit {
            Exit::Disk => failure.hint("free some space or choose another disk, then run the command again"),
            _ => failure,
        }
    }

    /// The message, the chain of causes and the hint, as printed on stderr.
    pub fn for_people(&self) -> String {
        let mut text = format!("narratord: {}", self.message);
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let said = error.to_string();
            if !text.contains(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            cause = error.source();
        }
        if let Some(hint) = &self.hint {
            text.push_str("\n  hint: ");
            text.push_str(hint);
        }
        text
    }
}

impl From<narrator_journal::JournalError> for Failure {
    fn from(error: narrator_journal::JournalError) -> Self {
        use narrator_journal::ErrorKind as Kind;
        let exit = match error.kind() {
            Kind::Damaged | Kind::Foreign | Kind::Refused => Exit::BadInput,
            Kind::DiskFull | Kind::Disk => Exit::Disk,
            Kind::Held => Exit::Held,
        };
        Self::of(exit, &error)
    }
}
