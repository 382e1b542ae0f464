//! The machine against its invariants: a referee that watches every action, single stories, and random
//! inputs that nobody would send.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::time::Duration;

use narrator_core::{Fault, Incarnation, SegmentId};
use narrator_proto::Beat;
use proptest::prelude::*;

use super::{Action, Exit, Input, Machine, MachineConfig, Numbering, Stopped, Ticket};
use crate::SupervisionSettings;
use crate::event::What;
use crate::rules::take::TakeFacts;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Starting,
    Greeted,
    Ready,
    Leaving,
}

/// Watches inputs and actions and knows nothing of the machine's inside.
#[derive(Debug, Default)]
pub(super) struct Referee {
    workers: BTreeMap<Incarnation, Stage>,
    capacity: BTreeMap<Incarnation, u32>,
    hands: BTreeMap<Ticket, (SegmentId, Incarnation)>,
    storing: BTreeSet<Ticket>,
    tickets: BTreeSet<Ticket>,
    leased: BTreeSet<SegmentId>,
    pub ended: BTreeMap<SegmentId, &'static str>,
    pub over: Option<Stopped>,
    pub buried: BTreeSet<Incarnation>,
    paused: bool,
    wedged: BTreeSet<String>,
    /// How often each event was told, with its name.
    pub told: HashMap<Discriminant<What>, (String, u64)>,
}

impl Referee {
    pub fn input(&mut self, input: &Input) {
        match input {
            Input::Leased { segment, .. } => drop(self.leased.insert(*segment)),
            Input::Connected { incarnation } => self.move_on(*incarnation, Stage::Starting, Stage::Greeted),
            Input::Ready { incarnation, rows, .. } => {
                self.capacity.insert(*incarnation, (*rows).max(1));
                self.move_on(*incarnation, Stage::Greeted, Stage::Ready);
            }
            _ => {}
        }
    }

    fn move_on(&mut self, incarnation: Incarnation, from: Stage, to: Stage) {
        if let Some(stage) = self.workers.get_mut(&incarnation)
            && *stage == from
        {
            *stage = to;
        }
    }

    fn in_hand(&self, incarnation: Incarnation) -> usize {
        self.hands.values().filter(|(_, holder)| *holder == incarnation).count()
    }

    fn end(&mut self, segment: SegmentId, how: &'static str) {
        assert!(self.leased.contains(&segment), "{segment} ended unleased");
        let before = self.ended.insert(segment, how);
        assert_eq!(before, None, "segment {segment} ended twice");
    }

    /// What is told has consequences that are watched from then on.
    fn hear(&mut self, what: &What) {
        match what {
            What::DispatchPaused { .. } => {
                assert!(!std::mem::replace(&mut self.paused, true), "paused twice");
            }
            What::DispatchResumed { .. } => {
                assert!(std::mem::replace(&mut self.paused, false), "resumed without a pause");
            }
            // On the CPU it is the slot alone that is lost.
            What::DeviceWedged { device, .. } if device != "cpu" => {
                self.wedged.insert(device.clone());
            }
            // It finishes what it holds and gets nothing more.
            What::WorkerRecycled { incarnation, .. } => {
                self.workers.insert(*incarnation, Stage::Leaving);
            }
            _ => {}
        }
        let name = || serde_json::to_value(what).expect("json")["event"].as_str().expect("a name").to_owned();
        self.told.entry(discriminant(what)).or_insert_with(|| (name(), 0)).1 += 1;
    }

    pub fn told(&self, event: &str) -> u64 {
        self.told.values().find(|(name, _)| name == event).map_or(0, |(_, times)| *times)
    }

