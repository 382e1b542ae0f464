//! The checks of a run: every take is heard before it is accepted.
//!
//! ```text
//!            SpeakSource ─▶ voices ─▶ SpeakSink ─▶ take on disk, TakeSpoken
//!                ▲                                        │
//!              Course ◀──────────────────────────────────┘
//!                │
//!            ListenSource ─▶ recognisers ─▶ ListenSink ─▶ verdict
//!                                             │  accepted: SegmentDone
//!                                             │  refused: TakeRefused, and the voice is asked again
//!                                             └  nothing helped: TakeKept, SegmentQuarantined
//! ```
//!
//! Voices and recognisers are pools of their own, supervised alike: a recogniser that hangs, crashes or finds
//! a poisonous take is dealt with as a voice is. What differs is what a lost one costs: nothing. What nobody
//! could hear is accepted and marked, and the audit at the end hears it once more.

mod checker;
mod course;
mod crew;
mod flow;
pub mod hearers;
mod ladder;
pub mod notes;
mod plan;
mod tempo;
#[cfg(test)]
pub mod testing;

pub use checker::Checker;
pub(in crate::run) use crew::checker;
pub use crew::{Crew, alone, is_worth_a_line};
pub use flow::WholeTake;
pub use ladder::keep_abilities;
