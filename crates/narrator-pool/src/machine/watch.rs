//! What only time can tell: stalls, deadlines, rungs, delays.

use narrator_core::{Fault, Incarnation};
use narrator_proto::Beat;

use super::life::Charge;
use super::messages::{Action, Stopped};
use super::run::{Machine, Phase};
use super::slot::State;
use crate::event::{Rung, What};
use crate::rules::deadline;
use crate::rules::growth::Outgrown;

impl Machine {
    pub(super) fn on_beat(&mut self, incarnation: Incarnation, beat: Beat) {
        let now = self.now;
        let Some(index) = self.heard(incarnation) else { return };
        let settings = self.settings.clone();
        let slot = &mut self.slots[index];
        if beat.steps > slot.steps {
            if !slot.rows.is_empty() {
                slot.step_times.record(beat.steps - slot.steps, now.saturating_sub(slot.stepped));
                slot.progressed = now;
            }
            slot.steps = beat.steps;
            slot.stepped = now;
        }
        let device = slot.device;
        if slot.state == State::Ready
            && let Some(resident_bytes) = beat.resident_bytes
            && let Some(outgrown) = slot.growth.observe(now, resident_bytes, &settings)
        {
            self.recycle(index, sentence(outgrown));
        }
        if let Some(memory) = beat.device_memory {
            self.devices[device].learn_need(memory.peak_bytes);
        }
    }

    pub(super) fn on_device_memory(&mut self, device: &str, free_bytes: Option<u64>) {
        let Some(at) = self.devices.iter().position(|known| known.name == device) else { return };
        self.looked[at] = Some(self.now);
        let living = self.slots.iter().filter(|slot| slot.device == at && slot.is_alive()).count();
        let settings = self.settings.clone();
        let gone = self.devices[at].observe_free(
            self.now,
            free_bytes,
            living,
            settings.device_margin_bytes,
            settings.wedge_after,
        );
        if gone && !self.devices[at].wedged {
            let free = free_bytes.unwrap_or(0) >> 20;
            let why = format!("its memory did not come back: {free} MiB are free and no worker lives there");
            self.wedge_device(at, why);
        }
    }

    /// Asks for a look at a device's free memory, now and then.
    pub(super) fn look(&mut self, device: usize) {
        let pause = self.settings.tick * 4;
        if self.asked_look[device].is_none_or(|asked| self.now.saturating_sub(asked) >= pause) {
            self.asked_look[device] = Some(self.now);
            let device = self.devices[device].name.clone();
            self.act(Action::LookAtDevice { device });
        }
    }

    pub(super) fn on_tick(&mut self) {
        self.desk.nothing_now = false;
        for index in 0..self.slots.len() {
            self.watch_slot(index);
        }
        if self.desk.full_since.is_some() {
            self.watch_disk();
        }
        if let Phase::Draining { until, stopped } = &self.phase
            && self.now >= *until
        {
            let stopped = stopped.clone();
            self.tell(What::StoppingNow { why: "the drain limit is over".to_owned() });
            self.close_now(stopped);
        }
    }

    fn watch_slot(&mut self, index: usize) {
        let (now, settings) = (self.now, self.settings.clone());
        let slot = &self.slots[index];
        let since = |then| now.saturating_sub(then);
        if let Some(ended) = slot.ended
            && slot.is_alive()
            && !matches!(slot.state, State::Stopping { .. })
        {
            // Half of its end was seen. The other half has had its time?
            if since(ended) >= settings.settle {
                if slot.exit.is_some() {
                    self.died(index);
                } else {
                    let detail = "worker closed its pipe and lives on".to_owned();
                    self.lose_worker(index, Fault::Crashed, &detail, Charge::Accepted, Rung::Aborted);
                }
            }
            return;
        }
        match slot.state {
            State::Spawning { since: born } if since(born) >= settings.connect => {
                let detail = format!("no handshake within {:?}", settings.connect);
                self.lose_worker(index, Fault::LoadStalled, &detail, Charge::Nobody, Rung::Aborted);
            }
            State::Loading { moved, .. } if since(moved) >= settings.load_stall => {
                let detail = format!("loading did not move for {:?}", settings.load_stall);
                self.lose_worker(index, Fault::LoadStalled, &detail, Charge::Nobody, Rung::Asked);
            }
            State::Loading { .. } if since(slot.heard) >= settings.alive => {
                let detail = format!("nothing was heard for {:?} while loading", settings.alive);
                self.lose_worker(index, Fault::LoadStalled, &detail, Charge::Nobody, Rung::Asked);
            }
            State::Ready | State::Draining => self.watch_working(index),
            State::Stopping { rung: Rung::Asked, since: at } if since(at) >= settings.cancel_grace => {
                self.next_rung(index, Rung::Aborted);
            }
            State::Stopping { rung: Rung::Aborted, since: at } if since(at) >= settings.abort_grace => {
                self.next_rung(index, Rung::Killed);
            }
            State::Stopping { rung: Rung::Killed, since: at } if since(at) >= settings.wedge_after => {
                self.wedge(index);
            }
            _ => {}
        }
    }

