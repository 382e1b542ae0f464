//! A whole world for the machine, out of one seed: sources, workers that misbehave in every way they
//! know, disks that fill up, an orchestrator that sleeps. Virtual time; a million events take seconds.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use narrator_core::{Fault, Incarnation, SegmentId};
use narrator_proto::{Beat, LoadProgress, LoadStage};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tests::Referee;
use super::{Action, Exit, Input, Machine, MachineConfig, Numbering, Signal, Stopped, Ticket};
use crate::SupervisionSettings;
use crate::rules::take::TakeFacts;

const SAMPLE_RATE: u32 = 24_000;
/// Rows that fit into a worker's memory; it announces more.
const FITS: usize = 6;
const ANNOUNCED: u32 = 8;

/// What a worker takes of an accelerator's memory, and what the larger and the smaller of them have: room for
/// two, and for one.
const DEVICE_NEED: u64 = 4 << 30;
const ROOMY: u64 = 10 << 30;
const NARROW: u64 = 7 << 30;
/// What a worker that leaks takes more with every beat.
const LEAK: u64 = 3 << 20;

/// What a simulated worker process is up to.
#[derive(Debug, Default)]
struct Worker {
    device: String,
    ready: bool,
    leaks: bool,
    beats: u64,
    /// Compute stands still; the beats go on.
    stuck: bool,
    /// Nothing goes out any more.
    silent: bool,
    deaf: bool,
    survives_abort: bool,
    survives_kill: bool,
    leaving: bool,
    steps: u64,
    rows: VecDeque<(Ticket, SegmentId)>,
    /// Its next row's end is on the agenda.
    working: bool,
}

/// Things that will happen by themselves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Due {
    Tick,
    Born(Incarnation),
    Greet(Incarnation),
    Loaded(Incarnation),
    Beat(Incarnation),
    Work(Incarnation),
    Dead(Incarnation),
    Buried(Ticket),
    DiskFree,
}

struct World {
    dice: ChaCha8Rng,
    now: Duration,
    agenda: BinaryHeap<Reverse<(Duration, u64, Due)>>,
    order: u64,
    workers: BTreeMap<Incarnation, Worker>,
    /// Where the processes under way were ordered.
    ordered: BTreeMap<Incarnation, String>,
    /// Device memory of the dead that has not come back, until when.
    ghosts: Vec<(String, Duration)>,
    narrow: bool,
    /// Every worker leaks, not one in twenty.
    leaky: bool,
    next_segment: u32,
    book: u32,
    /// The pool listens: its workers answer with what they heard.
    listens: bool,
    chaos: f64,
    disk_full: bool,
    referee: Referee,
    machine: Machine,
    events: u64,
    inbox: VecDeque<Input>,
}

/// Segments that kill whoever touches them.
fn is_poison(segment: SegmentId) -> bool {
    segment.0.is_multiple_of(997)
}

impl World {
    fn new(seed: u64, book: u32, chaos: f64, settings: SupervisionSettings) -> Self {
        let devices = ["cpu", "cuda:0", "cuda:0", "cuda:1"].map(str::to_owned).to_vec();
        let settings = Arc::new(settings);
        Self {
            dice: ChaCha8Rng::seed_from_u64(seed),
            now: Duration::ZERO,
            agenda: BinaryHeap::new(),
            order: 0,
            workers: BTreeMap::new(),
            ordered: BTreeMap::new(),
            ghosts: Vec::new(),
            narrow: seed % 2 == 1,
            leaky: false,
            next_segment: 1,
            book,
            listens: seed % 5 == 2,
            chaos,
            disk_full: false,
            referee: Referee::default(),
            machine: Machine::new(MachineConfig {
                devices,
                settings,
                seed,
                can_look: true,
                numbering: Numbering::default(),
            }),
            events: 0,
            inbox: VecDeque::new(),
        }
    }

    fn chance(&mut self, part: f64) -> bool {
        self.dice.random_bool((part * self.chaos).min(1.0))
    }

    fn soon(&mut self, ms: u64, due: Due) {
        self.order += 1;
        let jitter = self.dice.random_range(0..=ms / 2 + 1);
        self.agenda.push(Reverse((self.now + Duration::from_millis(ms + jitter), self.order, due)));
    }

