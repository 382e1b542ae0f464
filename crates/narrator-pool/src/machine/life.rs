//! The life of a worker: admitted, born, greeted, loaded, lost, buried.

use std::ops::RangeInclusive;

use narrator_core::{Fault, Incarnation, SegmentId, VoiceAbilities};
use narrator_proto::{LoadProgress, LoadStage};

use super::messages::{Action, Exit, Ticket};
use super::run::{Machine, Phase};
use super::slot::{State, Then};
use crate::event::{Rung, What};
use crate::rules::admission::Admission;
use crate::rules::backoff::Restart;
use crate::rules::blame::{Judgement, Loss};

/// The exit code by which a worker says that its settings cannot work (`EX_CONFIG`).
const EXIT_CONFIG: i32 = 78;

/// What speech can be sampled at.
const SAMPLE_RATES: RangeInclusive<u32> = 8_000..=192_000;
/// More rows than any device that is made holds: a worker that announces more has lost its mind.
const MOST_ROWS: u32 = 4096;

/// What a worker died of that nobody stopped: by how far it had come, and by its exit code.
fn cause_of_death(state: State, exit: Option<&Exit>) -> (Fault, String) {
    let how = exit.map_or("no exit seen", |exit| exit.text.as_str());
    let (fault, when) = match state {
        State::Spawning { .. } => (Fault::LoadFailed, " before its handshake"),
        State::Loading { .. } => (Fault::LoadFailed, " while loading"),
        _ => (Fault::Crashed, ""),
    };
    let told = exit.is_some_and(|exit| exit.code == Some(EXIT_CONFIG)) && fault == Fault::LoadFailed;
    let fault = if told { Fault::ConfigRejected } else { fault };
    let last = exit.and_then(|exit| exit.last_line.as_deref());
    let last = last.map(|line| format!("; it said last: {line}")).unwrap_or_default();
    (fault, format!("worker ended with {how}{when}{last}"))
}

/// Who is charged when a worker is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Charge {
    /// Whatever was in the engine.
    Accepted,
    /// This one.
    Only(Ticket),
    Nobody,
}

impl Machine {
    /// Starts workers where there is work, a free slot and room.
    pub(super) fn staff(&mut self) {
        if self.phase != Phase::Running {
            return;
        }
        let known_work = self.desk.exhausted || self.settings.staff_for_work_only;
        let demand = if known_work { self.desk.unspoken() } else { self.slots.len() };
        let mut living = self
            .slots
            .iter()
            .filter(|slot| slot.is_alive() && !matches!(slot.state, State::Stopping { .. }))
            .count();
        for index in 0..self.slots.len() {
            let due = match self.slots[index].state {
                State::Idle => true,
                State::Backoff { until } => self.now >= until,
                _ => false,
            };
            if due && living < demand && self.admit(index) {
                self.spawn(index);
                living += 1;
            }
        }
    }

    fn admit(&mut self, index: usize) -> bool {
        let at = self.slots[index].device;
        let loading = self.slots.iter().filter(|slot| slot.device == at && slot.is_loading()).count();
        let device = &self.devices[at];
        let mut admission = device.admit(loading, self.settings.device_margin_bytes);
        if self.can_look && device.is_accelerator() && device.need_bytes.is_some() && !device.wedged {
            // What was free a while ago says nothing: look, and start with the answer.
            let fresh = self.looked[at].is_some_and(|at| self.now.saturating_sub(at) <= self.settings.tick);
            if !fresh {
                admission = Admission::Later;
                self.look(at);
            }
        }
        match admission {
            Admission::Now => true,
            Admission::Later => {
                let slot = &mut self.slots[index];
                if !std::mem::replace(&mut slot.waiting_told, true) {
                    let (slot, device) = (slot.id, self.devices[at].name.clone());
                    self.tell(What::SlotWaiting { slot, device });
                }
                false
            }
            Admission::Never => {
                self.slots[index].state = State::Wedged;
                false
            }
        }
    }

    fn spawn(&mut self, index: usize) {
        let incarnation = self.next_incarnation();
        self.counters.spawned += 1;
        let at = self.slots[index].device;
        // A look is good for one start: what was free before it says nothing of what is free after it, not
        // even when, after a suspension, no time seems to have passed in between.
        self.looked[at] = None;
        let device = self.devices[at].name.clone();
        let slot = &mut self.slots[index];
        if std::mem::replace(&mut slot.had_worker, true) {
            self.counters.restarts += 1;
        }
        slot.begin(incarnation, self.now);
        let slot = slot.id;
        self.tell(What::WorkerStarting { slot, incarnation, device: device.clone() });
        self.act(Action::Spawn { slot, incarnation, device });
    }

