//! Hearing many stretches of audio with a pool of recognisers, in any order, answered in theirs.
//!
//! The stretches come from a thread of their own, which decodes while others listen, through a queue that
//! holds a few: the memory does not grow with the book. A stretch over which a recogniser fails three times
//! stays unheard, and the caller is told which.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use narrator_audio::AudioError;
use narrator_core::{ContentKey, Hearing, Priors, SegmentId};
use narrator_pool::{
    Answer, Lease, ListenTask, Pool, PoolConfig, PoolEvent, Quarantined, ResultSink, SegmentSource,
    SinkError, Stopped, Task, Work,
};

use crate::error::Failure;
use crate::exit::Exit;

/// Stretches that may wait for a recogniser: a batch for each of a few.
const WAITING: usize = 32;
/// Between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// One stretch of audio.
#[derive(Clone, PartialEq, Debug)]
pub struct Stretch {
    pub pcm: Arc<[f32]>,
    pub rate: u32,
    /// A text to be scored against it.
    pub expected: Option<String>,
    /// Hypotheses at once when it is written down; none when it is only scored.
    pub beams: Option<u16>,
}

/// What was heard in each stretch; nothing in those over which the recognisers failed.
pub type Hearings = Vec<Option<Hearing>>;

/// Hears everything that `produce` sends, in a language (BCP 47). `seen` is told how many stretches were heard.
pub fn hear(
    config: PoolConfig,
    language: String,
    stop: &AtomicBool,
    told: impl Fn(&PoolEvent) + Send,
    mut seen: impl FnMut(usize),
    produce: impl FnOnce(&SyncSender<Stretch>) -> Result<(), AudioError> + Send + 'static,
) -> Result<Hearings, Failure> {
    let (sender, stretches) = sync_channel(WAITING);
    let producer = std::thread::Builder::new()
        .name("decode".into())
        .spawn(move || produce(&sender))
        .map_err(|error| Failure::new(Exit::Missing, "a thread cannot be started").because(error))?;
    let heard = Arc::new(Mutex::new(BTreeMap::new()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Missing, "the runtime cannot be started").because(error))?;
    let stopped = runtime.block_on(async {
        let pool = Pool::new(config);
        let control = pool.control();
        let source = Source { stretches, language, next: 0 };
        let running = pool.run(source, Sink(Arc::clone(&heard)), told);
        tokio::pin!(running);
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                outcome = &mut running => break outcome,
                _ = look.tick() => {
                    seen(lock(&heard).len());
                    if stop.load(Ordering::Relaxed) {
                        control.stop_now("a signal");
                    }
                }
            }
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    let stopped = stopped
        .map_err(|error| Failure::new(Exit::Stopped, "the recognisers' supervision ended").because(error))?
        .stopped;
    match stopped {
        Stopped::Finished => {}
        Stopped::NoSlotLeft { why, .. } => {
            return Err(Failure::new(Exit::Missing, format!("no recogniser can go on: {why}")));
        }
        _ => return Err(Failure::new(Exit::Stopped, "stopped as asked, before everything was heard")),
    }
    match producer.join() {
        Ok(decoded) => decoded?,
        Err(_) => return Err(Failure::new(Exit::Missing, "decoding ended before its time")),
    }
    let heard = std::mem::take(&mut *lock(&heard));
    Ok(heard.into_values().collect())
}

type Heard = Arc<Mutex<BTreeMap<u32, Option<Hearing>>>>;

fn lock(heard: &Heard) -> std::sync::MutexGuard<'_, BTreeMap<u32, Option<Hearing>>> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Source {
    stretches: Receiver<Stretch>,
    language: String,
    next: usize,
}

impl SegmentSource for Source {
    fn lease(&mut self) -> Lease {
        let Stretch { pcm, rate, expected, beams } = match self.stretches.try_recv() {
            Ok(stretch) => stretch,
            Err(TryRecvError::Empty) => return Lease::NothingNow,
            Err(TryRecvError::Disconnected) => return Lease::Exhausted,
        };
        let segment = SegmentId::from_index(self.next);
        self.next += 1;
        let task = ListenTask {
            take: 0,
            pcm,
            sample_rate: rate,
            language: Some(self.language.clone()),
            priors: Priors::None,
            transcribe: beams.is_some(),
            expected,
            context: String::new(),
            beams: beams.unwrap_or(1),
            seed: u64::from(segment.0),
        };
        // A stretch of a finished file has no content key, and nothing asks for it.
        Lease::Work(Work { segment, key: ContentKey([0; 32]), task: Task::Listen(task) })
    }

    fn give_back(&mut self, _segment: SegmentId) {}

    /// What was not decoded yet is not counted.
    fn unlent(&self) -> u64 {
        0
    }
}

struct Sink(Heard);

impl ResultSink for Sink {
    fn accept(&mut self, answers: &[&Answer]) -> Vec<Result<(), SinkError>> {
        for answer in answers {
            if let Answer::Heard(heard) = answer {
                lock(&self.0).insert(heard.dispatch.segment.0, Some(heard.hearing.clone()));
            }
        }
        vec![Ok(()); answers.len()]
    }

    fn quarantine(&mut self, out: &Quarantined) -> Result<(), SinkError> {
        lock(&self.0).insert(out.segment.0, None);
        Ok(())
    }
}
