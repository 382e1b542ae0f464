//! The listening loop: requests and their samples in, hearings out, one recogniser.
//!
//! ```text
//!   Ready ─▶ ┌ take commands (wait only when no request is whole)
//!            │ the first whole requests, a batch at most: Accepted
//!            └ hear them in one call ─▶ Heard, Failed
//! ```
//!
//! Invariants:
//! - a request goes into the engine when all its announced samples are there, and not before;
//! - requests go in the order in which they became whole, and a batch never holds more audio than the engine
//!   takes, nor more than the orchestrator set: short requests go in greater numbers, which share the reading of
//!   weights as well as a few long ones;
//! - a batch that memory does not hold is halved: the older half is heard again, the younger one fails, as
//!   the rows of a voice do.
//!
//! - commands that come while the engine works are obeyed behind the call, except that a call whose requests
//!   are all cancelled, or whose orchestrator is gone, ends with the engine's next sign of progress.
//!
//! What it deliberately does not do: take a single request out of a call. It is answered with the others.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use narrator_engine::{EngineError, HearingRequest, Transcriber};
use narrator_proto::{
    FailureKind, FatalKind, FromWorker, Heard, Listen, ListenerReady, Load, LoadStage, MAX_LISTEN_SAMPLES,
    RequestId, ToWorker,
};
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use super::compute::{Ending, MAX_WAITING, MEMORY_PAUSE, MemoryProbe, Progress, load_failed};
use super::guard::{Blame, RowFault, blame};
use super::outbox::Outbox;
use super::pulse::Pulse;
use super::rows::send_failure;
use crate::memory::peak_resident_bytes;

/// Batches that are announced: one in the engine, and one that waits, so that the engine never does.
const BATCHES: u32 = 2;
/// Announced requests at most. The samples of each are several commands, and those must find room while
/// the engine works.
const MOST_REQUESTS: u32 = 64;
/// The same on a CPU, where a larger batch is hardly faster, and a call of it is a minute's work that nobody
/// can interrupt.
const MOST_REQUESTS_CPU: u32 = 32;
/// Requests come in bunches: so long after the last of them a batch begins that has room for more.
const COMPANY: Duration = Duration::from_millis(10);
/// What a recogniser hears at once.
const WINDOW_S: f64 = 30.0;
/// Length and rate of what is heard at warm-up: a second of silence, which every recogniser takes.
const WARM_UP_RATE: u32 = 16_000;
/// Rates that audio can have.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// A request on its way in.
#[derive(Debug)]
struct Coming {
    request: RequestId,
    listen: Listen,
    pcm: Vec<f32>,
}

impl Coming {
    fn is_whole(&self) -> bool {
        self.pcm.len() as u64 == self.listen.samples
    }
}

/// The loop's state once a recogniser is there.
pub(super) struct Listener<'a> {
    engine: Box<dyn Transcriber>,
    device_memory: Option<MemoryProbe>,
    memory_read: Instant,
    /// Not all of their samples are here yet.
    coming: Vec<Coming>,
    /// Whole, in the order in which they became so.
    waiting: VecDeque<Coming>,
    /// Requests that are announced: what the orchestrator set, less after memory ran out. How much of them goes into a
    /// call follows from it.
    rows: u32,
    max_rows: u32,
    draining: bool,
    /// Commands that came while the engine worked.
    inbox: VecDeque<ToWorker>,
    outbox: &'a Outbox,
    pulse: &'a Pulse,
}

