//! A look-ahead limiter for true peaks.
//!
//! Where the wave would pass the ceiling, the gain is lowered smoothly before it gets there and given
//! back afterwards; nothing is clipped. For each sample:
//!
//! ```text
//! needed[n]  = min(1, ceiling / true peak at n)
//! held[n]    = the smallest needed gain from GUARD before n to LOOK_AHEAD + GUARD after it
//! released[n]= held[n] at once when it is lower, else back towards 1 with RELEASE_MS
//! gain[n]    = mean of released over the LOOK_AHEAD up to n
//! ```
//!
//! Each value in the mean at a peak is at most what the peak needs, so the gain there is too: the
//! ceiling is kept by construction, the ramp only decides how it sounds. Input and output have the same
//! length and place. Between peaks the limiter is at rest and passes samples through unchanged, bit for
//! bit, which is also why a whole book costs seconds.

use std::collections::VecDeque;

use crate::peaks::{AFTER, BEFORE, Interpolator, largest};

/// The gain starts to fall this long before a peak. A few milliseconds: shorter distorts, longer pumps.
const LOOK_AHEAD_MS: u32 = 5;
/// Time constant of the gain's return. Shorter than a syllable, so that one loud vowel does not duck the
/// next word; longer than a period of the voice, so that the gain does not follow the wave.
const RELEASE_MS: f64 = 60.0;
/// Samples around a peak that share in the points between samples.
const GUARD: usize = AFTER;
/// Gain this close to 1 is 1: the limiter is at rest (a hundredth of a thousandth of a decibel).
const REST: f64 = 1.0 - 1e-6;
/// Samples looked at together when deciding whether anything needs limiting.
const STRIDE: usize = 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct Limiter {
    ceiling: f32,
    look_ahead: usize,
    release: f64,
    filter: Interpolator,
    /// Samples from the next one to be given out on, preceded by [`BEFORE`] older ones.
    line: Vec<f32>,
    /// How many of `line` have had their needed gain computed, counted from the next to be given out.
    seen: usize,
    /// Number of the next sample whose needed gain will be computed.
    next: u64,
    /// Sliding minimum: (sample number, needed gain), gains rising.
    window: VecDeque<(u64, f32)>,
    /// `released` of the last `look_ahead` samples, and their sum.
    recent: VecDeque<f64>,
    sum: f64,
    /// In double precision: its last steps towards 1 are smaller than single precision can add.
    released: f64,
    /// Samples that the gain has been exactly 1 everywhere in the limiter.
    rest: usize,
}

impl Limiter {
    pub fn new(ceiling: f32, rate: u32) -> Self {
        let look_ahead = ((LOOK_AHEAD_MS * rate / 1000) as usize).max(1);
        let release = 1.0 - (-1000.0 / (RELEASE_MS * f64::from(rate))).exp();
        Self {
            ceiling,
            look_ahead,
            release,
            filter: Interpolator::new(),
            line: vec![0.0; BEFORE],
            seen: 0,
            next: 0,
            window: VecDeque::new(),
            recent: std::iter::repeat_n(1.0, look_ahead).collect(),
            sum: look_ahead as f64,
            released: 1.0,
            rest: usize::MAX / 2,
        }
    }

    /// Samples between an output and the newest needed gain that it depends on.
    fn reach(&self) -> usize {
        self.look_ahead + GUARD
    }

    /// Takes samples in and appends those that are ready to `out`.
    pub fn process(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.line.extend_from_slice(samples);
        let mut needed = [1.0_f32; STRIDE];
        let mut given = 0;
        loop {
            let from = given + self.seen;
            let ready = self.line.len().saturating_sub(from + BEFORE + AFTER);
            if ready == 0 {
                break;
            }
            let count = ready.min(STRIDE);
            let window = &self.line[from..from + count + BEFORE + AFTER];
            let loud = largest(window) * self.filter.bound() > self.ceiling;
            if loud {
                self.filter.peaks(window, &mut needed[..count]);
                for gain in &mut needed[..count] {
                    *gain = if *gain > self.ceiling { self.ceiling / *gain } else { 1.0 };
                }
            } else {
                needed[..count].fill(1.0);
            }
            self.seen += count;
            let passed = self.give(&needed[..count], loud, given, out);
            given += passed;
            self.seen -= passed;
        }
        self.line.drain(..given);
    }

