//! `narratord status`: how far a job is — live, finished, stopped or damaged.
//!
//! The journal is the authority for what is done; the events only add how fast a live run is.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use narrator_journal::{Holder, Replay, Standing, StdFs};
use serde::Serialize;
use serde_json::Value;

use crate::cli::StatusArgs;
use crate::error::Failure;
use crate::events;
use crate::exit::Exit;
use crate::job::{JobDir, JobFile};
use crate::output;
use crate::progress::Snapshot;

/// Bytes at the end of the event log in which the last `progress` event is looked for.
const TAIL_BYTES: u64 = 256 * 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// A run holds the job.
    Running,
    /// All segments are done, or in quarantine, and the audiobook is written.
    Finished,
    /// Work is left and no run is at it.
    Stopped,
    /// The journal cannot be believed.
    Damaged,
}

#[derive(Debug, Serialize)]
struct Status {
    job: PathBuf,
    title: String,
    state: State,
    output: PathBuf,
    segments: u32,
    done: u32,
    quarantined: Vec<Quarantined>,
    pending: u32,
    /// Seconds of audio that exist.
    audio_s: f64,
    /// Faults recorded so far.
    faults: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_by: Option<String>,
    /// The live run's last word on its speed.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Snapshot>,
    /// How the last run ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_exit: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Debug, Serialize)]
struct Quarantined {
    segment: u32,
    reason: String,
}

pub fn status(args: &StatusArgs) -> Result<Exit, Failure> {
    let job = JobDir::find(args.job.job.as_deref())?;
    let status = look(&job)?;
    if args.json {
        output::json(&status);
    } else {
        print(&status);
    }
    Ok(if status.state == State::Damaged { Exit::BadInput } else { Exit::Done })
}

fn look(job: &JobDir) -> Result<Status, Failure> {
    let holder = job.holder();
    let (file, mut problem) = match JobFile::read(job) {
        Ok(file) => (file, None),
        Err(failure) => (None, Some(failure)),
    };
    let exists = job.journal().exists();
    let replay = match exists.then(|| narrator_journal::read(&StdFs, &job.journal())) {
        None => Some(Replay::default()),
        Some(Ok(replay)) => Some(replay),
        Some(Err(error)) => {
            problem = Some(error.into());
            None
        }
    };
    let facts = file.map(|file| file.job);
    let mut status = Status {
        job: job.root.clone(),
        title: facts.as_ref().map_or_else(String::new, |facts| facts.title.clone()),
        state: State::Stopped,
        output: facts.as_ref().map(|facts| facts.output.clone()).unwrap_or_default(),
        segments: facts.as_ref().map_or(0, |facts| facts.segments),
        done: 0,
        quarantined: Vec::new(),
        pending: 0,
        audio_s: 0.0,
        faults: 0,
        progress: holder.as_ref().and_then(|_| last_progress(job)),
        held_by: holder.as_ref().map(describe),
        last_exit: None,
        problem: None,
        advice: None,
    };
    if let Some(replay) = &replay {
        count(&mut status, job, replay)?;
    }
    status.pending = status.segments.saturating_sub(status.done + status.quarantined.len() as u32);
    if let Some(Failure { message, hint, .. }) = problem {
        (status.problem, status.advice) = (Some(message), hint);
    }
    let finished = [Exit::Done.code(), Exit::Quarantined.code()].map(Some).contains(&status.last_exit);
    status.state = if status.problem.is_some() {
        State::Damaged
    } else if holder.is_some() {
        State::Running
    } else if finished && status.pending == 0 {
        State::Finished
    } else {
        State::Stopped
    };
    if status.state == State::Stopped {
        status.advice = Some("run the same command again: it resumes".into());
    }
    Ok(status)
}

fn count(status: &mut Status, job: &JobDir, replay: &Replay) -> Result<(), Failure> {
    if !job.script().exists() {
        return Ok(());
    }
    for (index, key) in job.script_keys()?.iter().enumerate() {
        match replay.standing(key) {
            Standing::Done(done) => {
                status.done += 1;
                status.audio_s += done.samples as f64 / f64::from(done.rate.max(1));
            }
            Standing::Quarantined(given_up) => status
                .quarantined
                .push(Quarantined { segment: index as u32 + 1, reason: given_up.reason.clone() }),
            Standing::Pending(faults) => status.faults += faults.len() as u32,
        }
    }
    status.last_exit = replay.closed().map(|closed| closed.exit_code);
    Ok(())
}

fn describe(holder: &Holder) -> String {
    let Holder { pid, host, since_ms } = holder;
    let mut text = pid.map_or("another run".to_string(), |pid| format!("process {pid}"));
    if let Some(host) = host {
        text.push_str(&format!(" on {host}"));
    }
    if let Some(since) = since_ms {
        text.push_str(&format!(" since {}", events::rfc3339(*since)));
    }
    text
}

/// The last `progress` event of the live log.
fn last_progress(job: &JobDir) -> Option<Snapshot> {
    let mut file = std::fs::File::open(events::live_path(&job.logs())).ok()?;
    let start = file.metadata().ok()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).ok()?;
    let tail = String::from_utf8_lossy(&tail);
    let progress = |line: &str| {
        let value: Value = serde_json::from_str(line).ok()?;
        (value["event"] == "progress").then(|| serde_json::from_value(value).ok())?
    };
    tail.lines().rev().find_map(progress)
}

fn print(status: &Status) {
    let state = match status.state {
        State::Running => "running",
        State::Finished => "finished",
        State::Stopped => "stopped, with work left",
        State::Damaged => "DAMAGED",
    };
    output::data(format_args!("{}: {state}", if status.title.is_empty() { "job" } else { &status.title }));
    output::data(format_args!(
        "  segments     {} of {} done, {} pending, {} in quarantine",
        output::count(status.done.into()),
        output::count(status.segments.into()),
        output::count(status.pending.into()),
        status.quarantined.len()
    ));
    output::data(format_args!("  audio        {}", output::duration(status.audio_s)));
    if status.faults > 0 {
        output::data(format_args!("  faults       {} recorded for pending segments", status.faults));
    }
    if let Some(progress) = &status.progress {
        output::data(format_args!("  now          {}", progress.line_in_chapter()));
    }
    if let Some(holder) = &status.held_by {
        output::data(format_args!("  held by      {holder}"));
    }
    for Quarantined { segment, reason } in status.quarantined.iter().take(10) {
        output::data(format_args!("  quarantine   segment {segment}: {reason}"));
    }
    if status.quarantined.len() > 10 {
        output::data(format_args!(
            "               and {} more (--json lists all)",
            status.quarantined.len() - 10
        ));
    }
    output::data(format_args!("  output       {}", status.output.display()));
    output::data(format_args!("  folder       {}", status.job.display()));
    if let Some(problem) = &status.problem {
        output::data(format_args!("  problem      {problem}"));
    }
    if let Some(advice) = &status.advice {
        output::data(format_args!("  what to do   {advice}"));
    }
}
