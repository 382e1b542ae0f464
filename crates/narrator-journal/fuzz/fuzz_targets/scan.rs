//! Any bytes into the journal's scan, and as the content of a sound record: in `crates/narrator-journal`,
//! `cargo +nightly fuzz run scan tests/data`.
#![no_main]

use narrator_journal::fault::{check_any_bytes, check_any_record};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    check_any_bytes(bytes);
    if let [kind, version, payload @ ..] = bytes {
        check_any_record(*kind, *version, payload);
    }
});
