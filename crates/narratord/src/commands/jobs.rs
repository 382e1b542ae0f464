//! `narratord jobs`: every job that this user has started.

use serde::Serialize;

use crate::catalog::{Catalog, Ending, Entry};
use crate::cli::ListArgs;
use crate::exit::Exit;
use crate::job::JobDir;
use crate::output;

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    entry: Entry,
    state: &'static str,
}

pub fn jobs(args: &ListArgs) -> Exit {
    let row = |entry: Entry| Row { state: state(&entry), entry };
    let rows: Vec<Row> = Catalog::of_user().all().into_iter().map(row).collect();
    if args.json {
        output::json(&rows);
        return Exit::Done;
    }
    if rows.is_empty() {
        output::note("No job yet: `narratord run BOOK` starts one.");
    }
    for Row { entry, state } in rows {
        output::data(format_args!("{state:<12} {:<32} {}", entry.title, entry.folder.display()));
        if let Ending::GivenUp { why } = &entry.ending {
            output::data(format_args!("{:<12} {why}: look at `narratord logs`, then run it again", ""));
        }
    }
    Exit::Done
}

/// One word for how the job stands.
pub fn state(entry: &Entry) -> &'static str {
    let job = JobDir::new(&entry.folder);
    if !entry.folder.is_dir() {
        return "gone";
    }
    if job.holder().is_some() {
        return "running";
    }
    match &entry.ending {
        Ending::Unknown => "died",
        Ending::Exited { code } if *code == Exit::Done.code() => "finished",
        Ending::Exited { code } if *code == Exit::Quarantined.code() => "quarantined",
        Ending::Exited { code } if *code == Exit::Stopped.code() => "stopped",
        Ending::Exited { .. } => "failed",
        Ending::StoppedByPerson => "stopped",
        Ending::GivenUp { .. } => "given up",
    }
}
