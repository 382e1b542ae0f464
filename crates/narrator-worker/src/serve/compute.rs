//! The compute loop: commands in, samples out, one model. A model that listens has a loop of its own, in
//! `listen.rs`; what comes before Ready is the same for both and is here.
//!
//! ```text
//!   wait for Load ─▶ load ─▶ warm up ─▶ Ready ─▶ ┌ take commands (wait only when idle)
//!                                                │ admit while there is room
//!                                                └ step ─▶ Pcm, Done, Failed
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use narrator_core::{Delivery, VoiceAbilities};
use narrator_engine::{
    EngineError, EngineErrorKind, EngineInfo, RowId, SpeechRequest, SpeechSink, SpeechStats, Synthesizer,
    Transcriber,
};
use narrator_proto::{
    DeviceMemory, FailureKind, Fatal, FatalKind, FromWorker, Load, LoadProgress, LoadStage, Ready, RequestId,
    Speak, SpeakAs, ToWorker, Voice,
};
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use super::guard::{RowGuard, brief, check_request};
use super::listen;
use super::outbox::Outbox;
use super::pulse::Pulse;
use super::rows::Rows;
use crate::memory::peak_resident_bytes;

/// Requests that may wait for a row: far more than an orchestrator keeps ahead.
pub(super) const MAX_WAITING: usize = 256;
/// Between two progress messages, unless a stage ends.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);
/// Between two looks at the device's memory.
pub(super) const MEMORY_PAUSE: Duration = Duration::from_secs(1);
/// Short, and a word in most languages.
const WARM_UP_TEXT: &str = "Hello.";

/// Asks the device how much memory there is.
pub(super) type MemoryProbe = Box<dyn Fn() -> Option<DeviceMemory>>;

/// What a model does.
pub enum Model {
    Speaks(Box<dyn Synthesizer>),
    Listens(Box<dyn Transcriber>),
}

/// A model in memory.
pub struct Loaded {
    pub model: Model,
    /// None on a CPU.
    pub device_memory: Option<MemoryProbe>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Speaks(engine) => f.debug_tuple("Speaks").field(engine.info()).finish(),
            Self::Listens(engine) => f.debug_tuple("Listens").field(engine.info()).finish(),
        }
    }
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("model", &self.model).finish_non_exhaustive()
    }
}

/// What the orchestrator wants loaded, and how much of the device it may take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    pub load: Load,
    /// Absent: what is free.
    pub device_bytes: Option<u64>,
}

/// Why the loop ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// As asked, with nothing left.
    Drained,
    /// The pipe is gone.
    Orphaned,
    /// The process cannot go on.
    Fatal(Fatal),
}

impl Ending {
    pub fn fatal(kind: FatalKind, what: &str) -> Self {
        Self::Fatal(Fatal { kind, message: brief(what) })
    }
}

/// Loads what the orchestrator names and does what it sends, until one of the endings.
pub fn run<L>(loader: L, mut commands: Receiver<ToWorker>, outbox: &Outbox, pulse: &Pulse) -> Ending
where
    L: FnOnce(&Order, &mut dyn FnMut(u64, u64)) -> Result<Loaded, EngineError>,
{
    await_load(&mut commands)
        .and_then(|order| serve(loader, &order, &mut commands, outbox, pulse))
        .unwrap_or_else(|ending| ending)
}

fn await_load(commands: &mut Receiver<ToWorker>) -> Result<Order, Ending> {
    let mut device_bytes = None;
    loop {
        match commands.blocking_recv() {
            None => return Err(Ending::Orphaned),
            Some(ToWorker::Budget(budget)) => device_bytes = Some(budget.device_bytes),
            Some(ToWorker::Load(load)) => return Ok(Order { load, device_bytes }),
            Some(ToWorker::Drain) => return Err(Ending::Drained),
            // There is nothing yet that these could be about.
            Some(ToWorker::Cancel { .. } | ToWorker::CancelAll | ToWorker::SetRows(_)) => {}
            Some(_) => {
                return Err(Ending::fatal(
                    FatalKind::ProtocolError,
                    "asked to work before a model is loaded",
                ));
            }
        }
    }
}

