//! From takes to the finished audiobook.
//!
//! ```text
//!  takes (FLAC) ─▶ edges ─▶ programme ─┬▶ meter                        first pass: length, loudness
//!                                      ├▶ gain ─▶ limiter ─▶ meter     rehearsal: what the limiter takes
//!                                      └▶ gain ─▶ limiter ─▶ encoder   to NAME.part
//!                                                              │
//!  finished file ◀─ rename ◀─ fsync ◀─ meter ◀─ decoder ◀──────┘       proof: what was really written
//! ```
//!
//! What holds here:
//! - The samples are a function of the takes, the pauses and the settings, and of nothing else.
//! - No audible sample of a take is cut off ([`flac`] keeps all, the edges are held by property tests).
//! - Memory does not grow with the book: one take, a few blocks, and eight bytes each 100 ms of the
//!   loudness gate's history.
//! - The target's name never points to half a file. Everything is written as `NAME.part`, decoded,
//!   counted, measured, synced and renamed; a failure leaves the target as it was.
//! - Nothing is clipped: peaks are lowered by a look-ahead limiter, and the delivered file is measured
//!   after decoding.
//!
//! Beside that way, [`clip`] reads and judges recordings that a voice is to be cloned from.
//!
//! What is deliberately not here: resampling of takes (they keep their model's rate, 24 kHz for all of today's),
//! noise reduction and equalising (a synthetic voice has neither hum nor room), and a native encoder for
//! lossy formats: ffmpeg does that as a process of its own, which can be missing, die or be replaced
//! without taking narratord along. WAV needs no ffmpeg.

mod assemble;
mod assembly;
pub mod clip;
mod dips;
mod edges;
mod encoder;
mod error;
mod ffmpeg;
pub mod flac;
mod folder;
mod format;
mod levels;
mod limiter;
mod loudness;
mod part;
mod peaks;
mod picture;
mod programme;
mod render;
mod tags;
mod wav;
mod windows;

pub use assemble::assemble;
pub use assembly::{
    Assembly, ChapterAudio, Finished, FinishedChapter, Piece, PlacedTake, Progress, Stage, check_settings,
    samples_to_duration,
};
pub use error::{AudioError, AudioErrorKind};
pub use ffmpeg::Ffmpeg;
pub use format::{Format, Output};
pub use loudness::{Measurement, Meter, measure};
pub use windows::{LISTENING_RATE, Window, Windows};
