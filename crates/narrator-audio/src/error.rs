//! Errors of the audio path, sorted by what can be done about them.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What kind of thing went wrong; exit codes and retries are decided by this alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AudioErrorKind {
    /// A take is missing, damaged or unlike the others: it must be spoken again.
    Take,
    /// The job has no sound to assemble.
    Empty,
    /// The settings cannot work.
    Settings,
    /// The name of the output cannot be served: unknown format, or files that are not ours in the way.
    Output,
    /// A program, or a part of it, that has to be installed.
    MissingProgram,
    /// What should be heard is no audio, or damaged.
    Unplayable,
    /// The encoder broke off or wrote something other than what it was given.
    Encoder,
    /// Reading or writing a file failed.
    Disk,
    /// The caller stopped it.
    Cancelled,
}

/// What went wrong between the takes and the finished audiobook.
#[derive(Debug, Error)]
pub enum AudioError {
    #[error("take {} is missing; run the job again to speak that segment anew", path.display())]
    TakeMissing { path: PathBuf },
    #[error("take {} is damaged: {why}; delete it and run the job again to speak that segment anew", path.display())]
    TakeDamaged { path: PathBuf, why: String },
    #[error(
        "take {} has {rate} samples a second where the takes before it have {expected}; \
         all takes of a job must come from one model",
        path.display()
    )]
    TakeRate { path: PathBuf, rate: u32, expected: u32 },
    #[error("the samples cannot become a take: {why}")]
    BadSamples { why: String },
    #[error("no chapter has a take, so there is nothing to assemble")]
    NoSound,
    #[error("the setting audio.{name} is {value}, which is outside {allowed}")]
    Settings { name: &'static str, value: String, allowed: &'static str },
    #[error(
        "the format of {} is not known: the name must end in {known}, or in / for a folder of chapters",
        path.display()
    )]
    UnknownFormat { path: PathBuf, known: String },
    #[error("{} asks for another format than {format}; give one or the other", path.display())]
    FormatConflict { path: PathBuf, format: &'static str },
    #[error(
        "{} is there already and was not written by narratord; move it away or choose another folder",
        path.display()
    )]
    NotOurs { path: PathBuf },
    #[error(
        "ffmpeg is needed to write {format} and was not found (looked at {looked}); install ffmpeg, \
         or set NARRATOR_FFMPEG to it, or ask for a .wav, which needs no other program"
    )]
    NoFfmpeg { format: &'static str, looked: String },
    #[error("{} has no encoder {encoder}; install a full build of ffmpeg, or choose another format", program.display())]
    NoEncoder { program: PathBuf, encoder: String },
    #[error("{} cannot be started: {source}", program.display())]
    Unstartable { program: PathBuf, source: io::Error },
    #[error("{} stopped while {action}: {how}{}", program.display(), quoted(said))]
    Encoder { program: PathBuf, action: String, how: String, said: String },
    #[error(
        "{} cannot be decoded: it is no audio file, or it is damaged; \
         see whether a player opens it, and name another file or make it again (ffmpeg says: {said})",
        path.display()
    )]
    Unplayable { path: PathBuf, said: String },
    #[error("{} should hold {expected} samples and holds {found}; run the same command again", path.display())]
    WrongLength { path: PathBuf, expected: u64, found: u64 },
    #[error("cannot {action} {}: {source}{}", path.display(), disk_hint(source))]
    Disk { action: &'static str, path: PathBuf, source: io::Error },
    #[error("stopped as asked; nothing was written")]
    Cancelled,
}

impl AudioError {
    pub fn kind(&self) -> AudioErrorKind {
        match self {
            Self::TakeMissing { .. }
            | Self::TakeDamaged { .. }
            | Self::TakeRate { .. }
            | Self::BadSamples { .. } => AudioErrorKind::Take,
            Self::NoSound => AudioErrorKind::Empty,
            Self::Settings { .. } => AudioErrorKind::Settings,
            Self::UnknownFormat { .. } | Self::FormatConflict { .. } | Self::NotOurs { .. } => {
                AudioErrorKind::Output
            }
            Self::NoFfmpeg { .. } | Self::NoEncoder { .. } | Self::Unstartable { .. } => {
                AudioErrorKind::MissingProgram
            }
            Self::Unplayable { .. } => AudioErrorKind::Unplayable,
            Self::Encoder { .. } | Self::WrongLength { .. } => AudioErrorKind::Encoder,
            Self::Disk { .. } => AudioErrorKind::Disk,
            Self::Cancelled => AudioErrorKind::Cancelled,
        }
    }

    /// For `map_err` on file operations; `action` is a verb such as "write".
    pub(crate) fn disk(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk { action, path, source }
    }
}

fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("; it said: {said}") }
}

fn disk_hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room and run the same command again"
        }
        io::ErrorKind::NotFound => "; make the folder first",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; choose a place that may be written"
        }
        _ => "",
    }
}
