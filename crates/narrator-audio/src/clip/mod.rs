//! A clip of somebody's voice, from any audio file to what a model clones from.
//!
//! Read, mixed to one channel, brought to the model's rate (rubato), judged, and trimmed so that it ends in
//! half a second of silence: a clone goes on speaking where its clip stops, and a clip that ends in sound
//! leaks into what is spoken next. A clip that cannot give a good voice is refused with what to do about it.
//!
//! What is deliberately not done: noise is not removed and levels are not changed. What a filter leaves of a
//! bad recording is a worse voice than the person's, and the audiobook's loudness is set at its end.

mod error;
mod judge;
mod read;
mod resample;
mod write;

pub use error::{ClipError, ClipErrorKind};
pub use judge::{Concern, Finding};
pub use write::write_wav;

use std::path::Path;

use crate::ffmpeg::Ffmpeg;

/// Mono samples and their rate.
#[derive(Clone, PartialEq, Debug)]
pub struct Clip {
    pub samples: Vec<f32>,
    pub rate: u32,
}

impl Clip {
    /// Reads the clip in `path`: WAV as it is, anything else with `ffmpeg`.
    pub fn read(path: &Path, ffmpeg: Option<&Ffmpeg>) -> Result<Self, ClipError> {
        read::read(path, ffmpeg)
    }

    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate.max(1))
    }

    /// The clip at `rate`, trimmed, with what there is to say of it. Findings that [`Finding::refuses`] are
    /// reasons not to use it.
    pub fn prepared(&self, rate: u32) -> Result<(Self, Vec<Finding>), ClipError> {
        // Judged as it was recorded: resampling rounds the corners of clipping.
        let mut findings = judge::recording(&self.samples, self.rate);
        let samples = resample::to_rate(&self.samples, self.rate, rate)?;
        let (samples, more) = judge::trimmed(samples, rate);
        findings.extend(more);
        Ok((Self { samples, rate }, findings))
    }
}
