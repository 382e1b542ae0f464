//! `narratord checkpoint`: a job's log, looked at and mended.

use std::path::PathBuf;

use narrator_journal::{Content, DumpLine, LostTake, Record, Report, StdFs, Verdict};
use serde::Serialize;

use crate::cli::{RepairArgs, StatusArgs};
use crate::error::Failure;
use crate::exit::Exit;
use crate::job::JobDir;
use crate::output;

/// What `verify` found: the log, and the takes that it names.
#[derive(Debug, Serialize)]
struct Verified {
    #[serde(flatten)]
    log: Report,
    lost_takes: Vec<Lost>,
}

#[derive(Debug, Serialize)]
struct Lost {
    segment: u32,
    why: String,
}

/// The job's journal, which has to be there to be looked at.
fn journal(job: &JobDir) -> Result<PathBuf, Failure> {
    let path = job.journal();
    if path.exists() {
        return Ok(path);
    }
    Err(Failure::new(Exit::Missing, format!("{} has no journal yet", job.root.display()))
        .hint("nothing was recorded there; `narratord status` tells more"))
}

pub fn verify(args: &StatusArgs) -> Result<Exit, Failure> {
    let job = JobDir::find(args.job.job.as_deref())?;
    let log = narrator_journal::verify(&StdFs, &journal(&job)?)?;
    let readable = matches!(log.verdict, Verdict::Sound | Verdict::Torn { .. });
    let lost = if readable { lost_takes(&job)? } else { Vec::new() };
    let found = Verified { log, lost_takes: lost };
    if args.json {
        output::json(&found);
    } else {
        output::data(&found.log);
        match found.lost_takes.as_slice() {
            [] if readable => output::data("every take that it names is there, with the sound it had"),
            [] => output::data("try `narratord checkpoint repair --dry-run`: it says what can be saved"),
            lost => {
                for Lost { segment, why } in lost {
                    output::data(format_args!("segment {segment}: {why}"));
                }
                output::data("run the same command again: these segments are spoken anew");
            }
        }
    }
    Ok(if readable && found.lost_takes.is_empty() { Exit::Done } else { Exit::BadInput })
}

/// Takes that are missing, of another size, or of other bytes than were recorded.
fn lost_takes(job: &JobDir) -> Result<Vec<Lost>, Failure> {
    let replay = narrator_journal::read(&StdFs, &job.journal())?;
    let lost = narrator_journal::lost_takes(&StdFs, &job.takes(), &replay, true)?;
    let shown = |LostTake { done, found, altered }: LostTake| Lost {
        segment: done.segment.0,
        why: match found {
            None => "its take is missing".into(),
            Some(_) if altered => {
                let take = narrator_journal::take_path(&job.takes(), &done.key, done.take);
                format!("its take has other content than was recorded: delete {}", take.display())
            }
            Some(bytes) => format!("its take has {bytes} bytes, not {}", done.bytes),
        },
    };
    Ok(lost.into_iter().map(shown).collect())
}

pub fn dump(args: &StatusArgs) -> Result<Exit, Failure> {
    let job = JobDir::find(args.job.job.as_deref())?;
    for line in narrator_journal::dump(&StdFs, &journal(&job)?)? {
        if args.json {
            output::data(serde_json::to_string(&line).map_err(|error| {
                Failure::new(Exit::BadInput, "a record cannot be written as JSON").because(error)
            })?);
        } else {
            output::data(readable(&line));
        }
    }
    Ok(Exit::Done)
}

fn readable(line: &DumpLine) -> String {
    let what = match &line.content {
        Content::Skipped { .. } => "a record of a newer version".to_string(),
        Content::Known(record) => match record {
            Record::RunOpened(run) => format!("run opened    {} by {}", run.run, run.build),
            Record::SegmentDone(done) => format!(
                "done          segment {} take {}: {:.2} s, {} bytes, {:?}",
                done.segment,
                done.take,
                done.samples as f64 / f64::from(done.rate.max(1)),
                done.bytes,
                done.key
            ),
            Record::SegmentFault(fault) => format!(
                "fault         segment {} attempt {}: {} by worker {}",
                fault.segment, fault.attempt, fault.fault, fault.incarnation
            ),
            Record::SegmentQuarantined(given_up) => {
                format!("quarantined   segment {}: {}", given_up.segment, given_up.reason)
            }
            Record::SegmentReopened(again) => {
                format!("reopened      segment {}: {:?}", again.segment, again.why)
            }
            Record::RunClosed(run) => format!("run closed    {} with exit {}", run.run, run.exit_code),
            Record::TakeSpoken(take) => format!(
                "spoken        segment {} take {}: {:.2} s",
                take.segment,
                take.take,
                take.samples as f64 / f64::from(take.rate.max(1))
            ),
            Record::TakeRefused(take) => format!(
                "refused       segment {} take {}: {}; next: {}",
                take.segment, take.take, take.reason, take.next
            ),
            Record::TakeKept(take) => format!("kept          segment {} take {}", take.segment, take.take),
            Record::Dispatched { dispatches } => format!("dispatched    {} segments", dispatches.len()),
        },
    };
    let mark = if line.behind_damage { "  (behind damage)" } else { "" };
    format!("{:>10}  {what}{mark}", line.offset)
}

pub fn repair(args: &RepairArgs) -> Result<Exit, Failure> {
    let job = JobDir::find(args.job.job.as_deref())?;
    let journal = journal(&job)?;
    // Nobody may write to what is being mended.
    let _lock = narrator_journal::JobLock::acquire(&job.root)?;
    let report = narrator_journal::repair(&StdFs, &journal, &job.takes(), args.dry_run)?;
    if args.json {
        output::json(&report);
    } else {
        output::data(&report);
    }
    Ok(Exit::Done)
}
