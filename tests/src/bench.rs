//! A pool on a bench: sim workers by script, a book of short texts, a sink in memory, and every event.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use narrator_core::{ContentKey, Delivery, SegmentId};
use narrator_ipc::RunDir;
use narrator_pool::{
    Answer, Card, Control, Craft, DeviceProbe, Lease, Numbering, Outcome, Pool, PoolConfig, PoolEvent,
    Quarantined, ResultSink, Seat, SegmentSource, SinkError, SpeakTask, SupervisionSettings, Take, Task,
    What, Work,
};
use narrator_proto::Precision;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::processes::{eventually, is_alive};
use crate::sim::{Birthplace, ENV_SCRIPT, ENV_STATE, SimScript, audio_for};

/// How long a test may take before it is called hung. No test waits for it.
pub const GUARD: Duration = Duration::from_secs(90);

/// Where the programs of this workspace are, from the folder in which this test was built.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test is a program");
    let mut folders = test.ancestors().skip(1);
    folders.find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file())).expect("built")
}

/// Supervision in small: every patience that a test waits for is short, every other as in life.
pub fn quick() -> SupervisionSettings {
    SupervisionSettings {
        tick: Duration::from_millis(10),
        beat: Duration::from_millis(50),
        cancel_grace: Duration::from_millis(300),
        abort_grace: Duration::from_millis(300),
        settle: Duration::from_millis(500),
        orphan_grace: Duration::from_millis(200),
        backoff_base: Duration::from_millis(5),
        backoff_cap: Duration::from_millis(20),
        disk_retry: Duration::from_millis(30),
        ..SupervisionSettings::default()
    }
}

/// The work of a text: its key is made of the text alone.
pub fn work(index: usize, text: &str) -> Work {
    let speech = narrator_core::SpeechSettings {
        engine: "sim".into(),
        model_hash: "sim".into(),
        voice: "tone".into(),
        language: "en".into(),
        speed: 1.0,
        seed: 1,
    };
    Work {
        segment: SegmentId::from_index(index),
        key: ContentKey::of(text, &speech),
        task: Task::Speak(SpeakTask {
            text: text.to_owned(),
            language: "en".into(),
            voice: None,
            speed: 1.0,
            first_take: 0,
            delivery: Delivery::default(),
        }),
    }
}

type Listener = Box<dyn FnMut(&PoolEvent) + Send>;
type Verdict = Box<dyn FnMut(&[&Take]) -> Vec<Result<(), SinkError>> + Send>;

/// Where a run leaves its traces.
#[derive(Debug)]
enum Folder {
    /// Gone with the test.
    Own(TempDir),
    /// Somebody else's to look at and to remove.
    Given(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Own(dir) => dir.path(),
            Self::Given(dir) => dir,
        }
    }
}

/// A pool to be run.
pub struct Bench {
    dir: Folder,
    pub script: SimScript,
    pub settings: SupervisionSettings,
    pub seats: Vec<Seat>,
    pub texts: Vec<String>,
    pub probe: Option<Arc<dyn DeviceProbe>>,
    pub program: PathBuf,
    sink: Verdict,
    tell: Option<Listener>,
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench").field("script", &self.script).finish_non_exhaustive()
    }
}

impl Bench {
    /// One slot on the CPU, a good worker, a book of `segments` segments.
    pub fn new(segments: usize) -> Self {
        let dir = tempfile::Builder::new().prefix("nrt-").tempdir().expect("a temporary folder");
        Self::within(Folder::Own(dir), segments)
    }

    /// As [`Self::new`], in a folder that outlives it.
    pub fn at(dir: &Path, segments: usize) -> Self {
        Self::within(Folder::Given(dir.to_owned()), segments)
    }

    fn within(dir: Folder, segments: usize) -> Self {
        std::fs::create_dir_all(dir.path().join("state")).expect("a folder");
        Self {
            dir,
            script: SimScript::default(),
            settings: quick(),
            seats: vec![Seat::on("cpu")],
            texts: (1..=segments).map(|n| format!("Segment <{n}> of the book.")).collect(),
            probe: None,
            program: built("narrator-sim-worker"),
            sink: Box::new(|takes| takes.iter().map(|_| Ok(())).collect()),
            tell: None,
        }
    }

    #[must_use]
    pub fn slots(mut self, devices: &[&str]) -> Self {
        self.seats = devices.iter().copied().map(Seat::on).collect();
        self
    }

