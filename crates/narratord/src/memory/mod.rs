//! Who may take how much of a card, when voices and recognisers share it.
//!
//! ```text
//!  the driver's tool ─▶ total, free ─┐
//!  narrator-worker weigh ─▶ footprints ├▶ divide ─▶ a budget for each worker process ─▶ its seat
//!  settings ─▶ processes wanted ─────┘
//! ```
//!
//! A worker takes its rows from the memory that it finds. On a card of its own that is right; on a shared one
//! whoever loads first would take what the others need, and a recogniser that is asked for the first time 40
//! minutes into a book would find nothing. So it is settled before anybody loads.
//!
//! Invariants:
//! - the budgets of a card never add up to more than was free, less what is left alone;
//! - the voice comes first: a recogniser is on the card only where everybody before it keeps a good share, else
//!   it listens on the CPU;
//! - the same card, models and settings give the same plan;
//! - nothing is planned for a CPU, and nothing where the driver does not say what a card has.
//!
//! What it deliberately does not do: learn from the run. What a worker measures of itself, its pool's admission
//! goes by; when memory runs out all the same, rows are halved as ever.

mod arrange;
mod divide;

pub use arrange::{Party, arrange, weighed_by};
