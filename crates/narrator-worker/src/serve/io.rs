//! The IO thread: the pipe's two directions and the beat, on a small tokio runtime of its own.

use std::sync::Arc;
use std::time::Duration;

use narrator_ipc::Connection;
use narrator_proto::{Fatal, FatalKind, FromWorker, ToWorker, Welcome};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::outbox::Outgoing;
use super::pulse::Pulse;
use crate::memory::ResidentMemory;

/// Commands that may wait for compute. An orchestrator keeps a batch and one ahead of it.
pub const COMMANDS: usize = 512;
/// How long the peer may take to read why it was not believed.
const FATAL_PATIENCE: Duration = Duration::from_secs(1);
/// Whatever the orchestrator asks, not more often than this and not more seldom than its patience.
const BEATS_MS: std::ops::RangeInclusive<u32> = 10..=5_000;

/// Why the conversation ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IoEnd {
    /// The last frame was sent.
    Finished,
    /// The peer is gone.
    Closed,
    /// The peer sent what it must not; it was told so.
    NotTheProtocol(String),
}

/// Speaks with the orchestrator until the end. Dropping `commands` on return tells compute.
pub async fn converse(
    connection: Connection,
    welcome: Welcome,
    commands: Sender<ToWorker>,
    outgoing: Receiver<Outgoing>,
    pulse: Arc<Pulse>,
) -> IoEnd {
    let end = tokio::select! {
        end = read(&connection, &commands) => end,
        end = write(&connection, welcome, outgoing, &pulse) => end,
    };
    if let IoEnd::NotTheProtocol(message) = &end {
        tracing::error!(event = "worker.protocol_error", message);
        let fatal = Fatal { kind: FatalKind::ProtocolError, message: super::guard::brief(message) };
        let _ = timeout(FATAL_PATIENCE, connection.send(&FromWorker::Fatal(fatal))).await;
    }
    end
}

/// Passes commands on. Never waits for compute: a peer that sends more than anybody takes is at fault.
async fn read(connection: &Connection, commands: &Sender<ToWorker>) -> IoEnd {
    loop {
        match connection.recv::<ToWorker>().await {
            Ok(Some(command)) => {
                if commands.try_send(command).is_err() {
                    return IoEnd::NotTheProtocol(format!("more than {COMMANDS} commands wait"));
                }
            }
            Ok(None) => return IoEnd::Closed,
            Err(error) if error.is_protocol() => return IoEnd::NotTheProtocol(error.to_string()),
            Err(error) => {
                tracing::warn!(event = "worker.pipe_failed", %error);
                return IoEnd::Closed;
            }
        }
    }
}

/// Sends what compute makes, and a beat whenever one is due, however much there is to send.
async fn write(
    connection: &Connection,
    welcome: Welcome,
    mut outgoing: Receiver<Outgoing>,
    pulse: &Pulse,
) -> IoEnd {
    let beat_ms = welcome.beat_ms.clamp(*BEATS_MS.start(), *BEATS_MS.end());
    let mut beats = interval(Duration::from_millis(beat_ms.into()));
    // After a pause of the machine one beat will do.
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut resident = ResidentMemory::default();
    loop {
        let sent = tokio::select! {
            biased;
            _ = beats.tick() => connection.send(&FromWorker::Beat(pulse.beat(resident.bytes()))).await,
            next = outgoing.recv() => match next {
                Some(Outgoing::Frame(frame)) => connection.send_frame(&frame).await,
                Some(Outgoing::Last(frame, said)) => {
                    let sent = connection.send_frame(&frame).await;
                    // Nobody may be waiting any more.
                    let _ = said.send(());
                    return if sent.is_ok() { IoEnd::Finished } else { IoEnd::Closed };
                }
                // Compute ended without a word, and the process with it.
                None => return IoEnd::Finished,
            },
        };
        if sent.is_err() {
            return IoEnd::Closed;
        }
    }
}
