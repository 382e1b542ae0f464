//! The soak: a book narrated while everything goes wrong, over and over, by chance.
//!
//! The programs are the real ones. `narratord run` narrates a book with eight workers, the scripted sim
//! worker with [`Dice`](crate::sim::Dice) or the real one with the starter voice. From outside come blows:
//! signals to workers and to the orchestrator, a full disk, system calls that fail (`judge`), writes cut
//! short, clocks that stand elsewhere, a torn journal. When an orchestrator ends before its book, it is
//! started again with the same command, as a person or `narratord supervise` would. When the book is
//! finished it is audited (`audit`) against the same book from a run that nobody disturbed.
//!
//! ```text
//!  reference ─▶ book ─▶ audit ─▶ book ─▶ audit ─▶ …  until the time or the faults are used up
//!                │  ▲
//!        blows ──┘  └── started again
//! ```
//!
//! What a seed repeats is the plan: the blows and misdeeds, and their order. What each of them meets depends
//! on timing.
//!
//! Deliberately absent: a change of the wall clock, which would be everybody's on the machine. Nothing
//! decides by it (clippy sees to that); the times of a job's files are moved instead, and the monotone
//! clock of an orchestrator by a time namespace.

mod audit;
mod blows;
mod cli;
mod judge;
mod orchestrator;
mod run;
mod stage;
mod tally;

pub use cli::main;