    pub(super) fn on_spawned(&mut self, incarnation: Incarnation, pid: u32) {
        if let Some(index) = self.slot_of(incarnation) {
            let slot = self.slots[index].id;
            self.tell(What::WorkerSpawned { slot, incarnation, pid });
        }
    }

    /// No process came to be, so that there is none to wait for.
    pub(super) fn on_spawn_failed(&mut self, incarnation: Incarnation, detail: String) {
        let Some(index) = self.slot_of(incarnation) else { return };
        match self.slots[index].state {
            State::Spawning { .. } => self.fault_seen(index, Fault::SpawnFailed, None, detail),
            // Given up, or told to end, before it was born.
            State::Stopping { .. } => {}
            _ => return,
        }
        self.bury(index);
    }

    pub(super) fn on_connected(&mut self, incarnation: Incarnation) {
        let Some(index) = self.slot_of(incarnation) else { return };
        let slot = &mut self.slots[index];
        slot.heard = self.now;
        if matches!(slot.state, State::Spawning { .. }) {
            slot.state = State::Loading { moved: self.now, done: 0 };
            let slot = slot.id;
            self.tell(What::WorkerConnected { slot, incarnation });
            self.act(Action::Load { slot, incarnation });
        }
    }

    pub(super) fn on_refused(&mut self, incarnation: Incarnation, detail: &str) {
        if let Some(index) = self.slot_of(incarnation) {
            // It was told why and ends by itself, with the exit code that says so.
            self.lose_worker(index, Fault::HandshakeRefused, detail, Charge::Nobody, Rung::Asked);
        }
    }

    pub(super) fn on_loading(&mut self, incarnation: Incarnation, progress: LoadProgress) {
        let Some(index) = self.slot_of(incarnation) else { return };
        let slot = &mut self.slots[index];
        slot.heard = self.now;
        let LoadProgress { stage, done, total } = progress;
        // The stages count apart: the second one's counter starts anew, above the first one's end.
        let counter = done.saturating_add(if stage == LoadStage::WarmUp { 1 << 62 } else { 0 });
        if let State::Loading { done: before, .. } = slot.state
            && counter > before
        {
            slot.state = State::Loading { moved: self.now, done: counter };
            // Every move counts; one in a tenth is worth a line.
            let tenth = (stage, done.saturating_mul(10).checked_div(total).unwrap_or_default());
            if slot.told_load.replace(tenth) == Some(tenth) {
                return;
            }
            let stage = match stage {
                LoadStage::Weights => "weights",
                LoadStage::WarmUp => "warm_up",
            };
            let slot = slot.id;
            self.tell(What::WorkerLoading { slot, incarnation, done, total, stage: stage.to_owned() });
        }
    }

    pub(super) fn on_ready(
        &mut self,
        incarnation: Incarnation,
        rows: u32,
        sample_rate: u32,
        load_ms: u64,
        peak_device_bytes: u64,
    ) {
        let Some(index) = self.slot_of(incarnation) else { return };
        let slot = &mut self.slots[index];
        slot.heard = self.now;
        match slot.state {
            State::Loading { .. }
                if SAMPLE_RATES.contains(&sample_rate) && (1..=MOST_ROWS).contains(&rows) => {}
            State::Loading { .. } => {
                let detail = format!("ready with {rows} rows at {sample_rate} samples a second");
                return self.on_garbage(incarnation, &detail);
            }
            State::Stopping { .. } => return,
            _ => {
                return self.on_garbage(incarnation, "ready out of turn");
            }
        }
        slot.state = State::Ready;
        slot.ready_since = self.now;
        slot.sample_rate = sample_rate;
        slot.limit.announce(rows);
        let (limit, reduced, device) = (slot.limit.limit(), slot.limit.is_reduced(), slot.device);
        let id = slot.id;
        self.devices[device].learn_need(peak_device_bytes);
        // What was free while it loaded is not what it left.
        self.looked[device] = None;
        self.tell(What::WorkerReady { slot: id, incarnation, rows: limit, sample_rate, load_ms });
        if reduced {
            self.act(Action::SetRows { incarnation, rows: limit });
        }
    }

