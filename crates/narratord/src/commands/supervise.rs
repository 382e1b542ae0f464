//! `narratord supervise`: takes up again what died.
//!
//! It looks at the catalog, restarts jobs whose process is gone though they were not finished, one at a
//! time and the oldest first, with the very command they were started with (which resumes), and stops
//! trying when trying does not help. What it decides is in [`crate::catalog::Entry::verdict`].

use std::fs::{File, OpenOptions};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::catalog::{Catalog, Ending, Entry, Verdict};
use crate::cli::SuperviseArgs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::job::JobDir;
use crate::output;

/// Set for runs that `supervise` starts, so that they keep its count.
pub const MARK: &str = "NARRATOR_SUPERVISED";

pub fn supervise(args: &SuperviseArgs) -> Result<Exit, Failure> {
    let catalog = Catalog::of_user();
    loop {
        let restarted = look(&catalog)?;
        if restarted {
            // What died once may die again at once: breathe between two starts.
            std::thread::sleep(Duration::from_secs(args.pause));
        } else if args.once {
            return Ok(Exit::Done);
        } else {
            std::thread::sleep(Duration::from_secs(args.every));
        }
    }
}

/// One look over the catalog; true when a job was restarted (and has ended again).
fn look(catalog: &Catalog) -> Result<bool, Failure> {
    for entry in catalog.all() {
        let job = JobDir::new(&entry.folder);
        if !entry.folder.is_dir() || job.holder().is_some() {
            continue;
        }
        let done = job.segments_done();
        match entry.verdict(done) {
            Verdict::Leave => {}
            Verdict::GiveUp(why) => {
                output::note(format_args!("{}: given up: {why}", entry.title));
                catalog.put(&Entry { ending: Ending::GivenUp { why }, ..entry })?;
            }
            Verdict::Restart => {
                let entry = entry.restarted(done);
                output::note(format_args!(
                    "{}: its process is gone with {done} segments done; restart {} of {}",
                    entry.title,
                    entry.tries,
                    crate::catalog::MAX_TRIES
                ));
                catalog.put(&entry)?;
                restart(&entry, &job)?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Runs the job's own command again and waits for its end.
fn restart(entry: &Entry, job: &JobDir) -> Result<(), Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(Exit::Missing, "cannot find this program").because(error))?;
    let console = console(job)?;
    let errors = console.try_clone().map_err(|error| Failure::io("open", &job.logs(), error))?;
    #[expect(clippy::disallowed_methods, reason = "the one place that starts a run, waited for right here")]
    let child = Command::new(&program)
        .args(&entry.arguments)
        .current_dir(&entry.directory)
        .env(MARK, "1")
        .stdin(Stdio::null())
        .stdout(console)
        .stderr(errors)
        .spawn();
    let status = child.and_then(|mut child| child.wait());
    match status {
        Ok(status) => output::note(format_args!("{}: ended, {status}", entry.title)),
        Err(error) => output::note(format_args!("{}: could not be started: {error}", entry.title)),
    }
    Ok(())
}

/// What a restarted run prints goes to `logs/console.log` of its job.
fn console(job: &JobDir) -> Result<File, Failure> {
    let logs = job.logs();
    let path = logs.join("console.log");
    std::fs::create_dir_all(&logs)
        .and_then(|()| OpenOptions::new().create(true).append(true).open(&path))
        .map_err(|error| Failure::io("open", &path, error))
}