    pub fn action(&mut self, action: &Action) {
        assert!(self.over.is_none(), "after the end: {action:?}");
        if let Action::Tell(what) = action {
            self.hear(what);
        }
        match action {
            Action::Spawn { incarnation, device, .. } => {
                assert!(!self.wedged.contains(device), "a worker is started on the wedged {device}");
                assert!(self.workers.insert(*incarnation, Stage::Starting).is_none(), "incarnation reused");
            }
            Action::Send { incarnation, ticket, segment, .. } => {
                assert_eq!(self.workers[incarnation], Stage::Ready, "dispatch to a worker that is not ready");
                assert!(!self.paused, "dispatch while the disk is full");
                assert!(self.tickets.insert(*ticket), "ticket reused");
                assert!(self.leased.contains(segment) && !self.ended.contains_key(segment));
                assert!(self.hands.values().all(|(held, _)| held != segment), "in two hands");
                self.hands.insert(*ticket, (*segment, *incarnation));
                let most = self.capacity[incarnation] + 1;
                assert!(self.in_hand(*incarnation) <= most as usize, "too many in hand");
            }
            Action::AskToLeave { incarnation }
            | Action::CancelAll { incarnation }
            | Action::Signal { incarnation, .. } => {
                assert!(!self.buried.contains(incarnation), "a buried worker is asked to leave");
                self.workers.insert(*incarnation, Stage::Leaving);
            }
            Action::Bury { incarnation } => {
                self.workers.insert(*incarnation, Stage::Leaving);
                assert!(self.buried.insert(*incarnation), "buried twice");
                assert_eq!(self.in_hand(*incarnation), 0, "buried with rows in hand");
            }
            Action::Store { ticket } => {
                let again = self.storing.contains(ticket);
                assert!(again || self.hands.remove(ticket).is_some(), "stored out of nobody's hand");
                self.storing.insert(*ticket);
            }
            Action::Quarantine { ticket, .. } => drop(self.storing.insert(*ticket)),
            Action::Discard { ticket } => {
                self.hands.remove(ticket);
                self.storing.remove(ticket);
            }
            Action::GiveBack { segment } => self.end(*segment, "given back"),
            Action::Tell(What::SegmentDone { segment, .. } | What::SegmentHeard { segment, .. }) => {
                self.end(*segment, "done");
            }
            Action::Tell(What::SegmentQuarantined { segment, .. }) => self.end(*segment, "quarantined"),
            Action::Finish(stopped) => {
                assert!(self.hands.is_empty(), "rows in hand at the end: {:?}", self.hands);
                assert!(self.storing.is_empty(), "takes under way at the end");
                for segment in &self.leased {
                    assert!(self.ended.contains_key(segment), "segment {segment} has no end");
                }
                self.over = Some(stopped.clone());
            }
            _ => {}
        }
    }
}

/// A machine with a referee, driven by hand.
struct Story {
    machine: Machine,
    referee: Referee,
    raw: Duration,
    actions: Vec<Action>,
}

impl Story {
    fn new(devices: &[&str], settings: SupervisionSettings) -> Self {
        Self::of(devices, settings, false)
    }

    fn of(devices: &[&str], settings: SupervisionSettings, can_look: bool) -> Self {
        let config = MachineConfig {
            devices: devices.iter().map(ToString::to_string).collect(),
            settings: Arc::new(settings),
            seed: 7,
            can_look,
            numbering: Numbering::default(),
        };
        let mut story = Self {
            machine: Machine::new(config),
            referee: Referee::default(),
            raw: Duration::ZERO,
            actions: Vec::new(),
        };
        let actions = story.machine.start();
        story.note(actions);
        story
    }

    fn note(&mut self, actions: Vec<Action>) {
        for action in &actions {
            self.referee.action(action);
        }
        self.actions.extend(actions);
    }

    fn give(&mut self, input: Input) -> &mut Self {
        self.referee.input(&input);
        let actions = self.machine.step(self.raw, input);
        self.note(actions);
        self
    }

    /// Lets time pass in ticks.
    fn wait(&mut self, time: Duration) -> &mut Self {
        let until = self.raw + time;
        while self.raw < until {
            self.raw += Duration::from_millis(250);
            self.give(Input::Tick);
        }
        self
    }

    fn lease(&mut self, segments: std::ops::RangeInclusive<u32>) -> &mut Self {
        for id in segments {
            self.give(Input::Leased { segment: SegmentId(id), audio_s: 5.0 });
        }
        self.give(Input::Dry { for_good: true })
    }

    fn ready(&mut self, incarnation: u64, rows: u32) -> &mut Self {
        let incarnation = Incarnation(incarnation);
        self.give(Input::Spawned { incarnation, pid: 1 });
        self.give(Input::Connected { incarnation });
        self.give(Input::Ready { incarnation, rows, sample_rate: 24_000, load_ms: 1, peak_device_bytes: 0 })
    }

