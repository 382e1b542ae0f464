//! From compute to the IO thread: frames, in order, a few at a time.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use narrator_proto::{Frame, FromWorker, Message, MessageError, RequestId, pcm_frame};
use thiserror::Error;
use tokio::sync::mpsc::{self, error::TrySendError};

/// Frames that may wait for the pipe. Samples are most of them, half a second each.
const CAPACITY: usize = 16;
/// How often last words look for a place.
const PLACE_PAUSE: Duration = Duration::from_millis(10);

/// What the IO thread is to send.
#[derive(Debug)]
pub enum Outgoing {
    Frame(Frame),
    /// Nothing follows; the sender waits until it is told.
    Last(Frame, SyncSender<()>),
}

/// Why a message did not go out.
#[derive(Debug, Error)]
pub enum OutboxError {
    #[error("the pipe is closed")]
    Closed,
    #[error(transparent)]
    Message(#[from] MessageError),
}

/// The compute thread's end.
#[derive(Clone, Debug)]
pub struct Outbox {
    frames: mpsc::Sender<Outgoing>,
}

impl Outbox {
    pub fn new() -> (Self, mpsc::Receiver<Outgoing>) {
        let (frames, receiver) = mpsc::channel(CAPACITY);
        (Self { frames }, receiver)
    }

    /// Waits for a place: not to be called on the IO thread.
    pub fn send(&self, message: &FromWorker) -> Result<(), OutboxError> {
        self.send_frame(message.to_frame()?)
    }

    pub fn pcm(&self, request: RequestId, samples: &[f32]) -> Result<(), OutboxError> {
        self.send_frame(pcm_frame(request, samples)?)
    }

    fn send_frame(&self, frame: Frame) -> Result<(), OutboxError> {
        self.frames.blocking_send(Outgoing::Frame(frame)).map_err(|_| OutboxError::Closed)
    }

    /// Sends what is to be the last frame and waits until it is on the pipe, for `patience` at most. May be
    /// called on any thread but the IO thread, in any state: it blocks on nothing without a limit.
    pub fn last_words(&self, message: &FromWorker, patience: Duration) {
        let Ok(frame) = message.to_frame() else { return };
        let deadline = Instant::now() + patience;
        let (said, wait) = sync_channel(1);
        let mut outgoing = Outgoing::Last(frame, said);
        loop {
            match self.frames.try_send(outgoing) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => outgoing = back,
                Err(_) => return,
            }
            std::thread::sleep(PLACE_PAUSE);
        }
        // Late or never told: the process ends all the same.
        let _ = wait.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}
