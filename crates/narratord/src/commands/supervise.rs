//! `narratord supervise`: takes up again what died.
//!
//! It looks at the catalog, restarts jobs whose process is gone though they were not finished, one at a
//! time and the oldest first, with the very command they were started with (which resumes), and stops
//! trying when trying does not help. What it decides is in [`crate::catalog::Entry::verdict`].
//!
//! Invariants:
//! - one supervisor a catalog: it holds the catalog's lock;
//! - a restart is written down before it is made, so that one that takes the machine down with it counts;
//! - a request to stop goes on to the run in hand, which drains; that restart counts for nothing.
//!
//! It deliberately does not watch jobs that run: they have their own supervision, and their lock says that
//! they are alive.

use std::fs::{File, OpenOptions};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::catalog::{Catalog, Ending, Entry, MAX_TRIES, Verdict};
use crate::cli::SuperviseArgs;
use crate::error::Failure;
use crate::events::{self, Level};
use crate::exit::Exit;
use crate::job::JobDir;
use crate::output;
use crate::run::signals::Signals;

/// Set for runs that `supervise` starts, so that they keep its count.
pub const MARK: &str = "NARRATOR_SUPERVISED";

/// How often the end of the run in hand is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub fn supervise(args: &SuperviseArgs) -> Result<Exit, Failure> {
    let catalog = Catalog::of_user();
    let _lock = catalog.lock()?;
    let mut requests = Requests::listen();
    let mut gave_up = false;
    loop {
        let seen = look(&catalog, &mut requests);
        gave_up |= seen.gave_up;
        let pause = if seen.restarted {
            // What died once may die again at once: breathe between two starts.
            args.pause
        } else if args.once {
            return Ok(if gave_up { Exit::Stopped } else { Exit::Done });
        } else {
            args.every
        };
        if requests.come_within(Duration::from_secs(pause)) {
            return Ok(Exit::Done);
        }
    }
}

/// What came of one look over the catalog.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// A job was restarted, and has ended again.
    restarted: bool,
    gave_up: bool,
}

/// One look over the catalog. A job that cannot be dealt with stands in no other's way.
fn look(catalog: &Catalog, requests: &mut Requests) -> Seen {
    let mut seen = Seen::default();
    for entry in catalog.all() {
        let title = entry.title.clone();
        match attend(catalog, entry, requests) {
            Ok(Attended::Left) => {}
            Ok(Attended::GaveUp) => seen.gave_up = true,
            Ok(Attended::Restarted) => {
                seen.restarted = true;
                break;
            }
            Err(failure) => output::note(format_args!("{title}: {}", failure.for_people())),
        }
    }
    seen
}

enum Attended {
    Left,
    GaveUp,
    Restarted,
}

fn attend(catalog: &Catalog, entry: Entry, requests: &mut Requests) -> Result<Attended, Failure> {
    let job = JobDir::new(&entry.folder);
    if !entry.folder.is_dir() || job.holder().is_some() {
        return Ok(Attended::Left);
    }
    let done = job.segments_done();
    match entry.verdict(done) {
        Verdict::Leave => Ok(Attended::Left),
        Verdict::GiveUp(why) => {
            output::note(format_args!("{}: given up: {why}", entry.title));
            catalog.put(&Entry { ending: Ending::GivenUp { why: why.clone() }, ..entry })?;
            tell(&job, Level::Error, "job_given_up", &json!({ "done": done, "why": why }));
            Ok(Attended::GaveUp)
        }
        Verdict::Restart => {
            let started = entry.restarted(done);
            let tries = started.tries;
            output::note(format_args!(
                "{}: its process is gone with {done} segments done; restart {tries} of {MAX_TRIES}",
                entry.title
            ));
            catalog.put(&started)?;
            tell(&job, Level::Warn, "job_restarted", &json!({ "done": done, "tries": tries }));
            let how = run_again(&started, &job, requests)?;
            // Cut off by us, or found in a person's hands by now: no fault of the job.
            if (requests.asked || how.code() == Some(Exit::Held.code().into()))
                && let Some(after) = catalog.get(&entry.folder)
            {
                catalog.put(&after.uncounted(&entry))?;
            }
            output::note(format_args!("{}: ended, {how}", entry.title));
            Ok(Attended::Restarted)
        }
    }
}

