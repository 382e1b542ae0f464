//! What can go wrong between a manuscript and its script.

use narrator_core::{LedgerError, SegmentId};
use thiserror::Error;

/// The broad kind of a [`ScriptError`], for exit codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// A setting, a selection of chapters or a lexicon that cannot be used.
    Settings,
    /// The book, or a stored script or ledger, is not usable.
    BadInput,
    /// Reading or writing failed.
    Io,
    /// The plan breaks its own promise: a bug in narratord, and a reason to refuse to start.
    Broken,
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScriptError {
    #[error("script.{name} = {value} cannot be used: {reason}")]
    Setting { name: &'static str, value: u32, reason: String },

    #[error("cannot read the chapters {given:?}: {reason}; give numbers and ranges such as 2-5,7,9-")]
    Selection { given: String, reason: String },

    #[error(
        "chapter {number} was asked for, but the book has chapters 1 to {last}; \
         `narratord plan BOOK` lists them"
    )]
    NoSuchChapter { number: u32, last: u32 },

    #[error("there is nothing to speak in {what}")]
    NothingToSpeak { what: String },

    #[error("the lexicon {file}, line {line}: {reason}")]
    Lexicon { file: String, line: usize, reason: String },

    #[error("cannot read the lexicon {file}: {source}")]
    LexiconFile { file: String, source: std::io::Error },

    #[error("{file}, line {line}: {reason}; delete it and run the same command again to plan anew")]
    Damaged { file: &'static str, line: usize, reason: String },

    #[error("cannot read or write {file}: {source}")]
    Io { file: &'static str, source: std::io::Error },

    #[error("the ledger does not account for the book: {0}; this is a bug in narratord, please report it")]
    Ledger(#[from] LedgerError),

    #[error(
        "segment {segment} of the script is wrong: {reason}; this is a bug in narratord, please report it"
    )]
    Segment { segment: SegmentId, reason: String },

    #[error("the script is wrong: {reason}; this is a bug in narratord, please report it")]
    Script { reason: String },
}

impl ScriptError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. }
            | Self::Selection { .. }
            | Self::NoSuchChapter { .. }
            | Self::Lexicon { .. }
            | Self::LexiconFile { .. } => ErrorKind::Settings,
            Self::NothingToSpeak { .. } | Self::Damaged { .. } => ErrorKind::BadInput,
            Self::Io { .. } => ErrorKind::Io,
            Self::Ledger(_) | Self::Segment { .. } | Self::Script { .. } => ErrorKind::Broken,
        }
    }
}
