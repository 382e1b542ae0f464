//! One worker's tasks: to the handshake, then a reader and a writer.

use std::sync::Arc;
use std::time::Duration;

use narrator_core::{Fault, Incarnation, SlotId};
use narrator_ipc::{Connection, HandshakeError, IpcError, Listener, RunDir, Terms, accept_worker};
use narrator_proto::{FromWorker, Heard, RequestId, ToWorker, Welcome};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::sleep;

use crate::machine::{Input, Ticket};
use crate::pool::Craft;
use crate::spawn::{self, Process, ProcessEvent, Spec};

/// Messages of one worker that may wait for the loop. Beyond it the worker waits in its pipe.
pub(super) const WAITING: usize = 64;

/// What is told as a listener's rate: recognisers resample to 16 kHz, and nothing is computed from it.
const LISTENING_RATE: u32 = 16_000;

/// How long what a dead process said before its handshake may take to be read.
const LAST_WORD: Duration = Duration::from_millis(200);

/// What the loop hears of a worker.
pub(super) enum Note {
    Input(Input),
    /// The handle of a process that was born.
    Born(Incarnation, Process),
    Samples {
        incarnation: Incarnation,
        ticket: Ticket,
        samples: Vec<f32>,
    },
    /// All samples were sent before this.
    Done {
        incarnation: Incarnation,
        ticket: Ticket,
        announced: u64,
        compute_ms: u64,
    },
    Heard {
        incarnation: Incarnation,
        ticket: Ticket,
        heard: Box<Heard>,
    },
}

/// Everything that a worker's tasks need.
pub(super) struct Berth {
    pub slot: SlotId,
    pub incarnation: Incarnation,
    pub craft: Craft,
    pub program: std::path::PathBuf,
    pub args: Vec<std::ffi::OsString>,
    pub env: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    pub run_dir: RunDir,
    pub welcome: Welcome,
    pub allow_build_skew: bool,
    /// Longer than the machine's own patience, which alone decides.
    pub within: Duration,
    /// Of the process: births and exits.
    pub facts: mpsc::UnboundedSender<Note>,
    /// Of the pipe.
    pub notes: mpsc::Sender<Note>,
    pub messages: mpsc::UnboundedReceiver<ToWorker>,
}

impl Berth {
    /// Listens, spawns, shakes hands, and then carries messages until the pipe ends.
    pub async fn serve(self) {
        let Self { slot, incarnation, craft, program, args, mut env, run_dir, welcome, .. } = self;
        let listener = match Listener::bind(&run_dir) {
            Ok(listener) => listener,
            Err(error) => {
                let detail = error.to_string();
                let _ = self.facts.send(Note::Input(Input::SpawnFailed { incarnation, detail }));
                return;
            }
        };
        env.extend(listener.invitation().env().map(|(name, value)| (name.into(), value)));
        let (born, birth) = oneshot::channel();
        let facts = self.facts.clone();
        let gone = Arc::new(Notify::new());
        let exited = Arc::clone(&gone);
        let born = std::sync::Mutex::new(Some(born));
        let spec = Spec { slot, incarnation, program, args, env };
        spawn::spawn(spec, move |event| match event {
            ProcessEvent::Spawned(process) => {
                let pid = process.pid();
                // Dropped unheard when the run is over: then it is killed.
                let _ = facts.send(Note::Born(incarnation, process));
                let _ = facts.send(Note::Input(Input::Spawned { incarnation, pid }));
                if let Some(born) = born.lock().ok().and_then(|mut born| born.take()) {
                    let _ = born.send(pid);
                }
            }
            ProcessEvent::Failed(detail) => {
                let _ = facts.send(Note::Input(Input::SpawnFailed { incarnation, detail }));
            }
            ProcessEvent::Exited(exit) => {
                exited.notify_one();
                let _ = facts.send(Note::Input(Input::Exited { incarnation, exit }));
            }
        });
        let Ok(child_pid) = birth.await else { return };
        let terms =
            Terms { child_pid, within: self.within, allow_build_skew: self.allow_build_skew, welcome };
        let notes = self.notes;
        let greeted = tokio::select! {
            greeted = accept_worker(listener, terms) => greeted,
            () = async { gone.notified().await; sleep(LAST_WORD).await } => Err(HandshakeError::Gone),
        };
        match greeted {
            Ok((connection, _hello)) => {
                tell(&notes, Input::Connected { incarnation }).await;
                let connection = Arc::new(connection);
                tokio::select! {
                    () = read(&connection, incarnation, craft, &notes) => {}
                    () = write(&connection, self.messages) => {}
                }
            }
            Err(HandshakeError::Refused(refusal)) => {
                let detail = refusal.to_string();
                tell(&notes, Input::Refused { incarnation, detail }).await;
            }
            // Whether it lives on is for its exit to say, or for the machine's patience.
            Err(HandshakeError::Silent { .. }) => {}
            Err(HandshakeError::Gone | HandshakeError::Ipc(_)) => {
                tell(&notes, Input::Closed { incarnation }).await;
            }
        }
    }
}

