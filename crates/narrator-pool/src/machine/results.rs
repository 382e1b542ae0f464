//! What becomes of a dispatch: moving, done, failed; and of a take: durable or not.

use narrator_core::{Fault, Incarnation, SegmentId, SlotId};

use super::desk::{Stored, Storing};
use super::life::Charge;
use super::messages::{Action, Stopped, Ticket};
use super::run::{Machine, Phase};
use super::slot::{Row, State, Then};
use crate::event::{Rung, What};
use crate::rules::blame::Loss;
use crate::rules::rows::Shrink;
use crate::rules::take::TakeFacts;

impl Machine {
    pub(super) fn on_accepted(&mut self, incarnation: Incarnation, ticket: Ticket) {
        let now = self.now;
        let Some(index) = self.heard(incarnation) else { return };
        let slot = &mut self.slots[index];
        if let Some(row) = slot.row_mut(ticket) {
            row.accepted.get_or_insert(now);
            slot.progressed = now;
        }
    }

    pub(super) fn on_chunk(&mut self, incarnation: Incarnation, ticket: Ticket, samples: u64) {
        let now = self.now;
        let Some(index) = self.heard(incarnation) else { return };
        let slot = &mut self.slots[index];
        let rate = f64::from(slot.sample_rate.max(1));
        let Some(row) = slot.row_mut(ticket) else { return };
        row.samples += samples;
        row.accepted.get_or_insert(now);
        let (seconds, cap_s) = (row.samples as f64 / rate, row.max_s);
        slot.progressed = now;
        if seconds > cap_s * self.settings.overrun_factor + 1.0 {
            let detail =
                format!("{seconds:.1} s of audio came for a text that was allowed {cap_s:.1} s of it");
            self.lose_worker(index, Fault::ProtocolError, &detail, Charge::Only(ticket), Rung::Asked);
        }
    }

    pub(super) fn on_done(
        &mut self,
        incarnation: Incarnation,
        ticket: Ticket,
        facts: TakeFacts,
        announced: u64,
        compute_ms: u64,
    ) {
        let Some(index) = self.awaited(incarnation, ticket, "done") else { return };
        if facts.samples != announced {
            let detail = format!("{} samples came where {announced} were announced", facts.samples);
            return self.lose_worker(
                index,
                Fault::ProtocolError,
                &detail,
                Charge::Only(ticket),
                Rung::Aborted,
            );
        }
        if let Some(objection) = facts.objection() {
            return self.failed_row(index, ticket, Fault::BadOutput, objection);
        }
        let audio_ms = (facts.seconds() * 1000.0) as u64;
        self.good_row(index, ticket, facts.samples * size_of::<f32>() as u64, |slot, row, wall_ms| {
            let (segment, attempt) = (row.segment, row.attempt);
            let what = Stored::Take { attempt, audio_ms, compute_ms };
            let told =
                What::SegmentSpoken { slot, incarnation, segment, attempt, audio_ms, compute_ms, wall_ms };
            (what, Some(told))
        });
    }

    pub(super) fn on_heard(
        &mut self,
        incarnation: Incarnation,
        ticket: Ticket,
        audio_ms: u64,
        compute_ms: u64,
    ) {
        let Some(index) = self.awaited(incarnation, ticket, "heard") else { return };
        self.good_row(index, ticket, 0, |slot, row, wall_ms| {
            let (segment, attempt) = (row.segment, row.attempt);
            let told =
                What::SegmentHeard { slot, incarnation, segment, attempt, audio_ms, compute_ms, wall_ms };
            (Stored::Hearing { audio_ms, compute_ms, told: Box::new(told) }, None)
        });
    }

    /// A result that there is nothing to say against: it goes to the sink, and does its worker credit.
    fn good_row(
        &mut self,
        index: usize,
        ticket: Ticket,
        bytes: u64,
        made: impl FnOnce(SlotId, &Row, u64) -> (Stored, Option<What>),
    ) {
        let settings = self.settings.clone();
        let slot = &mut self.slots[index];
        let Some(row) = slot.take_row(ticket) else { return };
        slot.progressed = self.now;
        slot.bad_run.clear();
        slot.strikes.good_segment(&settings);
        self.credit = (self.credit + 1).min(settings.good_segments);
        let grown = slot.limit.clean(settings.grow_after);
        let (id, incarnation) = (slot.id, slot.incarnation);
        let wall_ms = self.now.saturating_sub(row.accepted.unwrap_or(row.sent)).as_millis() as u64;
        let (what, told) = made(id, &row, wall_ms);
        if let Some(told) = told {
            self.tell(told);
        }
        self.desk.held_bytes += bytes;
        self.desk.storing.insert(ticket, Storing { segment: row.segment, bytes, refused: false, what });
        self.act(Action::Store { ticket });
        if let Some(rows) = grown {
            self.tell(What::RowsGrown { slot: id, rows });
            self.act(Action::SetRows { incarnation, rows });
        }
        self.leave_when_empty(index);
    }

