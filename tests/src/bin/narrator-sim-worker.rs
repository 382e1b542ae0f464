//! The scripted worker of the tests: see `narrator_tests::sim`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(narrator_tests::sim::serve())
}