    /// Dies with its pipe.
    fn die(&mut self, incarnation: u64) -> &mut Self {
        let incarnation = Incarnation(incarnation);
        self.give(Input::Closed { incarnation });
        let exit = Exit { code: None, text: "signal 6 (SIGABRT)".into(), last_line: None };
        self.give(Input::Exited { incarnation, exit })
    }

    fn beat(&mut self, incarnation: u64, steps: u64) -> &mut Self {
        let beat = Beat { steps, ..Beat::default() };
        self.give(Input::Beat { incarnation: Incarnation(incarnation), beat })
    }

    fn accept(&mut self, incarnation: u64, ticket: Ticket) -> &mut Self {
        self.give(Input::Accepted { incarnation: Incarnation(incarnation), ticket })
    }

    fn done(&mut self, incarnation: u64, ticket: Ticket) -> &mut Self {
        let facts = TakeFacts { samples: 24_000, sample_rate: 24_000, finite: true, peak: 0.5 };
        let incarnation = Incarnation(incarnation);
        self.give(Input::Done { incarnation, ticket, facts, announced: 24_000, compute_ms: 9 })
    }

    /// Tickets in the hands of a worker, in the order of their dispatch.
    fn held(&self, incarnation: u64) -> Vec<Ticket> {
        let of = |holder: &Incarnation| holder.0 == incarnation;
        self.referee.hands.iter().filter(|(_, (_, holder))| of(holder)).map(|(ticket, _)| *ticket).collect()
    }

    fn segments_of(&self, incarnation: u64) -> Vec<u32> {
        let hands = &self.referee.hands;
        self.held(incarnation).iter().map(|ticket| hands[ticket].0.0).collect()
    }

    fn told(&self, pick: impl Fn(&What) -> bool) -> usize {
        let pick = |action: &&Action| matches!(action, Action::Tell(what) if pick(what));
        self.actions.iter().filter(pick).count()
    }

    fn spawned(&self) -> usize {
        self.actions.iter().filter(|action| matches!(action, Action::Spawn { .. })).count()
    }
}

fn quick() -> SupervisionSettings {
    SupervisionSettings { backoff_base: Duration::ZERO, ..SupervisionSettings::default() }
}

#[test]
fn nothing_is_dispatched_before_ready_and_one_ahead_after() {
    let mut story = Story::new(&["cpu"], quick());
    story.lease(1..=9);
    assert!(story.held(1).is_empty());
    story.ready(1, 2);
    assert_eq!(story.segments_of(1), [1, 2, 3]);
    let first = story.held(1)[0];
    story.accept(1, first).done(1, first);
    assert_eq!(story.segments_of(1), [2, 3, 4]);
}

#[test]
fn a_slow_worker_lives_and_a_stuck_one_does_not() {
    let mut story = Story::new(&["cpu"], quick());
    story.lease(1..=1).ready(1, 1);
    let ticket = story.held(1)[0];
    story.accept(1, ticket);
    for second in 1..=120 {
        // A step every ten seconds.
        story.wait(Duration::from_secs(1)).beat(1, second / 10);
    }
    assert_eq!(story.told(|what| matches!(what, What::FaultSeen { .. })), 0);
    for _ in 0..240 {
        story.wait(Duration::from_secs(1)).beat(1, 12);
    }
    let stalled =
        story.told(|what| matches!(what, What::FaultSeen { fault: Fault::Stalled, detail, .. } if detail.contains("no step")));
    assert_eq!(stalled, 1);
}

#[test]
fn a_silent_worker_is_lost_after_five_seconds() {
    let mut story = Story::new(&["cpu"], quick());
    story.lease(1..=1).ready(1, 1).wait(Duration::from_secs(4));
    assert_eq!(story.told(|what| matches!(what, What::FaultSeen { .. })), 0);
    story.wait(Duration::from_secs(2));
    assert_eq!(story.told(|what| matches!(what, What::FaultSeen { fault: Fault::Stalled, .. })), 1);
    let signals: Vec<_> = {
        story.wait(Duration::from_secs(40));
        let signal = |action: &Action| match action {
            Action::CancelAll { .. } => Some("cancel"),
            Action::Signal { signal: super::Signal::Abort, .. } => Some("abort"),
            Action::Signal { signal: super::Signal::Kill, .. } => Some("kill"),
            Action::Tell(What::DeviceWedged { .. }) => Some("wedged"),
            _ => None,
        };
        story.actions.iter().filter_map(signal).collect()
    };
    assert_eq!(signals, ["cancel", "abort", "kill", "wedged"]);
    assert!(matches!(story.referee.over, Some(Stopped::NoSlotLeft { .. })));
}

