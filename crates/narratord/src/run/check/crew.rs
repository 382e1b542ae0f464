//! A checked run at work: voices and recognisers side by side until nothing is left or nothing can go on.
//!
//! The pools share the course and nothing else. When one of them ends before its time the others are told:
//! without a voice what is on the disk is still heard; without a recogniser the other one hears everything;
//! without a disk all of them end.

use std::sync::{Arc, Mutex, OnceLock};

use narrator_ipc::RunDir;
use narrator_pool::{
    Control, Craft, Numbering, Outcome, Pool, PoolConfig, PoolError, PoolEvent, Stopped, SupervisionSettings,
    What,
};
use serde_json::json;

use super::checker::{Checker, starts};
use super::course::{Course, Ear, most_unheard};
use super::flow::{ListenSink, ListenSource, SpeakSink, SpeakSource};
use super::hearers::{Hearer, Hearers};
use super::ladder;
use super::notes::{Notebook, Notes};
use super::tempo;
use crate::events::{EventLog, Level};
use crate::progress::Tally;
use crate::run::Prepared;
use crate::run::keeper::Keeper;
use crate::run::speak::worker_environment;

/// Pools of a checked run, for the numbering of their workers.
const POOLS: u64 = 3;

/// The shared object of a run that is about to begin.
pub(in crate::run) fn checker(
    work: &Prepared,
    hearers: &Hearers,
    keeper: &Arc<Keeper>,
    notes: &Notes,
    tally: &Arc<Mutex<Tally>>,
    log: &EventLog,
) -> Checker {
    let script = work.planned.plan.script.clone();
    let starts = starts(&script, keeper, notes, hearers.strict);
    let most_unheard = most_unheard(hearers.first.seats.len());
    let mut course = Course::new(starts, hearers.second.is_some(), most_unheard);
    course.wait_for(tempo::tellers(&script).iter().map(|segment| segment.id));
    Checker {
        course: Mutex::new(course),
        speech: work.planned.speech.clone(),
        job: work.job.clone(),
        keeper: Arc::clone(keeper),
        log: log.clone(),
        tally: Arc::clone(tally),
        strict: hearers.strict,
        quarantine: work.settings.check.quarantine,
        bench: Mutex::default(),
        notebook: Mutex::new(Notebook::open(&work.job)),
        notes: Mutex::new(notes.clone()),
        pace: OnceLock::new(),
        abilities: Mutex::new(ladder::known_abilities(&work.job)),
        script,
    }
}

/// The pools, made and not yet running.
#[derive(Debug)]
pub struct Crew {
    voices: Pool,
    first: Pool,
    second: Option<Pool>,
    voice: Option<String>,
}

impl Crew {
    /// `speaking` is the voices' own configuration.
    pub fn new(speaking: &PoolConfig, hearers: &Hearers, voice: Option<String>) -> Self {
        let slots = speaking.seats.len() as u16;
        let mut voices = PoolConfig { numbering: Numbering::of_pool(0, POOLS, 0), ..speaking.clone() };
        // There may be nothing to speak, only takes to hear.
        voices.settings.staff_for_work_only = true;
        let first = listening(speaking, &hearers.first, "first", Numbering::of_pool(1, POOLS, slots));
        let taken = slots + hearers.first.seats.len() as u16;
        let second = hearers.second.as_ref().map(|hearer| {
            let mut config = listening(speaking, hearer, "second", Numbering::of_pool(2, POOLS, taken));
            // Most books never doubt for long; a recogniser that is not asked costs nothing.
            config.settings.staff_for_work_only = !hearers.strict;
            Pool::new(config)
        });
        Self { voices: Pool::new(voices), first: Pool::new(first), second, voice }
    }

    /// Handles that stop every pool.
    pub fn controls(&self) -> Vec<Control> {
        let pools = [Some(&self.voices), Some(&self.first), self.second.as_ref()];
        pools.into_iter().flatten().map(Pool::control).collect()
    }

