//! Any bytes, cut anywhere: the first byte says how large the pieces are.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks.rs"]
mod checks;

fuzz_target!(|data: &[u8]| {
    let Some((&piece, stream)) = data.split_first() else { return };
    checks::splits_do_not_matter(stream, || usize::from(piece).max(1));
});
