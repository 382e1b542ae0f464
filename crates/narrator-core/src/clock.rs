//! The one place that reads the wall clock.
//!
//! Decisions are made on [`std::time::Instant`], which no operator and no time server can set back. The
//! wall clock is for records that people read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Wall-clock time as milliseconds since 1970-01-01T00:00:00Z, for records only.
#[expect(clippy::disallowed_methods, reason = "the one sanctioned reader of the wall clock")]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_millis() as u64
}
