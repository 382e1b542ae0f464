//! What goes into the machine and what comes out.

use narrator_core::{Fault, Incarnation, SegmentId, SlotId, VoiceAbilities};
use narrator_proto::{Beat, LoadProgress};

use crate::event::What;
use crate::rules::take::TakeFacts;

/// Names one dispatch, or one record on its way to the sink, for the whole run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u64);

/// How a process ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    /// Exit code, when it ended by itself.
    pub code: Option<i32>,
    /// For people: `exit code 1`, `signal 6 (SIGABRT)`.
    pub text: String,
    /// The last line that it wrote to its log.
    pub last_line: Option<String>,
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// Time passed.
    Tick,
    /// The source gave a segment of about `audio_s` seconds.
    Leased {
        segment: SegmentId,
        audio_s: f64,
    },
    /// The source has no more just now, or for good.
    Dry {
        for_good: bool,
    },
    Spawned {
        incarnation: Incarnation,
        pid: u32,
    },
    SpawnFailed {
        incarnation: Incarnation,
        detail: String,
    },
    /// The handshake held.
    Connected {
        incarnation: Incarnation,
    },
    Refused {
        incarnation: Incarnation,
        detail: String,
    },
    Loading {
        incarnation: Incarnation,
        progress: LoadProgress,
    },
    /// What a voice can do otherwise than usual.
    Able {
        incarnation: Incarnation,
        abilities: VoiceAbilities,
    },
    Ready {
        incarnation: Incarnation,
        rows: u32,
        sample_rate: u32,
        load_ms: u64,
        peak_device_bytes: u64,
    },
    Beat {
        incarnation: Incarnation,
        beat: Beat,
    },
    Accepted {
        incarnation: Incarnation,
        ticket: Ticket,
    },
    /// Samples came and were put aside.
    Chunk {
        incarnation: Incarnation,
        ticket: Ticket,
        samples: u64,
    },
    /// The worker says that it is complete; `facts` are about what came.
    Done {
        incarnation: Incarnation,
        ticket: Ticket,
        facts: TakeFacts,
        announced: u64,
        compute_ms: u64,
    },
    /// The worker says what it heard in a take of `audio_ms`.
    Heard {
        incarnation: Incarnation,
        ticket: Ticket,
        audio_ms: u64,
        compute_ms: u64,
    },
    Failed {
        incarnation: Incarnation,
        ticket: Ticket,
        fault: Fault,
        detail: String,
    },
    Fatal {
        incarnation: Incarnation,
        fault: Fault,
        detail: String,
    },
    /// It has nothing more to say: drained.
    Goodbye {
        incarnation: Incarnation,
    },
    /// Bytes that are not the protocol.
    Garbage {
        incarnation: Incarnation,
        detail: String,
    },
    /// The pipe ended.
    Closed {
        incarnation: Incarnation,
    },
    Exited {
        incarnation: Incarnation,
        exit: Exit,
    },
    DeviceMemory {
        device: String,
        free_bytes: Option<u64>,
    },
    /// A take or a quarantine is durable.
    Stored {
        ticket: Ticket,
    },
    StoreFailed {
        ticket: Ticket,
        fault: Fault,
        detail: String,
    },
    /// Finish what runs, then end.
    Drain {
        why: String,
    },
    /// End now; once more: at once.
    StopNow {
        why: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Die and say where: SIGABRT, to the group.
    Abort,
    /// Die: SIGKILL, to the group.
    Kill,
}

/// What is to be done.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Ask the source for up to so many segments, and say so when it has none.
    Lease {
        count: u32,
    },
    /// The segment moves: its lease goes on.
    Renew {
        segment: SegmentId,
    },
    /// Not done, and not by us.
    GiveBack {
        segment: SegmentId,
    },
    Spawn {
        slot: SlotId,
        incarnation: Incarnation,
        device: String,
    },
    Load {
        slot: SlotId,
        incarnation: Incarnation,
    },
    SetRows {
        incarnation: Incarnation,
        rows: u32,
    },
    /// Give the worker a segment's work.
    Send {
        incarnation: Incarnation,
        ticket: Ticket,
        segment: SegmentId,
        attempt: u32,
        take: u32,
        max_s: f64,
    },
    /// Forget all requests.
    CancelAll {
        incarnation: Incarnation,
    },
    /// Finish what is in hand and leave.
    AskToLeave {
        incarnation: Incarnation,
    },
    Signal {
        incarnation: Incarnation,
        signal: Signal,
    },
    /// The incarnation is over: close its pipe and forget it.
    Bury {
        incarnation: Incarnation,
    },
    /// Make the ticket's result durable; again, when it was tried before.
    Store {
        ticket: Ticket,
    },
    /// Make durable that the segment is out.
    Quarantine {
        ticket: Ticket,
        segment: SegmentId,
        fault: Fault,
        tries: u32,
        why: String,
    },
    /// The ticket's samples are void, or safe.
    Discard {
        ticket: Ticket,
    },
    LookAtDevice {
        device: String,
    },
    /// The segment's end is durable; nothing about it is needed any more.
    Settled {
        segment: SegmentId,
    },
    Tell(What),
    /// Nothing is left to do.
    Finish(Stopped),
}

/// Why the run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stopped {
    /// Every segment is done or quarantined.
    Finished,
    /// Somebody asked for it; work is left.
    Drained,
    /// No slot can have a worker any more. `fault` is what the last one ended with.
    NoSlotLeft { fault: Fault, why: String },
    /// The disk stayed full.
    DiskFull { detail: String },
    /// A take could not be made durable, and nothing may be written after that.
    StoreFailed { detail: String },
}

impl Stopped {
    /// The stable name, as events carry it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Drained => "drained",
            Self::NoSlotLeft { .. } => "no_slot_left",
            Self::DiskFull { .. } => "disk_full",
            Self::StoreFailed { .. } => "store_failed",
        }
    }
}
