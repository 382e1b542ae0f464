//! How the worker ends, as numbers.

use std::process::ExitCode;

use narrator_engine::EngineErrorKind;
use narrator_proto::FatalKind;

/// The worker's part of narratord's table of exit codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    /// Also clap's.
    Usage = 2,
    /// A text, or bytes on the pipe, that cannot be used.
    BadInput = 65,
    /// The device or its memory is not there, or is gone.
    Unavailable = 69,
    /// A file could not be written.
    Disk = 74,
    /// The orchestrator went away, or stopped the work before its end.
    Stopped = 75,
    /// Refused by the orchestrator, or a model or settings that cannot work: another try ends the same way.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<FatalKind> for Exit {
    fn from(kind: FatalKind) -> Self {
        match kind {
            FatalKind::ConfigRejected => Self::Config,
            FatalKind::LoadFailed | FatalKind::DeviceFault | FatalKind::Panicked => Self::Unavailable,
            FatalKind::ProtocolError => Self::BadInput,
        }
    }
}

impl From<EngineErrorKind> for Exit {
    fn from(kind: EngineErrorKind) -> Self {
        match kind {
            EngineErrorKind::OutOfMemory | EngineErrorKind::DeviceFault => Self::Unavailable,
            EngineErrorKind::Runaway | EngineErrorKind::BadOutput | EngineErrorKind::BadRequest => {
                Self::BadInput
            }
            EngineErrorKind::BadModel => Self::Config,
            EngineErrorKind::Cancelled => Self::Stopped,
        }
    }
}