    #[must_use]
    pub fn script(mut self, script: SimScript) -> Self {
        self.script = script;
        self
    }

    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut SupervisionSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Replaces a text (from 1).
    #[must_use]
    pub fn text(mut self, number: usize, text: &str) -> Self {
        text.clone_into(&mut self.texts[number - 1]);
        self
    }

    /// What the sink says of each take.
    #[must_use]
    pub fn sink(self, mut verdict: impl FnMut(&Take) -> Result<(), SinkError> + Send + 'static) -> Self {
        self.group_sink(move |takes| takes.iter().map(|take| verdict(take)).collect())
    }

    /// As [`Self::sink`], of all takes that came together.
    #[must_use]
    pub fn group_sink(
        mut self,
        verdict: impl FnMut(&[&Take]) -> Vec<Result<(), SinkError>> + Send + 'static,
    ) -> Self {
        self.sink = Box::new(verdict);
        self
    }

    /// Who hears every event when it happens.
    #[must_use]
    pub fn tell(mut self, listener: impl FnMut(&PoolEvent) + Send + 'static) -> Self {
        self.tell = Some(Box::new(listener));
        self
    }

    pub fn place(&self) -> Birthplace {
        Birthplace::new(self.dir.path().join("state"))
    }

    pub fn config(&self) -> PoolConfig {
        let script = serde_json::to_string(&self.script).expect("a script");
        PoolConfig {
            run: "run-1".into(),
            crew: None,
            craft: Craft::Speaking,
            numbering: Numbering::default(),
            program: self.program.clone(),
            args: vec![],
            env: vec![
                (ENV_SCRIPT.into(), script.into()),
                (ENV_STATE.into(), self.place().dir().as_os_str().to_owned()),
            ],
            run_dir: RunDir::open(Some(&self.dir.path().join("run"))).expect("a run directory"),
            seats: self.seats.clone(),
            model_dir: "sim".into(),
            precision: Precision::Auto,
            threads: None,
            max_rows: None,
            allow_build_skew: false,
            settings: self.settings.clone(),
            seed: 1,
            probe: self.probe.clone(),
        }
    }

    pub async fn run(self) -> Report {
        self.start().end().await
    }

    pub fn start(self) -> Running {
        let stage = Arc::new(Stage::default());
        let pool = Pool::new(self.config());
        let control = pool.control();
        let source = Source { texts: self.texts.clone(), next: 0, stage: Arc::clone(&stage) };
        let sink = Sink { verdict: self.sink, stage: Arc::clone(&stage) };
        let observed = Arc::clone(&stage);
        let mut told = self.tell;
        let observer = Mutex::new(move |event: &PoolEvent| {
            if let Some(tell) = &mut told {
                tell(event);
            }
            observed.lock().events.push(event.clone());
            observed.news.notify_waiters();
        });
        let observer = move |event: &PoolEvent| {
            (observer.lock().unwrap_or_else(PoisonError::into_inner))(event);
        };
        let task = tokio::spawn(async move { pool.run(source, sink, observer).await.expect("a run") });
        let (script, texts, dir) = (self.script, self.texts, self.dir);
        Running { control, stage, task, script, texts, dir }
    }
}

/// A device whose memory is held by the workers that live there.
#[derive(Debug)]
pub struct LedgerProbe {
    pub place: Birthplace,
    pub total_bytes: u64,
}

impl DeviceProbe for LedgerProbe {
    fn card(&self, device: &str) -> Option<Card> {
        let free_bytes = self.total_bytes.saturating_sub(self.place.held_bytes(device));
        Some(Card { total_bytes: self.total_bytes, free_bytes, multiplies_bfloat16: true })
    }
}

