//! Disks that misbehave, for tests and the soak (feature `fault`).
//!
//! [`FaultFs`] puts an [`Injector`] before any file system, so that chosen system calls fail on a real
//! disk. [`SimFs`] is a disk in memory that knows what has been synced and what has not, and gives every
//! state in which a power cut could leave it; it asks an injector too.

mod anything;
mod inject;
mod sim;

pub use anything::{check_any_bytes, check_any_record};
pub use inject::{Call, FaultFs, Injected, Injector, Op};
pub use sim::SimFs;
