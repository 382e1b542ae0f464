//! Errors of the pipe, sorted by who met them.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use narrator_proto::{FrameError, MessageError, Refusal};
use thiserror::Error;

/// The pipe itself failed, or what came through it was not the protocol.
#[derive(Debug, Error)]
pub enum IpcError {
    #[error("cannot use {} for sockets: {why}", path.display())]
    RunDir { path: PathBuf, why: String },
    #[error(
        "socket path {} has {len} bytes, the system takes {limit}: give a shorter run directory or set \
         XDG_RUNTIME_DIR",
        path.display()
    )]
    NameTooLong { path: PathBuf, len: usize, limit: usize },
    #[error("cannot listen at {name}: {source}")]
    Bind { name: String, source: io::Error },
    #[error("pipe to the peer failed: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Message(#[from] MessageError),
}

impl IpcError {
    /// Whether the peer sent what is not the protocol, so that it must not be believed any further.
    pub fn is_protocol(&self) -> bool {
        matches!(self, Self::Message(_))
    }
}

impl From<FrameError> for IpcError {
    fn from(error: FrameError) -> Self {
        Self::Message(error.into())
    }
}

/// No worker came out of a spawn.
#[derive(Debug, Error)]
pub enum HandshakeError {
    /// What connected is not what was spawned; another try would end the same way.
    #[error("worker refused: {0}")]
    Refused(Refusal),
    #[error("worker did not say hello within {within:?}")]
    Silent { within: Duration },
    #[error("worker closed the pipe before its hello")]
    Gone,
    #[error(transparent)]
    Ipc(#[from] IpcError),
}

/// The worker's side did not get in.
#[derive(Debug, Error)]
pub enum JoinError {
    #[error("{name} is not set: `narrator-worker serve` is started by narratord, not by hand")]
    NotInvited { name: &'static str },
    #[error("{name} does not hold what narratord puts there")]
    BadInvitation { name: &'static str },
    #[error("cannot reach narratord: {0}")]
    Unreachable(io::Error),
    #[error("narratord refused this worker: {0}")]
    Refused(Refusal),
    #[error("narratord did not answer within {within:?}")]
    Silent { within: Duration },
    #[error("narratord closed the pipe before its welcome")]
    Gone,
    #[error("narratord answered out of turn, with {found}")]
    OutOfTurn { found: &'static str },
    #[error(transparent)]
    Ipc(#[from] IpcError),
}
