//! When a lost worker may come back, and when it may not.
//!
//! Two limits that answer two questions. The delay grows with every strike, with full jitter, so that
//! slots that died together do not come back together. The intensity counts strikes in a sliding window
//! and parks a slot that only ever burns: a burst is allowed, a rate is not.

use std::collections::VecDeque;
use std::time::Duration;

use narrator_core::Incarnation;
use rand::Rng;

use crate::SupervisionSettings;

/// What follows a strike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    After(Duration),
    /// Too many in too short a time.
    Never,
}

/// The delay before restart number `strikes` (from 1): anything up to a ceiling that doubles.
pub fn next_delay(strikes: u32, settings: &SupervisionSettings, dice: &mut impl Rng) -> Duration {
    let doublings = strikes.saturating_sub(1).min(20);
    let ceiling = settings.backoff_base.saturating_mul(1 << doublings).min(settings.backoff_cap);
    ceiling.mul_f64(dice.random_range(0.0..=1.0))
}

/// A slot's record of lost workers.
#[derive(Clone, Debug, Default)]
pub struct Strikes {
    recent: VecDeque<(Duration, Incarnation)>,
    /// Strikes since the slot last did well: the exponent of the delay.
    row: u32,
    good: u32,
}

impl Strikes {
    /// Counts a lost worker.
    pub fn strike(
        &mut self,
        now: Duration,
        incarnation: Incarnation,
        settings: &SupervisionSettings,
        dice: &mut impl Rng,
    ) -> Restart {
        self.recent.retain(|(at, _)| now.saturating_sub(*at) < settings.intensity_window);
        self.recent.push_back((now, incarnation));
        self.row += 1;
        self.good = 0;
        if self.recent.len() > settings.intensity as usize {
            return Restart::Never;
        }
        Restart::After(next_delay(self.row, settings, dice))
    }

    /// Takes a strike back: the text that killed the worker was found out.
    pub fn forgive(&mut self, incarnation: Incarnation) {
        let before = self.recent.len();
        self.recent.retain(|(_, struck)| *struck != incarnation);
        self.row = self.row.saturating_sub((before - self.recent.len()) as u32);
    }

    /// Counts a good segment.
    pub fn good_segment(&mut self, settings: &SupervisionSettings) {
        self.good = self.good.saturating_add(1);
        if self.good >= settings.good_segments {
            self.row = 0;
        }
    }

    /// The worker has been ready for long enough without a fault.
    pub fn good_while(&mut self) {
        self.row = 0;
    }

    /// Strikes since the slot last did well.
    pub fn in_a_row(&self) -> u32 {
        self.row
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn the_schedule_of_a_seed_is_always_the_same() {
        let settings = SupervisionSettings::default();
        let schedule = |seed| {
            let mut dice = ChaCha8Rng::seed_from_u64(seed);
            (1..=8).map(|n| next_delay(n, &settings, &mut dice).as_millis()).collect::<Vec<_>>()
        };
        assert_eq!(schedule(1), schedule(1));
        assert_ne!(schedule(1), schedule(2));
        assert_eq!(schedule(1), [201, 80, 1193, 877, 2269, 11369, 14754, 9159]);
    }

    #[test]
    fn five_good_segments_or_a_good_while_wipe_the_delay_but_not_the_intensity() {
        let settings = SupervisionSettings::default();
        let mut dice = ChaCha8Rng::seed_from_u64(1);
        let mut strikes = Strikes::default();
        for n in 1..=5 {
            let now = Duration::from_secs(n * 60);
            assert!(matches!(
                strikes.strike(now, Incarnation(n), &settings, &mut dice),
                Restart::After(delay) if delay <= settings.backoff_base
            ));
            (0..5).for_each(|_| strikes.good_segment(&settings));
            assert_eq!(strikes.in_a_row(), 0);
        }
        let sixth = strikes.strike(Duration::from_mins(6), Incarnation(6), &settings, &mut dice);
        assert_eq!(sixth, Restart::Never);
    }

    #[test]
    fn a_forgiven_strike_was_never_there() {
        let settings = SupervisionSettings::default();
        let mut dice = ChaCha8Rng::seed_from_u64(1);
        let mut strikes = Strikes::default();
        for n in 1..=50 {
            let restart = strikes.strike(Duration::from_secs(n), Incarnation(n), &settings, &mut dice);
            assert_ne!(restart, Restart::Never);
            strikes.forgive(Incarnation(n));
            assert_eq!(strikes.in_a_row(), 0);
        }
    }

    proptest! {
        #[test]
        fn never_more_restarts_than_the_intensity_in_any_window(
            gaps in prop::collection::vec(0u64..200, 1..200),
        ) {
            let settings = SupervisionSettings::default();
            let mut dice = ChaCha8Rng::seed_from_u64(3);
            let mut strikes = Strikes::default();
            let (mut now, mut allowed) = (Duration::ZERO, Vec::new());
            for (n, gap) in gaps.into_iter().enumerate() {
                now += Duration::from_secs(gap);
                match strikes.strike(now, Incarnation(n as u64), &settings, &mut dice) {
                    Restart::After(delay) => {
                        prop_assert!(delay <= settings.backoff_cap);
                        allowed.push(now);
                    }
                    Restart::Never => {}
                }
                let window = allowed.iter().filter(|at| now.saturating_sub(**at) < settings.intensity_window).count();
                prop_assert!(window <= settings.intensity as usize);
            }
        }
    }
}
