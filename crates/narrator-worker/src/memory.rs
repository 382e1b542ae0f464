//! How much memory this process holds.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Reads this process's resident memory again and again.
#[derive(Debug, Default)]
pub struct ResidentMemory {
    system: System,
}

impl ResidentMemory {
    /// Resident bytes now; none where the system does not tell.
    pub fn bytes(&mut self) -> Option<u64> {
        let pid = Pid::from_u32(std::process::id());
        let only_memory = ProcessRefreshKind::nothing().with_memory().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, only_memory);
        self.system.process(pid).map(sysinfo::Process::memory)
    }
}

/// The most that was ever resident.
#[cfg(unix)]
pub fn peak_resident_bytes() -> Option<u64> {
    /// `ru_maxrss` is in bytes on macOS and in kibibytes elsewhere.
    const UNIT_BYTES: u64 = if cfg!(target_os = "macos") { 1 } else { 1024 };
    // SAFETY: rusage is plain numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live rusage of our own, which the call fills.
    let answer = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    (answer == 0).then(|| u64::try_from(usage.ru_maxrss).ok().map(|rss| rss * UNIT_BYTES)).flatten()
}

#[cfg(not(unix))]
pub fn peak_resident_bytes() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_holds_something_and_never_more_than_its_peak() {
        let now = ResidentMemory::default().bytes().expect("told");
        let peak = peak_resident_bytes().expect("told");
        assert!(now > 100_000 && peak > 100_000, "{now} {peak}");
    }
}
