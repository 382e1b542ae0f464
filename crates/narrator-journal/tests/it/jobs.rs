//! A small job to record, and what must be true of it whatever happened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use narrator_core::{ContentKey, Fault, Incarnation, SegmentId};
use narrator_journal::fault::{Injector, SimFs};
use narrator_journal::{
    Checkpoint, Digest, FileSystem, JournalError, NewTake, Record, Replay, RunId, RunOpened, SegmentDone,
    SegmentFault, SegmentQuarantined, Standing, Warning,
};

pub fn job() -> PathBuf {
    PathBuf::from("/job")
}

pub fn sim(injector: Injector) -> SimFs {
    SimFs::new(&job(), injector)
}

pub fn key(n: u32) -> ContentKey {
    ContentKey(Digest::of(&n.to_le_bytes()).0)
}

/// The take of segment `n`: its content is decided by its number.
pub fn audio(n: u32) -> Vec<u8> {
    n.to_le_bytes().repeat(3 + n as usize % 5)
}

pub fn opening(run: u8) -> RunOpened {
    RunOpened {
        run: RunId([run; 16]),
        plan: Digest([1; 32]),
        settings: Digest([2; 32]),
        at_ms: 1_700_000_000_000,
        build: "0.1.0".into(),
        model_hash: "00".into(),
    }
}

pub fn done(n: u32) -> SegmentDone {
    let (key, audio) = (key(n), audio(n));
    SegmentDone {
        segment: SegmentId(n),
        key,
        take: 0,
        samples: u64::from(n) * 100,
        rate: 24_000,
        bytes: audio.len() as u64,
        audio: Digest::of(&audio),
    }
}

pub fn fault(n: u32, incarnation: u64) -> Record {
    let incarnation = Incarnation(incarnation);
    Record::SegmentFault(SegmentFault {
        segment: SegmentId(n),
        key: key(n),
        fault: Fault::Crashed,
        incarnation,
        attempt: incarnation.0 as u32,
    })
}

pub fn quarantine(n: u32) -> Record {
    let reason = "three workers died of it".into();
    Record::SegmentQuarantined(SegmentQuarantined { segment: SegmentId(n), key: key(n), reason })
}

/// Opens with one thread, so that system calls come in a fixed order.
pub fn open(
    fs: &Arc<dyn FileSystem>,
    job: &Path,
    run: u8,
) -> Result<(Checkpoint, Replay, Vec<Warning>), JournalError> {
    let (checkpoint, replay, warnings) = Checkpoint::open(Arc::clone(fs), job, &opening(run))?;
    Ok((checkpoint.with_threads(1), replay, warnings))
}

pub fn record(checkpoint: &mut Checkpoint, segments: &[u32]) -> Result<Vec<SegmentDone>, JournalError> {
    let audio: Vec<Vec<u8>> = segments.iter().map(|n| audio(*n)).collect();
    let takes: Vec<NewTake<'_>> = segments
        .iter()
        .zip(&audio)
        .map(|(n, flac)| NewTake {
            segment: SegmentId(*n),
            key: key(*n),
            take: 0,
            samples: u64::from(*n) * 100,
            rate: 24_000,
            flac,
        })
        .collect();
    checkpoint.record(&takes)
}

/// One thing that a run does.
#[derive(Clone, Debug)]
pub enum Step {
    Record(Vec<u32>),
    Append(Vec<Record>),
}

impl Step {
    pub fn run(&self, checkpoint: &mut Checkpoint) -> Result<(), JournalError> {
        match self {
            Self::Record(segments) => record(checkpoint, segments).map(drop),
            Self::Append(records) => checkpoint.append(records),
        }
    }
}

