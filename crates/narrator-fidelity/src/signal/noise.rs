//! Static and bursts of noise: sound that has all frequencies alike for longer than any consonant.
//!
//! The measure is spectral flatness, the geometric over the arithmetic mean of the power in a band: 1 for a
//! perfectly even spectrum, about 0.56 for one window of white noise, far below for a voice, whose power is
//! in its harmonics or, for an `s`, above four kilohertz.

use realfft::RealFftPlanner;

use super::frames::{Frames, STEP_MS};
use super::{Finding, SignalFault};

/// The band that is looked at: a telephone's below, what every codec keeps above.
const BAND_HZ: (f32, f32) = (150.0, 7000.0);
const WINDOW_MS: u32 = 21;
/// Below what one window of white noise gives, above most of speech.
const FLAT: f32 = 0.38;
/// No sound of speech is flat for so long: the longest in 150 takes of the starter voice is 140 ms.
const STATIC_MS: u32 = 200;
/// Flat frames this far apart belong together.
const BRIDGE_FRAMES: usize = 3;

/// Power spectra, one a frame, between the limits of [`BAND_HZ`].
pub(super) struct Spectra {
    bins: usize,
    power: Vec<f32>,
}

impl Spectra {
    pub(super) fn of(pcm: &[f32], rate: u32, frames: usize) -> Self {
        let length = ((rate * WINDOW_MS / 1000) as usize).next_power_of_two().max(64);
        let hertz = rate as f32 / length as f32;
        let low = (BAND_HZ.0 / hertz).ceil() as usize;
        let high = ((BAND_HZ.1 / hertz) as usize).min(length / 2 - 1).max(low + 1);
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(length);
        let (mut input, mut output) = (fft.make_input_vec(), fft.make_output_vec());
        let window: Vec<f32> = (0..length)
            .map(|at| 0.5 - 0.5 * (std::f32::consts::TAU * at as f32 / length as f32).cos())
            .collect();
        let step = (rate * STEP_MS / 1000) as usize;
        let mut power = Vec::with_capacity(frames * (high - low));
        for frame in 0..frames {
            let start = (frame * step + step / 2).saturating_sub(length / 2);
            for (at, sample) in input.iter_mut().enumerate() {
                *sample = pcm.get(start + at).copied().unwrap_or(0.0) * window[at];
            }
            // The buffers are the plan's own, so their lengths fit.
            if fft.process(&mut input, &mut output).is_err() {
                output.fill(realfft::num_complex::Complex::default());
            }
            power.extend(output[low..high].iter().map(realfft::num_complex::Complex::norm_sqr));
        }
        Self { bins: high - low, power }
    }

    pub(super) fn frame(&self, at: usize) -> &[f32] {
        &self.power[at * self.bins..(at + 1) * self.bins]
    }

    pub(super) fn len(&self) -> usize {
        self.power.len() / self.bins
    }

    fn flatness(&self, at: usize) -> f32 {
        let power = self.frame(at);
        let mean = power.iter().sum::<f32>() / power.len() as f32;
        let log = power.iter().map(|bin| bin.max(1e-20).ln()).sum::<f32>() / power.len() as f32;
        if mean <= 1e-18 { 0.0 } else { log.exp() / mean }
    }
}

/// Stretches of static.
pub(super) fn bursts(spectra: &Spectra, frames: &Frames) -> Vec<Finding> {
    let flat = |at: usize| !frames.is_silence(at) && spectra.flatness(at) > FLAT;
    let mut findings = Vec::new();
    let mut at = 0;
    while at < spectra.len() {
        if !flat(at) {
            at += 1;
            continue;
        }
        let (start, mut end, mut count) = (at, at + 1, 1);
        at += 1;
        while at < spectra.len() && at < end + BRIDGE_FRAMES {
            if flat(at) {
                end = at + 1;
                count += 1;
            }
            at += 1;
        }
        let ms = count * STEP_MS;
        if ms >= STATIC_MS {
            findings.push(Finding {
                kind: SignalFault::Static,
                start_ms: start as u32 * STEP_MS,
                end_ms: end as u32 * STEP_MS,
                measure: ms as f32,
                limit: STATIC_MS as f32,
            });
        }
    }
    findings
}