/// What happens while a pool runs.
#[derive(Debug, Default)]
struct Stage {
    scene: Mutex<Scene>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Scene {
    events: Vec<PoolEvent>,
    takes: Vec<Take>,
    quarantined: Vec<Quarantined>,
    given_back: Vec<SegmentId>,
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Source {
    texts: Vec<String>,
    next: usize,
    stage: Arc<Stage>,
}

impl SegmentSource for Source {
    fn lease(&mut self) -> Lease {
        let Some(text) = self.texts.get(self.next) else { return Lease::Exhausted };
        self.next += 1;
        Lease::Work(work(self.next - 1, text))
    }

    fn give_back(&mut self, segment: SegmentId) {
        self.stage.lock().given_back.push(segment);
    }

    fn unlent(&self) -> u64 {
        (self.texts.len() - self.next) as u64
    }
}

struct Sink {
    verdict: Verdict,
    stage: Arc<Stage>,
}

impl ResultSink for Sink {
    fn accept(&mut self, answers: &[&Answer]) -> Vec<Result<(), SinkError>> {
        let takes: Vec<&Take> = answers.iter().filter_map(|answer| answer.take()).collect();
        let verdicts = (self.verdict)(&takes);
        let accepted = takes.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_ok());
        self.stage.lock().takes.extend(accepted.map(|(take, _)| (*take).clone()));
        verdicts
    }

    fn quarantine(&mut self, out: &Quarantined) -> Result<(), SinkError> {
        self.stage.lock().quarantined.push(out.clone());
        Ok(())
    }
}

/// A pool that runs.
#[derive(Debug)]
pub struct Running {
    pub control: Control,
    stage: Arc<Stage>,
    task: JoinHandle<Outcome>,
    script: SimScript,
    texts: Vec<String>,
    dir: Folder,
}

impl Running {
    pub fn place(&self) -> Birthplace {
        Birthplace::new(self.dir.path().join("state"))
    }

    /// Waits for an event and returns the first.
    pub async fn saw(&self, pick: impl Fn(&What) -> bool) -> What {
        let look = async {
            loop {
                let news = self.stage.news.notified();
                let found = self.stage.lock().events.iter().find(|event| pick(&event.what)).cloned();
                if let Some(found) = found {
                    return found.what;
                }
                let _ = timeout(Duration::from_millis(50), news).await;
            }
        };
        timeout(GUARD, look).await.unwrap_or_else(|_| {
            panic!("the awaited event did not come; what came: {:#?}", self.stage.lock().events)
        })
    }

    /// Waits until the record of the workers has such a line.
    pub async fn recorded(&self, what: &str) {
        let place = self.place();
        let look = async {
            while !place.read().iter().any(|line| line.what == what) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(GUARD, look).await.unwrap_or_else(|_| panic!("no worker recorded {what}"));
    }

    /// Waits for the end of the run.
    pub async fn end(self) -> Report {
        let Self { stage, mut task, script, texts, dir, .. } = self;
        let Ok(outcome) = timeout(GUARD, &mut task).await else {
            panic!("the run does not end; what came: {:#?}", stage.lock().events)
        };
        let outcome = outcome.expect("the pool did not panic");
        let scene = std::mem::take(&mut *stage.lock());
        let place = Birthplace::new(dir.path().join("state"));
        Report { outcome, scene, script, texts, place, dir }
    }
}

/// What a run was.
#[derive(Debug)]
pub struct Report {
    pub outcome: Outcome,
    scene: Scene,
    script: SimScript,
    texts: Vec<String>,
    pub place: Birthplace,
    dir: Folder,
}

impl Report {
    pub fn events(&self) -> impl Iterator<Item = &What> {
        self.scene.events.iter().map(|event| &event.what)
    }

    pub fn raw_events(&self) -> &[PoolEvent] {
        &self.scene.events
    }

    pub fn count(&self, pick: impl Fn(&What) -> bool) -> usize {
        self.events().filter(|what| pick(what)).count()
    }

    /// The faults that were seen, in order.
    pub fn faults(&self) -> Vec<&'static str> {
        self.events()
            .filter_map(|what| match what {
                What::FaultSeen { fault, .. } => Some(fault.name()),
                _ => None,
            })
            .collect()
    }

