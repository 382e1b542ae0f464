//! What a worker says.

use narrator_core::{Fault, VoiceAbilities};
use serde::{Deserialize, Serialize};

use crate::frame::RequestId;
use crate::identity::{BUILD_ID, Nonce, ProtocolVersion};
use crate::listening::{Heard, ListenerReady};

/// A message from a worker to the orchestrator.
#[derive(Clone, PartialEq, Debug)]
pub enum FromWorker {
    Hello(Hello),
    LoadProgress(LoadProgress),
    Ready(Ready),
    Beat(Beat),
    Accepted {
        request: RequestId,
    },
    Pcm {
        request: RequestId,
        samples: Vec<f32>,
    },
    Done {
        request: RequestId,
        done: Done,
    },
    Failed {
        request: RequestId,
        failure: Failure,
    },
    Fatal(Fatal),
    Goodbye,
    ListenerReady(ListenerReady),
    Heard {
        request: RequestId,
        heard: Heard,
    },
    /// What the voice can do otherwise than usual; said before [`Self::Ready`], if there is anything.
    Abilities(VoiceAbilities),
}

/// The first frame. Its layout holds across protocol versions, so that any two builds can at least tell
/// each other that they do not fit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: ProtocolVersion,
    pub build: String,
    pub pid: u32,
    pub nonce: Nonce,
    /// Names of the engines that this program can load.
    pub engines: Vec<String>,
}

impl Hello {
    /// What this process honestly says.
    pub fn of_this_process(nonce: Nonce, engines: Vec<String>) -> Self {
        Self {
            protocol: ProtocolVersion::CURRENT,
            build: BUILD_ID.to_owned(),
            pid: std::process::id(),
            nonce,
            engines,
        }
    }
}

/// What of loading the counter counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LoadStage {
    /// Bytes of weights.
    Weights,
    /// Steps of the warm-up utterance; `total` is 0, its length is not known before.
    WarmUp,
}

/// Loading moved: the orchestrator waits as long as one of these comes now and then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LoadProgress {
    pub stage: LoadStage,
    pub done: u64,
    pub total: u64,
}

/// The model is loaded and has spoken its warm-up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// Name of the engine in the registry.
    pub engine: String,
    pub sample_rate: u32,
    /// Rows that it takes at most at once.
    pub max_rows: u32,
    pub voices: Vec<Voice>,
    pub default_voice: String,
    /// The device that it runs on, such as `cpu` or `cuda:0`.
    pub device: String,
    pub load_ms: u64,
    /// Largest resident memory of the process so far, where it can be known.
    pub peak_resident_bytes: Option<u64>,
    /// Memory of the device after the warm-up; none on a CPU.
    pub device_memory: Option<DeviceMemory>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Voice {
    pub name: String,
    /// BCP 47.
    pub language: String,
    pub description: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceMemory {
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// The most that this process has held.
    pub peak_bytes: u64,
}

/// Alive, and how far: a worker that beats while `steps` stands still with rows in hand is stuck.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Beat {
    /// Counts everything that the compute thread finished, loading included; never falls.
    pub steps: u64,
    /// Rows in the engine.
    pub rows: u32,
    /// Requests that wait for a row.
    pub queued: u32,
    pub resident_bytes: Option<u64>,
    pub device_memory: Option<DeviceMemory>,
}

/// All samples of the request were sent before this.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Done {
    /// How many; the receiver compares with what it got.
    pub samples: u64,
    /// Compute time that the request took, its share of batches.
    pub compute_ms: u64,
}

/// Why one request failed. The worker goes on, except after [`FailureKind::DeviceFault`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// A lower-case fragment for people.
    pub message: String,
    /// With [`FailureKind::OutOfMemory`]: bytes asked for, where the engine knows.
    pub wanted_bytes: Option<u64>,
    pub device_memory: Option<DeviceMemory>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum FailureKind {
    OutOfMemory,
    DeviceFault,
    Runaway,
    BadOutput,
    BadRequest,
    Cancelled,
}

impl FailureKind {
    pub const ALL: [Self; 6] = [
        Self::OutOfMemory,
        Self::DeviceFault,
        Self::Runaway,
        Self::BadOutput,
        Self::BadRequest,
        Self::Cancelled,
    ];

    /// Its row in the policy table.
    pub const fn fault(self) -> Fault {
        match self {
            Self::OutOfMemory => Fault::OutOfMemory,
            Self::DeviceFault => Fault::DeviceFault,
            Self::Runaway => Fault::Runaway,
            Self::BadOutput => Fault::BadOutput,
            Self::BadRequest => Fault::BadRequest,
            Self::Cancelled => Fault::Cancelled,
        }
    }
}

/// Last words: the process ends after this.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fatal {
    pub kind: FatalKind,
    pub message: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum FatalKind {
    /// The model or the settings cannot work; another try would end the same way.
    ConfigRejected,
    /// The model could not be loaded this time.
    LoadFailed,
    /// The device's context is dead.
    DeviceFault,
    /// The orchestrator's bytes were not the protocol.
    ProtocolError,
    /// A bug: the panic's message is in the text.
    Panicked,
}

impl FatalKind {
    pub const ALL: [Self; 5] =
        [Self::ConfigRejected, Self::LoadFailed, Self::DeviceFault, Self::ProtocolError, Self::Panicked];

    /// Its row in the policy table.
    pub const fn fault(self) -> Fault {
        match self {
            Self::ConfigRejected => Fault::ConfigRejected,
            Self::LoadFailed => Fault::LoadFailed,
            Self::DeviceFault => Fault::DeviceFault,
            Self::ProtocolError => Fault::ProtocolError,
            Self::Panicked => Fault::Crashed,
        }
    }
}