fn serve<L>(
    loader: L,
    order: &Order,
    commands: &mut Receiver<ToWorker>,
    outbox: &Outbox,
    pulse: &Pulse,
) -> Result<Ending, Ending>
where
    L: FnOnce(&Order, &mut dyn FnMut(u64, u64)) -> Result<Loaded, EngineError>,
{
    let begun = Instant::now();
    let mut progress = Progress { outbox, pulse, last: None, lost: None };
    let loaded = loader(order, &mut |done, total| progress.tell(LoadStage::Weights, done, total));
    progress.still_heard()?;
    let Loaded { model, device_memory } = loaded.map_err(|error| load_failed(&error))?;
    match model {
        Model::Speaks(engine) => {
            let speaker = begin(engine, device_memory, &order.load, begun, progress)?;
            Ok(speaker.speak(commands))
        }
        Model::Listens(engine) => {
            let listener = listen::begin(engine, device_memory, &order.load, begun, progress)?;
            Ok(listener.listen(commands))
        }
    }
}

fn begin<'a>(
    mut engine: Box<dyn Synthesizer>,
    device_memory: Option<MemoryProbe>,
    load: &Load,
    begun: Instant,
    mut progress: Progress<'a>,
) -> Result<Speaker<'a>, Ending> {
    let (outbox, pulse) = (progress.outbox, progress.pulse);
    let info = engine.info().clone();
    warm_up(&mut *engine, &info, &mut progress)?;
    progress.still_heard()?;
    let device_now = device_memory.as_ref().and_then(|probe| probe());
    pulse.set_device_memory(device_now);
    let max_rows = load.max_rows.unwrap_or(u32::MAX).min(info.max_rows).max(1);
    let ready = Ready {
        engine: info.engine.clone(),
        sample_rate: info.sample_rate,
        max_rows,
        voices: info.voices.iter().map(wire_voice).collect(),
        default_voice: info.default_voice.clone(),
        device: load.device.clone(),
        load_ms: begun.elapsed().as_millis() as u64,
        peak_resident_bytes: peak_resident_bytes(),
        device_memory: device_now,
    };
    tracing::info!(
        event = "worker.ready",
        engine = ready.engine,
        device = ready.device,
        load_ms = ready.load_ms
    );
    if info.abilities != VoiceAbilities::default() {
        outbox.send(&FromWorker::Abilities(info.abilities))?;
    }
    outbox.send(&FromWorker::Ready(ready))?;
    Ok(Speaker {
        rows: Rows::new(info.sample_rate, outbox, pulse),
        engine,
        info,
        device_memory,
        memory_read: Instant::now(),
        waiting: VecDeque::new(),
        room: max_rows as usize,
        max_rows: max_rows as usize,
        draining: false,
        outbox,
        pulse,
    })
}

/// What is wrong with a model stays wrong; what is wrong with a device or its memory may pass.
pub(super) fn load_failed(error: &EngineError) -> Ending {
    let kind = match error.kind() {
        EngineErrorKind::BadModel | EngineErrorKind::BadRequest => FatalKind::ConfigRejected,
        EngineErrorKind::DeviceFault => FatalKind::DeviceFault,
        _ => FatalKind::LoadFailed,
    };
    Ending::fatal(kind, &error.to_string())
}

/// Speaks a word that nobody hears: the first utterance pays for lazy initialisation, shows whether the
/// model works at all, and leaves the memory peak that admission of further workers counts on.
fn warm_up(
    engine: &mut dyn Synthesizer,
    info: &EngineInfo,
    progress: &mut Progress<'_>,
) -> Result<(), Ending> {
    // A model without a voice of its own speaks only with what a request brings.
    let Some(voice) = info.voices.iter().find(|voice| voice.name == info.default_voice) else {
        return Ok(());
    };
    let speak = Speak {
        text: WARM_UP_TEXT.into(),
        language: voice.language.clone(),
        voice: Some(voice.name.clone()),
        speed: 1.0,
        seed: 0,
        max_seconds: 30.0,
    };
    let failed = |why: &str| Ending::fatal(FatalKind::LoadFailed, &format!("warm-up: {why}"));
    let mut sink = WarmUp { guard: RowGuard::new(&speak, info.sample_rate), fault: None };
    let (row, mut steps) = (RowId(0), 0);
    engine
        .admit(to_engine(row, SpeakAs { speak, delivery: Delivery::default() }, info))
        .map_err(|error| load_failed(&error))?;
    while engine.rows() > 0 && sink.fault.is_none() {
        engine.step(&mut sink).map_err(|error| load_failed(&error))?;
        steps += 1;
        progress.tell(LoadStage::WarmUp, steps, 0);
        progress.still_heard()?;
    }
    engine.cancel(row);
    match sink.fault {
        Some(why) => Err(failed(&why)),
        None => sink.guard.judge().map_err(|(_, why)| failed(&why)),
    }
}

