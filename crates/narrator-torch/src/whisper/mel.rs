//! What the encoder hears: log-mel frames by the reference's definition.
//!
//! Power of a 400-point transform (periodic Hann window) every 160 samples at 16 kHz, the audio mirrored at
//! its edges so that frames are centred; bands from 0 to 8 kHz on the Slaney scale with its area norm;
//! decimal logarithms, no lower than 8 below the highest of the window, then (x + 4) / 4. Always float32.

use narrator_engine::EngineError;
use tch::{Device, Kind, Tensor};

use crate::error::Doing;
use crate::mel::Bands;
use crate::qwen3::ops::Torch;

pub(crate) const SAMPLE_RATE: u32 = 16_000;
pub(crate) const FFT: usize = 400;
pub(crate) const HOP: usize = 160;
const MAX_HZ: f64 = 8000.0;
/// Of the logarithm: what silence is.
const FLOOR: f64 = 1e-10;

/// Window and filters, made once.
#[derive(Debug)]
pub(crate) struct LogMel {
    window: Tensor,
    /// `[bins, FFT / 2 + 1]`.
    bank: Tensor,
}

impl LogMel {
    pub(crate) fn new(bins: i64, device: Device) -> Result<Self, EngineError> {
        let make = || -> Torch<Self> {
            let window = Tensor::f_hann_window(FFT as i64, (Kind::Float, device))?;
            let bands = Bands { sample_rate: SAMPLE_RATE, fft: FFT, bins: bins as usize, max_hz: MAX_HZ };
            Ok(Self { window, bank: bands.filters(device)? })
        };
        make().doing("making the mel filters")
    }

    /// Frames `[bins, samples / HOP]` of `samples`, more than half a transform of them.
    pub(crate) fn frames(&self, samples: &[f32]) -> Torch {
        let audio = Tensor::f_from_slice(samples)?.f_to_device(self.window.device())?;
        let half = FFT as i64 / 2;
        let padded = audio.f_view([1, 1, -1])?.f_reflection_pad1d([half, half])?.f_view([-1])?;
        let frames = (samples.len() / HOP) as i64;
        let framed = padded.f_unfold(0, FFT as i64, HOP as i64)?.f_narrow(0, 0, frames)?;
        let spectrum =
            Tensor::f_view_as_real(&framed.f_mul(&self.window)?.f_fft_rfft(None, -1, "backward")?)?;
        let power = spectrum.f_square()?.f_sum_dim_intlist([-1].as_slice(), false, None)?;
        let log = self.bank.f_matmul(&power.f_transpose(0, 1)?)?.f_clamp_min(FLOOR)?.f_log10()?;
        let lowest = log.f_max()?.f_sub_scalar(8.0)?;
        log.f_maximum(&lowest)?.f_add_scalar(4.0)?.f_div_scalar(4.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qwen3::ops::to_floats;

    #[test]
    fn silence_and_sound_have_their_values() {
        let mel = LogMel::new(80, Device::Cpu).expect("filters");
        let silence = mel.frames(&vec![0.0; 16_000]).expect("frames");
        assert_eq!(silence.size(), [80, 100]);
        let values = to_floats(&silence).expect("values");
        assert!(values.iter().all(|value| (value + 1.5).abs() < 1e-6), "log10 of the floor is −10");
        let tone: Vec<f32> = (0..16_000).map(|n| (n as f32 * 0.4).sin()).collect();
        let values = to_floats(&mel.frames(&tone).expect("frames")).expect("values");
        let (low, high) = values.iter().fold((9.0_f32, -9.0_f32), |(l, h), &x| (l.min(x), h.max(x)));
        assert!((high - low - 2.0).abs() < 1e-5, "8 decades, a quarter of them: {low} to {high}");
    }
}