    /// Plays until the machine says that it is over.
    fn play(mut self, drain_at: Option<u64>) -> Self {
        let actions = self.machine.start();
        self.carry_out(actions);
        self.soon(0, Due::Tick);
        while self.referee.over.is_none() {
            let Reverse((at, _, due)) = self.agenda.pop().expect("there is always a tick");
            self.now = self.now.max(at);
            self.happen(due);
            if drain_at.is_some_and(|at| self.events >= at) {
                self.give(Input::Drain { why: "asked".into() });
            }
            // Half of those who ask for a drain lose patience.
            if drain_at.is_some_and(|at| at % 100 == 0 && self.events >= at + 50) {
                self.give(Input::StopNow { why: "asked again".into() });
            }
            assert!(self.events < 20_000_000, "it does not end");
        }
        self
    }

    fn give(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next {
            if self.referee.over.is_some() {
                return;
            }
            self.events += 1;
            self.referee.input(&input);
            let actions = self.machine.step(self.now, input);
            self.carry_out(actions);
            next = self.inbox.pop_front();
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Tick => {
                if self.chance(0.0002) {
                    self.now += Duration::from_secs(self.dice.random_range(3..100_000));
                }
                if self.chance(0.0001) && !self.disk_full {
                    self.disk_full = true;
                    self.soon(20_000, Due::DiskFree);
                }
                self.soon(200, Due::Tick);
                self.give(Input::Tick);
            }
            Due::DiskFree => self.disk_full = false,
            Due::Born(incarnation) => self.be_born(incarnation),
            Due::Greet(incarnation) => self.greet(incarnation),
            Due::Loaded(incarnation) => self.loaded(incarnation),
            Due::Beat(incarnation) => self.beat(incarnation),
            Due::Work(incarnation) => self.work(incarnation),
            Due::Dead(incarnation) => {
                if let Some(worker) = self.workers.remove(&incarnation) {
                    if worker.ready && worker.device != "cpu" {
                        // The driver takes its time, and once in a while for ever.
                        let never = self.chance(0.0005);
                        let back = if never { Duration::MAX } else { self.now + Duration::from_secs(3) };
                        self.ghosts.push((worker.device, back));
                    }
                    let exit = Exit { code: None, text: "signal 9 (SIGKILL)".into(), last_line: None };
                    let ends = [Input::Closed { incarnation }, Input::Exited { incarnation, exit }];
                    let turned = self.dice.random_bool(0.5);
                    let only_exit = self.chance(0.05);
                    for (at, end) in ends.into_iter().enumerate() {
                        // A grandchild may hold the pipe open.
                        if !(only_exit && at == 0) {
                            self.give(if turned { end } else { end.clone() });
                        }
                    }
                }
            }
            Due::Buried(ticket) => self.store(ticket),
        }
    }

    fn be_born(&mut self, incarnation: Incarnation) {
        if self.chance(0.02) {
            self.ordered.remove(&incarnation);
            return self.give(Input::SpawnFailed { incarnation, detail: "no memory for a process".into() });
        }
        let worker = Worker {
            device: self.ordered.remove(&incarnation).expect("it was ordered"),
            leaks: self.leaky || self.chance(0.05),
            deaf: self.chance(0.1),
            survives_abort: self.chance(0.1),
            survives_kill: self.chance(0.001),
            ..Worker::default()
        };
        self.workers.insert(incarnation, worker);
        self.give(Input::Spawned { incarnation, pid: 1000 + incarnation.0 as u32 });
        if self.chance(0.02) {
            return self.soon(50, Due::Dead(incarnation));
        }
        if !self.chance(0.01) {
            self.soon(300, Due::Greet(incarnation));
        }
    }

    fn greet(&mut self, incarnation: Incarnation) {
        if self.workers.contains_key(&incarnation) {
            self.give(Input::Connected { incarnation });
            self.soon(1000, Due::Beat(incarnation));
        }
    }

