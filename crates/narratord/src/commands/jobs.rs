//! `narratord jobs`: every job that this user has started.

use serde::Serialize;

use crate::catalog::{Catalog, Ending, Entry, MAX_TRIES};
use crate::cli::JobsArgs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::job::JobDir;
use crate::output;

/// A job whose folder is not there: deleted, or on a disk that is not plugged in.
const REMOVED: &str = "removed";

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    entry: Entry,
    state: &'static str,
}

pub fn jobs(args: &JobsArgs) -> Result<Exit, Failure> {
    let row = |entry: Entry| Row { state: state(&entry), entry };
    let catalog = Catalog::of_user();
    let mut rows: Vec<Row> = catalog.all().into_iter().map(row).collect();
    if args.forget {
        let (gone, left): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.state == REMOVED);
        for Row { entry, .. } in gone {
            catalog.forget(&entry.folder)?;
            output::note(format_args!("forgot {} ({})", entry.title, entry.folder.display()));
        }
        rows = left;
    }
    if args.list.json {
        output::json(&rows);
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        output::note("No job yet: `narratord run BOOK` starts one.");
    }
    for Row { entry, state } in rows {
        output::data(format_args!("{state:<12} {:<32} {}", entry.title, entry.folder.display()));
        if let Some(more) = more(&entry, state) {
            output::data(format_args!("{:<12} {more}", ""));
        }
    }
    for path in catalog.unreadable() {
        output::note(format_args!("warning: {} is no catalog entry: delete it", path.display()));
    }
    Ok(Exit::Done)
}

/// What else a person should know of a job.
fn more(entry: &Entry, state: &str) -> Option<String> {
    match (&entry.ending, state) {
        (Ending::GivenUp { why }, _) => {
            Some(format!("{why}: look at `narratord logs --level warn`, then run it again"))
        }
        (_, "gone") => Some(format!(
            "its process ended without a word; `narratord supervise` takes it up again ({} of {MAX_TRIES} \
             restarts made)",
            entry.tries
        )),
        (_, REMOVED) => {
            Some("its folder is not there; `narratord jobs --forget` drops it from this list".into())
        }
        _ => None,
    }
}

/// One word for how the job stands.
pub fn state(entry: &Entry) -> &'static str {
    let job = JobDir::new(&entry.folder);
    if !entry.folder.is_dir() {
        return REMOVED;
    }
    if job.holder().is_some() {
        return "running";
    }
    match &entry.ending {
        Ending::Unknown => "gone",
        Ending::Exited { code } if *code == Exit::Done.code() => "finished",
        Ending::Exited { code } if *code == Exit::Quarantined.code() => "quarantined",
        Ending::Exited { code } if *code == Exit::Stopped.code() => "stopped",
        Ending::Exited { .. } => "failed",
        Ending::StoppedByPerson => "stopped",
        Ending::GivenUp { .. } => "given up",
    }
}
