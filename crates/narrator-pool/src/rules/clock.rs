//! Time that somebody watched.
//!
//! Every patience of the machine is measured on this clock. It runs with the monotone clock while the
//! orchestrator runs, and stands still while it does not: a suspended laptop, a SIGSTOP, a debugger. A
//! worker that beat all the while has its beats lying in the pipe; to judge it by the gap would be to
//! punish it for our own sleep.

use std::time::Duration;

/// A monotone clock with the unwatched gaps taken out.
#[derive(Clone, Debug)]
pub struct WatchedClock {
    gap: Duration,
    credit: Duration,
    last_raw: Duration,
    skipped: Duration,
}

impl WatchedClock {
    /// A clock that is looked at every `tick`, and takes pauses longer than `gap` for absence.
    pub fn new(tick: Duration, gap: Duration) -> Self {
        Self { gap: gap.max(tick), credit: tick, last_raw: Duration::ZERO, skipped: Duration::ZERO }
    }

    /// The watched time at the monotone time `raw`, and how long nobody watched, when that was noticed
    /// just now. Never goes back, whatever it is given.
    pub fn observe(&mut self, raw: Duration) -> (Duration, Option<Duration>) {
        let raw = raw.max(self.last_raw);
        let step = raw.saturating_sub(self.last_raw);
        self.last_raw = raw;
        let absent = (step > self.gap).then(|| step.saturating_sub(self.credit));
        self.skipped += absent.unwrap_or_default();
        (raw.saturating_sub(self.skipped), absent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICK: Duration = Duration::from_millis(250);
    const GAP: Duration = Duration::from_secs(2);

    #[test]
    fn a_gap_counts_as_one_tick() {
        let mut clock = WatchedClock::new(TICK, GAP);
        assert_eq!(clock.observe(TICK), (TICK, None));
        let hour = Duration::from_hours(1);
        let (now, absent) = clock.observe(TICK + hour);
        assert_eq!(now, TICK * 2);
        assert_eq!(absent, Some(hour.saturating_sub(TICK)));
        assert_eq!(clock.observe(TICK * 2 + hour).0, TICK * 3);
    }

    proptest! {
        #[test]
        fn it_never_goes_back_and_never_jumps(raws in prop::collection::vec(0u64..100_000, 1..60)) {
            let mut clock = WatchedClock::new(TICK, GAP);
            let mut last = Duration::ZERO;
            for raw in raws {
                let (now, _) = clock.observe(Duration::from_millis(raw));
                prop_assert!(now >= last);
                prop_assert!(now.saturating_sub(last) <= GAP);
                last = now;
            }
        }
    }
}