    fn watch_working(&mut self, index: usize) {
        let (now, settings) = (self.now, self.settings.clone());
        let slot = &mut self.slots[index];
        if now.saturating_sub(slot.heard) >= settings.alive {
            let detail = format!("nothing was heard for {:?}", settings.alive);
            return self.lose_worker(index, Fault::Stalled, &detail, Charge::Accepted, Rung::Asked);
        }
        if slot.rows.is_empty() {
            if slot.state == State::Ready && now.saturating_sub(slot.ready_since) >= settings.good_after {
                slot.strikes.good_while();
            }
            return;
        }
        let still = now.saturating_sub(slot.progressed);
        // The limit costs a sort; the floor alone clears nearly every look.
        if still >= settings.stall_floor {
            let limit = deadline::stall_limit(&slot.step_times, &settings);
            if still >= limit {
                let detail = format!("alive, but no step for {limit:?}");
                return self.lose_worker(index, Fault::Stalled, &detail, Charge::Accepted, Rung::Asked);
            }
        }
        let late = slot
            .rows
            .iter()
            .find(|row| row.accepted.is_some_and(|accepted| now.saturating_sub(accepted) >= row.deadline));
        if let Some(late) = late {
            let detail = format!("not done within {:?}, its deadline", late.deadline);
            let charge = Charge::Only(late.ticket);
            return self.lose_worker(index, Fault::DeadlineExceeded, &detail, charge, Rung::Asked);
        }
        if now.saturating_sub(slot.ready_since) >= settings.good_after {
            slot.strikes.good_while();
        }
        self.renew(index);
    }

    /// Passes progress on to whoever lent the segments.
    fn renew(&mut self, index: usize) {
        let (now, every) = (self.now, self.settings.renew_every);
        let slot = &mut self.slots[index];
        let mut moved = Vec::new();
        for row in &mut slot.rows {
            if slot.progressed > row.renewed && now.saturating_sub(row.renewed) >= every {
                row.renewed = now;
                moved.push(row.segment);
            }
        }
        for segment in moved {
            self.act(Action::Renew { segment });
        }
    }

    fn watch_disk(&mut self) {
        let Some(since) = self.desk.full_since else { return };
        if self.phase == Phase::Running && self.now.saturating_sub(since) >= self.settings.disk_grace {
            let detail = format!("the disk stayed full for {:?}", self.settings.disk_grace);
            let stopped = Stopped::DiskFull { detail: detail.clone() };
            return self.start_draining(stopped, detail);
        }
        if self.phase == Phase::Running && self.now >= self.desk.retry_at && self.desk.store_is_quiet() {
            self.desk.retry_at = self.now + self.settings.disk_retry;
            self.store_again();
        }
    }
}

fn sentence(outgrown: Outgrown) -> String {
    match outgrown {
        Outgrown::Limit { resident_bytes, limit_bytes } => format!(
            "resident memory is {} MiB, the limit {} MiB",
            resident_bytes >> 20,
            limit_bytes.div_ceil(1 << 20)
        ),
        Outgrown::Slope { bytes_per_hour } => {
            format!("resident memory grows by {} MiB an hour", bytes_per_hour >> 20)
        }
    }
}