struct WarmUp {
    guard: RowGuard,
    fault: Option<String>,
}

impl SpeechSink for WarmUp {
    fn samples(&mut self, _row: RowId, pcm: &[f32]) {
        if self.fault.is_none() {
            self.fault = self.guard.hear(pcm).err().map(|(_, why)| why);
        }
    }

    fn finished(&mut self, _row: RowId, _stats: SpeechStats) {}

    fn failed(&mut self, _row: RowId, error: EngineError) {
        self.fault.get_or_insert(error.to_string());
    }
}

/// Tells how far loading is, now and then.
pub(super) struct Progress<'a> {
    pub outbox: &'a Outbox,
    pub pulse: &'a Pulse,
    last: Option<(LoadStage, Instant)>,
    lost: Option<Ending>,
}

impl Progress<'_> {
    pub fn tell(&mut self, stage: LoadStage, done: u64, total: u64) {
        self.pulse.step();
        let recent = self.last.is_some_and(|(last, at)| last == stage && at.elapsed() < PROGRESS_PAUSE);
        if self.lost.is_some() || (recent && done != total) {
            return;
        }
        self.last = Some((stage, Instant::now()));
        let progress = LoadProgress { stage, done, total };
        self.lost = self.outbox.send(&FromWorker::LoadProgress(progress)).err().map(Ending::from);
    }

    pub fn still_heard(&mut self) -> Result<(), Ending> {
        self.lost.take().map_or(Ok(()), Err)
    }
}

/// The loop's state once a model is there.
struct Speaker<'a> {
    engine: Box<dyn Synthesizer>,
    info: EngineInfo,
    device_memory: Option<MemoryProbe>,
    memory_read: Instant,
    rows: Rows<'a>,
    waiting: VecDeque<(RequestId, SpeakAs)>,
    /// Rows that may be in the engine at once: what the orchestrator set, less after memory ran out.
    room: usize,
    max_rows: usize,
    draining: bool,
    outbox: &'a Outbox,
    pulse: &'a Pulse,
}

