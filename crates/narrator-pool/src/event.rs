//! What the pool tells: every decision is one event, with stable names and fields.
//!
//! The same value feeds the JSON log, the progress display and the tests. `event` names it; `run` and
//! `elapsed_ms` are on every one. A field's name means the same everywhere.

use std::sync::Arc;

use narrator_core::{Fault, Incarnation, SegmentId, SlotId};
use serde::{Serialize, Serializer};

/// One decision or observation.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PoolEvent {
    #[serde(serialize_with = "as_text")]
    pub run: Arc<str>,
    /// Since the start of the run, on the clock that decisions are made on.
    pub elapsed_ms: u64,
    /// Which of a run's pools tells it; absent where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crew: Option<&'static str>,
    #[serde(flatten)]
    pub what: What,
}

fn as_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// How far a stopping worker has been pushed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// A message on the pipe.
    Asked,
    /// SIGABRT to the group; on systems without it, nothing.
    Aborted,
    /// SIGKILL to the group.
    Killed,
}

/// Who is meant to notice: by what an operator has to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Debug,
    Info,
    /// Something went wrong and was dealt with.
    Warn,
    /// Work is at risk, or a person is needed.
    Error,
}

/// The kinds of events.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    PoolStarted {
        slots: u16,
    },
    WorkerStarting {
        slot: SlotId,
        incarnation: Incarnation,
        device: String,
    },
    WorkerSpawned {
        slot: SlotId,
        incarnation: Incarnation,
        pid: u32,
    },
    WorkerConnected {
        slot: SlotId,
        incarnation: Incarnation,
    },
    WorkerLoading {
        slot: SlotId,
        incarnation: Incarnation,
        done: u64,
        total: u64,
        stage: String,
    },
    /// What a voice can do otherwise than usual.
    WorkerAble {
        slot: SlotId,
        incarnation: Incarnation,
        calm: bool,
        timbre_alone: bool,
    },
    WorkerReady {
        slot: SlotId,
        incarnation: Incarnation,
        rows: u32,
        sample_rate: u32,
        load_ms: u64,
    },
    /// Something went wrong with a worker or a segment in its hands.
    FaultSeen {
        slot: SlotId,
        incarnation: Incarnation,
        fault: Fault,
        #[serde(skip_serializing_if = "Option::is_none")]
        segment: Option<SegmentId>,
        detail: String,
    },
    WorkerStopping {
        slot: SlotId,
        incarnation: Incarnation,
        rung: Rung,
    },
    WorkerExited {
        slot: SlotId,
        incarnation: Incarnation,
        status: String,
        expected: bool,
    },
    /// Asked to finish what it holds and leave; another takes its place.
    WorkerRecycled {
        slot: SlotId,
        incarnation: Incarnation,
        why: String,
    },
    SlotBackoff {
        slot: SlotId,
        delay_ms: u64,
        strikes: u32,
    },
    SlotParked {
        slot: SlotId,
        fault: Fault,
        why: String,
    },
    /// Waits for a device: another load, or memory.
    SlotWaiting {
        slot: SlotId,
        device: String,
    },
    DeviceWedged {
        device: String,
        why: String,
    },
    RowsShrunk {
        slot: SlotId,
        rows: u32,
    },
    RowsGrown {
        slot: SlotId,
        rows: u32,
    },
    SegmentDispatched {
        slot: SlotId,
        incarnation: Incarnation,
        segment: SegmentId,
        attempt: u32,
        alone: bool,
    },
    /// Its audio is here, and not yet durable.
    SegmentSpoken {
        slot: SlotId,
        incarnation: Incarnation,
        segment: SegmentId,
        attempt: u32,
        audio_ms: u64,
        compute_ms: u64,
        wall_ms: u64,
    },
    /// Somebody listened to a take of it.
    SegmentHeard {
        slot: SlotId,
        incarnation: Incarnation,
        segment: SegmentId,
        attempt: u32,
        audio_ms: u64,
        compute_ms: u64,
        wall_ms: u64,
    },
    SegmentDone {
        segment: SegmentId,
        attempt: u32,
        audio_ms: u64,
        compute_ms: u64,
    },
    /// Goes back to the queue. `charged` says whether the try counts against it.
    SegmentRetried {
        segment: SegmentId,
        attempt: u32,
        incarnation: Incarnation,
        fault: Fault,
        charged: bool,
        alone: bool,
    },
    SegmentQuarantined {
        segment: SegmentId,
        fault: Fault,
        tries: u32,
        why: String,
    },
    /// An answer that nobody waits for: late, or a second one.
    AnswerDropped {
        slot: SlotId,
        incarnation: Incarnation,
        answer: &'static str,
    },
    DispatchPaused {
        fault: Fault,
        detail: String,
        held_bytes: u64,
    },
    DispatchResumed {
        waited_ms: u64,
    },
    /// The orchestrator itself did not run for a while; no worker is judged by it.
    ClockGap {
        absent_ms: u64,
    },
    Draining {
        why: String,
        running: u32,
    },
    StoppingNow {
        why: String,
    },
    PoolStopped {
        stopped: &'static str,
        done: u64,
        quarantined: u64,
        /// Neither done nor quarantined, lent to workers or not: the rest of the book.
        left: u64,
        restarts: u64,
        dropped: u64,
    },
}

