//! The language between narratord and its workers: frames, kinds and messages.
//!
//! A private protocol between two programs of one build; what they compare first is that they are of one
//! build ([`BUILD_ID`]). `PROTOCOL.md` beside this crate tells it in words, `golden/` holds every message
//! as bytes.
//!
//! ```
//! use narrator_proto::{FrameDecoder, Message, RequestId, ToWorker};
//!
//! let bytes = ToWorker::Cancel { request: RequestId(7) }.to_frame()?.to_bytes();
//! let mut input = &*bytes;
//! let frame = FrameDecoder::new().feed(&mut input)?.expect("the input held a whole frame");
//! assert_eq!(ToWorker::from_frame(&frame)?, ToWorker::Cancel { request: RequestId(7) });
//! # Ok::<(), narrator_proto::MessageError>(())
//! ```
//!
//! What this crate deliberately does not do: IO, time, or deciding what a fault costs. No file on disk
//! depends on it.

mod codec;
mod decoder;
mod error;
mod frame;
mod from_worker;
mod identity;
mod kind;
mod listening;
mod message;
mod pcm;
mod to_worker;

pub use decoder::FrameDecoder;
pub use error::{FrameError, MessageError};
pub use frame::{FRAME_VERSION, Frame, HEADER_BYTES, MAGIC, RequestId, TRAILER_BYTES};
pub use from_worker::{
    Beat, DeviceMemory, Done, Failure, FailureKind, Fatal, FatalKind, FromWorker, Hello, LoadProgress,
    LoadStage, Ready, Voice,
};
pub use identity::{BUILD_ID, Nonce, ProtocolVersion};
pub use kind::{Direction, Kind, KindSpec, Scope, SizeClass};
pub use listening::{Heard, Listen, ListenerReady, MAX_LISTEN_SAMPLES};
pub use message::{Message, pcm_frame};
pub use pcm::MAX_CHUNK_SAMPLES;
pub use to_worker::{Budget, Load, Precision, Refusal, SetRows, Speak, SpeakAs, ToWorker, Welcome};
