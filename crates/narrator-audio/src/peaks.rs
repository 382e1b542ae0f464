//! True peaks: the height of the wave between the samples (ITU-R BS.1770 annex 2).
//!
//! Four times oversampling by a windowed sinc of twelve taps a phase, the same definition that the
//! ebur128 library measures with. Speech is loud for a small part of the time only, so blocks whose
//! samples are too small to matter are skipped by a bound that cannot be wrong: no point between
//! samples is higher than the largest sample times the filter's largest sum of absolute weights.

use std::f64::consts::PI;

/// Points looked at for each sample.
const FACTOR: usize = 4;
/// Samples that take part in one point.
const TAPS: usize = 12;
/// Samples needed before the one at hand.
pub(crate) const BEFORE: usize = TAPS / 2 - 1;
/// Samples needed after the one at hand.
pub(crate) const AFTER: usize = TAPS / 2;
/// Samples handled at once: long enough for the compiler to use vectors, short enough to skip well.
const BLOCK: usize = 64;

/// The interpolation filter.
#[derive(Clone, Debug)]
pub(crate) struct Interpolator {
    /// Weights of the three points between a sample and the next, for the samples from `BEFORE` before.
    weights: [[f32; TAPS]; FACTOR - 1],
    bound: f32,
}

impl Interpolator {
    pub fn new() -> Self {
        let length = (FACTOR * TAPS) as f64;
        let weight = |phase: usize, tap: usize| {
            // Distance, in quarter samples, of the tap's sample from the point.
            let at = (tap as f64 - BEFORE as f64) * FACTOR as f64 - phase as f64;
            let x = at * PI / FACTOR as f64;
            let window = 0.5 + 0.5 * (2.0 * PI * at / length).cos();
            (window * x.sin() / x) as f32
        };
        let weights: [[f32; TAPS]; FACTOR - 1] =
            std::array::from_fn(|phase| std::array::from_fn(|tap| weight(phase + 1, tap)));
        let sums = weights.iter().map(|phase| phase.iter().map(|w| w.abs()).sum::<f32>());
        // A little above the sum, for the rounding of the sum itself.
        Self { weights, bound: sums.fold(1.0, f32::max) * 1.0001 }
    }

    /// No point between samples is higher than the largest sample around it times this.
    pub fn bound(&self) -> f32 {
        self.bound
    }

    /// For each of `peaks`, the highest of the sample and the three points after it. `samples` holds
    /// [`BEFORE`] samples, then one for each peak, then [`AFTER`] samples.
    pub fn peaks(&self, samples: &[f32], peaks: &mut [f32]) {
        debug_assert_eq!(samples.len(), peaks.len() + BEFORE + AFTER);
        for (peak, sample) in peaks.iter_mut().zip(&samples[BEFORE..]) {
            *peak = sample.abs();
        }
        let count = peaks.len();
        for (block, peaks) in peaks.chunks_mut(BLOCK).enumerate() {
            let from = block * BLOCK;
            debug_assert!(from < count);
            for weights in &self.weights {
                let mut points = [0.0_f32; BLOCK];
                for (tap, weight) in weights.iter().enumerate() {
                    let line = &samples[from + tap..from + tap + peaks.len()];
                    for (point, sample) in points.iter_mut().zip(line) {
                        *point += weight * sample;
                    }
                }
                for (peak, point) in peaks.iter_mut().zip(&points) {
                    *peak = peak.max(point.abs());
                }
            }
        }
    }
}

/// The largest absolute sample.
pub(crate) fn largest(samples: &[f32]) -> f32 {
    // Eight lanes, because a single running maximum cannot be vectorised.
    let mut lanes = [0.0_f32; 8];
    let chunks = samples.chunks_exact(8);
    let rest = chunks.remainder().iter().fold(0.0_f32, |max, x| max.max(x.abs()));
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = lane.max(x.abs());
        }
    }
    lanes.iter().fold(rest, |max, x| max.max(*x))
}

/// Follows a signal and keeps its highest sample and its highest true peak.
#[derive(Clone, Debug)]
pub(crate) struct PeakMeter {
    filter: Interpolator,
    /// The last samples seen, and zeros before the first.
    held: Vec<f32>,
    sample_peak: f32,
    true_peak: f32,
    watch: Option<Watch>,
}

/// Notes where blocks go over a limit.
#[derive(Clone, Debug)]
struct Watch {
    limit: f32,
    /// Sample number of the next sample that was not looked at, [`AFTER`] zeros before the first included.
    next: u64,
    over: Vec<(u64, f32)>,
}

impl PeakMeter {
    pub fn new() -> Self {
        let held = vec![0.0; BEFORE + AFTER];
        Self { filter: Interpolator::new(), held, sample_peak: 0.0, true_peak: 0.0, watch: None }
    }

