//! What is to be assembled, and what came of it.

use std::path::PathBuf;
use std::time::Duration;

use narrator_core::settings::Audio;
use narrator_core::{Cover, Metadata};
use serde::Serialize;

use crate::error::AudioError;
use crate::loudness::Measurement;

/// One take in its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// A FLAC file written by [`crate::flac::encode`].
    pub take: PathBuf,
    /// Silence between the end of this take's speech and the start of the next one's.
    pub pause_after_ms: u32,
}

/// A chapter's takes in reading order. A chapter without any does not appear in the audiobook.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ChapterAudio {
    pub title: String,
    pub pieces: Vec<Piece>,
}

/// A book ready to be assembled.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Assembly {
    pub chapters: Vec<ChapterAudio>,
    pub metadata: Metadata,
    /// Who reads: the voice's name for people.
    pub narrator: Option<String>,
    /// Left out, with a warning, when it is no readable JPEG or PNG.
    pub cover: Option<Cover>,
    pub settings: Audio,
}

/// A step of the assembly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Takes are read and the whole programme's loudness is measured; counted in takes.
    Measure,
    /// The programme is mastered without being written, to find what the limiter takes; counted in
    /// samples.
    Rehearse,
    /// The programme is mastered and encoded; counted in samples.
    Encode,
    /// What was written is decoded and measured; counted in samples.
    Verify,
}

/// How far a [`Stage`] is. A stage may start over when its result has to be made once more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    pub stage: Stage,
    pub done: u64,
    pub total: u64,
}

/// A chapter of the finished audiobook: `start..end` in samples of the programme.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FinishedChapter {
    pub title: String,
    pub start: u64,
    pub end: u64,
}

/// Where a take is in the programme: `start..end` in samples of it. What stands at sample `n` of the take is heard
/// at `start + n - cut`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct PlacedTake {
    pub start: u64,
    pub end: u64,
    /// Samples that were cut off its beginning, for silence.
    pub cut: u64,
}

/// The finished audiobook.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Finished {
    /// One file, or one a chapter.
    pub files: Vec<PathBuf>,
    pub bytes: u64,
    /// Samples a second of the programme; a format may store another rate.
    pub rate: u32,
    pub samples: u64,
    pub chapters: Vec<FinishedChapter>,
    /// The pieces of all chapters, in order.
    pub placed: Vec<PlacedTake>,
    /// The programme before mastering.
    pub takes: Measurement,
    /// What was delivered, measured on the written files after decoding.
    pub delivered: Measurement,
    /// Gain between the two, before the limiter.
    pub gain_db: f64,
    /// True peak that the limiter held before encoding.
    pub ceiling_db: f64,
    /// Times the book was encoded until the delivered levels were right; nearly always 1.
    pub encodes: u32,
    pub cover: bool,
}

impl Finished {
    pub fn duration(&self) -> Duration {
        samples_to_duration(self.samples, self.rate)
    }
}

/// The time that `samples` take at `rate` samples a second.
pub fn samples_to_duration(samples: u64, rate: u32) -> Duration {
    let rate = u64::from(rate.max(1));
    Duration::new(samples / rate, ((samples % rate) * 1_000_000_000 / rate) as u32)
}

/// Checks the settings before hours are spent on them.
pub fn check_settings(settings: &Audio) -> Result<(), AudioError> {
    let outside = |name, value: String, allowed| Err(AudioError::Settings { name, value, allowed });
    if !(-40.0..=-5.0).contains(&settings.loudness_lufs) {
        return outside("loudness_lufs", settings.loudness_lufs.to_string(), "-40 to -5");
    }
    if !(-20.0..=0.0).contains(&settings.true_peak_db) {
        return outside("true_peak_db", settings.true_peak_db.to_string(), "-20 to 0");
    }
    if !(16..=320).contains(&settings.bitrate_kbps) {
        return outside("bitrate_kbps", settings.bitrate_kbps.to_string(), "16 to 320");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_become_time_without_loss() {
        assert_eq!(samples_to_duration(36_000, 24_000), Duration::from_millis(1_500));
        assert_eq!(samples_to_duration(24_000 * 3600 * 30, 24_000), Duration::from_hours(30));
        assert_eq!(samples_to_duration(1, 0), Duration::from_secs(1));
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        assert!(check_settings(&Audio::default()).is_ok());
        let bad = Audio { loudness_lufs: f64::NAN, ..Audio::default() };
        assert!(check_settings(&bad).is_err());
        let bad = Audio { true_peak_db: 1.0, ..Audio::default() };
        assert_eq!(
            check_settings(&bad).unwrap_err().to_string(),
            "the setting audio.true_peak_db is 1, which is outside -20 to 0"
        );
    }
}