    fn loaded(&mut self, incarnation: Incarnation) {
        let progress = LoadProgress { stage: LoadStage::Weights, done: 5, total: 10 };
        if !self.workers.contains_key(&incarnation) || self.chance(0.01) {
            return;
        }
        self.give(Input::Loading { incarnation, progress });
        if self.chance(0.02) {
            let detail = "the file is short".to_owned();
            self.give(Input::Fatal { incarnation, fault: Fault::LoadFailed, detail });
            return self.soon(20, Due::Dead(incarnation));
        }
        let Some(worker) = self.workers.get_mut(&incarnation) else { return };
        worker.ready = true;
        let device = worker.device.clone();
        if device != "cpu" {
            assert!(self.held(&device) <= self.total(&device), "{device} holds more than it has");
        }
        self.give(Input::Ready {
            incarnation,
            rows: ANNOUNCED,
            sample_rate: SAMPLE_RATE,
            load_ms: 500,
            peak_device_bytes: DEVICE_NEED,
        });
    }

    fn total(&self, device: &str) -> u64 {
        if self.narrow && device == "cuda:0" { NARROW } else { ROOMY }
    }

    /// Memory of a device in the hands of the living and of the dead.
    fn held(&self, device: &str) -> u64 {
        let living = self.workers.values().filter(|worker| worker.ready && worker.device == device).count();
        let dead = self.ghosts.iter().filter(|(at, until)| at == device && *until > self.now).count();
        (living + dead) as u64 * DEVICE_NEED
    }

    fn beat(&mut self, incarnation: Incarnation) {
        let Some(worker) = self.workers.get_mut(&incarnation) else { return };
        let steps = worker.steps;
        let silent = worker.silent;
        worker.beats += 1;
        let leaked = if worker.leaks { worker.beats * LEAK } else { 0 };
        self.soon(900, Due::Beat(incarnation));
        if !silent {
            let resident = if self.chance(0.002) { 20 << 30 } else { (1 << 30) + leaked };
            let beat = Beat { steps, resident_bytes: Some(resident), ..Beat::default() };
            self.give(Input::Beat { incarnation, beat });
        }
    }

    /// A worker that has rows finishes one after the other.
    fn go_on(&mut self, incarnation: Incarnation, ms: u64) {
        if let Some(worker) = self.workers.get_mut(&incarnation)
            && !worker.working
        {
            worker.working = true;
            self.soon(ms, Due::Work(incarnation));
        }
    }

    /// One row is finished, or something else becomes of it.
    fn work(&mut self, incarnation: Incarnation) {
        let Some(worker) = self.workers.get_mut(&incarnation) else { return };
        worker.working = false;
        let Some((ticket, segment)) = worker.rows.pop_front() else {
            if worker.leaving && !worker.deaf {
                self.soon(10, Due::Dead(incarnation));
            }
            return;
        };
        let crowded = worker.rows.len() >= FITS;
        if worker.stuck || worker.silent {
            return;
        }
        worker.steps += 1;
        self.give(Input::Accepted { incarnation, ticket });
        if (is_poison(segment) && self.chaos > 0.0) || self.chance(0.01) {
            return self.happen(Due::Dead(incarnation));
        }
        if crowded {
            let detail = "no room for this many rows".to_owned();
            self.go_on(incarnation, 300);
            return self.give(Input::Failed { incarnation, ticket, fault: Fault::OutOfMemory, detail });
        }
        let odd = self.dice.random_range(0.0..1.0) / self.chaos.max(1e-9);
        let detail = "as the dice fell".to_owned();
        match odd {
            x if x < 0.002 => {
                if let Some(worker) = self.workers.get_mut(&incarnation) {
                    worker.stuck = true;
                }
            }
            x if x < 0.004 => {
                if let Some(worker) = self.workers.get_mut(&incarnation) {
                    worker.silent = true;
                }
            }
            x if x < 0.010 => {
                self.give(Input::Failed { incarnation, ticket, fault: Fault::Runaway, detail });
            }
            x if x < 0.012 => {
                self.give(Input::Failed { incarnation, ticket, fault: Fault::DeviceFault, detail });
                self.soon(20, Due::Dead(incarnation));
            }
            x if x < 0.014 => self.give(Input::Garbage { incarnation, detail }),
            x if x < 0.015 => {
                self.give(Input::Failed { incarnation, ticket, fault: Fault::BadRequest, detail });
            }
            x if x < 0.020 => self.finish_row(incarnation, ticket, f32::NAN),
            x => {
                if !self.listens {
                    self.give(Input::Chunk { incarnation, ticket, samples: 12_000 });
                }
                self.finish_row(incarnation, ticket, 0.5);
                if x < 0.03 {
                    // Once more, and for something long gone.
                    self.finish_row(incarnation, ticket, 0.5);
                    self.finish_row(incarnation, Ticket(ticket.0.saturating_sub(40)), 0.5);
                }
            }
        }
        self.go_on(incarnation, 300);
    }