/// Warms the recogniser up and says that it is there.
pub(super) fn begin<'a>(
    mut engine: Box<dyn Transcriber>,
    device_memory: Option<MemoryProbe>,
    load: &Load,
    begun: Instant,
    mut progress: Progress<'a>,
) -> Result<Listener<'a>, Ending> {
    let (outbox, pulse) = (progress.outbox, progress.pulse);
    let info = engine.info().clone();
    warm_up(&mut *engine, &mut progress)?;
    let device_now = device_memory.as_ref().and_then(|probe| probe());
    pulse.set_device_memory(device_now);
    let most = if load.device == "cpu" { MOST_REQUESTS_CPU } else { MOST_REQUESTS };
    let announced = info.max_batch.max(1).saturating_mul(BATCHES).min(most);
    let max_rows = load.max_rows.unwrap_or(u32::MAX).min(announced).max(1);
    let ready = ListenerReady {
        engine: info.engine,
        model: info.model,
        multilingual: info.multilingual,
        max_rows,
        device: load.device.clone(),
        load_ms: begun.elapsed().as_millis() as u64,
        peak_resident_bytes: peak_resident_bytes(),
        device_memory: device_now,
    };
    tracing::info!(
        event = "worker.ready",
        engine = ready.engine,
        model = ready.model,
        device = ready.device,
        load_ms = ready.load_ms
    );
    outbox.send(&FromWorker::ListenerReady(ready))?;
    Ok(Listener {
        engine,
        device_memory,
        memory_read: Instant::now(),
        coming: Vec::new(),
        waiting: VecDeque::new(),
        rows: max_rows,
        max_rows,
        draining: false,
        inbox: VecDeque::new(),
        outbox,
        pulse,
    })
}

/// Seconds of audio in a call, of so many announced requests: whole windows of half of them.
fn audio_of(rows: u32) -> f64 {
    f64::from((rows / BATCHES).max(1)) * WINDOW_S
}

/// Hears a second of nothing, so that what is lazy is done and what cannot work says so now.
fn warm_up(engine: &mut dyn Transcriber, progress: &mut Progress<'_>) -> Result<(), Ending> {
    let silence = HearingRequest {
        pcm: vec![0.0; WARM_UP_RATE as usize],
        sample_rate: WARM_UP_RATE,
        language: Some("en".into()),
        transcribe: true,
        ..HearingRequest::default()
    };
    let mut told = 0;
    let heard = engine.hear(&[silence], &mut |_| {
        told += 1;
        progress.tell(LoadStage::WarmUp, told, 0);
        ControlFlow::Continue(())
    });
    progress.tell(LoadStage::WarmUp, told + 1, 0);
    let answers = heard.map_err(|error| load_failed(&error))?;
    // That it heard nothing in nothing is as good as hearing something: it ran.
    if answers.len() == 1 {
        progress.still_heard()
    } else {
        Err(Ending::fatal(FatalKind::LoadFailed, "warm-up: the recogniser gave no answer"))
    }
}

