//! Whether a worker's resident memory is running away.

use std::collections::VecDeque;
use std::time::Duration;

use crate::SupervisionSettings;

/// Samples that make a slope: with one each ten seconds, ten minutes. Less would take the allocator's
/// settling for a leak.
const WINDOW: usize = 60;

/// Samples of one worker's resident memory.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    samples: VecDeque<(Duration, u64)>,
}

/// Why a worker has to be recycled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outgrown {
    Limit { resident_bytes: u64, limit_bytes: u64 },
    Slope { bytes_per_hour: u64 },
}

impl Growth {
    /// Notes the resident memory and says whether it is too much.
    pub fn observe(
        &mut self,
        now: Duration,
        resident_bytes: u64,
        settings: &SupervisionSettings,
    ) -> Option<Outgrown> {
        if let Some(limit_bytes) = settings.max_resident_bytes.filter(|limit| resident_bytes > *limit) {
            return Some(Outgrown::Limit { resident_bytes, limit_bytes });
        }
        let due = self.samples.back().is_none_or(|(at, _)| now.saturating_sub(*at) >= settings.growth_sample);
        if !due {
            return None;
        }
        self.samples.push_back((now, resident_bytes));
        if self.samples.len() < WINDOW {
            return None;
        }
        let slope = bytes_per_hour(&self.samples);
        let grown = resident_bytes.saturating_sub(self.samples.front().map_or(0, |(_, first)| *first));
        self.samples.pop_front();
        let steep = slope > settings.growth_bytes_per_hour as f64 && grown > settings.growth_floor_bytes;
        steep.then_some(Outgrown::Slope { bytes_per_hour: slope as u64 })
    }
}

/// Least squares through the samples.
fn bytes_per_hour(samples: &VecDeque<(Duration, u64)>) -> f64 {
    let n = samples.len() as f64;
    let hours = |at: &Duration| at.as_secs_f64() / 3600.0;
    let mean_x = samples.iter().map(|(at, _)| hours(at)).sum::<f64>() / n;
    let mean_y = samples.iter().map(|(_, bytes)| *bytes as f64).sum::<f64>() / n;
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (at, bytes) in samples {
        let dx = hours(at) - mean_x;
        covariance += dx * (*bytes as f64 - mean_y);
        variance += dx * dx;
    }
    if variance > 0.0 { covariance / variance } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(samples: u64, resident: impl Fn(u64) -> u64) -> Option<(u64, Outgrown)> {
        let settings = SupervisionSettings::default();
        let mut growth = Growth::default();
        (0..samples).find_map(|n| {
            let now = Duration::from_secs(n * 10);
            growth.observe(now, resident(n), &settings).map(|why| (n, why))
        })
    }

    #[test]
    fn a_worker_that_settles_is_left_alone() {
        assert_eq!(run(1000, |n| 2_000_000_000 + 300_000_000 * n.min(20) / 20), None);
        assert_eq!(run(1000, |n| 2_000_000_000 + (n % 7) * 100_000_000), None);
    }

    #[test]
    fn a_leak_is_seen_within_half_an_hour() {
        // 10 MB in ten seconds: 3.6 GB an hour.
        let (n, why) = run(1000, |n| 2_000_000_000 + n * 10_000_000).expect("seen");
        assert!(n <= 180, "{n}");
        assert!(matches!(why, Outgrown::Slope { bytes_per_hour } if bytes_per_hour > 3 << 30));
    }

    #[test]
    fn the_limit_is_the_limit() {
        let settings =
            SupervisionSettings { max_resident_bytes: Some(1000), ..SupervisionSettings::default() };
        let mut growth = Growth::default();
        assert_eq!(growth.observe(Duration::ZERO, 1000, &settings), None);
        let why = growth.observe(Duration::ZERO, 1001, &settings);
        assert_eq!(why, Some(Outgrown::Limit { resident_bytes: 1001, limit_bytes: 1000 }));
    }
}