    pub fn details(&self) -> Vec<&str> {
        self.events()
            .filter_map(|what| match what {
                What::FaultSeen { detail, .. } => Some(detail.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Segments that are done, by number.
    pub fn done(&self) -> Vec<u32> {
        let mut done: Vec<_> = self.scene.takes.iter().map(|take| take.dispatch.segment.0).collect();
        done.sort_unstable();
        done
    }

    pub fn quarantined(&self) -> Vec<u32> {
        self.scene.quarantined.iter().map(|out| out.segment.0).collect()
    }

    pub fn given_back(&self) -> Vec<u32> {
        self.scene.given_back.iter().map(|segment| segment.0).collect()
    }

    pub fn takes(&self) -> &[Take] {
        &self.scene.takes
    }

    /// How often a worker said that it took a text in.
    pub fn spoken(&self) -> BTreeMap<String, usize> {
        let mut spoken = BTreeMap::new();
        for line in self.place.read() {
            if line.what == "accepted" {
                *spoken.entry(line.about).or_insert(0) += 1;
            }
        }
        spoken
    }

    /// What must hold after every run, whatever happened in it: each segment ended once, what is done
    /// sounds as from an undisturbed worker, and no process or socket is left.
    pub fn assert_nothing_lost_or_left(&self) {
        let mut ends: Vec<u32> = [self.done(), self.quarantined(), self.given_back()].concat();
        ends.sort_unstable();
        let mut once = ends.clone();
        once.dedup();
        assert_eq!(ends, once, "a segment ended twice");
        assert!(ends.iter().all(|id| *id as usize <= self.texts.len()));
        if self.outcome.stopped == narrator_pool::Stopped::Finished {
            assert_eq!(ends.len(), self.texts.len(), "a segment has no end");
        }
        for take in self.takes() {
            let text = &self.texts[take.dispatch.segment.index()];
            let seed = take.key.row_seed(take.take);
            let truth = audio_for(text, seed, self.script.sample_rate, self.script.seconds_per_char);
            assert!(take.pcm == truth, "segment {} sounds different", take.dispatch.segment);
        }
        let left = |pids: &[u32]| pids.iter().copied().filter(|pid| is_alive(*pid)).collect::<Vec<_>>();
        let grandchildren = self.place.read().into_iter().filter(|line| line.what == "grandchild");
        for stray in grandchildren {
            // Outside the group by its own will; not ours to end.
            crate::processes::signal(stray.pid, libc::SIGKILL);
        }
        let pids = self.place.pids();
        let gone = eventually(Duration::from_secs(10), || left(&pids).is_empty());
        assert!(gone, "processes are left: {:?}", left(&pids));
        assert_eq!(files_in(&self.dir.path().join("run")), Vec::<String>::new(), "sockets are left");
    }

    /// The events as people read them in a snapshot: one a line, volatile values redacted. When a take
    /// is durable is the disk's business; those events are left out, since they may come anywhere.
    pub fn transcript(&self) -> String {
        let mut lines = Vec::new();
        for event in &self.scene.events {
            if matches!(event.what, What::SegmentDone { .. }) {
                continue;
            }
            let mut value = serde_json::to_value(event).expect("an event");
            for (field, redacted) in [
                ("elapsed_ms", "[ms]"),
                ("pid", "[pid]"),
                ("load_ms", "[ms]"),
                ("wall_ms", "[ms]"),
                ("compute_ms", "[ms]"),
                ("delay_ms", "[ms]"),
                ("waited_ms", "[ms]"),
                ("absent_ms", "[ms]"),
            ] {
                if let Some(value) = value.get_mut(field) {
                    *value = redacted.into();
                }
            }
            lines.push(value.to_string());
        }
        lines.join("\n")
    }
}

fn files_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// What `narrator-sim-host` is to do.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct HostOrder {
    pub segments: usize,
    pub script: SimScript,
    pub alive_ms: u64,
    pub suspension_gap_ms: u64,
}

/// An orchestrator in a process of its own, in a folder of its own.
#[derive(Debug)]
pub struct Host {
    dir: TempDir,
    child: std::process::Child,
}

impl Host {
    #[expect(
        clippy::disallowed_methods,
        reason = "an orchestrator that is to be killed has to be another process"
    )]
    pub fn start(order: &HostOrder) -> Self {
        let dir = tempfile::Builder::new().prefix("nrt-").tempdir().expect("a temporary folder");
        let json = serde_json::to_string(order).expect("an order");
        std::fs::write(dir.path().join("host.json"), json).expect("written");
        let mut command = std::process::Command::new(built("narrator-sim-host"));
        let child = command.arg(dir.path()).spawn().expect("started");
        Self { dir, child }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn place(&self) -> Birthplace {
        Birthplace::new(self.dir.path().join("state"))
    }

    /// Waits until a worker recorded this.
    pub fn recorded(&self, what: &str) {
        let place = self.place();
        let there = eventually(GUARD, || place.read().iter().any(|line| line.what == what));
        assert!(there, "no worker recorded {what}: {:?}", place.read());
    }

    /// Ends it as a power cut would, as far as a process can be.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }

    /// Waits for its own end.
    pub fn end(&mut self) -> Option<i32> {
        let mut status = None;
        let ended = eventually(GUARD, || {
            status = self.child.try_wait().expect("asked");
            status.is_some()
        });
        assert!(ended, "the host does not end: {}", self.events());
        status.and_then(|status| status.code())
    }

    /// What it told, one JSON object a line.
    pub fn events(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("events.jsonl")).unwrap_or_default()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
