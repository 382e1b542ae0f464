//! What was heard against what had to be said: alignment, verdicts, the ladder of repairs, the audit.
//!
//! Two layers ask the same question at two distances. [`verdict`] judges one take of one segment, from a
//! recogniser's transcript and from the samples themselves; [`ladder`] says what to try next when a take is
//! refused. [`mod@audit`] holds the whole finished audio against the whole book and trusts neither the script
//! nor any verdict.
//!
//! Everything here is pure: no IO, no clock, no model. What a recogniser heard comes in as
//! [`narrator_core::Hearing`].

pub mod align;
pub mod audit;
pub mod ladder;
mod readings;
pub mod signal;
mod slight;
mod sound;
mod spelling;
pub mod times;
pub mod trust;
pub mod verdict;
pub mod words;

pub use align::{Alignment, Edit, EditKind, Reason, align};
pub use audit::{Audit, BookWord, Difference, Discrepancy, audit, book_words};
pub use ladder::{Rung, best_take, next_rung};
pub use signal::{Signal, examine};
pub use times::{WordTime, word_times};
pub use verdict::{Decision, Evidence, Listener, Verdict, judge};