impl What {
    /// How loud it is.
    pub fn level(&self) -> Level {
        match self {
            Self::SegmentDispatched { .. }
            | Self::SegmentSpoken { .. }
            | Self::SegmentHeard { .. }
            | Self::SegmentDone { .. }
            | Self::WorkerLoading { .. }
            | Self::WorkerConnected { .. }
            | Self::WorkerSpawned { .. }
            | Self::WorkerAble { .. } => Level::Debug,
            Self::PoolStarted { .. }
            | Self::WorkerStarting { .. }
            | Self::WorkerReady { .. }
            | Self::WorkerStopping { rung: Rung::Asked, .. }
            | Self::WorkerExited { .. }
            | Self::WorkerRecycled { .. }
            | Self::SlotWaiting { .. }
            | Self::RowsGrown { .. }
            | Self::DispatchResumed { .. }
            | Self::ClockGap { .. }
            | Self::Draining { .. }
            | Self::StoppingNow { .. }
            | Self::PoolStopped { .. } => Level::Info,
            Self::WorkerStopping { .. }
            | Self::FaultSeen { .. }
            | Self::SlotBackoff { .. }
            | Self::RowsShrunk { .. }
            | Self::SegmentRetried { .. }
            | Self::AnswerDropped { .. } => Level::Warn,
            Self::SlotParked { .. }
            | Self::DeviceWedged { .. }
            | Self::SegmentQuarantined { .. }
            | Self::DispatchPaused { .. } => Level::Error,
        }
    }

    /// The segment that it is about, for filters.
    pub fn segment(&self) -> Option<SegmentId> {
        match self {
            Self::SegmentDispatched { segment, .. }
            | Self::SegmentSpoken { segment, .. }
            | Self::SegmentHeard { segment, .. }
            | Self::SegmentDone { segment, .. }
            | Self::SegmentRetried { segment, .. }
            | Self::SegmentQuarantined { segment, .. } => Some(*segment),
            Self::FaultSeen { segment, .. } => *segment,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each, as operators' tools see them. A change here is a change for everybody who reads logs.
    #[test]
    fn names_fields_and_levels_are_stable() {
        let (slot, incarnation, segment) = (SlotId(1), Incarnation(2), SegmentId(3));
        let (fault, device) = (Fault::Crashed, "cuda:0".to_owned());
        let text = || "text".to_owned();
        let all = [
            What::PoolStarted { slots: 2 },
            What::WorkerStarting { slot, incarnation, device: device.clone() },
            What::WorkerSpawned { slot, incarnation, pid: 4 },
            What::WorkerConnected { slot, incarnation },
            What::WorkerLoading { slot, incarnation, done: 5, total: 10, stage: "weights".into() },
            What::WorkerAble { slot, incarnation, calm: true, timbre_alone: false },
            What::WorkerReady { slot, incarnation, rows: 8, sample_rate: 24_000, load_ms: 6 },
            What::FaultSeen { slot, incarnation, fault, segment: Some(segment), detail: text() },
            What::FaultSeen { slot, incarnation, fault, segment: None, detail: text() },
            What::WorkerStopping { slot, incarnation, rung: Rung::Asked },
            What::WorkerStopping { slot, incarnation, rung: Rung::Killed },
            What::WorkerExited { slot, incarnation, status: text(), expected: true },
            What::WorkerRecycled { slot, incarnation, why: text() },
            What::SlotBackoff { slot, delay_ms: 7, strikes: 1 },
            What::SlotParked { slot, fault, why: text() },
            What::SlotWaiting { slot, device: device.clone() },
            What::DeviceWedged { device, why: text() },
            What::RowsShrunk { slot, rows: 4 },
            What::RowsGrown { slot, rows: 5 },
            What::SegmentDispatched { slot, incarnation, segment, attempt: 1, alone: false },
            What::SegmentSpoken {
                slot,
                incarnation,
                segment,
                attempt: 1,
                audio_ms: 8,
                compute_ms: 9,
                wall_ms: 10,
            },
            What::SegmentHeard {
                slot,
                incarnation,
                segment,
                attempt: 1,
                audio_ms: 8,
                compute_ms: 9,
                wall_ms: 10,
            },
            What::SegmentDone { segment, attempt: 1, audio_ms: 8, compute_ms: 9 },
            What::SegmentRetried { segment, attempt: 1, incarnation, fault, charged: true, alone: false },
            What::SegmentQuarantined { segment, fault, tries: 3, why: text() },
            What::AnswerDropped { slot, incarnation, answer: "done" },
            What::DispatchPaused { fault: Fault::DiskFull, detail: text(), held_bytes: 11 },
            What::DispatchResumed { waited_ms: 12 },
            What::ClockGap { absent_ms: 13 },
            What::Draining { why: text(), running: 2 },
            What::StoppingNow { why: text() },
            What::PoolStopped {
                stopped: "finished",
                done: 1,
                quarantined: 0,
                left: 0,
                restarts: 0,
                dropped: 0,
            },
        ];
        let lines: Vec<_> = all
            .into_iter()
            .map(|what| {
                let level = format!("{:?}", what.level()).to_lowercase();
                let event = PoolEvent { run: "r".into(), elapsed_ms: 0, crew: None, what };
                format!("{level:5} {}", serde_json::to_string(&event).expect("json"))
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