    pub(super) fn on_able(&mut self, incarnation: Incarnation, abilities: VoiceAbilities) {
        let Some(index) = self.heard(incarnation) else { return };
        let VoiceAbilities { calm, timbre_alone } = abilities;
        self.tell(What::WorkerAble { slot: self.slots[index].id, incarnation, calm, timbre_alone });
    }

    pub(super) fn on_fatal(&mut self, incarnation: Incarnation, fault: Fault, detail: &str) {
        let Some(index) = self.slot_of(incarnation) else { return };
        self.slots[index].heard = self.now;
        // It ends by itself after this; the rung is for one that says so and stays.
        self.lose_worker(index, fault, detail, Charge::Accepted, Rung::Asked);
    }

    pub(super) fn on_garbage(&mut self, incarnation: Incarnation, detail: &str) {
        if let Some(index) = self.slot_of(incarnation) {
            self.lose_worker(index, Fault::ProtocolError, detail, Charge::Accepted, Rung::Aborted);
        }
    }

    pub(super) fn on_closed(&mut self, incarnation: Incarnation) {
        let Some(index) = self.slot_of(incarnation) else { return };
        let slot = &mut self.slots[index];
        slot.closed = true;
        slot.ended.get_or_insert(self.now);
        if slot.exit.is_some() {
            self.died(index);
        }
    }

    pub(super) fn on_exited(&mut self, incarnation: Incarnation, exit: Exit) {
        let Some(index) = self.slot_of(incarnation) else { return };
        let slot = &mut self.slots[index];
        slot.exit = Some(exit);
        slot.ended.get_or_insert(self.now);
        if slot.state == State::Wedged {
            return self.tell_exit(index);
        }
        // Of a worker that is being stopped nothing more is wanted.
        if slot.closed || matches!(slot.state, State::Stopping { .. }) {
            self.died(index);
        }
    }

    /// Told at the burial and not when it was seen: after everything that the worker still had to say.
    fn tell_exit(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        let expected = matches!(slot.state, State::Stopping { .. } | State::Draining);
        let (id, incarnation) = (slot.id, slot.incarnation);
        if let Some(exit) = slot.exit.take() {
            self.tell(What::WorkerExited { slot: id, incarnation, status: exit.text, expected });
        }
    }

    /// Exit and end of pipe were seen, or waited for: what was it, and what now?
    pub(super) fn died(&mut self, index: usize) {
        let slot = &self.slots[index];
        match slot.state {
            State::Stopping { .. } => {}
            State::Draining if slot.rows.is_empty() => {}
            State::Wedged => return,
            _ => {
                let (fault, detail) = cause_of_death(slot.state, slot.exit.as_ref());
                self.count_loss(index, fault, &detail, Charge::Accepted);
            }
        }
        self.bury(index);
    }

    /// A living worker is given up: its rows are free at once, and it is stopped from `rung` on.
    pub(super) fn lose_worker(
        &mut self,
        index: usize,
        fault: Fault,
        detail: &str,
        charge: Charge,
        rung: Rung,
    ) {
        if !self.slots[index].is_alive() || matches!(self.slots[index].state, State::Stopping { .. }) {
            return;
        }
        self.count_loss(index, fault, detail, charge);
        self.begin_stop(index, rung);
        if self.slots[index].exit.is_some() {
            self.bury(index);
        }
    }

    /// Puts the fault on record, decides what follows the process, and frees its rows.
    fn count_loss(&mut self, index: usize, fault: Fault, detail: &str, charge: Charge) {
        let segment = match charge {
            Charge::Only(ticket) => self.slots[index].row(ticket).map(|row| row.segment),
            _ => None,
        };
        let policy = fault.policy();
        self.fault_seen(index, fault, segment, detail.to_owned());
        self.slots[index].then = if policy.park {
            Then::Park { fault, why: detail.to_owned() }
        } else if policy.strike {
            Then::Strike
        } else {
            Then::Fresh
        };
        let charge = if policy.charge { charge } else { Charge::Nobody };
        self.free_rows(index, fault, detail, charge);
    }

    pub(super) fn fault_seen(
        &mut self,
        index: usize,
        fault: Fault,
        segment: Option<SegmentId>,
        detail: String,
    ) {
        let slot = &mut self.slots[index];
        slot.last_fault = Some((fault, detail.clone()));
        let (slot, incarnation) = (slot.id, slot.incarnation);
        self.tell(What::FaultSeen { slot, incarnation, fault, segment, detail });
    }

