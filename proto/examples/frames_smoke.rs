//! A fuzz run without a fuzzer: `cargo run -p narrator-proto --example frames_smoke -- SECONDS [SEED]`.
//!
//! Takes the golden frames, damages them in the ways that reach deep (flips, cuts, joins, and headers whose
//! checks are made right again), and asserts what `fuzz/checks.rs` says must hold for any bytes. The same
//! seed does the same things in the same order; how far it gets is a matter of time. It fails as well when a
//! kind of message was never read or never refused: then it looked at nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use narrator_proto::Kind;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[path = "../fuzz/checks.rs"]
mod checks;

#[expect(clippy::print_stdout, reason = "the outcome is the program's data")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let seconds: u64 = arguments.next().as_deref().unwrap_or("10").parse()?;
    let seed: u64 = arguments.next().as_deref().unwrap_or("1").parse()?;
    let corpus = corpus()?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (begun, limit) = (Instant::now(), Duration::from_secs(seconds));
    let (mut streams, mut frames, mut payloads) = (0_u64, 0_u64, 0_u64);
    let mut answers = BTreeMap::<Kind, [u64; 2]>::new();
    while begun.elapsed() < limit {
        for _ in 0..256 {
            let stream = damaged_stream(&corpus, &mut rng);
            let largest = rng.random_range(1..=stream.len().max(1));
            let mut cuts = ChaCha8Rng::seed_from_u64(rng.random());
            frames += checks::splits_do_not_matter(&stream, || cuts.random_range(1..=largest)).len() as u64;
            streams += 1;

            let base = corpus.choose(&mut rng).map_or(&[][..], Vec::as_slice);
            let mut payload = base.get(20..base.len().saturating_sub(4)).unwrap_or_default().to_vec();
            damage(&mut payload, &mut rng);
            let kind = if rng.random_ratio(3, 4) { base[3] } else { rng.random() };
            let request = u64::from(rng.random::<u8>() % 3);
            if let Some((kind, is_message)) = checks::payload_is_read_or_refused(kind, request, &payload) {
                answers.entry(kind).or_default()[usize::from(is_message)] += 1;
            }
            payloads += 1;
        }
    }
    for kind in Kind::ALL {
        let [refused, read] = answers.get(kind).copied().unwrap_or_default();
        if refused == 0 || read == 0 {
            return Err(format!("{kind:?} was read {read} times and refused {refused} times").into());
        }
    }
    println!(
        "fuzz smoke, seed {seed}: {streams} streams with {frames} whole frames, {payloads} payloads, no finding"
    );
    Ok(())
}

/// The golden frames of every protocol version.
fn corpus() -> Result<Vec<Vec<u8>>, Box<dyn std::error::Error>> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut paths = Vec::new();
    for version in fs::read_dir(golden)? {
        for file in fs::read_dir(version?.path())? {
            paths.push(file?.path());
        }
    }
    // The order of a directory is nobody's promise; the seed is to mean the same everywhere.
    paths.sort();
    let frames = paths.iter().map(fs::read).collect::<Result<Vec<_>, _>>()?;
    if frames.is_empty() { Err("no golden frames".into()) } else { Ok(frames) }
}

/// Some frames after each other, perhaps damaged.
fn damaged_stream(corpus: &[Vec<u8>], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..rng.random_range(1..6) {
        let mut frame = corpus.choose(rng).cloned().unwrap_or_default();
        if rng.random_ratio(1, 3) {
            damage(&mut frame, rng);
            if rng.random_ratio(2, 3) {
                reseal(&mut frame);
            }
        }
        stream.extend(frame);
    }
    if rng.random_ratio(1, 4) {
        damage(&mut stream, rng);
    }
    stream
}

/// Bytes at which integers change their length or their sign.
const EDGES: [u8; 10] = [0, 1, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff];

fn damage(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.random()),
            2 => drop(bytes.drain(at..(at + rng.random_range(0..9)).min(bytes.len()))),
            3 => bytes.extend((0..rng.random_range(0..40)).map(|_| rng.random::<u8>())),
            4 if at < bytes.len() => {
                bytes[at] = EDGES[rng.random_range(0..EDGES.len())];
            }
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            _ => {}
        }
    }
}

/// Makes lengths and checks right again, so that what was damaged gets past the frame.
fn reseal(frame: &mut [u8]) {
    let Some(payload_len) = frame.len().checked_sub(24) else { return };
    frame[16..20].copy_from_slice(&(payload_len as u32).to_le_bytes());
    let check = crc32c::crc32c_append(crc32c::crc32c(&frame[..6]), &frame[8..20]) as u16;
    frame[6..8].copy_from_slice(&check.to_le_bytes());
    let end = frame.len() - 4;
    let trailer = crc32c::crc32c(&frame[..end]);
    frame[end..].copy_from_slice(&trailer.to_le_bytes());
}