#[test]
fn our_own_absence_is_nobodys_fault() {
    let mut story = Story::new(&["cpu"], quick());
    story.lease(1..=1).ready(1, 1);
    let ticket = story.held(1)[0];
    story.accept(1, ticket).wait(Duration::from_secs(1)).beat(1, 1);
    story.raw += Duration::from_hours(8);
    story.give(Input::Tick).beat(1, 2);
    assert_eq!(story.told(|what| matches!(what, What::ClockGap { .. })), 1);
    assert_eq!(story.told(|what| matches!(what, What::FaultSeen { .. })), 0);
    story.done(1, ticket).give(Input::Stored { ticket });
    assert_eq!(story.referee.ended[&SegmentId(1)], "done");
}

#[test]
fn a_crashed_batch_is_tried_one_by_one_and_only_the_culprit_goes() {
    let mut story = Story::new(&["cpu"], quick());
    story.lease(1..=8).ready(1, 8);
    let bad = SegmentId(5);
    for ticket in story.held(1) {
        story.accept(1, ticket);
    }
    story.die(1);
    let mut worker = 1;
    while story.referee.ended.len() < 8 {
        story.wait(Duration::from_millis(250));
        worker += 1;
        story.ready(worker, 8);
        while story.spawned() == worker as usize && story.referee.ended.len() < 8 {
            let held = story.held(worker);
            assert_eq!(held.len(), 1, "alone");
            let ticket = held[0];
            story.accept(worker, ticket);
            if story.referee.hands[&ticket].0 == bad {
                story.die(worker).wait(Duration::from_millis(250));
            } else {
                story.done(worker, ticket).give(Input::Stored { ticket });
            }
            let last = story.actions.iter().rev().find_map(|action| match action {
                Action::Quarantine { ticket, .. } => Some(*ticket),
                _ => None,
            });
            if let Some(ticket) = last {
                story.give(Input::Stored { ticket });
            }
        }
        assert!(worker < 10, "bounded");
    }
    assert_eq!(story.referee.ended[&bad], "quarantined");
    assert_eq!(story.referee.ended.values().filter(|how| **how == "done").count(), 7);
    assert_eq!(story.spawned(), 4, "three deaths, four workers");
}

#[test]
fn a_death_before_the_word_accepted_makes_a_suspect_and_the_second_one_a_charge() {
    let mut story = Story::new(&["cpu"], quick());
    story.lease(1..=1);
    for worker in 1..=4 {
        story.ready(worker, 1);
        assert_eq!(story.segments_of(worker), [1]);
        story.die(worker).wait(Duration::from_millis(250));
    }
    let quarantined = |action: &Action| matches!(action, Action::Quarantine { tries: 3, .. });
    assert!(story.actions.iter().any(quarantined));
}

#[test]
fn bad_takes_are_tried_with_other_dice_and_in_the_end_by_another_worker() {
    let mut story = Story::new(&["cpu"], quick());
    story.lease(1..=1).ready(1, 4);
    let fail = |story: &mut Story, worker: u64| {
        let ticket = story.held(worker)[0];
        let detail = "past the cap".to_owned();
        let incarnation = Incarnation(worker);
        story.give(Input::Failed { incarnation, ticket, fault: Fault::Runaway, detail });
    };
    fail(&mut story, 1);
    fail(&mut story, 1);
    assert!(story.held(1).is_empty(), "not a third time by the same worker");
    assert_eq!(story.told(|what| matches!(what, What::WorkerRecycled { .. })), 1);
    story.die(1);
    story.ready(2, 4);
    fail(&mut story, 2);
    let takes: Vec<_> = story
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Send { take, attempt, .. } => Some((*attempt, *take)),
            _ => None,
        })
        .collect();
    assert_eq!(takes, [(1, 0), (2, 1), (3, 2)]);
    assert!(story.actions.iter().any(|action| matches!(action, Action::Quarantine { .. })));
}