    fn finish_row(&mut self, incarnation: Incarnation, ticket: Ticket, peak: f32) {
        if self.listens && peak.is_finite() {
            self.give(Input::Heard { incarnation, ticket, audio_ms: 500, compute_ms: 100 });
            return;
        }
        let facts = TakeFacts { samples: 12_000, sample_rate: SAMPLE_RATE, finite: peak.is_finite(), peak };
        self.give(Input::Done { incarnation, ticket, facts, announced: 12_000, compute_ms: 100 });
    }

    fn store(&mut self, ticket: Ticket) {
        if self.disk_full {
            let detail = "no space left on device".to_owned();
            self.give(Input::StoreFailed { ticket, fault: Fault::DiskFull, detail });
        } else {
            self.give(Input::Stored { ticket });
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            self.referee.action(&action);
            match action {
                Action::Lease { count } => self.lease(count),
                Action::Spawn { incarnation, device, .. } => {
                    self.ordered.insert(incarnation, device);
                    self.soon(20, Due::Born(incarnation));
                }
                Action::Load { incarnation, .. } => self.soon(2000, Due::Loaded(incarnation)),
                Action::Send { incarnation, ticket, segment, .. } => {
                    if let Some(worker) = self.workers.get_mut(&incarnation) {
                        assert!(worker.ready);
                        worker.rows.push_back((ticket, segment));
                        self.go_on(incarnation, 600);
                    }
                }
                Action::CancelAll { incarnation } => {
                    if let Some(worker) = self.workers.get_mut(&incarnation)
                        && !worker.deaf
                    {
                        worker.rows.clear();
                    }
                }
                Action::AskToLeave { incarnation } => {
                    if let Some(worker) = self.workers.get_mut(&incarnation) {
                        worker.leaving = true;
                        if worker.ready && !worker.deaf && !worker.stuck && worker.rows.is_empty() {
                            self.soon(10, Due::Dead(incarnation));
                        }
                    }
                }
                Action::Signal { incarnation, signal } => {
                    let dies = self.workers.get(&incarnation).is_some_and(|worker| match signal {
                        Signal::Abort => !worker.survives_abort,
                        Signal::Kill => !worker.survives_kill,
                    });
                    if dies {
                        self.soon(30, Due::Dead(incarnation));
                    }
                }
                Action::Store { ticket } | Action::Quarantine { ticket, .. } => {
                    self.soon(5, Due::Buried(ticket));
                }
                Action::LookAtDevice { device } => {
                    let free = self.total(&device).saturating_sub(self.held(&device));
                    self.give_later(Input::DeviceMemory { device, free_bytes: Some(free) });
                }
                Action::GiveBack { .. }
                | Action::Settled { .. }
                | Action::Tell(_)
                | Action::SetRows { .. }
                | Action::Renew { .. }
                | Action::Bury { .. }
                | Action::Discard { .. }
                | Action::Finish(_) => {}
            }
        }
    }

    /// An answer that is there at once; it must not come inside the step that asked.
    fn give_later(&mut self, input: Input) {
        self.inbox.push_back(input);
    }

    fn lease(&mut self, count: u32) {
        for _ in 0..count {
            if self.next_segment > self.book {
                return self.give_later(Input::Dry { for_good: true });
            }
            let segment = SegmentId(self.next_segment);
            self.next_segment += 1;
            self.give_later(Input::Leased { segment, audio_s: 4.0 });
        }
    }
}

/// Faults as often as here are not one night's: the intensity would park every slot.
fn tireless() -> SupervisionSettings {
    SupervisionSettings {
        intensity: 1_000_000,
        max_resident_bytes: Some(8 << 30),
        backoff_cap: Duration::from_secs(5),
        // Workers do not live for ten minutes here: memory is looked at more often.
        growth_sample: Duration::from_millis(500),
        growth_floor_bytes: 64 << 20,
        ..SupervisionSettings::default()
    }
}