    /// Takes every row back from a lost worker and charges those who may have been the reason.
    pub(super) fn free_rows(&mut self, index: usize, fault: Fault, detail: &str, charge: Charge) {
        let incarnation = self.slots[index].incarnation;
        let limit = self.slots[index].limit.limit() as usize;
        let rows = std::mem::take(&mut self.slots[index].rows);
        let accepted = rows.iter().filter(|row| row.accepted.is_some()).count();
        for (at, row) in rows.iter().enumerate() {
            self.act(Action::Discard { ticket: row.ticket });
            let suspected = self.desk.entry(row.segment).is_some_and(|entry| entry.record.is_suspected());
            let charged = match charge {
                Charge::Nobody => false,
                Charge::Only(ticket) => ticket == row.ticket,
                // A worker may die of a segment before its word that it took it in is out. One such
                // death makes a suspect, to be tried alone; a second one is no coincidence.
                Charge::Accepted if accepted == 0 => row.alone && suspected,
                Charge::Accepted => row.accepted.is_some(),
            };
            if charged {
                let certain = rows.len() == 1 || (accepted == 1 && charge == Charge::Accepted);
                let loss = Loss { fault, incarnation, certain };
                self.charge(row.segment, row.attempt, loss, detail);
                continue;
            }
            if charge == Charge::Accepted
                && accepted == 0
                && at < limit
                && let Some(entry) = self.desk.entry_mut(row.segment)
            {
                entry.record.suspect(incarnation);
            }
            self.retry(row.segment, row.attempt, incarnation, fault, false);
        }
    }

    /// Counts a try against a segment.
    pub(super) fn charge(&mut self, segment: SegmentId, attempt: u32, loss: Loss, detail: &str) {
        let tries = self.settings.tries;
        let Some(entry) = self.desk.entry_mut(segment) else { return };
        match entry.record.lose(loss, tries) {
            Judgement::Again => self.retry(segment, attempt, loss.incarnation, loss.fault, true),
            Judgement::Quarantine => self.quarantine(segment, loss.fault, detail),
        }
    }

    pub(super) fn retry(
        &mut self,
        segment: SegmentId,
        attempt: u32,
        incarnation: Incarnation,
        fault: Fault,
        charged: bool,
    ) {
        self.desk.wait_again(segment, self.settings.tries);
        let alone = self.desk.entry(segment).is_some_and(|entry| entry.record.must_be_alone());
        self.counters.retried += 1;
        self.tell(What::SegmentRetried { segment, attempt, incarnation, fault, charged, alone });
    }

    /// The process is gone: what its end leads to.
    pub(super) fn bury(&mut self, index: usize) {
        self.tell_exit(index);
        let slot = &mut self.slots[index];
        let (id, incarnation) = (slot.id, slot.incarnation);
        slot.incarnation = Incarnation(0);
        let then = std::mem::replace(&mut slot.then, Then::Nothing);
        slot.state = State::Idle;
        self.act(Action::Bury { incarnation });
        match then {
            Then::Nothing | Then::Fresh => {}
            Then::Park { fault, why } => self.park(index, fault, why),
            Then::Strike => {
                let settings = self.settings.clone();
                let slot = &mut self.slots[index];
                let restart = slot.strikes.strike(self.now, incarnation, &settings, &mut self.dice);
                let strikes = slot.strikes.in_a_row();
                match restart {
                    Restart::After(delay) => {
                        slot.state = State::Backoff { until: self.now + delay };
                        let delay_ms = delay.as_millis() as u64;
                        self.tell(What::SlotBackoff { slot: id, delay_ms, strikes });
                    }
                    Restart::Never => {
                        let (fault, last) =
                            slot.last_fault.clone().unwrap_or((Fault::Crashed, String::new()));
                        let why = format!(
                            "{} workers were lost within {} minutes; the last one: {last}",
                            settings.intensity + 1,
                            settings.intensity_window.as_secs().div_ceil(60),
                        );
                        self.park(index, fault, why);
                    }
                }
            }
        }
    }

    pub(super) fn park(&mut self, index: usize, fault: Fault, why: String) {
        let slot = &mut self.slots[index];
        slot.state = State::Parked;
        slot.last_fault = Some((fault, why.clone()));
        let slot = slot.id;
        self.tell(What::SlotParked { slot, fault, why });
    }
}
