//! How long is too long: deadlines by the text, stalls by the worker's own pace.

use std::time::Duration;

use crate::SupervisionSettings;

/// Seconds of speech in a character of prose: 150 words a minute of 5.8 characters and a space, and a
/// quarter for slow voices.
const SECONDS_PER_CHARACTER: f64 = 0.075;

/// Roughly how long `text` is when spoken at `speed`. Characters that are written densely, such as those
/// of Chinese, are a syllable or two each.
pub fn estimate_audio_s(text: &str, speed: f32) -> f64 {
    let seconds: f64 = text.chars().map(|c| if c >= '\u{2e80}' { 0.25 } else { SECONDS_PER_CHARACTER }).sum();
    seconds.max(0.3) / f64::from(speed.clamp(0.25, 4.0))
}

/// Time that one dispatch may take from its acceptance on: grows with the text, never below the floor.
pub fn deadline(audio_s: f64, settings: &SupervisionSettings) -> Duration {
    let needed_s = settings.deadline_factor * audio_s.max(0.0) / settings.slowest_speed.max(1e-3);
    settings.deadline_floor + Duration::from_secs_f64(needed_s.min(86_400.0))
}

/// The cap on audio that the worker itself holds.
pub fn runaway_cap_s(audio_s: f64, settings: &SupervisionSettings) -> f64 {
    settings.runaway_floor_s + settings.runaway_factor * audio_s.max(0.0)
}

/// Time without progress after which a worker is stuck.
pub fn stall_limit(steps: &StepTimes, settings: &SupervisionSettings) -> Duration {
    settings.stall_floor.max(steps.p99().saturating_mul(settings.stall_steps))
}

/// A slot's recent step times, out of which its stall limit is taken. Survives the worker: the next
/// one in the slot runs the same model on the same device.
#[derive(Clone, Debug)]
pub struct StepTimes {
    ring: [Duration; Self::KEPT],
    seen: usize,
}

impl Default for StepTimes {
    fn default() -> Self {
        Self { ring: [Duration::ZERO; Self::KEPT], seen: 0 }
    }
}

impl StepTimes {
    /// A 99th percentile needs a hundred and some.
    const KEPT: usize = 128;

    /// `steps` steps were made in `elapsed`.
    pub fn record(&mut self, steps: u64, elapsed: Duration) {
        if steps > 0 {
            let each = elapsed.div_f64(steps as f64);
            self.ring[self.seen % Self::KEPT] = each;
            self.seen += 1;
        }
    }

    /// The 99th percentile of what was recorded lately; zero when nothing was.
    pub fn p99(&self) -> Duration {
        let mut recent = self.ring;
        let recent = &mut recent[..self.seen.min(Self::KEPT)];
        recent.sort_unstable();
        let at = (recent.len() * 99).div_ceil(100);
        recent.get(at.saturating_sub(1)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slow_slot_has_more_patience() {
        let settings = SupervisionSettings::default();
        let mut steps = StepTimes::default();
        assert_eq!(stall_limit(&steps, &settings), Duration::from_secs(15));
        for _ in 0..200 {
            steps.record(4, Duration::from_secs(8));
        }
        assert_eq!(steps.p99(), Duration::from_secs(2));
        assert_eq!(stall_limit(&steps, &settings), Duration::from_secs(40));
    }

    #[test]
    fn one_slow_step_in_two_hundred_changes_nothing() {
        let mut steps = StepTimes::default();
        steps.record(1, Duration::from_mins(1));
        (0..127).for_each(|_| steps.record(1, Duration::from_millis(80)));
        assert_eq!(steps.p99(), Duration::from_millis(80));
    }

    proptest! {
        #[test]
        fn a_longer_text_never_has_less_time(a in 0.0f64..2000.0, b in 0.0f64..2000.0) {
            let settings = SupervisionSettings::default();
            let (short, long) = if a <= b { (a, b) } else { (b, a) };
            prop_assert!(deadline(short, &settings) <= deadline(long, &settings));
            prop_assert!(deadline(short, &settings) >= settings.deadline_floor);
            prop_assert!(runaway_cap_s(short, &settings) <= runaway_cap_s(long, &settings));
        }

        #[test]
        fn more_text_is_estimated_longer(text in "\\PC{0,200}", more in "\\PC{1,50}") {
            let longer = format!("{text}{more}");
            prop_assert!(estimate_audio_s(&text, 1.0) <= estimate_audio_s(&longer, 1.0));
        }
    }
}
