//! What can be wrong with bytes that claim to be the protocol.

use thiserror::Error;

use crate::kind::{Direction, Kind};

/// A frame that cannot be believed. After one of these the stream has no place to go on from.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum FrameError {
    #[error(
        "frame starts with {found:#06x}, not the protocol's mark: the peer is something else or lost its place"
    )]
    Magic { found: u16 },
    #[error(
        "frame has layout version {found}, this build speaks {}: use programs of one build",
        crate::frame::FRAME_VERSION
    )]
    Version { found: u8 },
    #[error("frame header does not match its checksum")]
    HeaderCheck,
    #[error("frame kind {found:#04x} is not known: use programs of one build")]
    UnknownKind { found: u8 },
    #[error("{} frame has flags {found:#06x}, none is known", kind.spec().name)]
    Flags { kind: Kind, found: u16 },
    #[error("{} frame announces {len} bytes, the limit is {limit}", kind.spec().name)]
    TooLong { kind: Kind, len: usize, limit: usize },
    #[error("{} frame has request {found}, which does not fit its kind", kind.spec().name)]
    Request { kind: Kind, found: u64 },
    #[error("{} frame does not match its checksum", kind.spec().name)]
    PayloadCheck { kind: Kind },
    #[error("stream ended inside a frame, after {have} of at least {need} bytes")]
    Truncated { have: usize, need: usize },
}

/// A whole frame whose payload is not what its kind says, or a message that cannot become a frame.
#[derive(Debug, Error)]
pub enum MessageError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("{} frame came {direction:?}, against its direction", kind.spec().name)]
    Direction { kind: Kind, direction: Direction },
    #[error("{} payload cannot be read: {why}", kind.spec().name)]
    Payload { kind: Kind, why: String },
    #[error("{} payload has {extra} bytes too many", kind.spec().name)]
    Trailing { kind: Kind, extra: usize },
    #[error("samples of {bytes} bytes is not a whole number of samples, at least one")]
    Samples { bytes: usize },
    #[error("{} message cannot be written: {why}", kind.spec().name)]
    Encode { kind: Kind, why: String },
}
