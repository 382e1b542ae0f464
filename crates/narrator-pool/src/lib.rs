//! Supervision of worker processes: the part of narratord that works while nobody watches.
//!
//! - [`machine`] decides. It is a pure function of state, time and input, with the diagram of its states.
//! - [`rules`] are the small objects and functions that it decides by.
//! - The driver (private) carries out; [`spawn`] makes processes and watches them to their end.
//! - [`Pool::run`] is the way in; [`SegmentSource`] and [`ResultSink`] are where segments come from and
//!   takes go to; [`PoolEvent`] tells every decision.
//!
//! A run that checks what it speaks has several pools: one that speaks, and one for each recogniser, whose
//! work is a take to listen to and whose results are hearings. Everything else about them is the same.
//!
//! What this crate deliberately does not do: judge what a take says, write files, or know any engine.

mod driver;
pub mod event;
pub mod machine;
mod pool;
mod probe;
pub mod rules;
mod seam;
mod settings;
pub mod spawn;

pub use event::{Level, PoolEvent, Rung, What};
pub use machine::{Counters, Numbering, Stopped};
pub use pool::{Control, Craft, Outcome, Pool, PoolConfig, PoolError, Seat};
pub use probe::{Card, DeviceProbe, NvidiaSmi};
pub use seam::{
    Answer, Heard, Lease, ListenTask, Quarantined, ResultSink, SegmentSource, SinkError, SpeakTask, Take,
    Task, Work,
};
pub use settings::SupervisionSettings;
