//! The way out: of a worker, by the ladder; of the run, by draining and closing.

use narrator_core::Fault;

use super::life::Charge;
use super::messages::{Action, Signal, Stopped};
use super::run::{Machine, Phase};
use super::slot::{State, Then};
use crate::event::{Rung, What};

impl Machine {
    /// Puts a living worker on the ladder.
    pub(super) fn begin_stop(&mut self, index: usize, rung: Rung) {
        self.slots[index].state = State::Stopping { rung, since: self.now };
        self.take_rung(index, rung);
    }

    /// Puts a worker one rung further.
    pub(super) fn next_rung(&mut self, index: usize, rung: Rung) {
        if let State::Stopping { rung: at, .. } = self.slots[index].state
            && rung > at
        {
            self.begin_stop(index, rung);
        }
    }

    fn take_rung(&mut self, index: usize, rung: Rung) {
        let (slot, incarnation) = (self.slots[index].id, self.slots[index].incarnation);
        self.tell(What::WorkerStopping { slot, incarnation, rung });
        match rung {
            Rung::Asked => {
                self.act(Action::CancelAll { incarnation });
                self.act(Action::AskToLeave { incarnation });
            }
            Rung::Aborted => self.act(Action::Signal { incarnation, signal: Signal::Abort }),
            Rung::Killed => self.act(Action::Signal { incarnation, signal: Signal::Kill }),
        }
    }

    /// Nothing ends this process. On the CPU that is one slot lost; on an accelerator nothing else may
    /// be put there, for the driver holds its memory.
    pub(super) fn wedge(&mut self, index: usize) {
        let device = self.slots[index].device;
        self.slots[index].state = State::Wedged;
        self.slots[index].last_fault =
            Some((Fault::DeviceFault, "a worker process could not be killed".to_owned()));
        let incarnation = self.slots[index].incarnation;
        self.act(Action::Bury { incarnation });
        if self.devices[device].is_accelerator() {
            self.wedge_device(device, format!("worker {incarnation} there does not end, even killed"));
        } else {
            let device = self.devices[device].name.clone();
            self.tell(What::DeviceWedged { device, why: format!("worker {incarnation} cannot be killed") });
        }
    }

    /// Gives a device up; workers that live there go on until they end.
    pub(super) fn wedge_device(&mut self, device: usize, why: String) {
        self.devices[device].wedged = true;
        for slot in &mut self.slots {
            if slot.device == device && matches!(slot.state, State::Idle | State::Backoff { .. }) {
                slot.state = State::Wedged;
                slot.last_fault.get_or_insert((Fault::DeviceFault, why.clone()));
            }
        }
        let device = self.devices[device].name.clone();
        self.tell(What::DeviceWedged { device, why });
    }

    /// Too many workers share a device's memory: this one's slot is given up.
    pub(super) fn crowd_out(&mut self, index: usize) {
        let fault = Fault::OutOfMemory;
        let why = "the device has no memory for this many workers".to_owned();
        self.free_rows(index, fault, &why, Charge::Nobody);
        self.slots[index].then = Then::Park { fault, why };
        self.begin_stop(index, Rung::Asked);
    }

    pub(super) fn on_drain(&mut self, why: String) {
        if self.phase == Phase::Running {
            self.start_draining(Stopped::Drained, why);
        }
    }

    pub(super) fn start_draining(&mut self, stopped: Stopped, why: String) {
        let running = self.slots.iter().map(|slot| slot.rows.len()).sum::<usize>() as u32;
        self.phase = Phase::Draining { until: self.now + self.settings.drain_limit, stopped };
        self.tell(What::Draining { why, running });
    }

    pub(super) fn on_stop_now(&mut self, why: String) {
        match self.phase {
            Phase::Running | Phase::Draining { .. } => {
                self.tell(What::StoppingNow { why });
                self.close_now(Stopped::Drained);
            }
            // Asked again: no more patience.
            Phase::Closing { .. } => {
                for index in 0..self.slots.len() {
                    self.next_rung(index, Rung::Killed);
                }
            }
            Phase::Over => {}
        }
    }

    /// Stops every worker, whatever it has in hand.
    pub(super) fn close_now(&mut self, stopped: Stopped) {
        for index in 0..self.slots.len() {
            if self.slots[index].is_alive() && !matches!(self.slots[index].state, State::Stopping { .. }) {
                self.free_rows(index, Fault::Cancelled, "", Charge::Nobody);
                self.begin_stop(index, Rung::Asked);
            }
        }
        self.enter_closing(stopped);
    }

    fn enter_closing(&mut self, stopped: Stopped) {
        for slot in &mut self.slots {
            slot.then = Then::Nothing;
            if matches!(slot.state, State::Backoff { .. }) {
                slot.state = State::Idle;
            }
        }
        self.phase = Phase::Closing { stopped };
    }

    /// Moves the run towards its end when nothing keeps it.
    pub(super) fn close(&mut self) {
        match &self.phase {
            Phase::Running if self.desk.is_finished() => {
                self.send_home();
                self.enter_closing(Stopped::Finished);
            }
            // What a full disk refused still has its chance until the grace is over.
            Phase::Running if self.no_slot_left() && self.desk.storing.is_empty() => {
                let (fault, why) = self
                    .slots
                    .iter()
                    .filter_map(|slot| slot.last_fault.clone())
                    .next_back()
                    .unwrap_or((Fault::SpawnFailed, "there are no slots".to_owned()));
                self.enter_closing(Stopped::NoSlotLeft { fault, why });
            }
            Phase::Draining { stopped, .. } => {
                let mut stopped = stopped.clone();
                self.send_home();
                let busy = self.slots.iter().any(|slot| slot.is_alive() && !slot.rows.is_empty());
                if !busy && self.desk.store_is_quiet() {
                    if self.desk.is_finished() {
                        stopped = Stopped::Finished;
                    } else if !self.desk.storing.is_empty() {
                        let detail = "finished audio could not be written".to_owned();
                        stopped = Stopped::DiskFull { detail };
                    }
                    self.enter_closing(stopped);
                }
            }
            _ => {}
        }
        if let Phase::Closing { stopped } = &self.phase
            && !self.slots.iter().any(super::slot::Slot::is_alive)
            && self.desk.store_is_quiet()
        {
            let stopped = stopped.clone();
            self.finish(stopped);
        }
    }

    /// Workers without rows may leave; they will not be needed again.
    fn send_home(&mut self) {
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if slot.is_alive() && slot.rows.is_empty() && !matches!(slot.state, State::Stopping { .. }) {
                // One that is not ready yet has nothing to lose, and nobody wants its core dump.
                let rung = if slot.is_loading() { Rung::Killed } else { Rung::Asked };
                self.slots[index].then = Then::Nothing;
                self.begin_stop(index, rung);
            }
        }
    }

    fn no_slot_left(&self) -> bool {
        self.slots.iter().all(|slot| !slot.has_future())
    }

    fn finish(&mut self, stopped: Stopped) {
        // What the disk refused is spoken again by the next run.
        let refused: Vec<_> = std::mem::take(&mut self.desk.storing).into_keys().collect();
        for ticket in refused {
            self.act(Action::Discard { ticket });
        }
        let left = self.desk.unsettled() as u64;
        for segment in self.desk.give_up() {
            self.act(Action::GiveBack { segment });
        }
        self.phase = Phase::Over;
        let counters = self.counters;
        self.tell(What::PoolStopped {
            stopped: stopped.name(),
            done: counters.done,
            quarantined: counters.quarantined,
            left,
            restarts: counters.restarts,
            dropped: counters.dropped,
        });
        self.act(Action::Finish(stopped));
    }
}
