//! Complex Gaussian noise from a row's own random stream.
//!
//! The breath in the voice is noise shaped by the network, about 48,000 complex numbers a second of speech,
//! so it has to be cheap, and for equal samples on every machine it must not depend on a processor's
//! `sin` or `log`: both come from tables. Each number takes one 32-bit word of the stream: 12 bits choose
//! its magnitude among equally likely ones (Rayleigh distributed), 12 others its phase.

use rand::RngCore;
use rand_chacha::ChaCha8Rng;

const LEVELS: usize = 1 << 12;

pub(super) struct ComplexNoise {
    magnitudes: Vec<f32>,
    phases: Vec<(f32, f32)>,
    words: Vec<u8>,
}

impl ComplexNoise {
    pub(super) fn new() -> Self {
        let middle = |level: usize| (level as f64 + 0.5) / LEVELS as f64;
        Self {
            magnitudes: (0..LEVELS).map(|level| (-2.0 * middle(level).ln()).sqrt() as f32).collect(),
            phases: (0..LEVELS)
                .map(|level| (std::f64::consts::TAU * middle(level)).sin_cos())
                .map(|(sin, cos)| (cos as f32, sin as f32))
                .collect(),
            words: Vec::new(),
        }
    }

    /// `count` numbers of unit variance in each part: the real parts, then the imaginary ones.
    pub(super) fn draw(&mut self, count: usize, stream: &mut ChaCha8Rng) -> Vec<f32> {
        self.words.resize(count * 4, 0);
        stream.fill_bytes(&mut self.words);
        let mut drawn = vec![0.0f32; count * 2];
        let (real, imaginary) = drawn.split_at_mut(count);
        let words = self.words.as_chunks::<4>().0;
        for ((word, real), imaginary) in words.iter().zip(real).zip(imaginary) {
            let word = u32::from_le_bytes(*word) as usize;
            let magnitude = self.magnitudes[word % LEVELS];
            let (cos, sin) = self.phases[(word >> 12) % LEVELS];
            *real = magnitude * cos;
            *imaginary = magnitude * sin;
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn it_has_the_moments_of_a_gaussian() {
        let drawn = ComplexNoise::new().draw(200_000, &mut ChaCha8Rng::seed_from_u64(7));
        let moment = |power: i32| {
            drawn.iter().map(|&value| f64::from(value).powi(power)).sum::<f64>() / drawn.len() as f64
        };
        assert!(moment(1).abs() < 0.01, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.02, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.1, "{}", moment(4));
    }

    #[test]
    fn a_seed_gives_the_same_noise_whatever_was_drawn_for_others() {
        let mut noise = ComplexNoise::new();
        let first = noise.draw(10, &mut ChaCha8Rng::seed_from_u64(1));
        noise.draw(100, &mut ChaCha8Rng::seed_from_u64(2));
        assert_eq!(noise.draw(10, &mut ChaCha8Rng::seed_from_u64(1)), first);
    }
}