#[test]
fn of_many_rows_a_few_that_break_off_first_do_not_make_a_worker_ill() {
    let ill_after = |rows: u32| {
        let mut story = Story::new(&["cpu"], quick());
        story.lease(1..=300).ready(1, rows);
        (1..100).find(|nth| {
            let held = story.held(1);
            let (incarnation, ticket) = (Incarnation(1), held[nth % held.len()]);
            let detail = "too short".to_owned();
            story.give(Input::Failed { incarnation, ticket, fault: Fault::BadOutput, detail });
            story.told(|what| matches!(what, What::FaultSeen { fault: Fault::DeviceFault, .. })) > 0
        })
    };
    assert_eq!(ill_after(4), Some(5));
    assert_eq!(ill_after(16), Some(5));
    assert_eq!(ill_after(128), Some(16));
}

#[test]
fn late_and_second_answers_are_counted_and_dropped() {
    let mut story = Story::new(&["cpu"], quick());
    story.lease(1..=2).ready(1, 1);
    let ticket = story.held(1)[0];
    story.accept(1, ticket).done(1, ticket).done(1, ticket).done(1, Ticket(99));
    story.give(Input::Stored { ticket }).give(Input::Stored { ticket });
    assert_eq!(story.machine.counters().done, 1);
    assert_eq!(story.machine.counters().dropped, 2);
}

#[test]
fn a_full_disk_pauses_and_goes_on() {
    let mut story = Story::new(&["cpu"], quick());
    story.lease(1..=9).ready(1, 1);
    let full = |story: &mut Story, ticket| {
        let detail = "no space left".to_owned();
        story.give(Input::StoreFailed { ticket, fault: Fault::DiskFull, detail });
    };
    let first = story.held(1)[0];
    story.accept(1, first).done(1, first);
    full(&mut story, first);
    let second = story.held(1)[0];
    story.accept(1, second).done(1, second);
    full(&mut story, second);
    assert_eq!(story.segments_of(1), [3], "what was sent before is spoken, nothing else is sent");
    for n in 1..=6 {
        story.wait(Duration::from_secs(1)).beat(1, n);
    }
    assert_eq!(story.actions.iter().filter(|a| matches!(a, Action::Store { .. })).count(), 4);
    story.give(Input::Stored { ticket: first }).give(Input::Stored { ticket: second });
    assert_eq!(story.segments_of(1), [3, 4]);
    assert_eq!(story.told(|what| matches!(what, What::DispatchResumed { .. })), 1);
    assert_eq!(story.machine.counters().done, 2);
}

#[test]
fn a_disk_that_stays_full_ends_the_run() {
    let settings = SupervisionSettings { disk_grace: Duration::from_secs(9), ..quick() };
    let mut story = Story::new(&["cpu"], settings);
    story.lease(1..=9).ready(1, 1);
    let first = story.held(1)[0];
    story.accept(1, first).done(1, first);
    let second = story.held(1)[0];
    story.accept(1, second);
    for n in 0..60 {
        let refused = Input::StoreFailed { ticket: first, fault: Fault::DiskFull, detail: "full".into() };
        story.give(refused).wait(Duration::from_millis(250)).beat(1, n);
        if n == 50 {
            story.done(1, second);
            let ticket = second;
            story.give(Input::StoreFailed { ticket, fault: Fault::DiskFull, detail: "full".into() });
            story.die(1);
        }
        if story.referee.over.is_some() {
            break;
        }
    }
    assert!(matches!(story.referee.over, Some(Stopped::DiskFull { .. })), "{:?}", story.referee.over);
    assert_eq!(story.referee.ended.len(), 9);
}

#[test]
fn drain_lets_rows_end_and_a_second_stop_does_not() {
    let mut story = Story::new(&["cpu", "cpu"], quick());
    story.lease(1..=9).ready(1, 1).ready(2, 1);
    let ticket = story.held(1)[0];
    story.accept(1, ticket).give(Input::Drain { why: "SIGINT".into() });
    assert_eq!(story.held(1).len(), 2);
    story.done(1, ticket).give(Input::Stored { ticket });
    assert_eq!(story.held(1).len(), 1, "no new one");
    story.give(Input::StopNow { why: "SIGINT".into() });
    assert!(story.held(1).is_empty() && story.held(2).is_empty());
    story.die(1).die(2);
    assert_eq!(story.referee.over, Some(Stopped::Drained));
    assert_eq!(story.referee.ended.values().filter(|how| **how == "given back").count(), 8);
}

