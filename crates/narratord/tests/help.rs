//! The command line as a person reads it: a change to it is a change to a promise.

use std::process::Command;

fn said(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_narratord"))
        .args(arguments)
        .env("COLUMNS", "110")
        .output()
        .expect("narratord starts");
    format!(
        "exit {}\n{}{}",
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn the_help_of_every_command() {
    let commands = [
        "run",
        "plan",
        "status",
        "logs",
        "verify",
        "retake",
        "checkpoint",
        "voices",
        "models",
        "jobs",
        "supervise",
        "install-service",
        "doctor",
    ];
    insta::assert_snapshot!("narratord", said(&["--help"]));
    for command in commands {
        insta::assert_snapshot!(command, said(&[command, "--help"]));
    }
}

#[test]
fn a_wrong_word_is_answered_with_the_right_ones() {
    insta::assert_snapshot!("unknown", said(&["narrate", "book.epub"]));
    insta::assert_snapshot!("nothing", said(&[]));
}
