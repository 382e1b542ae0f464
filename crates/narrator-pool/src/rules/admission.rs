//! Whether a device has room for another worker.
//!
//! Two workers that load at once each take the other's memory for free, so that loads on one device go
//! one after the other. What a worker needs is learned from the first that was ready; until then the
//! device is taken at its word.

use std::time::Duration;

/// What is known of one device.
#[derive(Clone, Debug, Default)]
pub struct Device {
    pub name: String,
    /// Most that a worker was seen to need there.
    pub need_bytes: Option<u64>,
    /// What was free at the last look.
    pub free_bytes: Option<u64>,
    /// Since when it has been without room although nobody lives there.
    pub starved_since: Option<Duration>,
    /// A process there cannot be ended, or its memory does not come back.
    pub wedged: bool,
}

/// The answer to a slot that wants to start a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    Now,
    /// Another worker is loading there, or memory is still taken.
    Later,
    Never,
}

impl Device {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Device memory is a thing to wait for; on the CPU it is the machine's own, and loading two at once
    /// is what two cores are for.
    pub fn is_accelerator(&self) -> bool {
        self.name != "cpu"
    }

    /// Whether one more worker may start while `loading` workers load there.
    pub fn admit(&self, loading: usize, margin_bytes: u64) -> Admission {
        if self.wedged {
            Admission::Never
        } else if self.is_accelerator() && (loading > 0 || !self.has_room(margin_bytes)) {
            Admission::Later
        } else {
            Admission::Now
        }
    }

    /// Whether the measured need fits; true as long as either side is unknown.
    pub fn has_room(&self, margin_bytes: u64) -> bool {
        match (self.need_bytes, self.free_bytes) {
            (Some(need), Some(free)) => free >= need.saturating_add(margin_bytes),
            _ => true,
        }
    }

    /// A worker was ready with this peak.
    pub fn learn_need(&mut self, peak_bytes: u64) {
        if peak_bytes > 0 {
            self.need_bytes = Some(self.need_bytes.unwrap_or(0).max(peak_bytes));
        }
    }

    /// Notes a look at free memory while `living` workers are there; true when memory has not come back
    /// for too long after the last of them.
    pub fn observe_free(
        &mut self,
        now: Duration,
        free_bytes: Option<u64>,
        living: usize,
        margin_bytes: u64,
        patience: Duration,
    ) -> bool {
        self.free_bytes = free_bytes;
        if living > 0 || self.has_room(margin_bytes) {
            self.starved_since = None;
            return false;
        }
        now.saturating_sub(*self.starved_since.get_or_insert(now)) >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_on_an_accelerator_go_one_after_the_other() {
        let gpu = Device::new("cuda:0");
        assert_eq!(gpu.admit(0, 0), Admission::Now);
        assert_eq!(gpu.admit(1, 0), Admission::Later);
        assert_eq!(Device::new("cpu").admit(3, 0), Admission::Now);
    }

    #[test]
    fn a_worker_starts_only_where_it_fits() {
        let mut gpu = Device::new("cuda:0");
        gpu.learn_need(6_000);
        gpu.free_bytes = Some(6_400);
        assert_eq!(gpu.admit(0, 500), Admission::Later);
        gpu.free_bytes = Some(6_500);
        assert_eq!(gpu.admit(0, 500), Admission::Now);
        gpu.wedged = true;
        assert_eq!(gpu.admit(0, 500), Admission::Never);
    }

    #[test]
    fn memory_that_does_not_come_back_is_noticed() {
        let mut gpu = Device::new("cuda:0");
        gpu.learn_need(6_000);
        let (s, patience) = (Duration::from_secs, Duration::from_secs(30));
        assert!(!gpu.observe_free(s(0), Some(100), 1, 0, patience), "somebody lives there");
        assert!(!gpu.observe_free(s(60), Some(100), 0, 0, patience));
        assert!(!gpu.observe_free(s(80), Some(9_000), 0, 0, patience), "it came back");
        assert!(!gpu.observe_free(s(100), Some(100), 0, 0, patience));
        assert!(gpu.observe_free(s(130), Some(100), 0, 0, patience));
    }
}
