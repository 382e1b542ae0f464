//! The checkpoint log: memory is bounded by the input.

use narrator_journal::Report;
use narrator_tests::program::checkout;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::peak_of;

/// A record in memory against its bytes in the file: the smallest are 24 bytes, and lists that grow hold
/// their old selves for a moment.
const FACTOR: usize = 64;

#[test]
fn any_file_is_looked_over_within_a_multiple_of_its_size() {
    let data = checkout().join("crates/narrator-journal/tests/data");
    let mut corpus: Vec<_> = std::fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "ckpt"))
        .collect();
    corpus.sort();
    let corpus: Vec<Vec<u8>> = corpus.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let mut dice = ChaCha8Rng::seed_from_u64(3);
    let mut sound = 0;
    for round in 0..6000 {
        let mut bytes = corpus[dice.random_range(0..corpus.len())].clone();
        for _ in 0..round % 7 {
            let at = dice.random_range(0..bytes.len());
            match dice.random_range(0..4) {
                0 => bytes[at] ^= 1 << dice.random_range(0..8),
                1 => bytes[at..].fill(0),
                // Lengths that announce far too much.
                2 => bytes[at] = 0xff,
                _ => bytes.extend_from_within(at..),
            }
            bytes.truncate(64 * 1024);
        }
        let mut records = 0;
        let peak = peak_of(|| records = Report::of(&bytes).records);
        sound += u64::from(records > 0);
        assert!(peak <= FACTOR * bytes.len() + 16 * 1024, "{peak} bytes for {}", bytes.len());
    }
    assert!(sound > 1000, "{sound}: hardly anything got past the header");
}
