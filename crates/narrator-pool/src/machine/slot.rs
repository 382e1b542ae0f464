//! One slot: the state of its worker, the rows in its hands, and what it learned.

use std::time::Duration;

use narrator_core::{Fault, Incarnation, SegmentId, SlotId};
use narrator_proto::LoadStage;

use super::messages::{Exit, Ticket};
use crate::event::Rung;
use crate::rules::backoff::Strikes;
use crate::rules::deadline::StepTimes;
use crate::rules::growth::Growth;
use crate::rules::rows::RowLimit;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// No process; one may start when there is work and room.
    Idle,
    /// Being born, or on its way to the pipe.
    Spawning {
        since: Duration,
    },
    /// Loading, since the counter last moved.
    Loading {
        moved: Duration,
        done: u64,
    },
    Ready,
    /// Finishes its rows and gets no more.
    Draining,
    Stopping {
        rung: Rung,
        since: Duration,
    },
    Backoff {
        until: Duration,
    },
    Parked,
    Wedged,
}

/// What follows the end of the process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Then {
    /// Another worker, after the delay that the strike brings.
    Strike,
    /// Another worker at once.
    Fresh,
    Park {
        fault: Fault,
        why: String,
    },
    /// The run is over.
    Nothing,
}

/// One dispatch in a worker's hands.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub ticket: Ticket,
    pub segment: SegmentId,
    pub attempt: u32,
    pub alone: bool,
    pub sent: Duration,
    pub accepted: Option<Duration>,
    pub deadline: Duration,
    pub samples: u64,
    pub max_s: f64,
    /// The row limit that it was dispatched under.
    pub epoch: u32,
    pub renewed: Duration,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub id: SlotId,
    /// Index into the machine's devices.
    pub device: usize,
    pub state: State,
    pub incarnation: Incarnation,
    pub rows: Vec<Row>,

    // Of the present worker.
    pub sample_rate: u32,
    pub heard: Duration,
    pub progressed: Duration,
    pub steps: u64,
    pub stepped: Duration,
    pub ready_since: Duration,
    pub growth: Growth,
    pub last_words: Option<(Fault, String)>,
    pub exit: Option<Exit>,
    pub closed: bool,
    /// When the first of exit and end of pipe was seen.
    pub ended: Option<Duration>,
    pub then: Then,
    /// Bad takes in a row, and of which segments.
    pub bad_run: Vec<SegmentId>,

    // Of the slot.
    pub limit: RowLimit,
    pub strikes: Strikes,
    pub step_times: StepTimes,
    pub waiting_told: bool,
    /// The last stage and tenth of loading that was told.
    pub told_load: Option<(LoadStage, u64)>,
    pub had_worker: bool,
    /// What the last worker ended with, for the sentence at the end of the run.
    pub last_fault: Option<(Fault, String)>,
}

impl Slot {
    pub fn new(id: SlotId, device: usize) -> Self {
        Self {
            id,
            device,
            state: State::Idle,
            incarnation: Incarnation(0),
            rows: Vec::new(),
            sample_rate: 0,
            heard: Duration::ZERO,
            progressed: Duration::ZERO,
            steps: 0,
            stepped: Duration::ZERO,
            ready_since: Duration::ZERO,
            growth: Growth::default(),
            last_words: None,
            exit: None,
            closed: false,
            ended: None,
            then: Then::Strike,
            bad_run: Vec::new(),
            limit: RowLimit::default(),
            strikes: Strikes::default(),
            step_times: StepTimes::default(),
            waiting_told: false,
            told_load: None,
            had_worker: false,
            last_fault: None,
        }
    }

    /// Starts the record of a new worker.
    pub fn begin(&mut self, incarnation: Incarnation, now: Duration) {
        self.incarnation = incarnation;
        self.state = State::Spawning { since: now };
        self.heard = now;
        self.progressed = now;
        self.steps = 0;
        self.stepped = now;
        self.growth = Growth::default();
        self.last_words = None;
        self.exit = None;
        self.closed = false;
        self.ended = None;
        self.then = Then::Strike;
        self.bad_run.clear();
        self.waiting_told = false;
        self.told_load = None;
    }

    /// A process exists, or may.
    pub fn is_alive(&self) -> bool {
        matches!(
            self.state,
            State::Spawning { .. }
                | State::Loading { .. }
                | State::Ready
                | State::Draining
                | State::Stopping { .. }
        )
    }

    /// Has a worker that serves, or will have one without anybody's help.
    pub fn has_future(&self) -> bool {
        !matches!(self.state, State::Parked | State::Wedged)
    }

    /// A worker that is not yet ready: its memory need is still growing.
    pub fn is_loading(&self) -> bool {
        matches!(self.state, State::Spawning { .. } | State::Loading { .. })
    }

    /// May be given `more` rows and stay within its row limit and `ahead`.
    pub fn has_room(&self, ahead: u32) -> bool {
        self.state == State::Ready
            && self.ended.is_none()
            && self.rows.len() < (self.limit.limit() + ahead) as usize
            && !self.rows.iter().any(|row| row.alone)
    }

    pub fn row(&self, ticket: Ticket) -> Option<&Row> {
        self.rows.iter().find(|row| row.ticket == ticket)
    }

    pub fn row_mut(&mut self, ticket: Ticket) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.ticket == ticket)
    }

    pub fn take_row(&mut self, ticket: Ticket) -> Option<Row> {
        let at = self.rows.iter().position(|row| row.ticket == ticket)?;
        Some(self.rows.remove(at))
    }
}
