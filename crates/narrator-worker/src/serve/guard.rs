//! Whether what came out of an engine can be speech.
//!
//! The fidelity checks compare words with the page; this only stops what no check should have to hear.

use narrator_engine::{EngineError, EngineErrorKind};
use narrator_proto::{FailureKind, FatalKind, Speak};

/// Engines keep to −1..1 but for a little overshoot; past this the arithmetic has gone wrong.
const MAX_LEVEL: f32 = 8.0;
/// A take that stays below −80 dBFS is silence.
const SILENCE_LEVEL: f32 = 1e-4;
/// Fast speech has some 25 characters a second; more than three times that skipped text.
const MAX_CHARS_PER_SECOND: f32 = 80.0;
/// Caps that make sense: ten minutes is many times what the longest allowed text takes.
const SECONDS: std::ops::RangeInclusive<f32> = 0.1..=600.0;
const SPEEDS: std::ops::RangeInclusive<f32> = 0.5..=2.0;
/// Longest message on the wire; the rest of a C++ exception helps nobody.
const BRIEF_BYTES: usize = 2000;

/// A fault of one row: what kind, and what to say.
pub type RowFault = (FailureKind, String);

/// Whether a request can be given to an engine at all.
pub fn check_request(speak: &Speak) -> Result<(), RowFault> {
    let bad = |what: String| Err((FailureKind::BadRequest, what));
    if speak.text.trim().is_empty() {
        return bad("there is no text to speak".into());
    }
    if !SPEEDS.contains(&speak.speed) {
        return bad(format!("speed {} is not between 0.5 and 2", speak.speed));
    }
    if !SECONDS.contains(&speak.max_seconds) {
        let (least, most) = (SECONDS.start(), SECONDS.end());
        return bad(format!("a cap of {} seconds is not between {least} and {most}", speak.max_seconds));
    }
    Ok(())
}

/// Follows one row's samples.
#[derive(Clone, Copy, Debug)]
pub struct RowGuard {
    sample_rate: u32,
    max_samples: u64,
    min_samples: u64,
    samples: u64,
    peak: f32,
}

impl RowGuard {
    pub fn new(speak: &Speak, sample_rate: u32) -> Self {
        let rate = f64::from(sample_rate);
        let chars = speak.text.chars().filter(|c| !c.is_whitespace()).count() as f64;
        let shortest = chars / f64::from(MAX_CHARS_PER_SECOND * speak.speed);
        Self {
            sample_rate,
            max_samples: (f64::from(speak.max_seconds) * rate) as u64,
            min_samples: (shortest * rate) as u64,
            samples: 0,
            peak: 0.0,
        }
    }

    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Looks at the next samples.
    pub fn hear(&mut self, pcm: &[f32]) -> Result<(), RowFault> {
        let wild = pcm.iter().enumerate().find(|(_, sample)| sample.is_nan() || sample.abs() > MAX_LEVEL);
        if let Some((at, sample)) = wild {
            let at = self.samples + at as u64;
            return Err((FailureKind::BadOutput, format!("sample {at} is not audio ({sample})")));
        }
        self.samples += pcm.len() as u64;
        self.peak = pcm.iter().fold(self.peak, |peak, sample| peak.max(sample.abs()));
        if self.samples > self.max_samples {
            let cap = self.max_samples as f64 / f64::from(self.sample_rate);
            return Err((FailureKind::Runaway, format!("generation went past its cap of {cap:.1} seconds")));
        }
        Ok(())
    }

    /// Judges the whole row once the engine says that it is complete.
    pub fn judge(&self) -> Result<(), RowFault> {
        let bad = |what: String| Err((FailureKind::BadOutput, what));
        let seconds = |samples: u64| samples as f64 / f64::from(self.sample_rate);
        if self.samples == 0 {
            return bad("no samples came out".into());
        }
        if self.peak < SILENCE_LEVEL {
            return bad(format!("{:.2} seconds of silence came out", seconds(self.samples)));
        }
        if self.samples < self.min_samples {
            return bad(format!(
                "{:.2} seconds came out, the text takes {:.2} at the least",
                seconds(self.samples),
                seconds(self.min_samples)
            ));
        }
        Ok(())
    }
}

/// Whom an engine's error is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Blame {
    Row(FailureKind),
    Process(FatalKind),
}

/// From engine kinds to the wire's.
pub fn blame(error: &EngineError) -> Blame {
    match error.kind() {
        EngineErrorKind::OutOfMemory => Blame::Row(FailureKind::OutOfMemory),
        EngineErrorKind::Runaway => Blame::Row(FailureKind::Runaway),
        EngineErrorKind::BadOutput => Blame::Row(FailureKind::BadOutput),
        EngineErrorKind::BadRequest => Blame::Row(FailureKind::BadRequest),
        EngineErrorKind::Cancelled => Blame::Row(FailureKind::Cancelled),
        EngineErrorKind::DeviceFault => Blame::Process(FatalKind::DeviceFault),
        EngineErrorKind::BadModel => Blame::Process(FatalKind::ConfigRejected),
    }
}

/// The beginning of a text that may be long, cut between characters.
pub fn brief(text: &str) -> String {
    text[..text.floor_char_boundary(BRIEF_BYTES)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speak() -> Speak {
        Speak {
            text: "Eight characters and more.".into(),
            language: "en".into(),
            voice: None,
            speed: 1.0,
            seed: 1,
            max_seconds: 10.0,
        }
    }

    fn outcome(pcm: &[f32]) -> Result<(), FailureKind> {
        let mut guard = RowGuard::new(&speak(), 1000);
        guard.hear(pcm).and_then(|()| guard.judge()).map_err(|(kind, _)| kind)
    }

    #[test]
    fn speech_passes_and_what_cannot_be_speech_does_not() {
        assert_eq!(outcome(&[0.5; 2000]), Ok(()));
        assert_eq!(outcome(&[]), Err(FailureKind::BadOutput));
        assert_eq!(outcome(&[0.00005; 2000]), Err(FailureKind::BadOutput), "silence");
        assert_eq!(outcome(&[0.5; 100]), Err(FailureKind::BadOutput), "too short for its text");
        assert_eq!(outcome(&vec![0.5; 10_001]), Err(FailureKind::Runaway));
        for wild in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 9.0] {
            assert_eq!(outcome(&[0.5, wild, 0.5]), Err(FailureKind::BadOutput), "{wild}");
        }
    }

    #[test]
    fn the_place_of_a_wild_sample_is_told() {
        let mut guard = RowGuard::new(&speak(), 1000);
        guard.hear(&[0.0; 10]).expect("well");
        let (_, told) = guard.hear(&[0.0, f32::NAN]).expect_err("wild");
        assert_eq!(told, "sample 11 is not audio (NaN)");
    }

    #[test]
    fn impossible_requests_are_told_apart() {
        assert_eq!(check_request(&speak()), Ok(()));
        let wrong = [
            Speak { text: " \n".into(), ..speak() },
            Speak { speed: 0.4, ..speak() },
            Speak { speed: f32::NAN, ..speak() },
            Speak { max_seconds: 0.0, ..speak() },
            Speak { max_seconds: f32::NAN, ..speak() },
            Speak { max_seconds: f32::INFINITY, ..speak() },
        ];
        for speak in wrong {
            assert_eq!(
                check_request(&speak).map_err(|(kind, _)| kind),
                Err(FailureKind::BadRequest),
                "{speak:?}"
            );
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = "ß".repeat(3000);
        assert_eq!(brief(&long).len(), 2000);
        assert_eq!(brief("short"), "short");
    }
}
