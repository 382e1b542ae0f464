//! `narratord status`: how far a job is: live, finished, stopped, damaged, or not begun.
//!
//! The journal is the authority for what is done; the events only add how fast a live run is. It answers
//! for whatever is in the folder: what cannot be read is named, with what to do about it, and the rest is
//! told all the same. It takes nobody's lock for longer than a look, and it looks at no take.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use narrator_core::ContentKey;
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
use crate::run::report;

/// What to do about a file that every run makes from the book.
const WRITTEN_ANEW: &str = "run the same command again: it is written anew, and no take is lost";

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
    /// A file of the job cannot be believed, or is missing.
    Damaged,
    /// A folder in which nothing was recorded yet.
    Empty,
}

#[derive(Debug, Serialize)]
struct Status {
    job: PathBuf,
    title: String,
    state: State,
    output: PathBuf,
    /// Whether the audiobook is where it was written: people move them.
    output_is_there: bool,
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
    let status = look(&job);
    if args.json {
        output::json(&status);
    } else {
        print(&status);
    }
    Ok(if status.state == State::Damaged { Exit::BadInput } else { Exit::Done })
}

fn look(job: &JobDir) -> Status {
    let holder = job.holder();
    let (file, mut problem) = match JobFile::read(job) {
        Ok(file) => (file, None),
        Err(failure) => (None, Some(failure)),
    };
    let begun = file.is_some() || problem.is_some() || job.script().exists();
    // The two large files are read at the same time.
    let (journal, keys) = std::thread::scope(|scope| {
        let keys = scope.spawn(|| job.script_keys());
        (journal_of(job, begun), keys.join())
    });
    let keys = keys.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let replay = match journal {
        Ok(replay) => Some(replay),
        Err(failure) => {
            problem = Some(failure);
            None
        }
    };
    let facts = file.map(|file| file.job);
    let mut status = Status {
        job: job.root.clone(),
        title: facts.as_ref().map_or_else(String::new, |facts| facts.title.clone()),
        state: State::Stopped,
        output_is_there: facts.as_ref().is_some_and(|facts| facts.output.exists()),
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
    if let Some(replay) = &replay
        && begun
        && let Err(failure) = count(&mut status, job, keys, replay)
    {
        problem.get_or_insert(failure);
    }
    status.pending = status.segments.saturating_sub(status.done + status.quarantined.len() as u32);
    let ended_well = [Exit::Done.code(), Exit::Quarantined.code()].map(Some).contains(&status.last_exit);
    let finished = ended_well && status.pending == 0;
    if finished && let Err(failure) = report::check(job) {
        problem.get_or_insert(failure);
    }
    if let Some(Failure { message, hint, .. }) = problem {
        (status.problem, status.advice) = (Some(message), hint);
    }
    let empty = !begun && replay.as_ref().is_some_and(|replay| replay.records() == 0);
    status.state = if status.problem.is_some() {
        State::Damaged
    } else if holder.is_some() {
        State::Running
    } else if empty {
        State::Empty
    } else if finished {
        State::Finished
    } else {
        State::Stopped
    };
    match status.state {
        State::Stopped => status.advice = Some("run the same command again: it resumes".into()),
        State::Empty => status.advice = Some("run the same command again: it begins anew".into()),
        State::Finished if !status.output_is_there => {
            status.advice = Some("the audiobook was moved or deleted; the same command makes it anew".into());
        }
        _ => {}
    }
    status
}

/// What the journal says. A job that was begun has one.
fn journal_of(job: &JobDir, begun: bool) -> Result<Replay, Failure> {
    let path = job.journal();
    match path.exists() {
        true => Ok(narrator_journal::read(&StdFs, &path)?),
        false if begun => {
            Err(Failure::new(Exit::BadInput, format!("the journal {} is gone", path.display())).hint(
                "put it back if you moved it; else the same command speaks the whole book again, since \
                     nothing else says which takes are good",
            ))
        }
        false => Ok(Replay::default()),
    }
}

fn count(
    status: &mut Status,
    job: &JobDir,
    keys: Result<Vec<ContentKey>, Failure>,
    replay: &Replay,
) -> Result<(), Failure> {
    status.last_exit = replay.closed().map(|closed| closed.exit_code);
    let keys = keys.map_err(|failure| failure.hint(WRITTEN_ANEW))?;
    for (index, key) in keys.iter().enumerate() {
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
    if status.segments == 0 {
        status.segments = keys.len() as u32;
    }
    if keys.len() != status.segments as usize {
        let (script, found, wanted) = (job.script(), keys.len(), status.segments);
        let what = format!("{} has {found} segments instead of {wanted}", script.display());
        return Err(Failure::new(Exit::BadInput, what).hint(WRITTEN_ANEW));
    }
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
        State::Empty => "nothing recorded yet",
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
    if !status.output.as_os_str().is_empty() {
        output::data(format_args!("  output       {}", status.output.display()));
    }
    output::data(format_args!("  folder       {}", status.job.display()));
    if let Some(problem) = &status.problem {
        output::data(format_args!("  problem      {problem}"));
    }
    if let Some(advice) = &status.advice {
        output::data(format_args!("  what to do   {advice}"));
    }
}
