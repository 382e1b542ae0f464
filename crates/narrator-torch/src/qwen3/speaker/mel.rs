//! The mel spectrogram that the speaker encoder hears.
//!
//! Magnitudes of a 1024-point transform every 256 samples, in 128 bands from 0 to 12 kHz on the Slaney scale
//! with Slaney's area norm, as natural logarithms; the clip is mirrored at its edges so that frames are
//! centred. Always float32. These numbers are the reference's own and are in no configuration file.

use tch::{Device, Kind, Tensor};

use crate::qwen3::ops::Torch;

pub(super) const FFT: i64 = 1024;
const HOP: i64 = 256;
const MAX_HZ: f64 = 12_000.0;

/// Log-mel frames `[1, bins, frames]` of `samples`.
pub(super) fn spectrogram(samples: &[f32], sample_rate: i64, bins: i64, device: Device) -> Torch {
    let pad = (FFT - HOP) / 2;
    let x = Tensor::f_from_slice(samples)?.f_to_device(device)?.f_view([1, 1, -1])?;
    let x = x.f_reflection_pad1d([pad, pad])?.f_view([-1])?;
    let window = Tensor::f_hann_window(FFT, (Kind::Float, device))?;
    let frames = x.f_unfold(0, FFT, HOP)?.f_mul(&window)?;
    let spectrum = Tensor::f_view_as_real(&frames.f_fft_rfft(None, -1, "backward")?)?;
    let power = spectrum.f_square()?.f_sum_dim_intlist([-1].as_slice(), false, None)?;
    let magnitude = power.f_add_scalar(1e-9)?.f_sqrt()?.f_transpose(0, 1)?;
    let bank: Vec<f32> = filter_bank(sample_rate, bins).into_iter().map(|weight| weight as f32).collect();
    let bank = Tensor::f_from_slice(&bank)?.f_to_device(device)?.f_view([bins, -1])?;
    bank.f_matmul(&magnitude)?.f_clamp_min(1e-5)?.f_log()?.f_unsqueeze(0)
}

/// Triangular filters `[bins · (FFT / 2 + 1)]`, row by row.
fn filter_bank(sample_rate: i64, bins: i64) -> Vec<f64> {
    let step = sample_rate as f64 / FFT as f64;
    let top = mel_of(MAX_HZ);
    let edge = |index: i64| hz_of(top * index as f64 / (bins + 1) as f64);
    let mut bank = Vec::with_capacity((bins * (FFT / 2 + 1)) as usize);
    for bin in 0..bins {
        let (low, centre, high) = (edge(bin), edge(bin + 1), edge(bin + 2));
        let area = 2.0 / (high - low);
        for line in 0..=FFT / 2 {
            let hz = line as f64 * step;
            let rising = (hz - low) / (centre - low);
            let falling = (high - hz) / (high - centre);
            bank.push(rising.min(falling).max(0.0) * area);
        }
    }
    bank
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
    fn every_filter_has_its_area() {
        let bank = filter_bank(24_000, 128);
        let lines = (FFT / 2 + 1) as usize;
        for (bin, filter) in bank.chunks(lines).enumerate() {
            assert!(filter.iter().any(|&weight| weight > 0.0), "filter {bin} is empty");
        }
        // High filters are wide enough for the sum over lines to come near the area.
        let last: f64 = bank[127 * lines..].iter().sum::<f64>() * 24_000.0 / FFT as f64;
        assert!((last - 1.0).abs() < 0.02, "{last}");
    }
}