    /// Advances by the needed gains just computed; returns how many samples were given out.
    fn give(&mut self, needed: &[f32], loud: bool, from: usize, out: &mut Vec<f32>) -> usize {
        let reach = self.reach();
        let mut given = 0;
        if !loud && self.rest > 2 * reach + GUARD {
            // At rest: no state changes but the numbering.
            self.next += needed.len() as u64;
            let count = self.seen.saturating_sub(reach).min(needed.len());
            let start = BEFORE + from;
            out.extend_from_slice(&self.line[start..start + count]);
            return count;
        }
        for &gain in needed {
            while self.window.back().is_some_and(|&(_, held)| held >= gain) {
                self.window.pop_back();
            }
            self.window.push_back((self.next, gain));
            let oldest = self.next.saturating_sub((reach + GUARD) as u64);
            while self.window.front().is_some_and(|&(at, _)| at < oldest) {
                self.window.pop_front();
            }
            self.next += 1;
            // The gain ramps down before the first sample too, on silence that nobody hears.
            if self.next <= GUARD as u64 {
                continue;
            }
            let held = self.window.front().map_or(1.0, |&(_, held)| f64::from(held));
            let back = self.released + (1.0 - self.released) * self.release;
            self.released = held.min(if back > REST { 1.0 } else { back });
            self.sum += self.released - self.recent.pop_front().unwrap_or(1.0);
            self.recent.push_back(self.released);
            self.rest = if self.released >= 1.0 && gain >= 1.0 { self.rest.saturating_add(1) } else { 0 };
            let at_rest = self.rest >= self.look_ahead;
            if at_rest {
                // Drops what rounding has gathered.
                self.sum = self.look_ahead as f64;
            }
            if self.next <= reach as u64 {
                continue;
            }
            let x = self.line[BEFORE + from + given];
            out.push(if at_rest { x } else { x * (self.sum / self.look_ahead as f64) as f32 });
            given += 1;
        }
        given
    }

    /// Gives out what is still inside.
    pub fn finish(mut self, out: &mut Vec<f32>) {
        let inside = self.line.len() - BEFORE;
        let before = out.len();
        self.process(&vec![0.0; self.reach() + AFTER + inside], out);
        out.truncate(before + inside);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::peaks::PeakMeter;

    const RATE: u32 = 24_000;

    fn limited(samples: &[f32], ceiling: f32, piece: usize) -> Vec<f32> {
        let mut limiter = Limiter::new(ceiling, RATE);
        let mut out = Vec::new();
        for piece in samples.chunks(piece) {
            limiter.process(piece, &mut out);
        }
        limiter.finish(&mut out);
        out
    }

    fn true_peak(samples: &[f32]) -> f32 {
        let mut meter = PeakMeter::new();
        meter.add(samples);
        meter.true_peak()
    }

    fn tone(level: f32, hertz: f32, samples: usize) -> Vec<f32> {
        let step = 2.0 * std::f32::consts::PI * hertz / RATE as f32;
        (0..samples).map(|n| level * (step * n as f32).sin()).collect()
    }

    #[test]
    fn below_the_ceiling_nothing_changes() {
        let quiet = tone(0.4, 440.0, 10_000);
        assert_eq!(limited(&quiet, 0.7, 1_000), quiet);
    }

    #[test]
    fn a_loud_tone_comes_down_to_the_ceiling_without_being_clipped() {
        let out = limited(&tone(1.9, 313.0, 24_000), 0.7, 777);
        let steady = &out[6_000..18_000];
        assert!(true_peak(&out) <= 0.7 * 1.001, "{}", true_peak(&out));
        assert!(largest(steady) > 0.69);
        // A clipped sine sits at its ceiling for long; a limited one is still a sine.
        let energy: f32 = steady.iter().map(|x| x * x).sum::<f32>() / steady.len() as f32;
        assert!((energy.sqrt() / largest(steady) - std::f32::consts::FRAC_1_SQRT_2).abs() < 0.01);
    }

    #[test]
    fn after_a_single_click_the_signal_comes_back_bit_for_bit() {
        let mut signal = tone(0.3, 200.0, 48_000);
        signal[10_000] = 3.0;
        let out = limited(&signal, 0.7, 4_096);
        assert_eq!(out.len(), signal.len());
        assert!(true_peak(&out) <= 0.7 * 1.01, "{}", true_peak(&out));
        assert_eq!(out[..9_850], signal[..9_850]);
        assert_eq!(out[36_000..], signal[36_000..]);
        assert!(out[9_000..12_000].iter().zip(&signal[9_000..12_000]).all(|(a, b)| a.abs() <= b.abs()));
    }

    #[test]
    fn peaks_in_the_first_and_last_sample_are_limited_too() {
        let mut signal = vec![0.1; 3_000];
        signal[0] = 2.0;
        signal[2_999] = -2.0;
        let out = limited(&signal, 0.5, 64);
        assert!(largest(&out) <= 0.501, "{}", largest(&out));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_ceiling_holds_and_pieces_do_not_matter(
            seeds in proptest::collection::vec((-1.0_f32..1.0, 0_u8..100), 1..3_000),
            gain in 0.1_f32..8.0, ceiling in 0.1_f32..1.0, piece in 1_usize..700,
        ) {
            // Noise with bursts, the hardest food for a limiter.
            let signal: Vec<f32> =
                seeds.iter().map(|&(x, burst)| x * gain * if burst < 5 { 4.0 } else { 0.3 }).collect();
            let out = limited(&signal, ceiling, piece);
            prop_assert_eq!(out.len(), signal.len());
            prop_assert!(largest(&out) <= ceiling * 1.0001, "{} {}", largest(&out), ceiling);
            prop_assert!(true_peak(&out) <= ceiling * 1.06, "{} {}", true_peak(&out), ceiling);
            prop_assert_eq!(&out, &limited(&signal, ceiling, signal.len()));
        }
    }
}
