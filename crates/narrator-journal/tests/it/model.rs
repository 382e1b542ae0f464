//! Test d: any sequence of runs, kills, power cuts and full disks against a `BTreeMap`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use narrator_core::ContentKey;
use narrator_journal::fault::{Injected, Injector, SimFs};
use narrator_journal::{Checkpoint, ErrorKind, FileSystem, Record, Replay};
use proptest::prelude::*;

use crate::jobs::{Step, done, job, key, open, sim};
use crate::peer::{State, any_records, states};

#[derive(Clone, Debug)]
enum Action {
    Do(Step),
    /// The process is killed after so many more system calls; then the job is opened again.
    Kill {
        after: u64,
    },
    /// The power fails after so many more system calls; one of the possible disks is left.
    PowerCut {
        after: u64,
        image: prop::sample::Index,
    },
    /// The next so many writes find the disk full.
    Full {
        writes: u64,
    },
    Reopen,
}

fn action() -> impl Strategy<Value = Action> {
    let segments = prop::collection::vec(1..12_u32, 1..4);
    prop_oneof![
        4 => segments.prop_map(|segments| Action::Do(Step::Record(segments))),
        4 => any_records().prop_map(|records| {
            // A result comes with its take, by `Step::Record`; alone it would be a lost take.
            let without = records.into_iter().filter(|r| !matches!(r, Record::SegmentDone(_))).collect();
            Action::Do(Step::Append(without))
        }),
        2 => (0..30_u64).prop_map(|after| Action::Kill { after }),
        2 => (0..30_u64, any::<prop::sample::Index>())
            .prop_map(|(after, image)| Action::PowerCut { after, image }),
        1 => (1..4_u64).prop_map(|writes| Action::Full { writes }),
        1 => Just(Action::Reopen),
    ]
}

/// The model: what stands, by segment number, as the map that it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Model(BTreeMap<u32, Entry>);

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Entry {
    done: bool,
    quarantined: Option<String>,
    faults: BTreeSet<(u64, u32)>,
}

impl Model {
    fn apply(&mut self, record: &Record) {
        match record {
            Record::SegmentDone(r) => self.0.entry(r.segment.0).or_default().done = true,
            Record::SegmentFault(r) => {
                self.0.entry(r.segment.0).or_default().faults.insert((r.incarnation.0, r.attempt));
            }
            Record::SegmentQuarantined(r) => {
                self.0.entry(r.segment.0).or_default().quarantined = Some(r.reason.clone());
            }
            Record::SegmentReopened(r) => {
                self.0.remove(&r.segment.0);
            }
            _ => {}
        }
    }

    fn states(&self) -> BTreeMap<ContentKey, State> {
        let state = |n: u32| match self.0.get(&n) {
            None => State::Pending { faults: 0 },
            Some(Entry { done: true, .. }) => State::Done { bytes: done(n).bytes, samples: done(n).samples },
            Some(Entry { quarantined: Some(reason), .. }) => State::Quarantined { reason: reason.clone() },
            Some(entry) => State::Pending { faults: entry.faults.len() },
        };
        (1..12).map(|n| (key(n), state(n))).collect()
    }

    /// Every state that an unacknowledged step can have led to: none of its records, some, or all.
    fn prefixes(&self, step: Option<&Step>) -> Vec<Self> {
        let mut now = self.clone();
        let mut all = vec![now.clone()];
        for record in step.map(records).unwrap_or_default() {
            now.apply(&record);
            all.push(now.clone());
        }
        all
    }
}

fn records(step: &Step) -> Vec<Record> {
    match step {
        Step::Record(segments) => segments.iter().map(|n| Record::SegmentDone(done(*n))).collect(),
        Step::Append(records) => records.clone(),
    }
}

struct World {
    disk: SimFs,
    injector: Injector,
    checkpoint: Option<Checkpoint>,
    model: Model,
    in_flight: Option<Step>,
    runs: u8,
}

impl World {
    fn new() -> Self {
        let injector = Injector::none();
        let disk = sim(injector.clone());
        Self { disk, injector, checkpoint: None, model: Model::default(), in_flight: None, runs: 0 }
    }

    /// Opens, and holds what is read against the model.
    fn open(&mut self) -> Result<(), TestCaseError> {
        self.injector.set(|_| None);
        self.runs = self.runs.wrapping_add(1);
        let fs: Arc<dyn FileSystem> = Arc::new(self.disk.clone());
        let opened = open(&fs, &job(), self.runs);
        let (checkpoint, replay, _) = opened.map_err(|error| TestCaseError::fail(error.to_string()))?;
        self.checkpoint = Some(checkpoint);
        self.settle(&replay)
    }

    fn settle(&mut self, replay: &Replay) -> Result<(), TestCaseError> {
        let now = states(replay, (1..12).map(key));
        let possible = self.model.prefixes(self.in_flight.take().as_ref());
        let found = possible.iter().find(|model| model.states() == now).cloned();
        prop_assert!(found.is_some(), "read {:?}\nexpected one of {:?}", now, possible);
        self.model = found.unwrap_or_default();
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Result<(), TestCaseError> {
        let calls = self.injector.calls();
        match action {
            Action::Do(step) => self.step(step),
            Action::Full { writes } => {
                let mut left = *writes;
                self.injector.set(move |call| {
                    let full = left > 0 && call.op == narrator_journal::fault::Op::Write;
                    left -= u64::from(full);
                    full.then_some(Injected::Full)
                });
            }
            Action::Kill { after } | Action::PowerCut { after, .. } => {
                let off = calls + after;
                self.injector.set(move |call| (call.number >= off).then_some(Injected::Off));
                // Something is always going on when it happens.
                self.step(&Step::Record(vec![3, 8]));
                if let Action::PowerCut { image, .. } = action {
                    let images = self.disk.crash_images();
                    self.disk = images[image.index(images.len())].clone();
                    // A fresh disk has no faults to it and its own count of calls.
                    let (disk, injector) = self.disk.with_injector();
                    (self.disk, self.injector) = (disk, injector);
                }
                self.checkpoint = None;
                self.open()?;
            }
            Action::Reopen => {
                self.injector.set(|_| None);
                if let Some(checkpoint) = self.checkpoint.take() {
                    let _ = checkpoint.close(0);
                }
                self.open()?;
            }
        }
        Ok(())
    }

    /// One step, made again while the disk is full; nothing when a step before it ended the run.
    fn step(&mut self, step: &Step) {
        let Some(checkpoint) = &mut self.checkpoint else { return };
        for _ in 0..6 {
            match step.run(checkpoint) {
                Ok(()) => {
                    for record in records(step) {
                        self.model.apply(&record);
                    }
                    return;
                }
                Err(error) if error.kind() == ErrorKind::DiskFull => {}
                Err(_) => break,
            }
        }
        self.in_flight = Some(step.clone());
        self.checkpoint = None;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_happens_the_journal_agrees_with_the_model(actions in prop::collection::vec(action(), 1..25)) {
        let mut world = World::new();
        world.open()?;
        for action in &actions {
            world.act(action)?;
        }
        world.checkpoint = None;
        world.open()?;
    }
}
