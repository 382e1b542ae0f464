//! Programs that are asked one thing and waited for: the worker's commands, ffmpeg's version.
//!
//! What runs a night through is spawned and supervised by the pool, not here.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::error::Failure;
use crate::exit::Exit;

/// Runs `program` to its end; what it writes is kept.
pub fn ask<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> std::io::Result<Output> {
    #[expect(clippy::disallowed_methods, reason = "a short question to a program, waited for right here")]
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.wait_with_output()
}

/// Runs one command of the worker program and gives what it says on standard output; its failure becomes ours, in
/// its words.
pub fn worker<S: AsRef<OsStr>>(program: &Path, arguments: &[S], doing: &str) -> Result<String, Failure> {
    let failed = |exit, why: &str| Failure::new(exit, format!("{doing} failed: {why}"));
    let answer = ask(program, arguments).map_err(|error| {
        failed(Exit::Missing, &format!("{} does not start", program.display())).because(error)
    })?;
    if answer.status.success() {
        return Ok(String::from_utf8_lossy(&answer.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&answer.stderr);
    let why = said.lines().rev().find_map(|line| line.strip_prefix("error: "));
    let exit = answer.status.code().and_then(|code| {
        let known = [Exit::BadInput, Exit::Missing, Exit::Disk, Exit::Stopped, Exit::BadSettings];
        known.into_iter().find(|exit| i32::from(exit.code()) == code)
    });
    let status = answer.status.to_string();
    let last = || said.lines().last().filter(|line| !line.trim().is_empty()).unwrap_or(&status).to_string();
    Err(match (exit, why) {
        (Some(exit), Some(why)) => failed(exit, why),
        (exit, _) => failed(exit.unwrap_or(Exit::Missing), &last())
            .hint("`narratord doctor` says whether the worker program and libtorch are as they should be"),
    })
}