    pub(super) fn on_failed(&mut self, incarnation: Incarnation, ticket: Ticket, fault: Fault, detail: &str) {
        let known = self.heard(incarnation).and_then(|index| self.slots[index].row(ticket).map(|_| index));
        match (known, fault) {
            (Some(index), _) => self.failed_row(index, ticket, fault, detail),
            // The answer to our own cancelling.
            (None, Fault::Cancelled) => {}
            (None, _) => drop(self.awaited(incarnation, ticket, "failed")),
        }
    }

    fn failed_row(&mut self, index: usize, ticket: Ticket, fault: Fault, detail: &str) {
        self.slots[index].progressed = self.now;
        match fault {
            Fault::OutOfMemory => self.out_of_memory(index, ticket, detail),
            // Nobody cancelled a row that is still awaited.
            Fault::Cancelled => {
                let detail = "a request was cancelled that nobody cancelled";
                self.lose_worker(index, Fault::ProtocolError, detail, Charge::Only(ticket), Rung::Asked);
            }
            _ if fault.policy().restart => {
                self.lose_worker(index, fault, detail, Charge::Accepted, Rung::Asked);
            }
            _ => self.bad_row(index, ticket, fault, detail),
        }
    }

    /// A fault of one row, which the worker survives.
    fn bad_row(&mut self, index: usize, ticket: Ticket, fault: Fault, detail: &str) {
        let Some(row) = self.slots[index].take_row(ticket) else { return };
        self.fault_seen(index, fault, Some(row.segment), detail.to_owned());
        self.act(Action::Discard { ticket });
        let incarnation = self.slots[index].incarnation;
        self.charge(row.segment, row.attempt, Loss { fault, incarnation, certain: true }, detail);
        if fault.policy().reseed && self.is_ill(index, row.segment) {
            let takes = self.slots[index].bad_run.len();
            let detail = format!("{takes} bad takes in a row: the worker itself is ill");
            return self.lose_worker(index, Fault::DeviceFault, &detail, Charge::Nobody, Rung::Asked);
        }
        self.leave_when_empty(index);
    }

    /// Bad takes of several segments without a good one between them are no longer the texts' fault. Of rows that
    /// began together those that broke off come back first, and of a hundred some always do: the more rows a worker
    /// has in hand, the more it takes.
    fn is_ill(&mut self, index: usize, segment: SegmentId) -> bool {
        /// One row in so many.
        const ODD_ROWS: usize = 8;
        let slot = &mut self.slots[index];
        slot.bad_run.push(segment);
        let mut distinct = slot.bad_run.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let many = (slot.rows.len() / ODD_ROWS).max(self.settings.ill_after as usize);
        slot.bad_run.len() >= many && distinct.len() >= 3
    }

    fn out_of_memory(&mut self, index: usize, ticket: Ticket, detail: &str) {
        let Some(row) = self.slots[index].take_row(ticket) else { return };
        let (id, incarnation, device) = {
            let slot = &self.slots[index];
            (slot.id, slot.incarnation, slot.device)
        };
        self.fault_seen(index, Fault::OutOfMemory, Some(row.segment), detail.to_owned());
        self.act(Action::Discard { ticket });
        match self.slots[index].limit.out_of_memory(row.epoch) {
            Shrink::To(rows) => {
                self.tell(What::RowsShrunk { slot: id, rows });
                self.act(Action::SetRows { incarnation, rows });
            }
            Shrink::Already => {}
            Shrink::AtOne => {
                let shared = self.devices[device].is_accelerator()
                    && self
                        .slots
                        .iter()
                        .enumerate()
                        .any(|(other, slot)| other != index && slot.device == device && slot.is_alive());
                if !shared {
                    let loss = Loss { fault: Fault::OutOfMemory, incarnation, certain: true };
                    self.charge(row.segment, row.attempt, loss, detail);
                    return self.leave_when_empty(index);
                }
                // The neighbours have the memory. One worker fewer is the cure; the last one on a device
                // is never given up for this.
                self.retry(row.segment, row.attempt, incarnation, Fault::OutOfMemory, false);
                return self.crowd_out(index);
            }
        }
        self.retry(row.segment, row.attempt, incarnation, Fault::OutOfMemory, false);
        self.leave_when_empty(index);
    }

    /// The worker that waited for an answer, if the ticket is its; otherwise the answer is counted.
    fn awaited(&mut self, incarnation: Incarnation, ticket: Ticket, answer: &'static str) -> Option<usize> {
        let index = self.heard(incarnation)?;
        if self.slots[index].row(ticket).is_some() {
            return Some(index);
        }
        self.counters.dropped += 1;
        let slot = self.slots[index].id;
        self.tell(What::AnswerDropped { slot, incarnation, answer });
        None
    }