#[test]
fn a_worker_with_wrong_settings_is_not_tried_again() {
    let mut story = Story::new(&["cpu", "cpu"], quick());
    story.lease(1..=9);
    for incarnation in [Incarnation(1), Incarnation(2)] {
        story.give(Input::Connected { incarnation });
        let detail = "no such model".to_owned();
        story.give(Input::Fatal { incarnation, fault: Fault::ConfigRejected, detail });
    }
    story.die(1).die(2);
    assert_eq!(story.spawned(), 2);
    let over = Stopped::NoSlotLeft { fault: Fault::ConfigRejected, why: "no such model".into() };
    assert_eq!(story.referee.over, Some(over));
}

#[test]
fn a_crowded_device_loses_a_worker_and_never_the_last() {
    let mut story = Story::new(&["cuda:0", "cuda:0"], quick());
    story.lease(1..=4);
    assert_eq!(story.spawned(), 1, "one load at a time");
    story.ready(1, 1);
    assert_eq!(story.spawned(), 2);
    story.ready(2, 1);
    let oom = |story: &mut Story, worker: u64| {
        let ticket = story.held(worker)[0];
        let incarnation = Incarnation(worker);
        let detail = "out of memory".to_owned();
        story.accept(worker, ticket);
        story.give(Input::Failed { incarnation, ticket, fault: Fault::OutOfMemory, detail });
    };
    oom(&mut story, 2);
    story.die(2);
    assert_eq!(story.told(|what| matches!(what, What::SlotParked { .. })), 1);
    oom(&mut story, 1);
    assert_eq!(story.told(|what| matches!(what, What::SlotParked { .. })), 1);
    let charged = |what: &What| matches!(what, What::SegmentRetried { charged: true, .. });
    assert_eq!(story.told(charged), 1);
}

#[test]
fn a_hearing_ends_a_dispatch_as_a_take_does() {
    let mut story = Story::new(&["cpu"], quick());
    story.lease(1..=2).ready(1, 2);
    let held = story.held(1);
    story.accept(1, held[0]);
    let (incarnation, ticket) = (Incarnation(1), held[0]);
    story.give(Input::Heard { incarnation, ticket, audio_ms: 900, compute_ms: 9 });
    assert_eq!(story.told(|what| matches!(what, What::SegmentHeard { .. })), 0, "not yet safe");
    story.give(Input::Stored { ticket });
    assert_eq!(story.told(|what| matches!(what, What::SegmentHeard { audio_ms: 900, .. })), 1);
    assert_eq!(story.machine.counters().done, 1);
    story.give(Input::Heard { incarnation, ticket, audio_ms: 900, compute_ms: 9 });
    assert_eq!(story.told(|what| matches!(what, What::AnswerDropped { answer: "heard", .. })), 1);
}

#[test]
fn the_pools_of_one_run_never_give_a_number_twice() {
    let slots = |index, slots| {
        let config = MachineConfig {
            devices: vec!["cpu".into(), "cpu".into()],
            settings: Arc::new(quick()),
            seed: 7,
            can_look: false,
            numbering: Numbering::of_pool(index, 3, slots),
        };
        let actions = Machine::new(config).start();
        let spawned = actions.iter().filter_map(|action| match action {
            Action::Spawn { slot, incarnation, .. } => Some((slot.0, incarnation.0)),
            _ => None,
        });
        spawned.collect::<Vec<_>>()
    };
    assert_eq!(slots(0, 0), [(1, 1), (2, 4)]);
    assert_eq!(slots(1, 2), [(3, 2), (4, 5)]);
    assert_eq!(slots(2, 4), [(5, 3), (6, 6)]);
}

#[test]
fn a_pool_that_may_have_nothing_to_do_starts_nobody_before_there_is_something() {
    let settings = SupervisionSettings { staff_for_work_only: true, ..quick() };
    let mut story = Story::new(&["cpu", "cpu"], settings);
    story.give(Input::Tick);
    assert_eq!(story.spawned(), 0);
    story.lease(1..=1);
    assert_eq!(story.spawned(), 1);
}

