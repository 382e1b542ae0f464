//! The checkpoint log and the take store against power cuts, failing disks, killed processes, and a
//! database.
#![expect(clippy::unwrap_used, reason = "helpers of tests, where a failure is a panic")]

mod disk;
mod faults;
mod jobs;
mod killed;
mod model;
mod opening;
mod peer;
mod power;
mod repaired;
