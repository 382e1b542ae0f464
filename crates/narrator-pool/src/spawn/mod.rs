//! Worker processes: born in one place, watched to their end, never left behind.
//!
//! Everything here runs on threads of its own, away from the async runtime:
//! - one **spawner** thread for the whole life of this process. On Linux a child's parent-death signal
//!   fires when the *thread* that made it ends, so that thread must not be one that a runtime retires;
//! - a **waiter** a child, which sees its exit, sweeps the rest of its group while the group's number
//!   cannot be anybody else's, and only then reaps it;
//! - a **log** thread a child, which carries its stderr and stdout, line by line, into tracing events
//!   named `worker_log`: whatever C++ prints belongs to a slot and an incarnation.
//!
//! A child leads a group of its own, so that Ctrl-C in a terminal reaches the orchestrator alone, and a
//! signal from the ladder reaches everything that the worker started. Its environment is empty but for
//! what [`inherited`] lets through and the caller adds.

mod environment;
mod log;
mod spawner;

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod os;

pub use environment::inherited;
pub use spawner::{Process, ProcessEvent, Spec, spawn};
