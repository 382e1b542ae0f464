//! The whole voice: phoneme ids in, samples out.

use narrator_engine::{EngineError, EngineErrorKind};
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use super::acoustic::Acoustic;
use super::layers::Source;
use super::prosody::{Prosody, Timing};
use super::vocoder::{HOP, SAMPLE_RATE, Vocoder};
use crate::error::Doing;

pub(super) struct Voice {
    prosody: Prosody,
    acoustic: Acoustic,
    vocoder: Vocoder,
}

/// What the networks make of a sentence.
pub(super) struct Utterance {
    /// `[frames, 5 * BINS]`.
    pub(super) spectra: Tensor,
    /// Hertz, `[frames]`.
    pub(super) pitch: Tensor,
}

impl Voice {
    pub(super) fn load(source: &Source<'_>) -> Result<Self, EngineError> {
        Ok(Self {
            prosody: Prosody::load(source)?,
            acoustic: Acoustic::load(source)?,
            vocoder: Vocoder::new().doing("preparing the vocoder")?,
        })
    }

    /// Runs the networks. Fails as a runaway before the costly part when the sentence would last longer than
    /// `most_samples`.
    pub(super) fn utter(&self, ids: &[i64], speed: f32, most_samples: u64) -> Result<Utterance, EngineError> {
        tch::no_grad(|| {
            let ids = Tensor::f_from_slice(ids).doing("copying phonemes")?;
            let timing = self.prosody.time(&ids, speed).doing("timing phonemes")?;
            let samples = (timing.frames() * HOP) as u64;
            if samples > most_samples {
                return Err(runaway(samples, most_samples));
            }
            self.spectra(&ids, &timing).doing("computing spectra")
        })
    }

    /// The phoneme that sounds in each step.
    pub(super) fn steps(&self, ids: &[i64], speed: f32) -> Result<Vec<i64>, EngineError> {
        tch::no_grad(|| self.prosody.time(&Tensor::f_from_slice(ids)?, speed))
            .doing("timing phonemes")
            .map(|timing| timing.steps().to_vec())
    }

    fn spectra(&self, ids: &Tensor, timing: &Timing) -> Result<Utterance, tch::TchError> {
        let melody = self.prosody.melody(timing)?;
        let spectra = self.acoustic.spectra(ids, timing, &melody)?;
        Ok(Utterance { spectra, pitch: melody.pitch })
    }

    /// Samples between −1 and 1.
    pub(super) fn sound(
        &mut self,
        utterance: &Utterance,
        stream: &mut ChaCha8Rng,
    ) -> Result<Vec<f32>, EngineError> {
        let mut samples = tch::no_grad(|| self.vocoder.speak(&utterance.spectra, &utterance.pitch, stream))
            .doing("turning spectra into samples")?;
        if samples.is_empty() || samples.iter().any(|sample| !sample.is_finite()) {
            return Err(EngineError::new(
                EngineErrorKind::BadOutput,
                format!("the voice gave {} samples, not all of them numbers", samples.len()),
            ));
        }
        for sample in &mut samples {
            *sample = sample.clamp(-1.0, 1.0);
        }
        Ok(samples)
    }
}

fn runaway(samples: u64, most: u64) -> EngineError {
    let seconds = |samples| samples as f64 / f64::from(SAMPLE_RATE);
    EngineError::new(
        EngineErrorKind::Runaway,
        format!("a sentence would last {:.1} s where {:.1} s are left", seconds(samples), seconds(most)),
    )
}
