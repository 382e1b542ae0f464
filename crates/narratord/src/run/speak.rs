//! The speaking stage: the pool, what it is given, and what is shown of it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use narrator_core::{Delivery, SegmentId, VoiceAbilities};
use narrator_ipc::RunDir;
use narrator_journal::RunId;
use narrator_pool::{
    Craft, DeviceProbe, Lease, Level as PoolLevel, Numbering, NvidiaSmi, Pool, PoolConfig, PoolError,
    PoolEvent, Seat, SegmentSource, SpeakTask, Stopped, SupervisionSettings, Task, What, Work,
};
use narrator_proto::Precision;

use super::Prepared;
use super::check::hearers::Hearers;
use super::check::notes::Notes;
use super::check::{self, Checker, Crew};
use super::keeper::{Keeper, Sink};
use super::signals::{Asked, Signals};
use crate::error::Failure;
use crate::events::{EventLog, Level};
use crate::exit::Exit;
use crate::memory::Party;
use crate::models::QWEN3_TTS;
use crate::output;
use crate::progress::{Display, Tally};

/// Between two looks at the progress, on a terminal.
const SHOW_EVERY: Duration = Duration::from_millis(250);
/// Between two `progress` events.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What is to be spoken, and everybody who has a part in it.
#[derive(Debug)]
pub struct Speaking<'a> {
    pub work: &'a Prepared,
    pub run: RunId,
    pub pending: Vec<SegmentId>,
    pub keeper: &'a Arc<Keeper>,
    pub log: &'a EventLog,
    pub signals: &'a Signals,
    /// Of the voices.
    pub seats: Vec<Seat>,
    /// Who listens to the takes, and what was said of those that are there.
    pub checks: Option<(&'a Hearers, &'a Notes)>,
}

/// Speaks until nothing is left or nothing can go on.
pub fn speak(speaking: Speaking<'_>, tally: Tally, display: &mut Display) -> Result<Stopped, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Missing, "the runtime cannot be started").because(error))?;
    let stopped = runtime.block_on(drive(speaking, tally, display));
    // Nothing is waited for that a dead disk may hold up.
    runtime.shutdown_timeout(Duration::from_secs(5));
    stopped
}

async fn drive(speaking: Speaking<'_>, tally: Tally, display: &mut Display) -> Result<Stopped, Failure> {
    let Speaking { work, run, pending, keeper, log, signals, seats, checks } = speaking;
    let configuration = configuration(work, run, seats)?;
    let tally = Arc::new(Mutex::new(tally));

    let checker =
        checks.map(|(hearers, notes)| Arc::new(check::checker(work, hearers, keeper, notes, &tally, log)));
    let view = View { tally, keeper, work, log, checker: checker.clone() };
    let told = |event: &PoolEvent| view.heard(event);
    let look = || {
        let unheard = checker.as_ref().map(|checker| checker.course().unheard());
        let mut tally = view.tally();
        if let Some(unheard) = unheard {
            tally.waiting(unheard);
        }
        tally.clone()
    };
    let controls;
    let mut running: Pin<Box<dyn Future<Output = Result<Stopped, PoolError>> + '_>> =
        if let (Some((hearers, _)), Some(checker)) = (checks, &checker) {
            let crew = Crew::new(&configuration, hearers, Some(work.voice.clone()));
            controls = crew.controls();
            Box::pin(async move { Box::pin(crew.work(checker, told)).await })
        } else {
            let pool = Pool::new(configuration);
            controls = vec![pool.control()];
            let source = Source { work: works(work, &pending) };
            let running = pool.run(source, Sink(keeper.clone()), told);
            Box::pin(async { running.await.map(|outcome| outcome.stopped) })
        };
    let asked = tokio::spawn(signals.clone().report(move |asked| match asked {
        Asked::Drain => controls.iter().for_each(|control| control.drain("a signal")),
        Asked::StopNow => controls.iter().for_each(|control| control.stop_now("a second signal")),
    }));
    let mut show = tokio::time::interval(SHOW_EVERY);
    let mut told = Instant::now();
    let outcome = loop {
        tokio::select! {
            outcome = &mut running => break outcome,
            _ = show.tick() => {
                let tally = look();
                display.show(&tally);
                if told.elapsed() >= TELL_EVERY {
                    told = Instant::now();
                    log.emit(Level::Info, "progress", &tally.at(display.elapsed()));
                }
            }
        }
    };
    asked.abort();
    let tally = look();
    display.show(&tally);
    log.emit(Level::Info, "progress", &tally.at(display.elapsed()));
    match outcome {
        Ok(stopped) => Ok(stopped),
        Err(error) => Err(Failure::new(Exit::Stopped, "the workers' supervision ended before its time")
            .because(error)
            .hint("run the same command again: it resumes")),
    }
}

