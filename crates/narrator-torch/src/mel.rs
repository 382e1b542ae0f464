//! The filters of a mel spectrogram: from the lines of a spectrum to bands as wide as the ear hears.
//!
//! Bands from 0 Hz on the Slaney scale, with Slaney's area norm, as both of the reference implementations have
//! them. Which transform, which logarithm and which floor is each model's own (`whisper::mel`,
//! `qwen3::speaker::mel`).

use tch::{Device, Tensor};

use crate::qwen3::ops::Torch;

/// A spectrum and the bands that are made of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bands {
    pub(crate) sample_rate: u32,
    /// Points of the transform.
    pub(crate) fft: usize,
    pub(crate) bins: usize,
    /// Where the last band ends.
    pub(crate) max_hz: f64,
}

impl Bands {
    /// The filters, `[bins, lines]`, float32: multiplied with a spectrum `[lines, frames]` they give the bands.
    pub(crate) fn filters(self, device: Device) -> Torch {
        let weights: Vec<f32> = self.weights().into_iter().map(|weight| weight as f32).collect();
        Tensor::f_from_slice(&weights)?.f_to_device(device)?.f_view([self.bins as i64, -1])
    }

    /// Lines of the spectrum.
    fn lines(self) -> usize {
        self.fft / 2 + 1
    }

    /// Triangles `[bins · lines]`, row by row.
    fn weights(self) -> Vec<f64> {
        let step = f64::from(self.sample_rate) / self.fft as f64;
        let top = mel_of(self.max_hz);
        let edge = |index: usize| hz_of(top * index as f64 / (self.bins + 1) as f64);
        let mut weights = Vec::with_capacity(self.bins * self.lines());
        for bin in 0..self.bins {
            let (low, centre, high) = (edge(bin), edge(bin + 1), edge(bin + 2));
            let area = 2.0 / (high - low);
            for line in 0..self.lines() {
                let hz = line as f64 * step;
                let rising = (hz - low) / (centre - low);
                let falling = (high - hz) / (high - centre);
                weights.push(rising.min(falling).max(0.0) * area);
            }
        }
        weights
    }
}

/// Slaney's scale: linear to 1 kHz, logarithmic above.
const LINEAR_HZ_PER_MEL: f64 = 200.0 / 3.0;
const LOG_FROM_HZ: f64 = 1000.0;
const LOG_FROM_MEL: f64 = LOG_FROM_HZ / LINEAR_HZ_PER_MEL;

/// 27 mels make a factor of 6.4.
fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn mel_of(hz: f64) -> f64 {
    if hz < LOG_FROM_HZ {
        hz / LINEAR_HZ_PER_MEL
    } else {
        LOG_FROM_MEL + (hz / LOG_FROM_HZ).ln() / log_step()
    }
}

fn hz_of(mel: f64) -> f64 {
    if mel < LOG_FROM_MEL {
        mel * LINEAR_HZ_PER_MEL
    } else {
        LOG_FROM_HZ * ((mel - LOG_FROM_MEL) * log_step()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_its_own_inverse() {
        for hz in [0.0, 440.0, 999.0, 1000.0, 6400.0, 12_000.0] {
            assert!((hz_of(mel_of(hz)) - hz).abs() < 1e-6, "{hz}");
        }
        assert!((mel_of(6400.0) - 42.0).abs() < 1e-9, "15 linear mels and 27 logarithmic ones");
    }

    #[test]
    fn every_filter_hears_something_and_has_its_area() {
        for (sample_rate, fft, bins, max_hz) in
            [(16_000, 400, 80, 8000.0), (16_000, 400, 128, 8000.0), (24_000, 1024, 128, 12_000.0)]
        {
            let bands = Bands { sample_rate, fft, bins, max_hz };
            let weights = bands.weights();
            for (bin, filter) in weights.chunks(bands.lines()).enumerate() {
                assert!(filter.iter().any(|&weight| weight > 0.0), "filter {bin} of {bands:?} is empty");
            }
            // High filters are wide enough for the sum over lines to come near the area.
            let last = &weights[(bins - 1) * bands.lines()..];
            let area = last.iter().sum::<f64>() * f64::from(sample_rate) / fft as f64;
            assert!((area - 1.0).abs() < 0.03, "{bands:?}: {area}");
        }
    }
}
