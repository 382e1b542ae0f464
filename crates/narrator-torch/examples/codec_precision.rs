//! What bfloat16 in the codec costs: the same codes decoded in both, compared.
//!
//! `cargo run --release -p narrator-torch --example codec_precision -- DIR [FRAMES]` over any checkpoint.
//! Prints the signal-to-error ratio and the log-spectral distance (root mean square over 1024-sample frames
//! and their bins, of bins within 60 dB of the loudest).

use std::path::Path;

use narrator_torch::qwen3::{Manner, Numbers, Qwen3Tts};
use tch::{Kind, TchError, Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let dir = arguments.first().ok_or("give a checkpoint folder")?;
    let frames: i64 = arguments.get(1).map_or(Ok(100), |frames| frames.parse())?;
    let codes: Vec<Vec<i64>> = (0..frames)
        .map(|frame| (0..16).map(|book| (frame * 1_315 + book * 977 + frame * frame * 31) % 2048).collect())
        .collect();
    let decode = |codec| -> Result<Vec<f32>, Box<dyn std::error::Error>> {
        let manner = Manner { codec, positions: 16, ..Manner::default() };
        Ok(Qwen3Tts::load(Path::new(dir), manner, &mut |_, _| {})?.decode_whole(&[], &codes)?)
    };
    let (exact, coarse) = (decode(Numbers::Float32)?, decode(Numbers::BFloat16)?);
    let power =
        |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x) * f64::from(x)).sum::<f64>();
    let signal = power(&mut exact.iter().copied());
    let error = power(&mut exact.iter().zip(&coarse).map(|(a, b)| a - b));
    let (a, b) = (levels(&exact)?, levels(&coarse)?);
    let loudest = a.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let heard: Vec<f64> =
        a.iter().zip(&b).filter(|(a, _)| **a > loudest - 60.0).map(|(a, b)| f64::from(a - b)).collect();
    let distance = (heard.iter().map(|d| d * d).sum::<f64>() / heard.len().max(1) as f64).sqrt();
    #[expect(clippy::print_stdout, reason = "the figures are this program's data")]
    {
        println!(
            "signal to error {:.1} dB, log-spectral distance {distance:.2} dB",
            10.0 * (signal / error).log10()
        );
    }
    Ok(())
}

/// Levels of all bins of all frames, in decibels.
fn levels(samples: &[f32]) -> Result<Vec<f32>, TchError> {
    let window = Tensor::f_hann_window(1024, (Kind::Float, tch::Device::Cpu))?;
    let frames = Tensor::f_from_slice(samples)?.f_unfold(0, 1024, 256)?.f_mul(&window)?;
    let spectrum = frames.f_fft_rfft(None, -1, "backward")?.f_abs()?.f_add_scalar(1e-9)?;
    let levels = spectrum.f_log10()?.f_mul_scalar(20.0)?.f_contiguous()?.f_view([-1])?;
    let mut values = vec![0.0; levels.numel()];
    levels.f_copy_data(&mut values, levels.numel())?;
    Ok(values)
}
