//! How much memory this process holds.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// So much more than after the last time, and freed memory is given back.
const GIVEN_BACK_AFTER_BYTES: u64 = 256 << 20;

/// Reads this process's resident memory again and again, and keeps it from growing by what nobody uses.
#[derive(Debug, Default)]
pub struct ResidentMemory {
    system: System,
    given_back_at: u64,
}

impl ResidentMemory {
    /// Resident bytes; none where the system does not tell.
    ///
    /// Tensors of a thousand sizes come and go, and the C library keeps the gaps between those that stayed: a
    /// recogniser's process grew by ten gigabytes an hour of them. So they are given back whenever it has grown.
    pub fn bytes(&mut self) -> Option<u64> {
        let now = self.read()?;
        if now < self.given_back_at + GIVEN_BACK_AFTER_BYTES {
            return Some(now);
        }
        give_back();
        let left = self.read()?;
        self.given_back_at = left;
        Some(left)
    }

    fn read(&mut self) -> Option<u64> {
        let pid = Pid::from_u32(std::process::id());
        let only_memory = ProcessRefreshKind::nothing().with_memory().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, only_memory);
        self.system.process(pid).map(sysinfo::Process::memory)
    }
}

/// Gives pages of freed memory back to the system, where the C library can.
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes a number, holds the allocator's own locks, and moves nothing that is in use.
    let _ = unsafe { libc::malloc_trim(0) };
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
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn what_was_freed_between_what_is_kept_is_given_back() {
        let mut memory = ResidentMemory::default();
        memory.bytes().expect("told");
        // Small enough for the heap, and every other one stays, so that no end of it is free.
        let mut blocks: Vec<Vec<u8>> = (0..12_000).map(|_| vec![1_u8; 60_000]).collect();
        let full = memory.read().expect("told");
        let mut nth = 0;
        blocks.retain(|_| {
            nth += 1;
            nth % 2 == 0
        });
        let kept = memory.bytes().expect("told");
        assert!(kept + (200 << 20) < full, "{kept} of {full} are left");
        assert!(blocks.iter().all(|block| block[30_000] == 1));
    }

    #[test]
    fn a_running_process_holds_something_and_never_more_than_its_peak() {
        let now = ResidentMemory::default().bytes().expect("told");
        let peak = peak_resident_bytes().expect("told");
        assert!(now > 100_000 && peak > 100_000, "{now} {peak}");
    }
}
