//! One run per job: the lock that the running orchestrator holds.
//!
//! The lock is the operating system's, on an open file, and goes with the process however it ends. What
//! the file says is for the message to whoever comes second, and decides nothing; the file stays behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use crate::error::{Holder, JournalError, io_error};

/// The lock's name in a job folder.
pub const LOCK_NAME: &str = "lock";

/// What a lock file of ours can hold at most.
const MAX_LOCK_BYTES: u64 = 4096;

/// A look by [`JobLock::holder`] holds the lock for microseconds; a run that begins just then looks again
/// before it says that somebody is at work.
const LOOKS: u32 = 3;
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Held for as long as it lives.
#[derive(Debug)]
pub struct JobLock {
    _file: File,
}

impl JobLock {
    /// Takes the lock of the job folder `job`, or says who holds it.
    pub fn acquire(job: &Path) -> Result<Self, JournalError> {
        let path = job.join(LOCK_NAME);
        let mut options = OpenOptions::new();
        let open = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(io_error("open", &path))?;
        let mut taken = file.try_lock();
        for _ in 0..LOOKS {
            if !matches!(taken, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(LOOK_PAUSE);
            taken = file.try_lock();
        }
        match taken {
            Ok(()) => {
                // Nothing depends on it: a disk too full for these bytes must not stop a run.
                let _ = describe(&mut file);
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                Err(JournalError::Held { path: job.to_path_buf(), holder: holder(&mut file) })
            }
            Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
        }
    }

    /// Who holds the job now, without holding it longer than it takes to look: for `status`.
    pub fn holder(job: &Path) -> Result<Option<Holder>, JournalError> {
        let path = job.join(LOCK_NAME);
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("open", &path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(holder(&mut file))),
            Err(TryLockError::Error(error)) => Err(io_error("look at the lock", &path)(error)),
        }
    }
}

fn describe(file: &mut File) -> std::io::Result<()> {
    let (pid, since) = (std::process::id(), narrator_core::clock::unix_ms());
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "pid {pid}\nhost {}\nsince_ms {since}\n", host_name())
}

fn holder(file: &mut File) -> Holder {
    let mut text = String::new();
    // On Windows a locked file cannot be read: then the message names nobody.
    if file.rewind().and_then(|()| file.take(MAX_LOCK_BYTES).read_to_string(&mut text)).is_err() {
        return Holder::default();
    }
    let field = |name: &str| {
        text.lines().filter_map(|line| line.split_once(' ')).find(|(n, _)| *n == name).map(|(_, value)| value)
    };
    Holder {
        pid: field("pid").and_then(|pid| pid.parse().ok()),
        host: field("host").filter(|host| !host.is_empty()).map(str::to_owned),
        since_ms: field("since_ms").and_then(|since| since.parse().ok()),
    }
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}
