//! What the orchestrator says.

use narrator_core::Delivery;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::frame::RequestId;
use crate::identity::{BUILD_ID, ProtocolVersion};
use crate::listening::Listen;

/// A message from the orchestrator to a worker.
#[derive(Clone, PartialEq, Debug)]
pub enum ToWorker {
    Welcome(Welcome),
    Refuse(Refusal),
    Load(Load),
    Speak { request: RequestId, speak: Speak },
    Cancel { request: RequestId },
    CancelAll,
    SetRows(SetRows),
    Drain,
    Listen { request: RequestId, listen: Listen },
    ListenPcm { request: RequestId, samples: Vec<f32> },
    SpeakAs { request: RequestId, speak_as: SpeakAs },
    Budget(Budget),
}

/// The handshake held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Welcome {
    pub protocol: ProtocolVersion,
    /// How often the worker beats.
    pub beat_ms: u32,
    /// How long the worker outlives the stream before it ends itself.
    pub orphan_grace_ms: u32,
}

impl Default for Welcome {
    /// A beat a second and five seconds of grace: promises S3 and S10.
    fn default() -> Self {
        Self { protocol: ProtocolVersion::CURRENT, beat_ms: 1000, orphan_grace_ms: 5000 }
    }
}

/// Why a worker is not welcome. It ends with exit code 78 and is not tried again.
#[derive(Clone, PartialEq, Eq, Debug, Error, Serialize, Deserialize)]
pub enum Refusal {
    #[error("worker speaks protocol {worker}, narratord {ours}: install both from one build")]
    Protocol { worker: ProtocolVersion, ours: ProtocolVersion },
    #[error("worker is of build {worker}, narratord of {ours}: install both from one build")]
    Build { worker: String, ours: String },
    #[error("worker gave back another nonce than it was spawned with")]
    Nonce,
    #[error("worker says it is process {claimed}, the child is {child}")]
    Pid { claimed: u32, child: u32 },
    #[error("worker did not say hello in the protocol's frames: {why}")]
    NotTheProtocol { why: String },
}

impl Refusal {
    /// A refusal that names this build against another.
    pub fn build(worker: &str) -> Self {
        Self::Build { worker: worker.to_owned(), ours: BUILD_ID.to_owned() }
    }
}

/// Which model to load, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Load {
    /// The model's folder, as an absolute path; its manifest names the engine.
    pub model_dir: String,
    /// `cpu`, `cuda:0` and so on.
    pub device: String,
    pub precision: Precision,
    /// Threads for compute on a CPU; absent: the worker's own choice.
    pub threads: Option<u16>,
    /// Rows at once at most; absent: what the engine takes.
    pub max_rows: Option<u32>,
}

/// How much of its device the worker may take. Comes before Load, where the device is shared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Budget {
    /// Of the device's memory, everything counted that the process takes there.
    pub device_bytes: u64,
}

/// Numbers that the weights are held in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Precision {
    /// What the engine itself finds best on the device.
    #[default]
    Auto,
    Float32,
    BFloat16,
}

/// One text to speak.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Speak {
    pub text: String,
    /// BCP 47.
    pub language: String,
    /// A voice of the engine; absent: its default.
    pub voice: Option<String>,
    /// 0.5 to 2; 1 is the voice's own speed.
    pub speed: f32,
    /// The row's own random stream starts here.
    pub seed: u64,
    /// Generation past this many seconds of audio is a runaway.
    pub max_seconds: f32,
}

/// One text to speak otherwise than usual. A worker is sent this only for what it said that it can do.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SpeakAs {
    pub speak: Speak,
    pub delivery: Delivery,
}

/// Hold at most so many rows in the engine from now on; 0 counts as 1. Rows already in stay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetRows {
    pub rows: u32,
}
