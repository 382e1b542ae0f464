//! The supervisor: a pure function of state, time and input to actions.
//!
//! [`Machine::step`] is all there is. It does no IO, knows no async runtime, reads no clock and draws its
//! random numbers from a seeded stream in its own state, so that a night of faults is a list of inputs
//! and can be played again. The driver around it carries actions out and brings back what came of them.
//!
//! # A slot
//!
//! ```text
//!            admitted               handshake            Load              Ready
//!   ┌──────┐ Spawn  ┌──────────┐ held     ┌──────────┐ moves  ┌─────────┐       ┌────────────────┐
//!   │ Idle ├───────▶│ Spawning ├─────────▶│ Greeted  ├───────▶│ Loading ├──────▶│ Ready  (Busy   │
//!   └─▲──▲─┘        └────┬─────┘          └────┬─────┘        └────┬────┘       │ with rows)     │
//!     │  │               │ connect             │ load_stall        │            └──┬─────────┬───┘
//!     │  │               ▼                     ▼                   ▼       recycle,│    fault│
//!     │  │          ┌─────────────────────────────────────────────────┐   drain    ▼         │
//!     │  │          │ Stopping                                        │◀────┌──────────┐     │
//!     │  │          │  Asked ─▶ Aborted ─▶ Killed                     │ no  │ Draining │     │
//!     │  │          │        2 s       2 s      │ 30 s                │rows └──────────┘     │
//!     │  │          └──┬────────────────────────┼─────────────────────┘◀─────────────────────┘
//!     │  │ recycled    │ exit seen              ▼
//!     │  └─────────────┤                     Wedged    nothing ends it: no new worker there
//!     │                ├───────────────────▶ Parked    never-retried fault, or too many strikes
//!     │    delay over  ▼
//!     └────────── Backoff     any death of its own takes the same way out of any state
//! ```
//!
//! *Spawning* covers the process's birth and its way to the pipe; *Greeted* and *Loading* differ in
//! whether the load counter moved yet and share their patience. A worker that dies is buried when both
//! its exit and the end of its pipe were seen, or when the second did not come within
//! [`settle`](crate::SupervisionSettings::settle): what it said last counts.
//!
//! # A segment
//!
//! ```text
//!              lease            dispatch           Done, good          Stored
//!   source ──────────▶ Pending ──────────▶ In hand ──────────▶ Storing ──────▶ done
//!                        ▲   ▲               │ │                 │  ▲
//!                        │   └── not charged ┘ │ charged         └──┘ disk full: again, later
//!                        │      (drain, idle   ▼
//!                        │      death, shrink) blame ──── third loss ───▶ quarantined
//!                        └──────────────────── again: alone, by another worker, with other dice
//! ```
//!
//! # Invariants
//! - A segment ends once: done, quarantined, or given back to the source.
//! - A dispatch goes to a *Ready* slot only, and no slot holds more than its row limit and one.
//! - A result is taken from the ticket that is awaited and from no other; tickets are never reused.
//! - Every process that was spawned is stopped until its exit was seen, or its slot is *Wedged*.
//! - The machine ends: a faulty text is out after three tries, a faulty slot after six deaths in ten
//!   minutes, a full disk after its grace, a drain after its limit.
//!
//! What it deliberately does not do: look at samples (facts about them come in), persist anything, or
//! know how a worker is made.

mod desk;
mod dispatch;
mod life;
mod messages;
mod results;
mod run;
mod slot;
mod stop;
mod watch;

#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;

pub use messages::{Action, Exit, Input, Signal, Stopped, Ticket};
pub use run::{Counters, Machine, MachineConfig, Numbering};
