//! Groups and signals.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, PoisonError};

/// The process group that a child leads.
#[derive(Debug)]
pub(super) struct Group {
    /// `None` once the leader is reaped: from then on the number may be anybody's.
    leader: Mutex<Option<libc::pid_t>>,
}

/// A group of its own; on Linux also: no life without the parent.
pub(super) fn prepare(command: &mut Command) {
    command.process_group(0);
    #[cfg(target_os = "linux")]
    {
        // SAFETY: getpid has no preconditions.
        let parent = unsafe { libc::getpid() };
        // SAFETY: the closure runs between fork and exec and calls nothing but prctl, getppid and _exit,
        // which are async-signal-safe, and allocates nothing.
        unsafe { command.pre_exec(move || die_with(parent)) };
    }
}

#[cfg(target_os = "linux")]
fn die_with(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: prctl with PR_SET_PDEATHSIG takes a signal number and touches no memory.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The parent may have died before the signal was set: then nobody will send it.
    // SAFETY: getppid and _exit have no preconditions.
    unsafe {
        if libc::getppid() != parent {
            libc::_exit(1);
        }
    }
    Ok(())
}

impl Group {
    #[expect(clippy::unnecessary_wraps, reason = "it can fail on Windows")]
    pub fn lead(child: &Child) -> io::Result<Self> {
        Ok(Self { leader: Mutex::new(Some(child.id().cast_signed())) })
    }

    pub fn abort(&self) {
        self.signal(libc::SIGABRT);
    }

    pub fn kill(&self) {
        self.signal(libc::SIGKILL);
    }

    fn signal(&self, signal: libc::c_int) {
        if let Some(leader) = *self.leader.lock().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: kill touches no memory. The leader is not reaped while the lock is held, so that
            // the group's number is still this group's.
            unsafe { libc::kill(-leader, signal) };
        }
    }

    /// Waits for the leader's end, sweeps what is left of its group, then reaps it.
    pub fn reap(&self, child: &mut Child) -> io::Result<ExitStatus> {
        loop {
            // SAFETY: an all-zero siginfo_t is a valid one, and waitid writes nothing but it. WNOWAIT
            // leaves the zombie, whose number stays taken.
            let seen = unsafe {
                let mut info: libc::siginfo_t = std::mem::zeroed();
                libc::waitid(libc::P_PID, child.id(), &raw mut info, libc::WEXITED | libc::WNOWAIT)
            };
            if seen == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                break;
            }
        }
        let mut leader = self.leader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leader) = *leader {
            // SAFETY: as in `signal`.
            unsafe { libc::kill(-leader, libc::SIGKILL) };
        }
        *leader = None;
        child.wait()
    }
}

/// `exit code 1`, `signal 6 (SIGABRT)`.
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => match signal_name(signal) {
            Some(name) => format!("signal {signal} ({name})"),
            None => format!("signal {signal}"),
        },
        (None, None) => "an unknown status".to_owned(),
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        // Ours, an operator's, or the kernel's when memory ran out.
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXFSZ => "SIGXFSZ",
        _ => return None,
    })
}