    /// A meter that also notes where the wave goes over `limit`: see [`Self::take_over`].
    pub fn watching(limit: f32) -> Self {
        Self { watch: Some(Watch { limit, next: 0, over: Vec::new() }), ..Self::new() }
    }

    /// The places over the limit since the last call, by sample number, each the highest of a few
    /// milliseconds.
    pub fn take_over(&mut self) -> Vec<(u64, f32)> {
        self.watch.as_mut().map_or_else(Vec::new, |watch| std::mem::take(&mut watch.over))
    }

    pub fn add(&mut self, samples: &[f32]) {
        self.sample_peak = self.sample_peak.max(largest(samples));
        self.held.extend_from_slice(samples);
        let mut peaks = [0.0; BLOCK];
        let count = self.held.len() - (BEFORE + AFTER);
        for from in (0..count).step_by(BLOCK) {
            let size = BLOCK.min(count - from);
            let window = &self.held[from..from + size + BEFORE + AFTER];
            let interesting = self.watch.as_ref().map_or(self.true_peak, |w| w.limit.min(self.true_peak));
            if largest(window) * self.filter.bound() > interesting {
                self.filter.peaks(window, &mut peaks[..size]);
                let highest = largest(&peaks[..size]);
                self.true_peak = self.true_peak.max(highest);
                if let Some(watch) = self.watch.as_mut().filter(|watch| highest > watch.limit) {
                    let at = peaks[..size].iter().position(|peak| *peak >= highest).unwrap_or_default();
                    watch
                        .over
                        .push(((watch.next + (from + at) as u64).saturating_sub(AFTER as u64), highest));
                }
            }
        }
        if let Some(watch) = &mut self.watch {
            watch.next += count as u64;
        }
        self.held.drain(..count);
    }

    pub fn sample_peak(&self) -> f32 {
        self.sample_peak
    }

    /// The highest point so far, the last few samples counted as if silence followed.
    pub fn true_peak(&self) -> f32 {
        let mut rest = self.clone();
        if rest.held.iter().any(|x| *x != 0.0) {
            rest.add(&[0.0; BEFORE + AFTER]);
        }
        rest.true_peak.max(rest.sample_peak)
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::{FRAC_1_SQRT_2, FRAC_PI_2, FRAC_PI_4};

    use proptest::prelude::*;

    use super::*;

    fn reference(samples: &[f32]) -> f64 {
        let mut meter = ebur128::EbuR128::new(1, 24_000, ebur128::Mode::TRUE_PEAK).unwrap();
        meter.add_frames_f32(samples).unwrap();
        meter.add_frames_f32(&[0.0; 24]).unwrap();
        meter.true_peak(0).unwrap()
    }

    fn ours(samples: &[f32], pieces: usize) -> f64 {
        let mut meter = PeakMeter::new();
        for piece in samples.chunks(samples.len().div_ceil(pieces)) {
            meter.add(piece);
        }
        f64::from(meter.true_peak())
    }

    #[test]
    fn a_wave_that_peaks_between_its_samples_is_measured_there() {
        // A sine at a quarter of the rate, sampled at 45°: samples at 0.707, crests at 1.
        let wave: Vec<f32> = (0..4_000).map(|n| (FRAC_PI_2 * n as f32 + FRAC_PI_4).sin()).collect();
        let mut meter = PeakMeter::new();
        meter.add(&wave);
        assert!((meter.sample_peak() - FRAC_1_SQRT_2).abs() < 1e-3);
        assert!((meter.true_peak() - 1.0).abs() < 0.02, "{}", meter.true_peak());
    }

    #[test]
    fn it_tells_where_the_wave_goes_over_a_limit() {
        let mut wave = vec![0.1_f32; 10_000];
        for at in [0, 3_000, 9_999] {
            wave[at] = 0.9;
        }
        for piece in [10_000, 100, 7] {
            let mut meter = PeakMeter::watching(0.5);
            let mut over: Vec<(u64, f32)> = Vec::new();
            // What follows pushes the last samples through.
            for part in wave.chunks(piece).chain([&[0.0; BEFORE + AFTER][..]]) {
                meter.add(part);
                over.extend(meter.take_over());
            }
            for at in [0, 3_000, 9_999] {
                assert!(
                    over.iter().any(|found| found.0.abs_diff(at) <= 1),
                    "{at} in pieces of {piece}: {over:?}"
                );
            }
            assert!(over.iter().all(|(at, _)| [0, 3_000, 9_999].iter().any(|place| at.abs_diff(*place) < 8)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_agrees_with_the_library(
            noise in proptest::collection::vec(-1.0_f32..1.0, 50..2_000), level in 0.0_f32..1.0, pieces in 1_usize..9,
        ) {
            let noise: Vec<f32> = noise.iter().map(|x| x * level).collect();
            let (ours, reference) = (ours(&noise, pieces), reference(&noise));
            prop_assert!((ours - reference).abs() <= 1e-4 * reference.max(1e-6), "{} {}", ours, reference);
        }
    }
}
