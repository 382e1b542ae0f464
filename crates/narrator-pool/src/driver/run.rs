//! The loop.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use narrator_core::{Dispatch, Incarnation, SegmentId, SlotId};
use narrator_proto::{
    Budget, Heard as HeardMessage, Listen, Load, MAX_CHUNK_SAMPLES, RequestId, SetRows, Speak, SpeakAs,
    ToWorker, Welcome,
};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::sink::{self, Job};
use super::worker::{Berth, Note, WAITING};
use crate::event::What;
use crate::machine::{Action, Input, Machine, MachineConfig, Signal, Stopped, Ticket};
use crate::pool::{Order, Outcome, PoolConfig, PoolError, Seat};
use crate::rules::deadline::estimate_audio_s;
use crate::rules::take::TakeFacts;
use crate::spawn::Process;
use crate::{
    Answer, Heard, Lease, ListenTask, PoolEvent, Quarantined, ResultSink, SegmentSource, SpeakTask, Take,
    Task, Work,
};

/// Runs a pool to its end.
pub(crate) async fn run<S: SegmentSource>(
    config: PoolConfig,
    source: S,
    sink: impl ResultSink + 'static,
    observer: impl Fn(&PoolEvent) + Send,
    mut orders: mpsc::UnboundedReceiver<Order>,
) -> Result<Outcome, PoolError> {
    let settings = Arc::new(config.settings.clone());
    let machine = Machine::new(MachineConfig {
        devices: config.seats.iter().map(|seat| seat.device.clone()).collect(),
        settings: Arc::clone(&settings),
        seed: config.seed,
        can_look: config.probe.is_some(),
        numbering: config.numbering,
    });
    let (facts, mut heard_facts) = mpsc::unbounded_channel();
    let (notes, mut heard_notes) = mpsc::channel(WAITING);
    let (answers, mut heard_answers) = mpsc::unbounded_channel();
    let (store, storing) = sink::start(sink, answers.clone());
    let mut ticks = interval(settings.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut driver = Driver {
        run: config.run.as_str().into(),
        welcome: Welcome {
            beat_ms: settings.beat.as_millis() as u32,
            orphan_grace_ms: settings.orphan_grace.as_millis() as u32,
            ..Welcome::default()
        },
        connect: settings.connect,
        config,
        machine,
        source,
        observer,
        began: Instant::now(),
        workers: HashMap::new(),
        tickets: HashMap::new(),
        works: HashMap::new(),
        facts,
        notes,
        answers,
        store,
        inbox: Vec::new(),
        stopped: None,
    };
    let actions = driver.machine.start();
    driver.carry_out(actions);
    let stopped = loop {
        driver.empty_inbox();
        if let Some(stopped) = driver.stopped.take() {
            break stopped;
        }
        // No arm is favoured: a flood from one side must not shut the others out.
        tokio::select! {
            Some(note) = heard_notes.recv() => driver.hear(note),
            Some(note) = heard_facts.recv() => driver.hear(note),
            Some(input) = heard_answers.recv() => driver.give(input),
            Some(order) = orders.recv() => driver.give(match order {
                Order::Drain(why) => Input::Drain { why },
                Order::StopNow(why) => Input::StopNow { why },
            }),
            _ = ticks.tick() => driver.give(Input::Tick),
        }
    };
    let outcome = Outcome {
        stopped,
        quarantined: driver.machine.quarantined().to_vec(),
        counters: driver.machine.counters(),
    };
    // The sink's thread ends with its sender; it has nothing left to do.
    drop(driver);
    storing.await.map_err(|_| PoolError::Internal)?;
    Ok(outcome)
}

/// One worker's handles. Dropped: tasks end, the pipe closes, the process group dies.
struct Hand {
    process: Option<Process>,
    /// The last signal, for a process that was signalled before it was born.
    signalled: Option<Signal>,
    messages: mpsc::UnboundedSender<ToWorker>,
    tasks: AbortHandle,
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

fn deliver(process: &Process, signal: Signal) {
    match signal {
        Signal::Abort => process.abort(),
        Signal::Kill => process.kill(),
    }
}

/// What comes of one dispatch: coming in, then on its way to the sink.
enum Coming {
    Take { dispatch: Dispatch, take: u32, pcm: Vec<f32>, compute_ms: u64 },
    Hearing { dispatch: Dispatch, take: u32, audio_ms: u64, heard: Option<Box<HeardMessage>> },
    Finished(Arc<Answer>),
}

struct Driver<S, O> {
    run: Arc<str>,
    welcome: Welcome,
    connect: Duration,
    config: PoolConfig,
    machine: Machine,
    source: S,
    observer: O,
    began: Instant,
    workers: HashMap<Incarnation, Hand>,
    tickets: HashMap<Ticket, Coming>,
    /// The work of the segments on lease.
    works: HashMap<SegmentId, Work>,
    facts: mpsc::UnboundedSender<Note>,
    notes: mpsc::Sender<Note>,
    answers: mpsc::UnboundedSender<Input>,
    store: Sender<Job>,
    /// Answers that were there at once, for after the step that asked.
    inbox: Vec<Input>,
    stopped: Option<Stopped>,
}

impl<S: SegmentSource, O: Fn(&PoolEvent)> Driver<S, O> {
    fn give(&mut self, input: Input) {
        let actions = self.machine.step(self.began.elapsed(), input);
        self.carry_out(actions);
    }

    fn empty_inbox(&mut self) {
        while !self.inbox.is_empty() {
            for input in std::mem::take(&mut self.inbox) {
                self.give(input);
            }
        }
    }

    fn hear(&mut self, note: Note) {
        match note {
            Note::Input(input) => self.give(input),
            Note::Born(incarnation, process) => {
                // One that was given up meanwhile is dropped, and dies of it.
                if let Some(hand) = self.workers.get_mut(&incarnation) {
                    hand.signalled.iter().for_each(|signal| deliver(&process, *signal));
                    hand.process = Some(process);
                }
            }
            Note::Samples { incarnation, ticket, samples } => {
                let count = samples.len() as u64;
                if let Some(Coming::Take { dispatch, pcm, .. }) = self.tickets.get_mut(&ticket)
                    && dispatch.incarnation == incarnation
                {
                    pcm.extend_from_slice(&samples);
                }
                self.give(Input::Chunk { incarnation, ticket, samples: count });
            }
            Note::Done { incarnation, ticket, announced, compute_ms: spent_ms } => {
                let sample_rate = self.machine.sample_rate(incarnation);
                let facts = match self.tickets.get_mut(&ticket) {
                    Some(Coming::Take { pcm, compute_ms, .. }) => {
                        *compute_ms = spent_ms;
                        TakeFacts::of(pcm, sample_rate)
                    }
                    _ => TakeFacts::of(&[], sample_rate),
                };
                self.give(Input::Done { incarnation, ticket, facts, announced, compute_ms: spent_ms });
            }
            Note::Heard { incarnation, ticket, heard: message } => {
                let compute_ms = message.compute_ms;
                let audio_ms = match self.tickets.get_mut(&ticket) {
                    Some(Coming::Hearing { dispatch, audio_ms, heard, .. })
                        if dispatch.incarnation == incarnation =>
                    {
                        *heard = Some(message);
                        *audio_ms
                    }
                    _ => 0,
                };
                self.give(Input::Heard { incarnation, ticket, audio_ms, compute_ms });
            }
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Lease { count } => self.lease(count),
                Action::Renew { segment } => self.source.renew(segment),
                Action::GiveBack { segment } => {
                    self.works.remove(&segment);
                    self.source.give_back(segment);
                }
                Action::Settled { segment } => drop(self.works.remove(&segment)),
                Action::Spawn { slot, incarnation, device: _ } => self.spawn(slot, incarnation),
                Action::Load { slot, incarnation } => self.load(slot, incarnation),
                Action::SetRows { incarnation, rows } => {
                    self.say(incarnation, ToWorker::SetRows(SetRows { rows }));
                }
                Action::Send { incarnation, ticket, segment, attempt, take, max_s } => {
                    self.send(Dispatch { segment, attempt, incarnation }, ticket, take, max_s);
                }
                Action::CancelAll { incarnation } => self.say(incarnation, ToWorker::CancelAll),
                Action::AskToLeave { incarnation } => self.say(incarnation, ToWorker::Drain),
                Action::Signal { incarnation, signal } => {
                    if let Some(hand) = self.workers.get_mut(&incarnation) {
                        hand.signalled = Some(signal);
                        hand.process.iter().for_each(|process| deliver(process, signal));
                    }
                }
                Action::Bury { incarnation } => drop(self.workers.remove(&incarnation)),
                Action::Store { ticket } => self.store(ticket),
                Action::Quarantine { ticket, segment, fault, tries, why } => {
                    if let Some(work) = self.works.get(&segment) {
                        let out = Quarantined { segment, key: work.key, fault, tries, why };
                        let _ = self.store.send(Job::Quarantine(ticket, out));
                    }
                }
                Action::Discard { ticket } => drop(self.tickets.remove(&ticket)),
                Action::LookAtDevice { device } => self.look(device),
                Action::Tell(mut what) => {
                    // The machine knows what it leased; the rest of the book only its source.
                    if let What::PoolStopped { left, .. } = &mut what {
                        *left += self.source.unlent();
                    }
                    let elapsed_ms = self.machine.now().as_millis() as u64;
                    let (run, crew) = (Arc::clone(&self.run), self.config.crew);
                    (self.observer)(&PoolEvent { run, elapsed_ms, crew, what });
                }
                Action::Finish(stopped) => self.stopped = Some(stopped),
            }
        }
    }

    fn lease(&mut self, count: u32) {
        for _ in 0..count {
            match self.source.lease() {
                Lease::Work(work) => {
                    let (segment, audio_s) = (work.segment, audio_s(&work.task));
                    self.works.insert(segment, work);
                    self.inbox.push(Input::Leased { segment, audio_s });
                }
                Lease::NothingNow => return self.inbox.push(Input::Dry { for_good: false }),
                Lease::Exhausted => return self.inbox.push(Input::Dry { for_good: true }),
            }
        }
    }

    fn seat(&self, slot: SlotId) -> Option<&Seat> {
        let at = slot.0.checked_sub(self.config.numbering.first_slot)?;
        self.config.seats.get(usize::from(at))
    }

    /// Tells a worker which model to load where, and how much of the device is its.
    fn load(&mut self, slot: SlotId, incarnation: Incarnation) {
        let Some(seat) = self.seat(slot).cloned() else { return };
        if let Some(device_bytes) = seat.device_bytes {
            self.say(incarnation, ToWorker::Budget(Budget { device_bytes }));
        }
        let load = Load {
            model_dir: self.config.model_dir.to_string_lossy().into_owned(),
            device: seat.device,
            precision: self.config.precision,
            threads: self.config.threads,
            max_rows: self.config.max_rows,
        };
        self.say(incarnation, ToWorker::Load(load));
    }

    fn spawn(&mut self, slot: SlotId, incarnation: Incarnation) {
        let (messages, receiver) = mpsc::unbounded_channel();
        let config = &self.config;
        let own = self.seat(slot).map(|seat| seat.env.clone()).unwrap_or_default();
        let berth = Berth {
            slot,
            incarnation,
            craft: config.craft,
            program: config.program.clone(),
            args: config.args.clone(),
            env: config.env.iter().cloned().chain(own).collect(),
            run_dir: config.run_dir.clone(),
            welcome: self.welcome,
            allow_build_skew: config.allow_build_skew,
            within: self.connect.saturating_mul(10),
            facts: self.facts.clone(),
            notes: self.notes.clone(),
            messages: receiver,
        };
        let tasks = tokio::spawn(berth.serve()).abort_handle();
        self.workers.insert(incarnation, Hand { process: None, signalled: None, messages, tasks });
    }

    /// Gives a worker what is to be done. `redrawn` says how often its random numbers were drawn anew.
    fn send(&mut self, dispatch: Dispatch, ticket: Ticket, redrawn: u32, max_s: f64) {
        let Some(Work { key, task, .. }) = self.works.get(&dispatch.segment) else { return };
        let (incarnation, request) = (dispatch.incarnation, RequestId(ticket.0));
        match task {
            Task::Speak(task) => {
                let take = task.first_take + redrawn;
                let speak = speak_of(task, key.row_seed(take), max_s);
                let coming = Coming::Take { dispatch, take, pcm: Vec::new(), compute_ms: 0 };
                self.tickets.insert(ticket, coming);
                let delivery = task.delivery;
                let message = if delivery.is_usual() {
                    ToWorker::Speak { request, speak }
                } else {
                    ToWorker::SpeakAs { request, speak_as: SpeakAs { speak, delivery } }
                };
                self.say(incarnation, message);
            }
            Task::Listen(task) => {
                let (listen, pcm) = (listen_of(task, redrawn), Arc::clone(&task.pcm));
                let audio_ms = pcm.len() as u64 * 1000 / u64::from(task.sample_rate.max(1));
                let coming = Coming::Hearing { dispatch, take: task.take, audio_ms, heard: None };
                self.tickets.insert(ticket, coming);
                self.say(incarnation, ToWorker::Listen { request, listen });
                // As large as a frame may be: nobody waits for the pieces, and each is a command that
                // has to find room at the worker.
                for chunk in pcm.chunks(MAX_CHUNK_SAMPLES) {
                    self.say(incarnation, ToWorker::ListenPcm { request, samples: chunk.to_vec() });
                }
            }
        }
    }

    /// A pipe that is closed by now takes nothing; its end is reported by its reader.
    fn say(&self, incarnation: Incarnation, message: ToWorker) {
        if let Some(hand) = self.workers.get(&incarnation) {
            let _ = hand.messages.send(message);
        }
    }

    fn store(&mut self, ticket: Ticket) {
        let Some(coming) = self.tickets.remove(&ticket) else { return };
        let finished = match coming {
            Coming::Finished(answer) => answer,
            Coming::Take { dispatch, take, pcm, compute_ms } => {
                let Some(work) = self.works.get(&dispatch.segment) else { return };
                let sample_rate = self.machine.sample_rate(dispatch.incarnation);
                let take = Take { dispatch, key: work.key, take, sample_rate, pcm, compute_ms };
                Arc::new(Answer::Take(take))
            }
            Coming::Hearing { dispatch, take, heard, .. } => {
                let (Some(work), Some(heard)) = (self.works.get(&dispatch.segment), heard) else { return };
                let HeardMessage { hearing, compute_ms } = *heard;
                Arc::new(Answer::Heard(Heard { dispatch, key: work.key, take, hearing, compute_ms }))
            }
        };
        let _ = self.store.send(Job::Answer(ticket, Arc::clone(&finished)));
        self.tickets.insert(ticket, Coming::Finished(finished));
    }

    fn look(&self, device: String) {
        let Some(probe) = self.config.probe.clone() else { return };
        let answers = self.answers.clone();
        spawn_blocking(move || {
            let free_bytes = probe.card(&device).map(|card| card.free_bytes);
            let _ = answers.send(Input::DeviceMemory { device, free_bytes });
        });
    }
}

/// Seconds of audio that a task is about.
fn audio_s(task: &Task) -> f64 {
    match task {
        Task::Speak(task) => estimate_audio_s(&task.text, task.speed),
        Task::Listen(task) => task.pcm.len() as f64 / f64::from(task.sample_rate.max(1)),
    }
}

fn speak_of(task: &SpeakTask, seed: u64, max_s: f64) -> Speak {
    Speak {
        text: task.text.clone(),
        language: task.language.clone(),
        voice: task.voice.clone(),
        speed: task.speed,
        seed,
        max_seconds: max_s as f32,
    }
}

fn listen_of(task: &ListenTask, redrawn: u32) -> Listen {
    Listen {
        sample_rate: task.sample_rate,
        samples: task.pcm.len() as u64,
        language: task.language.clone(),
        expected: task.expected.clone(),
        priors: task.priors,
        transcribe: task.transcribe,
        context: task.context.clone(),
        beams: task.beams,
        seed: task.seed.wrapping_add(u64::from(redrawn)),
    }
}
