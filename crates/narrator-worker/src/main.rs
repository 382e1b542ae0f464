//! `narrator-worker`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    narrator_worker::run()
}