#[test]
fn an_outgrown_worker_finishes_its_rows_and_is_replaced_without_delay() {
    let settings = SupervisionSettings { max_resident_bytes: Some(1 << 30), ..quick() };
    let mut story = Story::new(&["cpu"], settings);
    story.lease(1..=9).ready(1, 1);
    let held = story.held(1);
    story.accept(1, held[0]);
    let beat = Beat { resident_bytes: Some(2 << 30), ..Beat::default() };
    story.give(Input::Beat { incarnation: Incarnation(1), beat });
    assert_eq!(story.told(|what| matches!(what, What::WorkerRecycled { .. })), 1);
    story.done(1, held[0]);
    assert_eq!(story.segments_of(1), [2], "nothing new, nothing lost");
    story.accept(1, held[1]).done(1, held[1]).die(1);
    assert_eq!(story.spawned(), 2);
    let lost = |what: &What| matches!(what, What::SegmentRetried { .. } | What::SlotBackoff { .. });
    assert_eq!(story.told(lost), 0);
}

/// The orchestrator slept while a worker loaded: by its own clock no time passed since it looked.
#[test]
fn a_look_at_a_device_is_good_for_one_start() {
    let settings = SupervisionSettings { device_margin_bytes: 0, ..quick() };
    let mut story = Story::of(&["cuda:0", "cuda:0"], settings, true);
    let ready = |story: &mut Story, incarnation| {
        let incarnation = Incarnation(incarnation);
        story.give(Input::Spawned { incarnation, pid: 1 }).give(Input::Connected { incarnation });
        let (rows, sample_rate, load_ms, peak_device_bytes) = (1, 24_000, 1, 4 << 30);
        story.give(Input::Ready { incarnation, rows, sample_rate, load_ms, peak_device_bytes });
    };
    let look = |story: &mut Story, gib: u64| {
        story.wait(Duration::from_secs(1));
        let asked = story.actions.iter().any(|action| matches!(action, Action::LookAtDevice { .. }));
        assert!(asked, "it looks before it starts a worker whose need is known");
        story.give(Input::DeviceMemory { device: "cuda:0".into(), free_bytes: Some(gib << 30) });
    };
    story.lease(1..=9);
    ready(&mut story, 1);
    story.die(1);
    assert_eq!(story.spawned(), 1);
    look(&mut story, 7);
    assert_eq!(story.spawned(), 2);
    // A look while the second one loads, and has not taken its memory yet.
    look(&mut story, 7);
    ready(&mut story, 2);
    assert_eq!(story.spawned(), 2, "what was free before the second one took it");
    look(&mut story, 3);
    assert_eq!(story.spawned(), 2);
    look(&mut story, 4);
    assert_eq!(story.spawned(), 3);
}

