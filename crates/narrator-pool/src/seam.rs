//! Where segments come from and where takes go: the seam on which distribution would sit.
//!
//! Locally both are in memory and on the disk beside it. On several machines the same two traits would
//! sit on a work queue, one agent a machine, and the coordinator's journal would still be the authority.

use narrator_core::{ContentKey, Dispatch, Fault, SegmentId};
use thiserror::Error;

/// One segment to speak, with everything that decides its sound.
#[derive(Clone, PartialEq, Debug)]
pub struct Work {
    pub segment: SegmentId,
    pub key: ContentKey,
    pub text: String,
    /// BCP 47.
    pub language: String,
    /// Absent: the engine's default.
    pub voice: Option<String>,
    pub speed: f32,
}

/// A source's answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Lease {
    Work(Work),
    /// None just now; asked again soon.
    NothingNow,
    /// None any more.
    Exhausted,
}

/// Lends segments, in the order in which they are wanted. Its methods return at once.
pub trait SegmentSource: Send {
    /// The next segment. One that was lent is not lent again before it was given back.
    fn lease(&mut self) -> Lease;

    /// The segment moves: its lease goes on.
    fn renew(&mut self, _segment: SegmentId) {}

    /// Neither done nor quarantined, and not by this pool: the run ends.
    fn give_back(&mut self, segment: SegmentId);
}

/// A finished take.
#[derive(Clone, PartialEq, Debug)]
pub struct Take {
    pub dispatch: Dispatch,
    pub key: ContentKey,
    /// Which take of the segment it is, from 0: the number that its random stream was drawn by.
    pub take: u32,
    pub sample_rate: u32,
    /// Mono, −1 to 1, every sample finite.
    pub pcm: Vec<f32>,
    pub compute_ms: u64,
}

/// A segment that is out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quarantined {
    pub segment: SegmentId,
    pub key: ContentKey,
    /// The last straw.
    pub fault: Fault,
    pub tries: u32,
    pub why: String,
}

/// Why a take or a quarantine is not durable.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SinkError {
    /// No room; nothing of it was kept, and it may be tried again.
    #[error("no room on the disk: {detail}")]
    Full { detail: String },
    /// Anything else: nothing may be written any more.
    #[error("cannot be written: {detail}")]
    Failed { detail: String },
}

impl SinkError {
    /// Its row in the policy table.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Full { .. } => Fault::DiskFull,
            Self::Failed { .. } => Fault::StoreFailed,
        }
    }
}

/// Makes results durable. Called on a thread where it may block, one call at a time.
pub trait ResultSink: Send {
    /// Makes takes durable, as many as have come together, and says of each, in their order, whether it
    /// is. A take is given again after [`SinkError::Full`] and never otherwise.
    fn accept(&mut self, takes: &[&Take]) -> Vec<Result<(), SinkError>>;

    /// Makes durable that a segment is out.
    fn quarantine(&mut self, out: &Quarantined) -> Result<(), SinkError>;
}
