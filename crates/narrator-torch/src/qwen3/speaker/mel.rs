//! The mel spectrogram that the speaker encoder hears.
//!
//! Magnitudes of a 1024-point transform every 256 samples, in 128 bands from 0 to 12 kHz on the Slaney scale
//! with Slaney's area norm, as natural logarithms; the clip is mirrored at its edges so that frames are
//! centred. Always float32. These numbers are the reference's own and are in no configuration file.

use tch::{Device, Kind, Tensor};

use crate::mel::Bands;
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
    let bands =
        Bands { sample_rate: sample_rate as u32, fft: FFT as usize, bins: bins as usize, max_hz: MAX_HZ };
    bands.filters(device)?.f_matmul(&magnitude)?.f_clamp_min(1e-5)?.f_log()?.f_unsqueeze(0)
}