    /// Notes a sign of life.
    pub(super) fn heard(&mut self, incarnation: Incarnation) -> Option<usize> {
        let index = self.slot_of(incarnation)?;
        self.slots[index].heard = self.now;
        Some(index)
    }

    /// A draining worker with empty hands is seen to the door.
    pub(super) fn leave_when_empty(&mut self, index: usize) {
        if self.slots[index].state == State::Draining && self.slots[index].rows.is_empty() {
            self.begin_stop(index, Rung::Asked);
        }
    }

    pub(super) fn quarantine(&mut self, segment: SegmentId, fault: Fault, detail: &str) {
        let ticket = self.next_ticket();
        let Some(entry) = self.desk.entry(segment) else { return };
        let tries = entry.record.losses().len() as u32;
        let killed: Vec<Incarnation> = entry.record.deaths().collect();
        self.forgive(&killed);
        let why = detail.to_owned();
        self.desk.hand_out(segment);
        let what = Stored::Quarantine { fault, tries, why: why.clone() };
        self.desk.storing.insert(ticket, Storing { segment, bytes: 0, refused: false, what });
        self.act(Action::Quarantine { ticket, segment, fault, tries, why });
    }

    /// The deaths were the text's doing, so that no slot is parked for them. But a device on which
    /// everything dies would have every text found guilty: only good takes buy a pardon.
    fn forgive(&mut self, killed: &[Incarnation]) {
        if self.credit == 0 || killed.is_empty() {
            return;
        }
        self.credit -= 1;
        for slot in &mut self.slots {
            for incarnation in killed {
                slot.strikes.forgive(*incarnation);
                if slot.incarnation == *incarnation && slot.then == Then::Strike {
                    slot.then = Then::Fresh;
                }
            }
        }
    }

    pub(super) fn on_stored(&mut self, ticket: Ticket) {
        let Some(storing) = self.desk.storing.remove(&ticket) else { return };
        let segment = storing.segment;
        self.desk.held_bytes -= storing.bytes;
        self.desk.settle(segment);
        self.act(Action::Discard { ticket });
        self.act(Action::Settled { segment });
        match storing.what {
            Stored::Take { attempt, audio_ms, compute_ms } => {
                self.counters.done += 1;
                self.counters.audio_ms += audio_ms;
                self.counters.compute_ms += compute_ms;
                self.tell(What::SegmentDone { segment, attempt, audio_ms, compute_ms });
            }
            // What follows from it is not for a pool to say.
            Stored::Hearing { audio_ms, compute_ms, told } => {
                self.counters.done += 1;
                self.counters.audio_ms += audio_ms;
                self.counters.compute_ms += compute_ms;
                self.tell(*told);
            }
            Stored::Quarantine { fault, tries, why } => {
                self.counters.quarantined += 1;
                self.quarantined.push((segment, fault, why.clone()));
                self.tell(What::SegmentQuarantined { segment, fault, tries, why });
            }
        }
        if let Some(since) = self.desk.full_since.take() {
            let waited_ms = self.now.saturating_sub(since).as_millis() as u64;
            self.tell(What::DispatchResumed { waited_ms });
            self.store_again();
        }
    }

    pub(super) fn on_store_failed(&mut self, ticket: Ticket, fault: Fault, detail: String) {
        let Some(storing) = self.desk.storing.get_mut(&ticket) else { return };
        storing.refused = true;
        if fault.policy().pause {
            self.desk.retry_at = self.now + self.settings.disk_retry;
            if self.desk.full_since.is_none() {
                self.desk.full_since = Some(self.now);
                let held_bytes = self.desk.held_bytes;
                self.tell(What::DispatchPaused { fault, detail, held_bytes });
            }
        } else if !matches!(self.phase, Phase::Closing { stopped: Stopped::StoreFailed { .. } }) {
            // The log is poisoned: every further take would be refused as well.
            self.close_now(Stopped::StoreFailed { detail });
        }
    }

    /// Gives the disk another chance with everything that it refused.
    pub(super) fn store_again(&mut self) {
        let mut again = Vec::new();
        for (ticket, storing) in &mut self.desk.storing {
            if std::mem::take(&mut storing.refused) {
                again.push(match &storing.what {
                    Stored::Take { .. } | Stored::Hearing { .. } => Action::Store { ticket: *ticket },
                    Stored::Quarantine { fault, tries, why } => Action::Quarantine {
                        ticket: *ticket,
                        segment: storing.segment,
                        fault: *fault,
                        tries: *tries,
                        why: why.clone(),
                    },
                });
            }
        }
        for action in again {
            self.act(action);
        }
    }
}
