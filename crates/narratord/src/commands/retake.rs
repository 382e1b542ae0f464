//! `narratord retake`: a person did not like what was made of a segment.
//!
//! The journal notes that the segment is wanted again, with a take that was not spoken before, and the job's own
//! command is run once more: it speaks what is pending, checks it, and makes the audiobook anew.

use std::sync::Arc;

use clap::Parser;
use narrator_journal::{Checkpoint, JobLock, Record, Reopening, RunOpened, SegmentReopened, Standing, StdFs};

use crate::catalog::Catalog;
use crate::cli::{Cli, Command, RetakeArgs};
use crate::error::Failure;
use crate::exit::Exit;
use crate::job::JobDir;
use crate::trace::Route;
use crate::{output, run};

pub fn retake(args: &RetakeArgs, traces: &Route) -> Result<Exit, Failure> {
    let job = JobDir::find(Some(&args.job))?;
    let root = std::path::absolute(&job.root).map_err(|error| Failure::io("find", &job.root, error))?;
    let job = JobDir::new(root);
    let Some(entry) = Catalog::of_user().get(&job.root) else {
        return Err(Failure::new(
            Exit::Missing,
            "this user has not run that job, so its command is not known",
        )
        .hint("run the job's own command once; then retake"));
    };
    let words = std::iter::once("narratord".to_owned()).chain(entry.arguments.iter().cloned());
    let Ok(Cli { command: Command::Run(mut again) }) = Cli::try_parse_from(words) else {
        return Err(Failure::new(
            Exit::BadInput,
            "the command that the job was started with is not understood",
        )
        .hint("run the job's own command once; then retake"));
    };
    let reopened = reopen(&job, &args.segments)?;
    output::note(format_args!(
        "{} to be spoken again.",
        if reopened == 1 { "1 segment is".to_owned() } else { format!("{reopened} segments are") }
    ));
    // The command's paths are meant from where it was given.
    std::env::set_current_dir(&entry.directory)
        .map_err(|error| Failure::io("go to", &entry.directory, error))?;
    // A lexicon that was changed is read as it is now; of one that is gone the job has a copy.
    if again.book.lexicon.as_ref().is_some_and(|path| !path.exists()) && job.lexicon().is_file() {
        again.book.lexicon = Some(job.lexicon());
    }
    run::run(&again, traces)
}

/// Notes in the journal that these segments are wanted again; how many of them had been spoken.
fn reopen(job: &JobDir, segments: &[u32]) -> Result<usize, Failure> {
    let _lock = JobLock::acquire(&job.root)?;
    let path = job.script();
    let script = std::fs::File::open(&path).map_err(|error| Failure::io("read", &path, error))?;
    let script = narrator_script::read_script(std::io::BufReader::new(script))?;
    let before = narrator_journal::read(&StdFs, &job.journal())?;
    let last = before.openings().last().cloned();
    let (plan, settings, model) = last
        .map_or(([0; 32], [0; 32], String::new()), |last| (last.plan.0, last.settings.0, last.model_hash));
    let build = format!("narratord {} retake", env!("CARGO_PKG_VERSION"));
    let opening = RunOpened::now(plan, settings, &build, &model);
    let mut records = Vec::new();
    for number in segments {
        let id = narrator_core::SegmentId(*number);
        let Some(segment) = (*number > 0).then(|| script.segment(id)).flatten() else {
            let count = script.segments.len();
            return Err(Failure::new(
                Exit::Usage,
                format!("there is no segment {number}: the job has {count}"),
            ));
        };
        if !matches!(before.standing(&segment.key), Standing::Pending(_)) {
            let (segment, key, why) = (id, segment.key, Reopening::Asked);
            records.push(Record::SegmentReopened(SegmentReopened { segment, key, why }));
        }
    }
    let (mut checkpoint, _, _) = Checkpoint::open(Arc::new(StdFs), &job.root, &opening)?;
    checkpoint.append(&records)?;
    checkpoint.close(Exit::Stopped.code())?;
    Ok(records.len())
}