impl Speaker<'_> {
    fn speak(mut self, commands: &mut Receiver<ToWorker>) -> Ending {
        loop {
            if let Err(ending) = self.turn(commands) {
                return ending;
            }
        }
    }

    fn turn(&mut self, commands: &mut Receiver<ToWorker>) -> Result<(), Ending> {
        self.take_commands(commands)?;
        self.admit()?;
        if self.rows.len() > 0 {
            let before = self.rows.len();
            self.rows.step(&mut *self.engine)?;
            self.notice_eviction(before);
        }
        self.look_at_memory();
        self.pulse.set_load(self.rows.len(), self.waiting.len());
        Ok(())
    }

    fn take_commands(&mut self, commands: &mut Receiver<ToWorker>) -> Result<(), Ending> {
        loop {
            let idle = self.rows.len() == 0 && self.waiting.is_empty();
            if idle && self.draining {
                return Err(Ending::Drained);
            }
            let command = if idle {
                commands.blocking_recv().ok_or(Ending::Orphaned)?
            } else {
                match commands.try_recv() {
                    Ok(command) => command,
                    Err(TryRecvError::Empty) => return Ok(()),
                    Err(TryRecvError::Disconnected) => return Err(Ending::Orphaned),
                }
            };
            self.obey(command)?;
        }
    }

    fn obey(&mut self, command: ToWorker) -> Result<(), Ending> {
        match command {
            ToWorker::Speak { request, speak } => {
                self.queue(request, SpeakAs { speak, delivery: Delivery::default() })
            }
            ToWorker::SpeakAs { request, speak_as } => self.queue(request, speak_as),
            ToWorker::Cancel { request } => {
                if let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == request) {
                    self.waiting.remove(at);
                    return self.rows.send_failure(request, FailureKind::Cancelled, "cancelled");
                }
                // Neither here nor there: its Done or Failed has crossed the cancel on the way.
                self.rows.cancel(&mut *self.engine, request).map(drop)
            }
            ToWorker::CancelAll => {
                for (request, _) in std::mem::take(&mut self.waiting) {
                    self.rows.send_failure(request, FailureKind::Cancelled, "cancelled")?;
                }
                self.rows.cancel_all(&mut *self.engine)
            }
            ToWorker::SetRows(set) => {
                self.room = (set.rows as usize).clamp(1, self.max_rows);
                Ok(())
            }
            ToWorker::Drain => {
                self.draining = true;
                Ok(())
            }
            ToWorker::Welcome(_) | ToWorker::Refuse(_) | ToWorker::Budget(_) | ToWorker::Load(_) => {
                Err(Ending::fatal(FatalKind::ProtocolError, "the handshake and loading are over"))
            }
            ToWorker::Listen { .. } | ToWorker::ListenPcm { .. } => {
                Err(Ending::fatal(FatalKind::ProtocolError, "asked to listen, and this model speaks"))
            }
        }
    }

    fn queue(&mut self, request: RequestId, speak_as: SpeakAs) -> Result<(), Ending> {
        let known =
            self.rows.contains(request) || self.waiting.iter().any(|(waiting, _)| *waiting == request);
        if known {
            return Err(Ending::fatal(
                FatalKind::ProtocolError,
                &format!("request {request} is here already"),
            ));
        }
        if self.waiting.len() >= MAX_WAITING {
            return Err(Ending::fatal(
                FatalKind::ProtocolError,
                "more requests at once than anybody can want",
            ));
        }
        if self.draining {
            return self.rows.send_failure(request, FailureKind::Cancelled, "the worker is draining");
        }
        if let Err((kind, what)) = check_request(&speak_as.speak) {
            return self.rows.send_failure(request, kind, &what);
        }
        self.waiting.push_back((request, speak_as));
        Ok(())
    }

    fn admit(&mut self) -> Result<(), Ending> {
        while self.rows.len() < self.room {
            let Some((request, speak_as)) = self.waiting.pop_front() else { return Ok(()) };
            self.rows.add(request, &speak_as.speak);
            match self.engine.admit(to_engine(RowId(request.0), speak_as, &self.info)) {
                Ok(()) => self.outbox.send(&FromWorker::Accepted { request })?,
                Err(error) => self.rows.not_admitted(request, &error)?,
            }
        }
        Ok(())
    }

    /// Rows that left for want of memory would only run out of it again: no more than stayed, until the
    /// orchestrator says how many.
    fn notice_eviction(&mut self, before: usize) {
        if self.rows.take_memory_ran_out() {
            self.room = self.rows.len().clamp(1, self.room);
            tracing::warn!(event = "worker.out_of_memory", rows = before, room = self.room);
        }
    }

    fn look_at_memory(&mut self) {
        if let Some(probe) = &self.device_memory
            && self.memory_read.elapsed() >= MEMORY_PAUSE
        {
            self.memory_read = Instant::now();
            self.pulse.set_device_memory(probe());
        }
    }
}

fn to_engine(row: RowId, SpeakAs { speak, delivery }: SpeakAs, info: &EngineInfo) -> SpeechRequest {
    SpeechRequest {
        row,
        text: speak.text,
        language: speak.language,
        voice: speak.voice.unwrap_or_else(|| info.default_voice.clone()),
        speed: speak.speed,
        seed: speak.seed,
        max_seconds: speak.max_seconds,
        delivery,
    }
}

fn wire_voice(voice: &narrator_engine::VoiceInfo) -> Voice {
    Voice {
        name: voice.name.clone(),
        language: voice.language.clone(),
        description: brief(&voice.description),
    }
}