impl Listener<'_> {
    pub fn listen(mut self, commands: &mut Receiver<ToWorker>) -> Ending {
        loop {
            if let Err(ending) = self.turn(commands) {
                return ending;
            }
        }
    }

    fn turn(&mut self, commands: &mut Receiver<ToWorker>) -> Result<(), Ending> {
        self.take_commands(commands)?;
        let batch: Vec<Coming> = self.waiting.drain(..self.next_batch()).collect();
        self.pulse.set_load(batch.len(), self.waiting.len() + self.coming.len());
        for each in &batch {
            self.outbox.send(&FromWorker::Accepted { request: each.request })?;
        }
        self.hear(batch, commands)?;
        self.pulse.set_load(0, self.waiting.len() + self.coming.len());
        self.look_at_memory();
        Ok(())
    }

    /// How many of those that wait go into the next call.
    fn next_batch(&self) -> usize {
        let most = self.rows.min(self.engine.info().max_batch) as usize;
        let mut left_s = audio_of(self.rows);
        let fits = |coming: &&Coming| {
            left_s -= coming.pcm.len() as f64 / f64::from(coming.listen.sample_rate);
            left_s >= 0.0
        };
        let fitting = self.waiting.iter().take(most).take_while(fits).count();
        fitting.max(1).min(self.waiting.len())
    }

    fn take_commands(&mut self, commands: &mut Receiver<ToWorker>) -> Result<(), Ending> {
        let mut waited = false;
        loop {
            let idle = self.waiting.is_empty();
            if idle && self.coming.is_empty() && self.draining {
                return Err(Ending::Drained);
            }
            let command = if let Some(command) = self.inbox.pop_front() {
                command
            } else if idle {
                commands.blocking_recv().ok_or(Ending::Orphaned)?
            } else {
                match commands.try_recv() {
                    Ok(command) => command,
                    Err(TryRecvError::Empty) if waited || self.next_batch() < self.waiting.len() => {
                        return Ok(());
                    }
                    Err(TryRecvError::Empty) => {
                        std::thread::sleep(COMPANY);
                        waited = true;
                        continue;
                    }
                    Err(TryRecvError::Disconnected) => return Err(Ending::Orphaned),
                }
            };
            waited = false;
            self.obey(command)?;
        }
    }

    fn obey(&mut self, command: ToWorker) -> Result<(), Ending> {
        match command {
            ToWorker::Listen { request, listen } => self.announce(request, listen),
            ToWorker::ListenPcm { request, samples } => self.take_samples(request, &samples),
            ToWorker::Cancel { request } => {
                let was = self.coming.len() + self.waiting.len();
                self.coming.retain(|coming| coming.request != request);
                self.waiting.retain(|waiting| waiting.request != request);
                if self.coming.len() + self.waiting.len() == was {
                    // Its answer has crossed the cancel on the way.
                    return Ok(());
                }
                self.fail(request, FailureKind::Cancelled, "cancelled")
            }
            ToWorker::CancelAll => {
                let all: Vec<_> = self.coming.drain(..).chain(self.waiting.drain(..)).collect();
                all.iter().try_for_each(|each| self.fail(each.request, FailureKind::Cancelled, "cancelled"))
            }
            ToWorker::SetRows(set) => {
                self.rows = set.rows.clamp(1, self.max_rows);
                Ok(())
            }
            ToWorker::Drain => {
                self.draining = true;
                Ok(())
            }
            ToWorker::Welcome(_) | ToWorker::Refuse(_) | ToWorker::Budget(_) | ToWorker::Load(_) => {
                Err(Ending::fatal(FatalKind::ProtocolError, "the handshake and loading are over"))
            }
            ToWorker::Speak { .. } | ToWorker::SpeakAs { .. } => {
                Err(Ending::fatal(FatalKind::ProtocolError, "asked to speak, and this model listens"))
            }
        }
    }

    fn announce(&mut self, request: RequestId, listen: Listen) -> Result<(), Ending> {
        let mut known = self.coming.iter().chain(&self.waiting);
        if known.any(|known| known.request == request) {
            let what = format!("request {request} is here already");
            return Err(Ending::fatal(FatalKind::ProtocolError, &what));
        }
        if self.coming.len() + self.waiting.len() >= MAX_WAITING {
            let what = "more requests at once than anybody can want";
            return Err(Ending::fatal(FatalKind::ProtocolError, what));
        }
        if self.draining {
            return self.fail(request, FailureKind::Cancelled, "the worker is draining");
        }
        if let Err((kind, what)) = check_listen(&listen) {
            return self.fail(request, kind, &what);
        }
        self.coming.push(Coming { request, listen, pcm: Vec::new() });
        Ok(())
    }

    /// Samples of a request that failed or was cancelled meanwhile are dropped.
    fn take_samples(&mut self, request: RequestId, samples: &[f32]) -> Result<(), Ending> {
        let Some(at) = self.coming.iter().position(|coming| coming.request == request) else {
            return Ok(());
        };
        let coming = &mut self.coming[at];
        coming.pcm.extend_from_slice(samples);
        if coming.pcm.len() as u64 > coming.listen.samples {
            let what = format!("request {request} has more samples than it announced");
            return Err(Ending::fatal(FatalKind::ProtocolError, &what));
        }
        if coming.is_whole() {
            let whole = self.coming.remove(at);
            self.waiting.push_back(whole);
        }
        Ok(())
    }

    /// Hears a batch, in smaller pieces when memory does not hold it.
    fn hear(&mut self, mut batch: Vec<Coming>, commands: &mut Receiver<ToWorker>) -> Result<(), Ending> {
        while !batch.is_empty() {
            let begun = Instant::now();
            let requests: Vec<HearingRequest> = batch.iter_mut().map(to_engine).collect();
            let (pulse, inbox) = (self.pulse, &mut self.inbox);
            let heard = self.engine.hear(&requests, &mut |_| {
                pulse.step();
                look_in(commands, inbox)
            });
            pulse.step();
            let compute_ms = begun.elapsed().as_millis() as u64 / batch.len() as u64;
            match heard {
                Ok(answers) => return self.answer(&batch, answers, compute_ms),
                Err(error) => {
                    for (coming, request) in batch.iter_mut().zip(requests) {
                        coming.pcm = request.pcm;
                    }
                    self.engine_failed(&mut batch, &error)?;
                }
            }
        }
        Ok(())
    }

    fn answer(
        &self,
        batch: &[Coming],
        answers: Vec<Result<narrator_core::Hearing, EngineError>>,
        compute_ms: u64,
    ) -> Result<(), Ending> {
        let mut answers = answers.into_iter();
        for Coming { request, .. } in batch {
            match answers.next() {
                Some(Ok(hearing)) => {
                    let heard = Heard { hearing, compute_ms };
                    self.outbox.send(&FromWorker::Heard { request: *request, heard })?;
                }
                Some(Err(error)) => match blame(&error) {
                    Blame::Row(kind) => self.fail(*request, kind, &error.to_string())?,
                    Blame::Process(kind) => return Err(Ending::fatal(kind, &error.to_string())),
                },
                // Nothing would ever come of it.
                None => {
                    self.fail(*request, FailureKind::BadOutput, "recogniser dropped it without a word")?;
                }
            }
        }
        Ok(())
    }

    /// Out of memory: the younger half makes room. Cancelled: all of it. Everything else that an engine says
    /// of itself as a whole means that it is gone.
    fn engine_failed(&mut self, batch: &mut Vec<Coming>, error: &EngineError) -> Result<(), Ending> {
        match blame(error) {
            Blame::Row(FailureKind::OutOfMemory) => {
                let leaving = batch.split_off(batch.len() / 2);
                self.rows = (batch.len() as u32).clamp(1, self.rows);
                tracing::warn!(event = "worker.out_of_memory", batch = self.rows);
                let why = error.to_string();
                leaving.iter().try_for_each(|each| self.fail(each.request, FailureKind::OutOfMemory, &why))
            }
            Blame::Row(FailureKind::Cancelled) => {
                let mut all = std::mem::take(batch).into_iter();
                all.try_for_each(|each| self.fail(each.request, FailureKind::Cancelled, "cancelled"))
            }
            Blame::Row(_) => Err(Ending::fatal(FatalKind::DeviceFault, &error.to_string())),
            Blame::Process(kind) => Err(Ending::fatal(kind, &error.to_string())),
        }
    }

    fn fail(&self, request: RequestId, kind: FailureKind, what: &str) -> Result<(), Ending> {
        send_failure(self.outbox, self.pulse, request, kind, what)
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

/// Takes in what came while the engine works. It is to stop when nobody wants what it hears any more.
fn look_in(commands: &mut Receiver<ToWorker>, inbox: &mut VecDeque<ToWorker>) -> ControlFlow<()> {
    loop {
        match commands.try_recv() {
            Ok(ToWorker::CancelAll) => {
                inbox.push_back(ToWorker::CancelAll);
                return ControlFlow::Break(());
            }
            Ok(command) => inbox.push_back(command),
            Err(TryRecvError::Empty) => return ControlFlow::Continue(()),
            // The loop finds the pipe closed, too.
            Err(TryRecvError::Disconnected) => return ControlFlow::Break(()),
        }
    }
}

fn to_engine(coming: &mut Coming) -> HearingRequest {
    let Listen { sample_rate, language, expected, priors, transcribe, context, beams, seed, .. } =
        &coming.listen;
    HearingRequest {
        pcm: std::mem::take(&mut coming.pcm),
        sample_rate: *sample_rate,
        language: language.clone(),
        expected: expected.clone(),
        priors: *priors,
        transcribe: *transcribe,
        context: context.clone(),
        beams: *beams,
        seed: *seed,
    }
}

/// Whether a request can be given to an engine at all.
fn check_listen(listen: &Listen) -> Result<(), RowFault> {
    let bad = |what: String| Err((FailureKind::BadRequest, what));
    if listen.samples == 0 || listen.samples > MAX_LISTEN_SAMPLES {
        return bad(format!("{} samples are not between 1 and {MAX_LISTEN_SAMPLES}", listen.samples));
    }
    if !RATES.contains(&listen.sample_rate) {
        return bad(format!("{} samples a second is not audio", listen.sample_rate));
    }
    if !listen.transcribe && listen.expected.is_none() {
        return bad("there is nothing to listen for: neither a transcript nor a text is wanted".into());
    }
    Ok(())
}