/// What the voices want of the devices, for so many segments.
pub fn party(work: &Prepared, pending: usize) -> Party {
    let workers = &work.settings.workers;
    let on_cpu = if batches(work) { 1 } else { cores() };
    Party {
        model: work.model.manifest.name.clone(),
        model_dir: work.model.dir.clone(),
        devices: slots(&workers.devices, workers.count, on_cpu, pending),
        // Who asks for a GPU does not want a book that takes a week.
        on_cpu: 0,
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Whether the voice's engine speaks many rows together.
fn batches(work: &Prepared) -> bool {
    work.model.manifest.engine == QWEN3_TTS
}

/// What workers are started with beside what they inherit.
pub fn worker_environment() -> Vec<(OsString, OsString)> {
    const OURS: [(&str, &str); 4] = [
        // libtorch's threads wait asleep: spinning ones steal the cores that other workers need.
        ("OMP_WAIT_POLICY", "passive"),
        // glibc keeps what libtorch frees: it asks for the same tens of MiB again in the next layer, and pages that went
        // back to the kernel come again one fault at a time. 32 MiB is the most that is kept this way.
        ("MALLOC_MMAP_THRESHOLD_", "33554432"),
        ("MALLOC_TOP_PAD_", "33554432"),
        ("MALLOC_TRIM_THRESHOLD_", "1073741824"),
    ];
    OURS.map(|(name, value)| (name.into(), value.into())).into()
}

fn configuration(work: &Prepared, run: RunId, seats: Vec<Seat>) -> Result<PoolConfig, Failure> {
    let workers = &work.settings.workers;
    // Workers beside each other share the cores; one alone is given all of them by its engine.
    let shared = (batches(work) && seats.len() > 1).then(|| (cores() / seats.len()).max(1) as u16);
    let run_dir = RunDir::open(None).map_err(|error| Failure::of(Exit::Missing, &error))?;
    let probe: Option<Arc<dyn DeviceProbe>> =
        if seats.iter().any(|seat| seat.device != "cpu") { Some(Arc::new(NvidiaSmi)) } else { None };
    Ok(PoolConfig {
        run: run.to_string(),
        crew: None,
        craft: Craft::Speaking,
        numbering: Numbering::default(),
        program: work.worker.clone(),
        args: vec!["serve".into()],
        env: worker_environment(),
        run_dir,
        seats,
        model_dir: std::path::absolute(&work.model.dir).unwrap_or_else(|_| work.model.dir.clone()),
        precision: Precision::default(),
        threads: workers.threads.or(shared),
        max_rows: None,
        allow_build_skew: false,
        settings: SupervisionSettings {
            max_resident_bytes: workers.max_resident_bytes,
            ..SupervisionSettings::default()
        },
        seed: work.planned.speech.seed,
        probe,
    })
}

/// A device for each slot: as many as asked for, dealt round; without a number, one a GPU, and on a CPU
/// `on_cpu`: one a core, or one in all for an engine that speaks many rows together. Never more than there
/// are segments to speak.
fn slots(devices: &[String], count: Option<u16>, on_cpu: usize, pending: usize) -> Vec<String> {
    let named = |device: &String| if device == "cuda" { "cuda:0".to_string() } else { device.clone() };
    let devices: Vec<String> = devices.iter().map(named).collect();
    let all_cpu = devices.iter().all(|device| device == "cpu");
    let count = count.map_or(if all_cpu { on_cpu } else { devices.len() }, usize::from);
    devices.iter().cycle().take(count.min(pending.max(1))).cloned().collect()
}

fn works(work: &Prepared, pending: &[SegmentId]) -> VecDeque<Work> {
    let speech = &work.planned.speech;
    let script = &work.planned.plan.script;
    let of = |segment: &narrator_core::Segment| Work {
        segment: segment.id,
        key: segment.key,
        task: Task::Speak(SpeakTask {
            text: segment.text.clone(),
            language: speech.language.clone(),
            voice: Some(work.voice.clone()),
            speed: speech.speed,
            first_take: 0,
            delivery: Delivery::default(),
        }),
    };
    pending.iter().filter_map(|id| script.segment(*id)).map(of).collect()
}

/// Lends the script's pending segments in reading order.
#[derive(Debug)]
struct Source {
    work: VecDeque<Work>,
}

impl SegmentSource for Source {
    fn lease(&mut self) -> Lease {
        self.work.pop_front().map_or(Lease::Exhausted, Lease::Work)
    }

    fn give_back(&mut self, _segment: SegmentId) {
        // The run ends without it; the next one finds it pending in the journal.
    }

    fn unlent(&self) -> u64 {
        self.work.len() as u64
    }
}

/// What the run loop makes of the pool's events: log lines, progress, faults in the journal.
#[derive(Debug)]
struct View<'a> {
    tally: Arc<Mutex<Tally>>,
    keeper: &'a Keeper,
    work: &'a Prepared,
    log: &'a EventLog,
    /// Counts what is settled, where takes are heard.
    checker: Option<Arc<Checker>>,
}

impl View<'_> {
    fn heard(&self, event: &PoolEvent) {
        let level = match event.what.level() {
            PoolLevel::Debug => Level::Debug,
            PoolLevel::Info => Level::Info,
            PoolLevel::Warn => Level::Warn,
            PoolLevel::Error => Level::Error,
        };
        if check::is_worth_a_line(event) {
            self.log.emit_named(level, event);
        }
        match &event.what {
            What::SegmentDone { .. } | What::SegmentQuarantined { .. } if self.checker.is_some() => {}
            What::WorkerAble { calm, timbre_alone, .. } => {
                // A voice that has nothing but its timbre has no other way to be spoken with.
                let timbre_alone = *timbre_alone && !self.work.voice_is_timbre;
                let abilities = VoiceAbilities { calm: *calm, timbre_alone };
                check::keep_abilities(&self.work.job, abilities);
                self.checker.iter().for_each(|checker| checker.able(abilities));
            }
            What::SegmentDone { segment, audio_ms, .. } => {
                let mut tally = self.tally();
                tally.spoken(self.keeper.characters(*segment), *audio_ms as f64 / 1000.0);
                tally.in_chapter(self.chapter(*segment));
            }
            What::SegmentQuarantined { segment, .. } => {
                self.tally().quarantined(self.keeper.characters(*segment));
            }
            What::DispatchPaused { detail, .. } => output::note(format_args!(
                "The disk is full ({detail}). What is finished is held; make room within ten minutes and it goes on."
            )),
            What::DispatchResumed { .. } => output::note("There is room again: it goes on."),
            // A recogniser's mishaps are not the text's.
            What::SegmentRetried { .. } if event.crew.is_some() => {}
            What::SegmentRetried { segment, attempt, incarnation, fault, .. } => {
                self.tally().retried();
                self.keeper.fault(*segment, *fault, *incarnation, *attempt);
            }
            _ => {}
        }
    }

    fn chapter(&self, segment: SegmentId) -> &str {
        let script = &self.work.planned.plan.script;
        script
            .segment(segment)
            .and_then(|segment| script.chapters.get(segment.chapter as usize))
            .map_or("", |chapter| &chapter.title)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::slots;

    #[test]
    fn slots_follow_the_devices() {
        let of = |devices: &[&str], count, pending| {
            let devices: Vec<String> = devices.iter().map(ToString::to_string).collect();
            slots(&devices, count, 4, pending)
        };
        assert_eq!(of(&["cpu"], None, 100), ["cpu"; 4]);
        assert_eq!(of(&["cpu"], Some(2), 100), ["cpu"; 2]);
        assert_eq!(of(&["cpu"], None, 1), ["cpu"]);
        assert_eq!(of(&["cuda"], None, 100), ["cuda:0"]);
        assert_eq!(of(&["cuda:0", "cuda:1"], None, 100), ["cuda:0", "cuda:1"]);
        assert_eq!(of(&["cuda:0", "cuda:1"], Some(3), 100), ["cuda:0", "cuda:1", "cuda:0"]);
    }
}
