//! Processes, as a test sees them from outside.

use std::time::{Duration, Instant};

/// Whether a process is there and not merely waiting to be reaped.
pub fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the name, which may hold anything, in parentheses.
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// The living children of a process.
pub fn children_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| is_child_of(*pid, parent)).collect()
}

fn is_child_of(pid: u32, parent: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let mut fields = rest.split_ascii_whitespace();
    fields.next().is_some_and(|state| !matches!(state, "Z" | "X"))
        && fields.next().and_then(|of| of.parse().ok()) == Some(parent)
}

/// Every process, this one left out, that has `mark` in its environment.
pub fn marked(mark: &str) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(mark.len()).any(|window| window == mark.as_bytes())
    };
    pids.filter(|pid| *pid != std::process::id() && is_alive(*pid)).filter(has).collect()
}

/// Processes that hold a file below `folder` open.
pub fn holders_of(folder: &std::path::Path) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let holds = |pid: &u32| {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().filter_map(Result::ok);
        files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|target| target.starts_with(folder))
    };
    pids.filter(holds).collect()
}

/// Sends a signal; whether there was somebody to get it.
pub fn signal(pid: u32, signal: libc::c_int) -> bool {
    // SAFETY: kill touches no memory.
    unsafe { libc::kill(pid.cast_signed(), signal) == 0 }
}

/// Waits until a condition holds; false when it did not within `limit`.
pub fn eventually(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let mut patience = Patience::of(limit);
    while !holds() {
        if patience.is_over() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// A limit on waiting that counts only time in which this process ran: it may be stopped for minutes, and so
/// may what it waits for.
#[derive(Debug)]
pub struct Patience {
    left: Duration,
    looked: Instant,
}

impl Patience {
    /// Between two looks, more than this is time in which nothing ran.
    const LONGEST_LOOK: Duration = Duration::from_secs(1);

    pub fn of(limit: Duration) -> Self {
        Self { left: limit, looked: Instant::now() }
    }

    /// To be asked again and again.
    pub fn is_over(&mut self) -> bool {
        let now = Instant::now();
        let passed = now.duration_since(std::mem::replace(&mut self.looked, now));
        self.left = self.left.saturating_sub(passed.min(Self::LONGEST_LOOK));
        self.left.is_zero()
    }
}