/// A short run: single results, batches, one content twice, faults and a quarantine.
pub fn short_run() -> Vec<Step> {
    vec![
        Step::Record(vec![1]),
        Step::Append(vec![fault(2, 1), fault(3, 1)]),
        Step::Record(vec![2, 3, 4]),
        Step::Append(vec![fault(5, 2), fault(5, 3), quarantine(5)]),
        Step::Record(vec![6, 6]),
        Step::Record(vec![1]),
    ]
}

/// What was acknowledged, and what was asked for but not.
#[derive(Clone, Debug, Default)]
pub struct Promises {
    pub acknowledged: Vec<Step>,
    pub in_flight: Option<Step>,
}

impl Promises {
    /// The segments acknowledged as done.
    pub fn done(&self) -> impl Iterator<Item = u32> + '_ {
        self.acknowledged.iter().flat_map(|step| match step {
            Step::Record(segments) => segments.clone(),
            Step::Append(_) => Vec::new(),
        })
    }

    fn mentions(&self, n: u32) -> bool {
        let in_flight = self.in_flight.iter();
        self.acknowledged.iter().chain(in_flight).any(|step| match step {
            Step::Record(segments) => segments.contains(&n),
            Step::Append(_) => false,
        })
    }
}

/// Opens a disk after a disaster and checks all that was promised of it: it opens, every acknowledged
/// result is there with its audio, nothing else is claimed, nothing half-written lies about, and work
/// goes on.
pub fn check_survivor(disk: &SimFs, promises: &Promises, what: &str) {
    let fs: Arc<dyn FileSystem> = Arc::new(disk.clone());
    let (mut checkpoint, replay, warnings) =
        open(&fs, &job(), 99).unwrap_or_else(|error| panic!("{what}: does not open: {error}"));
    for warning in &warnings {
        assert!(!matches!(warning, Warning::LostTake(_)), "{what}: {warning}");
    }
    for n in promises.done() {
        assert_eq!(
            replay.standing(&key(n)),
            Standing::Done(&done(n)),
            "{what}: segment {n} was acknowledged"
        );
    }
    for claimed in replay.done() {
        let n = claimed.segment.0;
        assert_eq!(*claimed, done(n), "{what}: a result that was never given");
        assert!(promises.mentions(n), "{what}: segment {n} was never recorded");
        assert_eq!(
            checkpoint.takes().read(&claimed.key, claimed.take).unwrap(),
            audio(n),
            "{what}: take of segment {n}"
        );
    }
    for step in &promises.acknowledged {
        let Step::Append(records) = step else { continue };
        for record in records {
            match record {
                Record::SegmentFault(f) if !promises.mentions(f.segment.0) => {
                    let known = replay.charged(&f.key).any(|known| known == f);
                    assert!(known, "{what}: a fault was acknowledged and is forgotten");
                }
                Record::SegmentQuarantined(q) => {
                    assert_eq!(replay.standing(&q.key), Standing::Quarantined(q), "{what}");
                }
                _ => {}
            }
        }
    }
    record(&mut checkpoint, &[77]).unwrap_or_else(|error| panic!("{what}: does not go on: {error}"));
    checkpoint.close(0).unwrap_or_else(|error| panic!("{what}: does not close: {error}"));
    let left: Vec<PathBuf> =
        disk.files().into_keys().filter(|path| path.extension().is_some_and(|e| e == "part")).collect();
    assert!(left.is_empty(), "{what}: left behind: {left:?}");
    let replay = narrator_journal::read(fs.as_ref(), &job().join("segments.ckpt")).unwrap();
    assert_eq!(replay.standing(&key(77)), Standing::Done(&done(77)), "{what}: after going on");
}

/// Every take below a real job folder.
pub fn takes_on_disk(job: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut takes = BTreeMap::new();
    for shard in std::fs::read_dir(job.join("takes")).unwrap() {
        for take in std::fs::read_dir(shard.unwrap().path()).unwrap() {
            let take = take.unwrap();
            takes.insert(take.file_name().into_string().unwrap(), std::fs::read(take.path()).unwrap());
        }
    }
    takes
}
