//! The machine's state and its one entrance.

use std::sync::Arc;
use std::time::Duration;

use narrator_core::{Fault, Incarnation, SegmentId, SlotId};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::desk::Desk;
use super::messages::{Action, Input, Stopped, Ticket};
use super::slot::Slot;
use crate::SupervisionSettings;
use crate::event::What;
use crate::rules::admission::Device;
use crate::rules::clock::WatchedClock;

/// What a machine is made of.
#[derive(Clone, Debug)]
pub struct MachineConfig {
    /// A slot for each, on the device of this name.
    pub devices: Vec<String>,
    pub settings: Arc<SupervisionSettings>,
    /// Of the jitter.
    pub seed: u64,
    /// [`Action::LookAtDevice`] is answered.
    pub can_look: bool,
    pub numbering: Numbering,
}

/// How slots and incarnations are numbered, so that the pools of one run never give a number twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Numbering {
    /// Of the first slot.
    pub first_slot: u16,
    /// Of the first incarnation, and from each to the next.
    pub first_incarnation: u64,
    pub step: u64,
}

impl Default for Numbering {
    fn default() -> Self {
        Self { first_slot: 1, first_incarnation: 1, step: 1 }
    }
}

impl Numbering {
    /// Of pool number `index` (from 0) of `pools`, when the pools before it have `slots` slots.
    pub fn of_pool(index: u64, pools: u64, slots: u16) -> Self {
        Self { first_slot: slots + 1, first_incarnation: index + 1, step: pools.max(1) }
    }
}

/// What a run amounted to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counters {
    pub done: u64,
    pub quarantined: u64,
    pub dispatched: u64,
    /// Segments that went back to the queue, charged or not.
    pub retried: u64,
    pub spawned: u64,
    /// Workers that took the place of a lost one.
    pub restarts: u64,
    /// Answers that nobody waited for.
    pub dropped: u64,
    pub audio_ms: u64,
    pub compute_ms: u64,
}

/// How far the run is.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Phase {
    Running,
    /// Nothing new starts; what runs may end.
    Draining {
        until: Duration,
        stopped: Stopped,
    },
    /// Workers are being stopped.
    Closing {
        stopped: Stopped,
    },
    Over,
}

/// The supervisor. See the module for its states.
#[derive(Debug)]
pub struct Machine {
    pub(super) settings: Arc<SupervisionSettings>,
    pub(super) slots: Vec<Slot>,
    pub(super) devices: Vec<Device>,
    /// When each device was last seen, and when a look was last asked for.
    pub(super) looked: Vec<Option<Duration>>,
    pub(super) asked_look: Vec<Option<Duration>>,
    pub(super) desk: Desk,
    pub(super) phase: Phase,
    pub(super) counters: Counters,
    pub(super) quarantined: Vec<(SegmentId, Fault, String)>,
    /// Good takes that may buy a pardon for deaths by a quarantined text.
    pub(super) credit: u32,
    pub(super) dice: ChaCha8Rng,
    pub(super) can_look: bool,
    clock: WatchedClock,
    pub(super) now: Duration,
    tickets: u64,
    next_incarnation: Incarnation,
    incarnation_step: u64,
    out: Vec<Action>,
}

impl Machine {
    pub fn new(config: MachineConfig) -> Self {
        let settings = config.settings;
        let mut devices: Vec<Device> = Vec::new();
        let mut slots = Vec::new();
        for (index, name) in config.devices.iter().enumerate() {
            let device = devices.iter().position(|device| device.name == *name).unwrap_or_else(|| {
                devices.push(Device::new(name));
                devices.len() - 1
            });
            slots.push(Slot::new(SlotId(config.numbering.first_slot + index as u16), device));
        }
        Self {
            clock: WatchedClock::new(settings.tick, settings.suspension_gap),
            looked: vec![None; devices.len()],
            asked_look: vec![None; devices.len()],
            slots,
            devices,
            desk: Desk::default(),
            phase: Phase::Running,
            counters: Counters::default(),
            quarantined: Vec::new(),
            credit: 0,
            dice: ChaCha8Rng::seed_from_u64(config.seed),
            can_look: config.can_look,
            now: Duration::ZERO,
            tickets: 0,
            next_incarnation: Incarnation(config.numbering.first_incarnation),
            incarnation_step: config.numbering.step,
            out: Vec::new(),
            settings,
        }
    }

    /// Begins the run.
    pub fn start(&mut self) -> Vec<Action> {
        self.tell(What::PoolStarted { slots: self.slots.len() as u16 });
        self.advance();
        std::mem::take(&mut self.out)
    }

