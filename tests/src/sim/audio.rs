//! A voice of tones: deterministic, never silent, as long as the text.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How long a text is.
pub fn seconds_for(text: &str, seconds_per_char: f64) -> f64 {
    (text.chars().count() as f64 * seconds_per_char).max(0.05)
}

/// The samples of a text under a seed: what an undisturbed worker says.
pub fn audio_for(text: &str, seed: u64, sample_rate: u32, seconds_per_char: f64) -> Vec<f32> {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut dice = ChaCha8Rng::seed_from_u64(hash);
    let samples = (seconds_for(text, seconds_per_char) * f64::from(sample_rate)) as usize;
    let (mut phase, mut step) = (0.0_f32, 0.0_f32);
    (0..samples)
        .map(|n| {
            if n % 2400 == 0 {
                step = dice.random_range(0.01..0.2);
            }
            phase = (phase + step) % std::f32::consts::TAU;
            0.4 * phase.sin()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_and_a_seed_are_one_sound() {
        let say = |text, seed| audio_for(text, seed, 24_000, 0.06);
        assert_eq!(say("Hello.", 1), say("Hello.", 1));
        assert_ne!(say("Hello.", 1), say("Hello.", 2));
        assert_ne!(say("Hello.", 1), say("Hello!", 1));
        assert_eq!(say("Hello there.", 1).len(), 17_280);
        assert!(say("Hello.", 1).iter().all(|sample| sample.abs() <= 0.4));
    }
}
