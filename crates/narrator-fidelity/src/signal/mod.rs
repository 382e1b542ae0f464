//! What the samples themselves show, whatever was heard in them.
//!
//! A recogniser forgives much that a listener does not: half a second of static, a word that breaks off, a
//! silence in the middle of a phrase. These checks look at the samples alone ([`examine`]), and at the
//! samples where the words are known ([`against_words`]). Each finding says where, what was measured and
//! what the limit was, and each is a reason to speak the segment again.
//!
//! They must not cry wolf: a limit leaves room beside what takes of a voice that is known to be good were
//! measured at, and says so where it stands. What a recogniser finds better (a missing word) is not looked
//! for.

mod breaks;
mod frames;
mod level;
mod noise;
mod pace;
mod pauses;
mod repeat;

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use breaks::breaks;
pub use pace::{letters_per_s, tells_pace};
pub use pauses::against_words;

use frames::Frames;
use noise::Spectra;

/// What is wrong with the samples.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalFault {
    /// Nothing but silence. Measure and limit in dBFS.
    Silent,
    /// Too quiet to be speech. dBFS.
    Quiet,
    /// Samples at the ceiling. Number of them in a row.
    Clipped,
    /// A silence inside. Milliseconds.
    Pause,
    /// Noise over all frequencies. Milliseconds.
    Static,
    /// Too short for its text. Letters a second.
    TooShort,
    /// Too long for its text. Letters a second.
    TooLong,
    /// It breaks off in full voice. Decibels below the voice.
    SuddenEnd,
    /// A stretch is there twice. Milliseconds.
    Repeated,
    /// The voice goes on behind the last word. Milliseconds.
    SpeechAfter,
    /// Samples that are no numbers. How many.
    NotFinite,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Finding {
    pub kind: SignalFault,
    pub start_ms: u32,
    pub end_ms: u32,
    /// In the unit of its kind.
    pub measure: f32,
    pub limit: f32,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, start_ms, measure, limit, .. } = self;
        let at = format!("at {}.{} s", start_ms / 1000, start_ms % 1000 / 100);
        match kind {
            SignalFault::Silent => write!(f, "there is no sound in it"),
            SignalFault::Quiet => write!(f, "the voice is at {measure:.0} dBFS, below {limit:.0}"),
            SignalFault::Clipped => write!(f, "{measure:.0} samples in a row are clipped {at}"),
            SignalFault::Pause => write!(f, "a silence of {measure:.0} ms {at}"),
            SignalFault::Static => write!(f, "{measure:.0} ms of static {at}"),
            SignalFault::TooShort => write!(f, "it is too short for its text: {measure:.1} letters a second"),
            SignalFault::TooLong => write!(f, "it is too long for its text: {measure:.1} letters a second"),
            SignalFault::SuddenEnd => write!(f, "it breaks off in full voice {at}"),
            SignalFault::Repeated => write!(f, "{measure:.0} ms are heard twice {at}"),
            SignalFault::SpeechAfter => {
                write!(f, "the voice goes on for {measure:.0} ms after the text {at}")
            }
            SignalFault::NotFinite => write!(f, "{measure:.0} samples are not numbers"),
        }
    }
}

/// What was measured in a take.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Signal {
    pub findings: Vec<Finding>,
    pub audio_ms: u32,
    /// Level of the voice: the loud frames, dBFS.
    pub voice_db: f32,
    /// From the first to the last frame of the voice.
    pub voice: Range<u32>,
    /// Silences between the first and the last sound, in order.
    pub silences: Vec<Range<u32>>,
    /// Stretches of voice, in order.
    pub sounding: Vec<Range<u32>>,
}

/// How fast a voice speaks, learnt from its own takes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Pace {
    /// Letters a second, from the first to the last sound of a take.
    pub letters_per_s: f32,
}

/// Looks at the samples of a take of `text`. `pace` is the voice's own where enough of it is known; without
/// it only what no voice does is found too short or too long.
pub fn examine(pcm: &[f32], rate: u32, text: &str, pace: Option<Pace>) -> Signal {
    let audio_ms = (pcm.len() as u64 * 1000 / u64::from(rate.max(1))) as u32;
    let bad = pcm.iter().filter(|sample| !sample.is_finite()).count();
    if bad > 0 {
        let finding = Finding {
            kind: SignalFault::NotFinite,
            start_ms: 0,
            end_ms: audio_ms,
            measure: bad as f32,
            limit: 0.0,
        };
        return Signal { findings: vec![finding], audio_ms, ..Signal::default() };
    }
    let frames = Frames::of(pcm, rate);
    let mut findings = Vec::new();
    if let Some(finding) = level::too_quiet(&frames, audio_ms) {
        let voice_db = frames.voice_db;
        return Signal { findings: vec![finding], audio_ms, voice_db, ..Signal::default() };
    }
    findings.extend(level::clipped(pcm, rate));
    let spectra = Spectra::of(pcm, rate, frames.db.len());
    findings.extend(noise::bursts(&spectra, &frames));
    findings.extend(pace::against_text(&frames, text, pace));
    findings.extend(level::sudden_falls(pcm, rate, &frames));
    findings.extend(level::sudden_end(pcm, rate, &frames));
    findings.extend(repeat::stretch(&spectra, &frames, text));
    findings.sort_by_key(|finding| finding.start_ms);
    Signal {
        findings,
        audio_ms,
        voice_db: frames.voice_db,
        voice: frames.voice_ms(),
        silences: frames.silences(),
        sounding: frames.sounding(),
    }
}

/// Stretches of voice in a piece of audio, in milliseconds and in order.
pub fn sounding(pcm: &[f32], rate: u32) -> Vec<Range<u32>> {
    Frames::of(pcm, rate).sounding()
}

#[cfg(test)]
mod tests;