    /// Takes one input at the monotone time `raw` since the start and says what is to be done. To be
    /// called at least every [`SupervisionSettings::tick`].
    pub fn step(&mut self, raw: Duration, input: Input) -> Vec<Action> {
        if self.phase == Phase::Over {
            return Vec::new();
        }
        let (now, absent) = self.clock.observe(raw);
        self.now = now;
        if let Some(absent) = absent {
            self.tell(What::ClockGap { absent_ms: absent.as_millis() as u64 });
        }
        match input {
            Input::Tick => self.on_tick(),
            Input::Leased { segment, audio_s } => {
                self.desk.asked = false;
                self.desk.lease(segment, audio_s);
            }
            Input::Dry { for_good } => {
                self.desk.asked = false;
                self.desk.exhausted |= for_good;
                self.desk.nothing_now = !for_good;
            }
            Input::Spawned { incarnation, pid } => self.on_spawned(incarnation, pid),
            Input::SpawnFailed { incarnation, detail } => self.on_spawn_failed(incarnation, detail),
            Input::Connected { incarnation } => self.on_connected(incarnation),
            Input::Refused { incarnation, detail } => self.on_refused(incarnation, &detail),
            Input::Loading { incarnation, progress } => {
                self.on_loading(incarnation, progress);
                return std::mem::take(&mut self.out);
            }
            Input::Ready { incarnation, rows, sample_rate, load_ms, peak_device_bytes } => {
                self.on_ready(incarnation, rows, sample_rate, load_ms, peak_device_bytes);
            }
            Input::Able { incarnation, abilities } => self.on_able(incarnation, abilities),
            Input::Beat { incarnation, beat } => self.on_beat(incarnation, beat),
            Input::Accepted { incarnation, ticket } => {
                self.on_accepted(incarnation, ticket);
                return std::mem::take(&mut self.out);
            }
            Input::Chunk { incarnation, ticket, samples } => self.on_chunk(incarnation, ticket, samples),
            Input::Done { incarnation, ticket, facts, announced, compute_ms } => {
                self.on_done(incarnation, ticket, facts, announced, compute_ms);
            }
            Input::Heard { incarnation, ticket, audio_ms, compute_ms } => {
                self.on_heard(incarnation, ticket, audio_ms, compute_ms);
            }
            Input::Failed { incarnation, ticket, fault, detail } => {
                self.on_failed(incarnation, ticket, fault, &detail);
            }
            Input::Fatal { incarnation, fault, detail } => self.on_fatal(incarnation, fault, &detail),
            // Its exit says the same, and says it also of those that do not say goodbye.
            Input::Goodbye { incarnation } => drop(self.heard(incarnation)),
            Input::Garbage { incarnation, detail } => self.on_garbage(incarnation, &detail),
            Input::Closed { incarnation } => self.on_closed(incarnation),
            Input::Exited { incarnation, exit } => self.on_exited(incarnation, exit),
            Input::DeviceMemory { device, free_bytes } => self.on_device_memory(&device, free_bytes),
            Input::Stored { ticket } => self.on_stored(ticket),
            Input::StoreFailed { ticket, fault, detail } => self.on_store_failed(ticket, fault, detail),
            Input::Drain { why } => self.on_drain(why),
            Input::StopNow { why } => self.on_stop_now(why),
        }
        self.advance();
        std::mem::take(&mut self.out)
    }

    /// What the run amounted to so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The present time on the machine's own clock.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// The rate at which a living worker speaks; 0 of one that is not there.
    pub fn sample_rate(&self, incarnation: Incarnation) -> u32 {
        self.slot_of(incarnation).map_or(0, |index| self.slots[index].sample_rate)
    }

    /// The segments that are out, and why, in the order in which they went.
    pub fn quarantined(&self) -> &[(SegmentId, Fault, String)] {
        &self.quarantined
    }

    /// After every input: whatever became possible is done.
    fn advance(&mut self) {
        self.staff();
        self.lease();
        self.dispatch();
        self.close();
    }

    /// Asks the source for as many segments as keep the workers' hands full.
    fn lease(&mut self) {
        if self.phase != Phase::Running || self.desk.exhausted || self.desk.asked || self.desk.nothing_now {
            return;
        }
        let hands: u32 =
            self.slots.iter().filter(|slot| slot.has_future()).map(|slot| slot.limit.limit() + 1).sum();
        let wanted = (hands + self.settings.lookahead).saturating_sub(self.desk.waiting() as u32);
        // Half at least, so that the source is asked for some at a time and not for each.
        if wanted * 2 > self.settings.lookahead.max(1) {
            self.desk.asked = true;
            self.act(Action::Lease { count: wanted });
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        self.out.push(action);
    }

    pub(super) fn tell(&mut self, what: What) {
        self.out.push(Action::Tell(what));
    }

    pub(super) fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    pub(super) fn next_incarnation(&mut self) -> Incarnation {
        let next = Incarnation(self.next_incarnation.0 + self.incarnation_step);
        std::mem::replace(&mut self.next_incarnation, next)
    }

    /// The slot whose present worker this is.
    pub(super) fn slot_of(&self, incarnation: Incarnation) -> Option<usize> {
        self.slots.iter().position(|slot| slot.incarnation == incarnation && incarnation.0 != 0)
    }
}
