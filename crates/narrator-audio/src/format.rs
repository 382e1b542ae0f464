//! Which format, and where: decided from the output's name.

use std::path::{Path, PathBuf};

use crate::error::AudioError;

/// The formats of a finished audiobook.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// AAC in MPEG-4, with a chapter track.
    M4b,
    /// MP3 at a constant bit rate, with ID3 chapters.
    Mp3,
    /// Opus in Ogg, with chapter comments.
    Opus,
    /// FLAC of 16 bits, with chapter comments.
    Flac,
    /// PCM of 16 bits, with cue points; needs no other program.
    Wav,
}

impl Format {
    pub const ALL: [Self; 5] = [Self::M4b, Self::Mp3, Self::Opus, Self::Flac, Self::Wav];

    /// The extension of its files.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::M4b => "m4b",
            Self::Mp3 => "mp3",
            Self::Opus => "opus",
            Self::Flac => "flac",
            Self::Wav => "wav",
        }
    }

    /// The format called `name`, such as `m4b`, in any case; `m4a` is the same thing by another name.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        if name == "m4a" {
            return Some(Self::M4b);
        }
        Self::ALL.into_iter().find(|format| format.extension() == name)
    }

    /// Whether ffmpeg writes it.
    pub const fn needs_ffmpeg(self) -> bool {
        !matches!(self, Self::Wav)
    }

    pub(crate) const fn is_lossy(self) -> bool {
        matches!(self, Self::M4b | Self::Mp3 | Self::Opus)
    }

    /// Extensions, for messages.
    fn known() -> String {
        Self::ALL.map(|format| format!(".{}", format.extension())).join(", ")
    }
}

/// One file, or a folder with one file a chapter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    File { path: PathBuf, format: Format },
    Folder { path: PathBuf, format: Format },
}

impl Output {
    /// Decides from the name: a folder when it ends in a separator or is one already (MP3 unless
    /// `format` says otherwise), else a file by its extension.
    pub fn parse(path: &Path, format: Option<Format>) -> Result<Self, AudioError> {
        let ends_in_separator = path
            .as_os_str()
            .as_encoded_bytes()
            .last()
            .is_some_and(|last| std::path::is_separator(*last as char));
        let path = path.to_owned();
        if ends_in_separator || path.is_dir() {
            return Ok(Self::Folder { path, format: format.unwrap_or(Format::Mp3) });
        }
        let named = path.extension().and_then(|extension| Format::from_name(extension.to_str()?));
        match (named, format) {
            (Some(named), Some(format)) if named != format => {
                Err(AudioError::FormatConflict { path, format: format.extension() })
            }
            (Some(format), _) => Ok(Self::File { path, format }),
            (None, _) => Err(AudioError::UnknownFormat { path, known: Format::known() }),
        }
    }

    pub fn format(&self) -> Format {
        let (Self::File { format, .. } | Self::Folder { format, .. }) = self;
        *format
    }

    pub fn path(&self) -> &Path {
        let (Self::File { path, .. } | Self::Folder { path, .. }) = self;
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides() {
        let file = |path: &str| Output::parse(Path::new(path), None).unwrap();
        assert_eq!(file("a/Book.M4B"), Output::File { path: "a/Book.M4B".into(), format: Format::M4b });
        assert_eq!(file("x.m4a").format(), Format::M4b);
        assert_eq!(file("out/"), Output::Folder { path: "out/".into(), format: Format::Mp3 });
        let folder = tempfile::tempdir().unwrap();
        let found = Output::parse(folder.path(), Some(Format::Opus)).unwrap();
        assert_eq!(found, Output::Folder { path: folder.path().into(), format: Format::Opus });
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = |path: &str, format| Output::parse(Path::new(path), format).unwrap_err().to_string();
        insta::assert_snapshot!(error("book.ogg", None), @"the format of book.ogg is not known: the name must end in .m4b, .mp3, .opus, .flac, .wav, or in / for a folder of chapters");
        insta::assert_snapshot!(error("book", None), @"the format of book is not known: the name must end in .m4b, .mp3, .opus, .flac, .wav, or in / for a folder of chapters");
        insta::assert_snapshot!(error("book.mp3", Some(Format::Flac)), @"book.mp3 asks for another format than flac; give one or the other");
    }
}