#[test]
fn a_million_events_lose_no_segment() {
    let world = World::new(20_261_123, 200_000, 1.0, tireless()).play(None);
    assert_eq!(world.referee.over, Some(Stopped::Finished));
    assert_eq!(world.referee.ended.len(), 200_000);
    let quarantined: Vec<_> =
        world.referee.ended.iter().filter(|(_, how)| **how == "quarantined").map(|(id, _)| *id).collect();
    assert!((1..=200).all(|n| quarantined.contains(&SegmentId(n * 997))), "every poison is out");
    // What is out beside the poison: texts that the engine refused, and the worst luck.
    assert!(quarantined.len() < 200 + 400, "{}", quarantined.len());
    assert!(world.events > 1_000_000, "{}", world.events);
    let counters = world.machine.counters();
    assert_eq!(counters.done + counters.quarantined, 200_000);
    assert!(counters.restarts > 1_000 && counters.dropped > 1_000, "{counters:?}");
    // It was a million events of every kind, and not of the same ten.
    for (event, least) in [
        ("worker_recycled", 100),
        ("dispatch_paused", 10),
        ("dispatch_resumed", 10),
        ("clock_gap", 10),
        ("slot_waiting", 10),
        ("rows_shrunk", 100),
        ("rows_grown", 100),
        ("slot_backoff", 1_000),
        ("segment_retried", 1_000),
    ] {
        let told = world.referee.told(event);
        assert!(told >= least, "{event} came {told} times: {:?}", world.referee.told);
    }
}

#[test]
fn without_faults_nothing_is_retried_or_restarted() {
    let settings = SupervisionSettings { max_resident_bytes: None, ..SupervisionSettings::default() };
    let world = World::new(1, 990, 0.0, settings).play(None);
    let counters = world.machine.counters();
    assert_eq!((counters.done, counters.restarts, counters.dropped), (990, 0, 0));
    // Only the memory that was announced and is not there.
    assert!(counters.retried < 60, "{counters:?}");
}

/// Nobody reaches a limit here, and nobody dies young: memory grows until the slope shows it.
#[test]
fn workers_that_leak_are_recycled_by_the_slope_and_cost_no_segment() {
    let settings = SupervisionSettings { max_resident_bytes: None, ..tireless() };
    let mut world = World::new(4, 50_000, 0.0, settings);
    world.leaky = true;
    let world = world.play(None);
    assert_eq!(world.referee.over, Some(Stopped::Finished));
    assert!(world.referee.told("worker_recycled") >= 10, "{:?}", world.referee.told);
    let counters = world.machine.counters();
    assert_eq!((counters.done, counters.quarantined, counters.dropped), (50_000, 0, 0));
}

#[test]
fn every_seed_ends_with_every_segment_accounted_for() {
    let mut told = BTreeMap::<String, u64>::new();
    for seed in 0..60 {
        let chaos = [0.3, 1.0, 3.0, 10.0][seed as usize % 4];
        let drain = (seed % 3 == 0).then_some(500 + seed * 50);
        let world = World::new(seed, 1_500, chaos, SupervisionSettings::default()).play(drain);
        let ended = &world.referee.ended;
        let left = ended.values().filter(|how| **how == "given back").count();
        match world.referee.over {
            Some(Stopped::Finished) => assert_eq!((ended.len(), left), (1_500, 0), "seed {seed}"),
            Some(Stopped::Drained) => assert!(drain.is_some(), "seed {seed}"),
            Some(Stopped::NoSlotLeft { .. }) => {}
            other => panic!("seed {seed}: {other:?}"),
        }
        for (event, times) in world.referee.told.into_values() {
            *told.entry(event).or_default() += times;
        }
    }
    // The rare ends are among them.
    for event in ["device_wedged", "slot_parked", "draining", "stopping_now", "segment_quarantined"] {
        assert!(told.contains_key(event), "no seed came to {event}: {told:?}");
    }
}

#[test]
fn one_seed_is_one_history() {
    let history = |seed| {
        let world = World::new(seed, 2_000, 1.0, tireless()).play(None);
        (world.events, world.machine.counters(), world.now)
    };
    assert_eq!(history(5), history(5));
    assert_ne!(history(5), history(6));
}
