//! From any sample rate to the model's.
//!
//! A polyphase filter: the ratio of the rates as a fraction up / down, and for each of the `up` phases a row
//! of a windowed sinc. The window is Kaiser's with 80 dB of attenuation, the pass band ends at 0.92 of the
//! lower rate's half. Output sample `n` stands at the time `n / to`, so nothing is delayed.

use std::f64::consts::PI;

/// Zero crossings of the sinc on each side, at the lower of the two rates.
const CROSSINGS: f64 = 32.0;
/// Of the lower rate's half.
const PASS: f64 = 0.92;
/// Kaiser's parameter for 80 dB.
const BETA: f64 = 7.86;

/// A filter from one rate to another.
#[derive(Debug)]
pub(crate) struct Resampler {
    up: usize,
    down: usize,
    /// Input samples before the first tap's centre.
    reach: usize,
    /// `up` rows of `2 · reach + 1` taps.
    taps: Vec<f32>,
}

impl Resampler {
    pub(crate) fn new(from: u32, to: u32) -> Self {
        let common = gcd(from, to).max(1);
        let (up, down) = ((to / common) as usize, (from / common) as usize);
        // Width of a sinc's lobe in input samples, and the cut-off in cycles an input sample, doubled.
        let cutoff = PASS * (f64::from(to) / f64::from(from)).min(1.0);
        let half = CROSSINGS / cutoff;
        let reach = half.ceil() as usize;
        let width = 2 * reach + 1;
        let mut taps = Vec::with_capacity(up * width);
        for phase in 0..up {
            let offset = phase as f64 / up as f64;
            let row: Vec<f64> = (0..width)
                .map(|tap| {
                    let at = tap as f64 - reach as f64 - offset;
                    cutoff * sinc(cutoff * at) * kaiser(at / half)
                })
                .collect();
            // A constant stays a constant in every phase.
            let sum: f64 = row.iter().sum();
            taps.extend(row.iter().map(|tap| (tap / sum) as f32));
        }
        Self { up, down, reach, taps }
    }

    /// Resamples a whole piece; before its beginning and after its end there is silence.
    pub(crate) fn run(&self, input: &[f32]) -> Vec<f32> {
        if self.up == self.down {
            return input.to_vec();
        }
        let length = (input.len() * self.up).div_ceil(self.down);
        let width = 2 * self.reach + 1;
        let mut padded = vec![0.0; input.len() + 2 * self.reach + 1];
        padded[self.reach..self.reach + input.len()].copy_from_slice(input);
        (0..length)
            .map(|n| {
                let (at, phase) = (n * self.down / self.up, n * self.down % self.up);
                let taps = &self.taps[phase * width..(phase + 1) * width];
                dot(taps, &padded[at..at + width])
            })
            .collect()
    }
}

/// Sixteen sums at once, which a compiler turns into one vector register.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (left, right) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = left.remainder().iter().zip(right.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in left.zip(right) {
        for lane in 0..16 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    rest + sums.iter().sum::<f32>()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Kaiser's window over −1 to 1.
fn kaiser(x: f64) -> f64 {
    if x.abs() > 1.0 { 0.0 } else { bessel(BETA * (1.0 - x * x).sqrt()) / bessel(BETA) }
}

/// Modified Bessel function of the first kind and order 0, by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..60 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: u32, seconds: f64) -> Vec<f32> {
        let count = (f64::from(rate) * seconds) as usize;
        (0..count).map(|n| (2.0 * PI * hz * n as f64 / f64::from(rate)).sin() as f32).collect()
    }

    /// Largest difference away from the edges, where silence rings.
    fn worst(a: &[f32], b: &[f32]) -> f32 {
        let middle = 200..a.len().min(b.len()) - 200;
        middle.map(|n| (a[n] - b[n]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn tones_keep_their_place_and_height() {
        for (from, to) in [(24_000, 16_000), (44_100, 16_000), (48_000, 16_000), (8_000, 16_000)] {
            let resampler = Resampler::new(from, to);
            for hz in [100.0, 1000.0, 3000.0] {
                let made = resampler.run(&tone(hz, from, 0.5));
                let wanted = tone(hz, to, 0.5);
                assert_eq!(made.len(), wanted.len());
                let error = worst(&made, &wanted);
                assert!(error < 3e-4, "{from} to {to}, {hz} Hz: {error}");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone() {
        let made = Resampler::new(24_000, 16_000).run(&tone(9000.0, 24_000, 0.5));
        let loudest = made[200..made.len() - 200].iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        assert!(loudest < 2e-4, "{loudest}");
    }

    #[test]
    fn the_same_rate_changes_nothing() {
        let input = [0.25, -0.5, 1.0];
        assert_eq!(Resampler::new(16_000, 16_000).run(&input), input);
        assert!(Resampler::new(24_000, 16_000).run(&[]).is_empty());
    }
}