async fn tell(notes: &mpsc::Sender<Note>, input: Input) {
    let _ = notes.send(Note::Input(input)).await;
}

/// Sends what the machine says. Ends only with the channel: a pipe that does not take a message any more
/// is the reader's to report, after everything that still lies in it.
async fn write(connection: &Connection, mut messages: mpsc::UnboundedReceiver<ToWorker>) {
    let mut broken = false;
    while let Some(message) = messages.recv().await {
        broken = broken || connection.send(&message).await.is_err();
    }
    std::future::pending::<()>().await;
}

/// Reads until the pipe ends, and says so last.
async fn read(connection: &Connection, incarnation: Incarnation, craft: Craft, notes: &mpsc::Sender<Note>) {
    loop {
        let note = match connection.recv::<FromWorker>().await {
            Ok(Some(message)) => translate(incarnation, craft, message),
            Err(error @ IpcError::Message(_)) => {
                Note::Input(Input::Garbage { incarnation, detail: error.to_string() })
            }
            Ok(None) | Err(_) => break,
        };
        let last = matches!(note, Note::Input(Input::Garbage { .. }));
        if notes.send(note).await.is_err() || last {
            // After garbage the stream has no place to go on from. The machine stops the worker; its exit
            // ends the matter.
            return;
        }
    }
    tell(notes, Input::Closed { incarnation }).await;
}

/// A message in the machine's words.
fn translate(incarnation: Incarnation, craft: Craft, message: FromWorker) -> Note {
    let ticket = |request: RequestId| Ticket(request.0);
    Note::Input(match message {
        FromWorker::Pcm { request, samples } => {
            return Note::Samples { incarnation, ticket: ticket(request), samples };
        }
        FromWorker::Done { request, done } => {
            return Note::Done {
                incarnation,
                ticket: ticket(request),
                announced: done.samples,
                compute_ms: done.compute_ms,
            };
        }
        FromWorker::Hello(_) => Input::Garbage { incarnation, detail: "hello was said twice".into() },
        FromWorker::LoadProgress(progress) => Input::Loading { incarnation, progress },
        FromWorker::Heard { request, heard } => {
            return Note::Heard { incarnation, ticket: ticket(request), heard: Box::new(heard) };
        }
        FromWorker::Ready(ready) if craft == Craft::Listening => {
            let detail = format!("the engine `{}` speaks; a recogniser is wanted here", ready.engine);
            Input::Fatal { incarnation, fault: Fault::ConfigRejected, detail }
        }
        FromWorker::ListenerReady(ready) if craft == Craft::Speaking => {
            let detail = format!("the model {} listens; a voice is wanted here", ready.model);
            Input::Fatal { incarnation, fault: Fault::ConfigRejected, detail }
        }
        FromWorker::ListenerReady(ready) => Input::Ready {
            incarnation,
            rows: ready.max_rows,
            sample_rate: LISTENING_RATE,
            load_ms: ready.load_ms,
            peak_device_bytes: ready.device_memory.map_or(0, |memory| memory.peak_bytes),
        },
        FromWorker::Ready(ready) => Input::Ready {
            incarnation,
            rows: ready.max_rows,
            sample_rate: ready.sample_rate,
            load_ms: ready.load_ms,
            peak_device_bytes: ready.device_memory.map_or(0, |memory| memory.peak_bytes),
        },
        FromWorker::Abilities(abilities) => Input::Able { incarnation, abilities },
        FromWorker::Beat(beat) => Input::Beat { incarnation, beat },
        FromWorker::Accepted { request } => Input::Accepted { incarnation, ticket: ticket(request) },
        FromWorker::Failed { request, failure } => Input::Failed {
            incarnation,
            ticket: ticket(request),
            fault: failure.kind.fault(),
            detail: failure.message,
        },
        FromWorker::Fatal(fatal) => {
            Input::Fatal { incarnation, fault: fatal.kind.fault(), detail: fatal.message }
        }
        FromWorker::Goodbye => Input::Goodbye { incarnation },
    })
}
