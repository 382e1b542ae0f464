//! The fuzz target of the journal's scan on a stable toolchain: mutates the corpus for so many seconds,
//! from a fixed seed, and holds every result against what must be true of any bytes.
//!
//! `cargo run -p narrator-journal --example scan_smoke [SECONDS] [SEED]`; with cargo-fuzz and a nightly
//! toolchain, `cargo fuzz run scan` in `crates/narrator-journal/fuzz` looks further.
#![expect(clippy::print_stdout, reason = "says what it did")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use narrator_journal::fault::{check_any_bytes, check_any_record};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Longest input: long enough for several writes and their room.
const MAX_BYTES: usize = 16 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().map_or(Ok(10), |seconds| seconds.parse())?;
    let seed: u64 = arguments.next().map_or(Ok(1), |seed| seed.parse())?;
    let mut corpus = Vec::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for entry in std::fs::read_dir(data)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ckpt") {
            corpus.push(std::fs::read(path)?);
        }
    }
    // In one order on every disk, so that a seed means the same everywhere.
    corpus.sort();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (start, mut inputs) = (Instant::now(), 0_u64);
    while start.elapsed() < Duration::from_secs(seconds) {
        for _ in 0..256 {
            let input = mutated(&mut rng, &corpus);
            check_any_bytes(&input);
            // The same bytes as the content of a record, most of the time of a kind that is known.
            let kind = rng.random_range(0..9) | if rng.random_bool(0.2) { 0x80 } else { 0 };
            let from = rng.random_range(0..=input.len());
            let until = rng.random_range(from..=input.len()).min(from + 2000);
            check_any_record(kind, rng.random_range(1..=2), &input[from..until]);
            inputs += 2;
        }
    }
    println!("journal scan: {inputs} inputs from seed {seed}, nothing found");
    Ok(())
}

/// A corpus file after one to eight random edits.
fn mutated(rng: &mut ChaCha8Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let pick = |rng: &mut ChaCha8Rng| corpus.get(rng.random_range(0..corpus.len().max(1))).cloned();
    let mut bytes = pick(rng).unwrap_or_default();
    for _ in 0..rng.random_range(1..=8) {
        let at = rng.random_range(0..=bytes.len());
        let until = rng.random_range(at..=bytes.len());
        match rng.random_range(0..8) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            2 => bytes.truncate(at),
            3 => bytes[at..until].fill(0),
            4 => rng.fill(&mut bytes[at..until.min(at + 16)]),
            5 => drop(bytes.drain(at..until)),
            6 => {
                let piece = bytes[at..until].to_vec();
                let to = rng.random_range(0..=bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes.extend(pick(rng).unwrap_or_default()),
        }
        bytes.truncate(MAX_BYTES);
    }
    bytes
}
