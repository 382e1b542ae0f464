//! What can be wrong with reading a clip.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::error::AudioError;

/// What a caller decides by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClipErrorKind {
    /// The file is not there or cannot be read.
    Unreadable,
    /// It is no audio, or of a kind that is not supported.
    NotAudio,
    /// ffmpeg is needed and is not there, or fails.
    Ffmpeg,
    /// It could not be written.
    Disk,
}

#[derive(Debug, Error)]
pub enum ClipError {
    #[error("cannot read the clip {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is not a clip that can be used: {why}\nhint: give a WAV file of somebody speaking", path.display())]
    NotAudio { path: PathBuf, why: String },
    #[error("{} is not a WAV file, and reading it needs ffmpeg\nhint: install ffmpeg, or give a WAV file", path.display())]
    NeedsFfmpeg { path: PathBuf },
    #[error(transparent)]
    Ffmpeg(#[from] AudioError),
    #[error("the clip cannot be brought from {from} Hz to {to} Hz: {why}")]
    Resample { from: u32, to: u32, why: String },
    #[error("cannot write the clip {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl ClipError {
    pub fn kind(&self) -> ClipErrorKind {
        match self {
            Self::Read { .. } => ClipErrorKind::Unreadable,
            Self::NotAudio { .. } | Self::Resample { .. } => ClipErrorKind::NotAudio,
            Self::NeedsFfmpeg { .. } | Self::Ffmpeg(_) => ClipErrorKind::Ffmpeg,
            Self::Write { .. } => ClipErrorKind::Disk,
        }
    }
}
