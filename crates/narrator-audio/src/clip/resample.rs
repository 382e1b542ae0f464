//! From one sample rate to another, the whole clip at once.

use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler};

use super::error::ClipError;

/// Frames that are transformed together: long enough for a steep filter, short beside a clip.
const CHUNK: usize = 1024;

pub(super) fn to_rate(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>, ClipError> {
    if from == to || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    let wrong = |why: String| ClipError::Resample { from, to, why };
    let mut resampler = Fft::<f32>::new(from as usize, to as usize, CHUNK, 1, FixedSync::Both)
        .map_err(|error| wrong(error.to_string()))?;
    let input = InterleavedOwned::new_from(samples.to_vec(), 1, samples.len())
        .map_err(|error| wrong(error.to_string()))?;
    let output =
        resampler.process_all(&input, samples.len(), None).map_err(|error| wrong(error.to_string()))?;
    let mut resampled = output.take_data();
    // It counts a sample that has begun as a whole one.
    let whole = samples.len() as u64 * u64::from(to) / u64::from(from);
    resampled.truncate(whole as usize);
    Ok(resampled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hertz: f64, seconds: f64) -> Vec<f32> {
        let step = std::f64::consts::TAU * hertz / f64::from(rate);
        (0..(f64::from(rate) * seconds) as usize).map(|n| (0.5 * (n as f64 * step).sin()) as f32).collect()
    }

    #[test]
    fn a_tone_stays_where_and_as_loud_as_it_was() {
        for from in [8_000, 16_000, 22_050, 44_100, 48_000] {
            let resampled = to_rate(&tone(from, 1000.0, 1.0), from, 24_000).unwrap();
            assert_eq!(resampled.len(), 24_000, "{from}");
            let expected = tone(24_000, 1000.0, 1.0);
            // The filter rings at the edges, where the tone begins and ends at once.
            let worst = resampled[600..23_400]
                .iter()
                .zip(&expected[600..23_400])
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            // Between rates without a small common ratio it may lie up to a sample beside its place.
            let sample = 0.5 * std::f32::consts::TAU * 1000.0 / 24_000.0;
            let bound = if 24_000 % from == 0 || from % 24_000 == 0 { 1e-3 } else { sample };
            assert!(worst < bound, "{from}: {worst}");
            let loudest = resampled[600..23_400].iter().fold(0.0_f32, |loudest, x| loudest.max(x.abs()));
            assert!((loudest - 0.5).abs() < 1e-2, "{from}: {loudest}");
        }
    }

    #[test]
    fn what_the_new_rate_cannot_hold_is_gone_and_not_folded_down() {
        let resampled = to_rate(&tone(48_000, 15_000.0, 1.0), 48_000, 24_000).unwrap();
        let loudest = resampled[600..23_400].iter().fold(0.0_f32, |loudest, x| loudest.max(x.abs()));
        assert!(loudest < 1e-3, "{loudest}");
    }
}
