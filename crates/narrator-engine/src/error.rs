//! Errors of engines, sorted by what can be done about them.

use thiserror::Error;

/// What kind of thing went wrong; the orchestrator decides by this alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EngineErrorKind {
    /// The device's memory ran out: try a smaller batch.
    OutOfMemory,
    /// The device's context is dead: the process must be replaced.
    DeviceFault,
    /// Generation passed its cap without an end.
    Runaway,
    /// Samples that are not finite, or none at all.
    BadOutput,
    /// The request itself cannot be served.
    BadRequest,
    /// The model folder is missing, incomplete or of another kind.
    BadModel,
    /// The caller cancelled it.
    Cancelled,
}

/// An engine's error: its kind and a lower-case fragment that says what and where.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct EngineError {
    kind: EngineErrorKind,
    message: String,
}

impl EngineError {
    pub fn new(kind: EngineErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub fn kind(&self) -> EngineErrorKind {
        self.kind
    }
}
