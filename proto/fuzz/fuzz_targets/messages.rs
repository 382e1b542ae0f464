//! Any payload under any kind: the first byte is the kind, the second the request.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks.rs"]
mod checks;

fuzz_target!(|data: &[u8]| {
    let [kind, request, payload @ ..] = data else { return };
    checks::payload_is_read_or_refused(*kind, u64::from(*request), payload);
});
