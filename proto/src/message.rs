//! Messages to frames and back.
//!
//! Invariant: a message that was read can be written again and reads the same, and a frame that came
//! against its direction is refused.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::frame::{Frame, RequestId};
use crate::from_worker::FromWorker;
use crate::kind::{Direction, Kind};
use crate::to_worker::ToWorker;
use crate::{MessageError, codec, pcm};

/// One of the two languages on the pipe: [`FromWorker`] and [`ToWorker`].
pub trait Message: Debug + Sized {
    const DIRECTION: Direction;

    fn to_frame(&self) -> Result<Frame, MessageError>;

    fn from_frame(frame: &Frame) -> Result<Self, MessageError>;
}

impl Message for FromWorker {
    const DIRECTION: Direction = Direction::FromWorker;

    fn to_frame(&self) -> Result<Frame, MessageError> {
        match self {
            Self::Hello(hello) => coded(Kind::Hello, RequestId(0), hello),
            Self::LoadProgress(progress) => coded(Kind::LoadProgress, RequestId(0), progress),
            Self::Ready(ready) => coded(Kind::Ready, RequestId(0), ready),
            Self::Beat(beat) => coded(Kind::Beat, RequestId(0), beat),
            Self::Accepted { request } => bare(Kind::Accepted, *request),
            Self::Pcm { request, samples } => pcm_frame(*request, samples),
            Self::Done { request, done } => coded(Kind::Done, *request, done),
            Self::Failed { request, failure } => coded(Kind::Failed, *request, failure),
            Self::Fatal(fatal) => coded(Kind::Fatal, RequestId(0), fatal),
            Self::Goodbye => bare(Kind::Goodbye, RequestId(0)),
            Self::ListenerReady(ready) => coded(Kind::ListenerReady, RequestId(0), ready),
            Self::Heard { request, heard } => coded(Kind::Heard, *request, heard),
            Self::Abilities(abilities) => coded(Kind::Abilities, RequestId(0), abilities),
        }
    }

    fn from_frame(frame: &Frame) -> Result<Self, MessageError> {
        let request = frame.request();
        match frame.kind() {
            Kind::Hello => read(frame).map(Self::Hello),
            Kind::LoadProgress => read(frame).map(Self::LoadProgress),
            Kind::Ready => read(frame).map(Self::Ready),
            Kind::Beat => read(frame).map(Self::Beat),
            Kind::Accepted => read(frame).map(|()| Self::Accepted { request }),
            Kind::Pcm => Ok(Self::Pcm { request, samples: pcm::from_bytes(frame.payload())? }),
            Kind::Done => read(frame).map(|done| Self::Done { request, done }),
            Kind::Failed => read(frame).map(|failure| Self::Failed { request, failure }),
            Kind::Fatal => read(frame).map(Self::Fatal),
            Kind::Goodbye => read(frame).map(|()| Self::Goodbye),
            Kind::ListenerReady => read(frame).map(Self::ListenerReady),
            Kind::Heard => read(frame).map(|heard| Self::Heard { request, heard }),
            Kind::Abilities => read(frame).map(Self::Abilities),
            kind => Err(MessageError::Direction { kind, direction: Self::DIRECTION }),
        }
    }
}

impl Message for ToWorker {
    const DIRECTION: Direction = Direction::ToWorker;

    fn to_frame(&self) -> Result<Frame, MessageError> {
        match self {
            Self::Welcome(welcome) => coded(Kind::Welcome, RequestId(0), welcome),
            Self::Refuse(refusal) => coded(Kind::Refuse, RequestId(0), refusal),
            Self::Load(load) => coded(Kind::Load, RequestId(0), load),
            Self::Speak { request, speak } => coded(Kind::Speak, *request, speak),
            Self::Cancel { request } => bare(Kind::Cancel, *request),
            Self::CancelAll => bare(Kind::CancelAll, RequestId(0)),
            Self::SetRows(rows) => coded(Kind::SetRows, RequestId(0), rows),
            Self::Drain => bare(Kind::Drain, RequestId(0)),
            Self::Listen { request, listen } => coded(Kind::Listen, *request, listen),
            Self::ListenPcm { request, samples } => samples_frame(Kind::ListenPcm, *request, samples),
            Self::SpeakAs { request, speak_as } => coded(Kind::SpeakAs, *request, speak_as),
            Self::Budget(budget) => coded(Kind::Budget, RequestId(0), budget),
        }
    }

    fn from_frame(frame: &Frame) -> Result<Self, MessageError> {
        let request = frame.request();
        match frame.kind() {
            Kind::Welcome => read(frame).map(Self::Welcome),
            Kind::Refuse => read(frame).map(Self::Refuse),
            Kind::Load => read(frame).map(Self::Load),
            Kind::Speak => read(frame).map(|speak| Self::Speak { request, speak }),
            Kind::Cancel => read(frame).map(|()| Self::Cancel { request }),
            Kind::CancelAll => read(frame).map(|()| Self::CancelAll),
            Kind::SetRows => read(frame).map(Self::SetRows),
            Kind::Drain => read(frame).map(|()| Self::Drain),
            Kind::Listen => read(frame).map(|listen| Self::Listen { request, listen }),
            Kind::SpeakAs => read(frame).map(|speak_as| Self::SpeakAs { request, speak_as }),
            Kind::Budget => read(frame).map(Self::Budget),
            Kind::ListenPcm => Ok(Self::ListenPcm { request, samples: pcm::from_bytes(frame.payload())? }),
            kind => Err(MessageError::Direction { kind, direction: Self::DIRECTION }),
        }
    }
}

/// A chunk of samples as a frame, without a message that owns them.
pub fn pcm_frame(request: RequestId, samples: &[f32]) -> Result<Frame, MessageError> {
    samples_frame(Kind::Pcm, request, samples)
}

fn samples_frame(kind: Kind, request: RequestId, samples: &[f32]) -> Result<Frame, MessageError> {
    if samples.is_empty() {
        return Err(MessageError::Samples { bytes: 0 });
    }
    Ok(Frame::new(kind, request.0, pcm::to_bytes(samples))?)
}

fn coded<T: Serialize>(kind: Kind, request: RequestId, value: &T) -> Result<Frame, MessageError> {
    Ok(Frame::new(kind, request.0, codec::encode(kind, value)?)?)
}

fn bare(kind: Kind, request: RequestId) -> Result<Frame, MessageError> {
    Ok(Frame::new(kind, request.0, Vec::new())?)
}

fn read<T: DeserializeOwned>(frame: &Frame) -> Result<T, MessageError> {
    codec::decode(frame.kind(), frame.payload())
}
