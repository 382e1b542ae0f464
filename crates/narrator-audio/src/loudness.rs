//! Measuring: integrated loudness (EBU R 128), true peak, sample peak and RMS in one streaming pass.
//!
//! A book's loudness is gated over the whole programme, pauses included, so it is measured on the
//! programme and not put together from its takes: the pass over the decoded takes of twelve hours costs
//! less than a minute, and there is nothing to merge that could disagree with what a listener's meter
//! says. Memory grows by eight bytes each 100 ms (4 MB in fifteen hours), the gate's own history.

use ebur128::{EbuR128, Mode};
use serde::{Deserialize, Serialize};

use crate::error::AudioError;
use crate::peaks::PeakMeter;

/// What a signal measures. Levels are in decibels of full scale; silence is −∞, written as `None`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Measurement {
    pub samples: u64,
    /// Gated, in LUFS; none below −70 LUFS or for less than 400 ms of sound.
    pub loudness_lufs: Option<f64>,
    pub true_peak_db: Option<f64>,
    pub sample_peak_db: Option<f64>,
    pub rms_db: Option<f64>,
}

/// Measures a signal as it passes.
pub struct Meter {
    loudness: EbuR128,
    peaks: PeakMeter,
    samples: u64,
    energy: f64,
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").field("samples", &self.samples).finish_non_exhaustive()
    }
}

impl Meter {
    /// A meter for mono sound of `rate` samples a second.
    pub fn new(rate: u32) -> Result<Self, AudioError> {
        let loudness = EbuR128::new(1, rate, Mode::I).map_err(|_| AudioError::BadSamples {
            why: format!("{rate} samples a second cannot be measured"),
        })?;
        Ok(Self { loudness, peaks: PeakMeter::new(), samples: 0, energy: 0.0 })
    }

    /// A meter that also notes where the true peak goes over `limit`: see [`Self::take_over`].
    pub(crate) fn watching(rate: u32, limit: f32) -> Result<Self, AudioError> {
        Ok(Self { peaks: PeakMeter::watching(limit), ..Self::new(rate)? })
    }

    /// Samples over the limit since the last call, and how high.
    pub(crate) fn take_over(&mut self) -> Vec<(u64, f32)> {
        self.peaks.take_over()
    }

    pub fn add(&mut self, samples: &[f32]) {
        // It fails only for an invalid mode, which `new` rules out.
        let _ = self.loudness.add_frames_f32(samples);
        self.peaks.add(samples);
        self.samples += samples.len() as u64;
        for chunk in samples.chunks(256) {
            self.energy += f64::from(chunk.iter().map(|x| x * x).sum::<f32>());
        }
    }

    pub fn measurement(&self) -> Measurement {
        let decibels = |level: f64| (level > 0.0).then(|| 20.0 * level.log10());
        let loudness = self.loudness.loudness_global().ok().filter(|lufs| lufs.is_finite());
        Measurement {
            samples: self.samples,
            loudness_lufs: loudness,
            true_peak_db: decibels(f64::from(self.peaks.true_peak())),
            sample_peak_db: decibels(f64::from(self.peaks.sample_peak())),
            rms_db: decibels((self.energy / self.samples.max(1) as f64).sqrt()),
        }
    }
}

/// Measures one take.
pub fn measure(pcm: &[f32], rate: u32) -> Result<Measurement, AudioError> {
    let mut meter = Meter::new(rate)?;
    meter.add(pcm);
    Ok(meter.measurement())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_tone_measures_as_the_standard_says() {
        // EBU Tech 3341, case 1 in mono: a 1 kHz sine at −20 dBFS reads −23 LUFS (3 dB for one channel).
        let step = 2.0 * std::f32::consts::PI * 1_000.0 / 24_000.0;
        let tone: Vec<f32> = (0..24_000 * 5).map(|n| 0.1 * (step * n as f32).sin()).collect();
        let found = measure(&tone, 24_000).unwrap();
        assert!((found.loudness_lufs.unwrap() + 23.0).abs() < 0.1, "{found:?}");
        assert!((found.true_peak_db.unwrap() + 20.0).abs() < 0.1, "{found:?}");
        assert!((found.rms_db.unwrap() + 23.01).abs() < 0.02, "{found:?}");
        assert_eq!(found.samples, 120_000);
    }

    #[test]
    fn silence_and_very_short_sound_have_no_loudness() {
        let silence = measure(&vec![0.0; 48_000], 24_000).unwrap();
        assert_eq!(silence, Measurement { samples: 48_000, ..Measurement::default() });
        assert_eq!(measure(&[0.5; 100], 24_000).unwrap().loudness_lufs, None);
        assert!(measure(&[], 3).is_err(), "a rate that is none");
    }
}
