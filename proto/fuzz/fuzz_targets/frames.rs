//! Any bytes, cut anywhere: the first four bytes decide where.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks.rs"]
mod checks;

fuzz_target!(|data: &[u8]| {
    let Some((seed, stream)) = data.split_first_chunk::<4>() else { return };
    // Another size for every piece, and again and again the smallest: the places where a frame is cut
    // are what a fuzzer cannot reach by the bytes alone. (xorshift, which must not begin at zero.)
    let mut state = u32::from_le_bytes(*seed) | 1;
    checks::splits_do_not_matter(stream, || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        if state % 3 == 0 { 1 } else { (state >> 8) as usize % 60 + 1 }
    });
});
