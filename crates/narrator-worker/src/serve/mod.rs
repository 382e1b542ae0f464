//! Serving the orchestrator.
//!
//! ```text
//!   pipe ──▶ reader ─ commands (bounded) ─▶ compute: owns the model
//!            (IO thread, tokio)             (main thread)
//!   pipe ◀── writer ◀─ frames (bounded) ───┘
//!              └── a beat a second, from counters that compute moves
//! ```
//!
//! Invariants:
//! - the IO thread never waits for compute: commands that nobody takes are an error of the peer's, and a
//!   pipe that nobody reads holds up the writer alone, so that the end of the pipe is always seen;
//! - compute waits for the pipe (that is the back-pressure), never for more than one frame's place;
//! - when the pipe ends, the process ends: in order at once if compute listens, by abort after the grace
//!   that the welcome names if it does not;
//! - a request that was accepted gets exactly one of `Done`, `Heard` and `Failed`, unless the process ends.

mod compute;
#[cfg(test)]
mod fake;
mod guard;
mod io;
mod last_words;
mod listen;
#[cfg(test)]
mod listen_tests;
mod outbox;
mod pulse;
mod rows;
mod start;
#[cfg(test)]
mod tests;

pub use compute::{Loaded, Model, Order};
pub use start::serve;