    /// Runs all pools to their ends. `told` hears every event of every pool.
    pub async fn work(
        self,
        checker: &Arc<Checker>,
        told: impl Fn(&PoolEvent) + Send + Sync,
    ) -> Result<Stopped, PoolError> {
        let controls = self.controls();
        let told = &told;
        let speaking = async {
            let source = SpeakSource { checker: Arc::clone(checker), voice: self.voice };
            let ended = self.voices.run(source, SpeakSink(Arc::clone(checker)), told).await;
            checker.course().silence();
            ended
        };
        let listening = |pool: Option<Pool>, ear: Ear| {
            let controls = controls.clone();
            async move {
                let Some(pool) = pool else { return Ok(None) };
                let source = ListenSource { checker: Arc::clone(checker), ear };
                let sink = ListenSink { checker: Arc::clone(checker), ear };
                let ended = pool.run(source, sink, told).await?;
                after(checker, ear, &ended, &controls);
                Ok::<_, PoolError>(Some(ended))
            }
        };
        let (spoke, first, second) = tokio::join!(
            speaking,
            listening(Some(self.first), Ear::First),
            listening(self.second, Ear::Second)
        );
        let mut stopped = spoke?.stopped;
        for listened in [first?, second?].into_iter().flatten() {
            // A disk that fails is everybody's; a recogniser that is gone was dealt with.
            if matches!(listened.stopped, Stopped::DiskFull { .. } | Stopped::StoreFailed { .. })
                || (stopped == Stopped::Finished && listened.stopped == Stopped::Drained)
            {
                stopped = listened.stopped;
            }
        }
        Ok(stopped)
    }
}

/// What the end of a recogniser's pool means for the others.
fn after(checker: &Checker, ear: Ear, ended: &Outcome, controls: &[Control]) {
    let lost = match &ended.stopped {
        Stopped::NoSlotLeft { why, .. } => checker.listener_lost(ear, why),
        Stopped::DiskFull { .. } | Stopped::StoreFailed { .. } => {
            drain(controls);
            Ok(())
        }
        Stopped::Finished | Stopped::Drained => Ok(()),
    };
    if let Err(error) = lost {
        let detail = error.to_string();
        checker.log.emit(Level::Error, "journal_warning", &json!({ "detail": detail }));
        drain(controls);
    }
}

/// The disk is everybody's.
fn drain(controls: &[Control]) {
    for control in controls {
        control.drain("the disk");
    }
}

/// A recogniser's pool: as the voices', with its own model, devices and numbers.
pub fn listening(
    speaking: &PoolConfig,
    hearer: &Hearer,
    crew: &'static str,
    numbering: Numbering,
) -> PoolConfig {
    let on_cpu = hearer.seats.iter().filter(|seat| seat.device == "cpu").count();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Each has its share of the cores: more threads than cores only wait for each other, and where voices have all of
    // them a second thread costs more than it brings.
    let voices_on_cpu = speaking.seats.iter().filter(|seat| seat.device == "cpu").count();
    let share = if voices_on_cpu >= cores { 1 } else { (cores / on_cpu.max(1)).max(1) };
    let threads = (on_cpu > 0).then_some(share as u16);
    PoolConfig {
        crew: Some(crew),
        craft: Craft::Listening,
        numbering,
        seats: hearer.seats.clone(),
        model_dir: std::path::absolute(&hearer.model.dir).unwrap_or_else(|_| hearer.model.dir.clone()),
        precision: narrator_proto::Precision::default(),
        threads,
        max_rows: None,
        ..speaking.clone()
    }
}

/// A pool of recognisers without voices: for the audit of a book that somebody else made.
pub fn alone(
    run: String,
    program: std::path::PathBuf,
    run_dir: RunDir,
    hearer: &Hearer,
    probe: Option<Arc<dyn narrator_pool::DeviceProbe>>,
) -> PoolConfig {
    let speaking = PoolConfig {
        run,
        crew: None,
        craft: Craft::Listening,
        numbering: Numbering::default(),
        program,
        args: vec!["serve".into()],
        env: worker_environment(),
        run_dir,
        seats: Vec::new(),
        model_dir: std::path::PathBuf::new(),
        precision: narrator_proto::Precision::default(),
        threads: None,
        max_rows: None,
        allow_build_skew: false,
        settings: SupervisionSettings::default(),
        seed: 1,
        probe,
    };
    listening(&speaking, hearer, "audit", Numbering::default())
}

/// Whether an event of a recogniser's pool is for the log as it is. That a take was given up by a recogniser
/// is told in other words: the segment is not in quarantine for it.
pub fn is_worth_a_line(event: &PoolEvent) -> bool {
    event.crew.is_none() || !matches!(event.what, What::SegmentQuarantined { .. })
}