fn any_input() -> impl Strategy<Value = Input> {
    let incarnation = (1u64..8).prop_map(Incarnation);
    let ticket = (1u64..40).prop_map(Ticket);
    let fault = prop::sample::select(Fault::ALL.to_vec());
    let detail = || "x".to_owned();
    prop_oneof![
        6 => Just(Input::Tick),
        2 => (1u32..30).prop_map(|id| Input::Leased { segment: SegmentId(id), audio_s: 3.0 }),
        1 => any::<bool>().prop_map(|for_good| Input::Dry { for_good }),
        4 => incarnation.clone().prop_map(|incarnation| Input::Connected { incarnation }),
        4 => (incarnation.clone(), 0u32..5).prop_map(|(incarnation, rows)| Input::Ready {
            incarnation, rows, sample_rate: 24_000, load_ms: 1, peak_device_bytes: 1 << 30
        }),
        1 => incarnation.clone().prop_map(move |incarnation| Input::SpawnFailed { incarnation, detail: detail() }),
        1 => incarnation.clone().prop_map(move |incarnation| Input::Refused { incarnation, detail: detail() }),
        2 => (incarnation.clone(), 0u64..9, 0u64..9).prop_map(|(incarnation, steps, gb)| {
            let beat = Beat { steps, resident_bytes: Some(gb << 30), ..Beat::default() };
            Input::Beat { incarnation, beat }
        }),
        6 => (incarnation.clone(), ticket.clone())
            .prop_map(|(incarnation, ticket)| Input::Accepted { incarnation, ticket }),
        3 => (incarnation.clone(), ticket.clone(), 0u64..9_000_000)
            .prop_map(|(incarnation, ticket, samples)| Input::Chunk { incarnation, ticket, samples }),
        6 => (incarnation.clone(), ticket.clone(), 0u64..3).prop_map(|(incarnation, ticket, off)| {
            let facts = TakeFacts { samples: 9_000, sample_rate: 24_000, finite: off < 2, peak: 0.5 };
            Input::Done { incarnation, ticket, facts, announced: 9_000 + off / 2, compute_ms: 1 }
        }),
        3 => (incarnation.clone(), ticket.clone()).prop_map(|(incarnation, ticket)| Input::Heard {
            incarnation, ticket, audio_ms: 375, compute_ms: 1
        }),
        3 => (incarnation.clone(), ticket.clone(), fault.clone())
            .prop_map(move |(incarnation, ticket, fault)| Input::Failed { incarnation, ticket, fault, detail: detail() }),
        1 => (incarnation.clone(), fault)
            .prop_map(move |(incarnation, fault)| Input::Fatal { incarnation, fault, detail: detail() }),
        1 => incarnation.clone().prop_map(move |incarnation| Input::Garbage { incarnation, detail: detail() }),
        2 => incarnation.clone().prop_map(|incarnation| Input::Closed { incarnation }),
        3 => incarnation.prop_map(|incarnation| Input::Exited {
            incarnation, exit: Exit { code: Some(1), text: "exit code 1".into(), last_line: None }
        }),
        1 => prop::option::of(0u64..4).prop_map(|gb| Input::DeviceMemory {
            device: "cuda:0".into(), free_bytes: gb.map(|gb| gb << 30)
        }),
        6 => ticket.clone().prop_map(|ticket| Input::Stored { ticket }),
        1 => (ticket, any::<bool>()).prop_map(move |(ticket, full)| Input::StoreFailed {
            ticket, fault: if full { Fault::DiskFull } else { Fault::StoreFailed }, detail: detail()
        }),
        1 => Just(Input::Drain { why: "asked".into() }),
        1 => Just(Input::StopNow { why: "asked".into() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is said to it, in whatever order, the machine keeps its invariants; and once everybody
    /// is dead and the disk is well, it ends.
    #[test]
    fn any_inputs_at_all_keep_the_invariants_and_an_end_is_always_reached(
        inputs in prop::collection::vec((any_input(), 0u64..4_000), 0..300),
        can_look in any::<bool>(),
    ) {
        // Short enough that a few hundred inputs see every patience end.
        let settings = SupervisionSettings {
            max_resident_bytes: Some(6 << 30),
            held_bytes: 100_000,
            cancel_grace: Duration::from_secs(1),
            abort_grace: Duration::from_secs(1),
            wedge_after: Duration::from_secs(3),
            disk_grace: Duration::from_secs(20),
            suspension_gap: Duration::from_secs(3),
            ..SupervisionSettings::default()
        };
        let devices = ["cpu", "cuda:0", "cuda:0"].map(str::to_owned).to_vec();
        let numbering = Numbering::default();
        let config = MachineConfig { devices, settings: Arc::new(settings), seed: 1, can_look, numbering };
        let mut machine = Machine::new(config);
        let mut referee = Referee::default();
        machine.start().iter().for_each(|action| referee.action(action));
        let mut raw = Duration::ZERO;
        let mut leased = BTreeSet::new();
        for (input, gap) in inputs {
            raw += Duration::from_millis(gap);
            if let Input::Leased { segment, .. } = input
                && !leased.insert(segment)
            {
                // A source that lends twice breaks its contract.
                continue;
            }
            if referee.over.is_none() {
                referee.input(&input);
            }
            machine.step(raw, input).iter().for_each(|action| referee.action(action));
        }
        // The end: a stop, every process gone, every store answered.
        for round in 0..400 {
            if referee.over.is_some() {
                break;
            }
            raw += Duration::from_millis(250);
            let input = match round {
                0 => Input::StopNow { why: "the end".into() },
                _ => Input::Tick,
            };
            let mut todo = vec![input];
            todo.extend(referee.storing.iter().map(|ticket| Input::Stored { ticket: *ticket }));
            for incarnation in referee.workers.keys().copied().collect::<Vec<_>>() {
                let exit = Exit { code: None, text: "signal 9 (SIGKILL)".into(), last_line: None };
                todo.push(Input::Exited { incarnation, exit });
                todo.push(Input::Closed { incarnation });
            }
            for input in todo {
                machine.step(raw, input).iter().for_each(|action| referee.action(action));
            }
        }
        prop_assert!(referee.over.is_some(), "it never ends: {machine:?}");
    }
}
