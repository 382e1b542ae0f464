//! One `narratord` process of a soak: started under a judge, struck from outside, waited for.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::judge::{self, Judge};
use super::stage::Stage;
use crate::processes::{children_of, eventually, signal};

/// A year, roughly: how far clocks are set wrong.
const FAR_S: i64 = 365 * 24 * 3600;

/// How a process is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// Its system calls are judged.
    pub judged: bool,
    /// Its monotone clock stands a year ahead, as it stands elsewhere after a reboot.
    pub shifted: bool,
}

/// A running `narratord run`.
#[derive(Debug)]
pub struct Orchestrator {
    child: Child,
    judge: Option<Judge>,
}

impl Orchestrator {
    /// Starts it on the stage's book. It dies with this thread, so that a soak that is killed leaves nothing.
    pub fn start(stage: &Stage, how: Start) -> io::Result<Self> {
        let mut command = stage.narratord();
        let log = || OpenOptions::new().append(true).create(true).open(stage.console());
        command.stdin(Stdio::null()).stdout(log()?).stderr(log()?);
        let (ours, theirs) = UnixStream::pair()?;
        before_exec(&mut command, how, &theirs);
        #[expect(clippy::disallowed_methods, reason = "the program under test; it dies with its soak")]
        let child = command.spawn()?;
        drop(theirs);
        let judge = how.judged.then(|| Judge::over(child.id(), &OwnedFd::from(ours))).transpose();
        let judge = match judge {
            Ok(judge) => judge,
            Err(error) => {
                signal(child.id(), libc::SIGKILL);
                return Err(error);
            }
        };
        Ok(Self { child, judge })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn judge(&self) -> Option<&Judge> {
        self.judge.as_ref()
    }

    /// Its workers that live now.
    pub fn workers(&self) -> Vec<u32> {
        children_of(self.pid())
    }

    /// Its end, if it has come.
    pub fn ended(&mut self) -> Option<End> {
        self.child.try_wait().expect("a child can be asked after").map(End::of)
    }

    /// Waits for its end; nothing when it did not come in time.
    pub fn end_within(&mut self, limit: Duration) -> Option<End> {
        let mut ended = None;
        eventually(limit, || {
            ended = self.ended();
            ended.is_some()
        });
        ended
    }

    /// Open file descriptors.
    pub fn handles(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    /// Stops it and all its workers, as a machine that falls asleep does.
    pub fn freeze(&self) -> Vec<u32> {
        signal(self.pid(), libc::SIGSTOP);
        let workers = self.workers();
        for pid in &workers {
            signal(*pid, libc::SIGSTOP);
        }
        workers
    }

    /// Wakes it and what [`Self::freeze`] stopped.
    pub fn thaw(&self, workers: &[u32]) {
        for pid in workers {
            signal(*pid, libc::SIGCONT);
        }
        signal(self.pid(), libc::SIGCONT);
    }

    /// Sets the size past which it can write no file: a write over it is cut short, the next one fails.
    pub fn limit_file_size(&self, bytes: Option<u64>) -> bool {
        let bytes = bytes.unwrap_or(libc::RLIM_INFINITY);
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
        let (pid, none) = (self.pid().cast_signed(), std::ptr::null_mut());
        // SAFETY: the new limit is read from a live value, and no old one is asked for.
        unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &raw const limit, none) == 0 }
    }
}

impl Drop for Orchestrator {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the child does before it becomes `narratord`.
fn before_exec(command: &mut Command, how: Start, socket: &UnixStream) {
    let (filter, socket, parent) = (judge::filter(), socket.as_raw_fd(), std::process::id().cast_signed());
    let shift = format!("monotonic {FAR_S} 0\nboottime {FAR_S} 0\n");
    let prepare = move || {
        // SAFETY: calls that take numbers only; signal's handler is SIG_IGN, which is a valid one.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != parent {
                return Err(io::ErrorKind::NotFound.into());
            }
            // Otherwise a write past the limit ends the process instead of failing. Ignored signals stay
            // ignored over exec.
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            if how.shifted && libc::unshare(libc::CLONE_NEWTIME) == 0 {
                let path = c"/proc/self/timens_offsets".as_ptr();
                let offsets = libc::open(path, libc::O_WRONLY);
                libc::write(offsets, shift.as_ptr().cast(), shift.len());
                libc::close(offsets);
            }
        }
        if how.judged { judge::submit(&filter, socket) } else { Ok(()) }
    };
    // SAFETY: `prepare` makes system calls and allocates nothing.
    unsafe { command.pre_exec(prepare) };
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Code(i32),
    Signal(i32),
}

impl End {
    fn of(status: ExitStatus) -> Self {
        status.code().map_or_else(|| Self::Signal(status.signal().unwrap_or(0)), Self::Code)
    }
}

/// Whether this machine lets system calls be judged; a sentence why not.
pub fn can_judge() -> Result<(), String> {
    let (ours, theirs) = UnixStream::pair().map_err(|error| error.to_string())?;
    let mut command = Command::new("/bin/true");
    before_exec(&mut command, Start { judged: true, shifted: false }, &theirs);
    #[expect(clippy::disallowed_methods, reason = "a program that ends at once")]
    let mut child = command.spawn().map_err(|error| format!("no seccomp filter here: {error}"))?;
    drop(theirs);
    let judge = Judge::over(child.id(), &OwnedFd::from(ours)).map_err(|error| error.to_string());
    let _ = child.wait();
    judge.map(drop)
}

/// Whether this machine gives a process another clock.
pub fn can_shift() -> bool {
    let mut command = Command::new("/bin/cat");
    command.arg("/proc/uptime").stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok((_, theirs)) = UnixStream::pair() else { return false };
    before_exec(&mut command, Start { judged: false, shifted: true }, &theirs);
    let told = command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let seconds = told.ok().and_then(|told| told.split('.').next()?.parse::<i64>().ok());
    seconds.is_some_and(|seconds| seconds >= FAR_S)
}

/// Moves the times of all files of a job, as a clock that is set wrong does.
pub fn move_times(folder: &Path, by_s: i64) -> io::Result<u64> {
    let mut moved = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            moved += move_times(&path, by_s)?;
        } else if let Ok(file) = File::open(&path) {
            let now = file.metadata()?.modified()?;
            let far = Duration::from_secs(by_s.unsigned_abs());
            let then = if by_s < 0 { now.checked_sub(far) } else { now.checked_add(far) };
            if let Some(then) = then {
                file.set_modified(then)?;
                moved += 1;
            }
        }
    }
    Ok(moved)
}

/// Appends what a power cut in the middle of an append leaves: some bytes that are no whole record.
pub fn tear(journal: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().append(true).open(journal)?.write_all(bytes)
}
