//! `narratord`: turns a book into an audiobook, overnight, with nobody watching.

use std::process::ExitCode;

fn main() -> ExitCode {
    narratord::run_command_line()
}