/// Leaves a line in the job's own log, which nobody else writes to now.
fn tell(job: &JobDir, level: Level, event: &str, fields: &serde_json::Value) {
    let (log, writer) = events::open(&job.logs());
    log.emit(level, event, fields);
    // The writer ends with the last handle, and is waited for.
    drop(log);
    drop(writer);
}

/// Runs the job's own command again and waits for its end.
fn run_again(entry: &Entry, job: &JobDir, requests: &mut Requests) -> Result<ExitStatus, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(Exit::Missing, "cannot find this program").because(error))?;
    let console = console(job)?;
    let errors = console.try_clone().map_err(|error| Failure::io("open", &job.logs(), error))?;
    let mut command = Command::new(&program);
    command.args(&entry.arguments).current_dir(&entry.directory).envs(&entry.environment).env(MARK, "1");
    command.stdin(Stdio::null()).stdout(console).stderr(errors);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // A Ctrl-C is for the supervisor alone, which passes it on: twice would mean "stop now".
        command.process_group(0);
    }
    #[expect(clippy::disallowed_methods, reason = "the one place that starts a run, waited for right here")]
    let child = command.spawn();
    child.and_then(|mut child| wait(&mut child, requests)).map_err(|error| {
        Failure::new(Exit::Missing, format!("{} could not be started again", entry.title)).because(error)
    })
}

/// Waits for the run's end and passes on what is asked of us until then.
fn wait(child: &mut Child, requests: &mut Requests) -> std::io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Some(Request { by_person }) = requests.next_within(LOOK_EVERY) {
            output::note("asked to stop: the run in hand finishes what it is speaking");
            pass_on(child, by_person);
        }
    }
}

/// Sends the run what was sent to us. It is not reaped yet, so that its number is still its own.
#[cfg(unix)]
fn pass_on(child: &Child, by_person: bool) {
    let signal = if by_person { libc::SIGINT } else { libc::SIGTERM };
    // SAFETY: kill takes a process and a signal number and touches no memory.
    unsafe { libc::kill(child.id().cast_signed(), signal) };
}

/// On a console everybody hears of Ctrl-C and of the shutdown by themselves.
#[cfg(not(unix))]
fn pass_on(_child: &Child, _by_person: bool) {}

/// Requests to stop, from whoever sends signals.
struct Requests {
    receiver: Receiver<Request>,
    /// One has come.
    asked: bool,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    by_person: bool,
}

impl Requests {
    fn listen() -> Self {
        let (sender, receiver) = mpsc::channel();
        Signals::catch_and(move |by_person| {
            let _ = sender.send(Request { by_person });
        });
        Self { receiver, asked: false }
    }

    fn next_within(&mut self, patience: Duration) -> Option<Request> {
        match self.receiver.recv_timeout(patience) {
            Ok(request) => {
                self.asked = true;
                Some(request)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(patience);
                None
            }
        }
    }

    /// Whether one has come, or comes before the time is over.
    fn come_within(&mut self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while !self.asked && Instant::now() < until {
            self.next_within(until.saturating_duration_since(Instant::now()));
        }
        self.asked
    }
}

/// What a restarted run prints goes to `logs/console.log` of its job.
fn console(job: &JobDir) -> Result<File, Failure> {
    let logs = job.logs();
    let path = logs.join("console.log");
    std::fs::create_dir_all(&logs)
        .and_then(|()| OpenOptions::new().create(true).append(true).open(&path))
        .map_err(|error| Failure::io("open", &path, error))
}
