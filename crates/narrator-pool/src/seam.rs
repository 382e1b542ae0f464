//! Where work comes from and where its results go: the seam on which distribution would sit.
//!
//! A pool does one kind of work: its workers speak segments, or they listen to takes of segments. The
//! supervision is the same, and so is the seam.
//!
//! Locally both are in memory and on the disk beside it. On several machines the same two traits would
//! sit on a work queue, one agent a machine, and the coordinator's journal would still be the authority.

use std::sync::Arc;

use narrator_core::{ContentKey, Delivery, Dispatch, Fault, Hearing, Priors, SegmentId};
use thiserror::Error;

/// What is to be done about one segment.
#[derive(Clone, PartialEq, Debug)]
pub struct Work {
    pub segment: SegmentId,
    pub key: ContentKey,
    pub task: Task,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Task {
    Speak(SpeakTask),
    Listen(ListenTask),
}

/// A text to speak, with everything that decides its sound.
#[derive(Clone, PartialEq, Debug)]
pub struct SpeakTask {
    pub text: String,
    /// BCP 47.
    pub language: String,
    /// Absent: the engine's default.
    pub voice: Option<String>,
    pub speed: f32,
    /// Number of the take that is wanted, from 0. A take that cannot be speech at all is followed by the
    /// next number within the same lease.
    pub first_take: u32,
    /// What is different from usual.
    pub delivery: Delivery,
}

/// A take to listen to.
#[derive(Clone, PartialEq, Debug)]
pub struct ListenTask {
    /// Which take of the segment it is.
    pub take: u32,
    /// Mono, −1 to 1.
    pub pcm: Arc<[f32]>,
    pub sample_rate: u32,
    /// BCP 47; absent: the engine finds out.
    pub language: Option<String>,
    /// What should have been said.
    pub expected: Option<String>,
    /// Which words of it are scored over silence too.
    pub priors: Priors,
    /// Whether to write down freely what is heard.
    pub transcribe: bool,
    /// Words that may come up; empty: none.
    pub context: String,
    /// Hypotheses that are followed at once; 0 and 1 are greedy.
    pub beams: u16,
    pub seed: u64,
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

    /// How many it has that were never lent.
    fn unlent(&self) -> u64;
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

/// What was heard in a take.
#[derive(Clone, PartialEq, Debug)]
pub struct Heard {
    pub dispatch: Dispatch,
    pub key: ContentKey,
    /// Which take of the segment it was.
    pub take: u32,
    pub hearing: Hearing,
    pub compute_ms: u64,
}

/// A result.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    Take(Take),
    Heard(Heard),
}

impl Answer {
    pub fn dispatch(&self) -> Dispatch {
        match self {
            Self::Take(take) => take.dispatch,
            Self::Heard(heard) => heard.dispatch,
        }
    }

    /// The take, where it is one.
    pub fn take(&self) -> Option<&Take> {
        match self {
            Self::Take(take) => Some(take),
            Self::Heard(_) => None,
        }
    }
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

/// Why a result or a quarantine is not durable.
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
    /// Makes results durable, as many as have come together, and says of each, in their order, whether it
    /// is. A result is given again after [`SinkError::Full`] and never otherwise.
    fn accept(&mut self, answers: &[&Answer]) -> Vec<Result<(), SinkError>>;

    /// Makes durable that a segment is out.
    fn quarantine(&mut self, out: &Quarantined) -> Result<(), SinkError>;
}
