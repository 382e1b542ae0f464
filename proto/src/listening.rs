//! What both sides say when a worker listens: a take goes one way, what was heard in it comes back.
//!
//! A `Listen` announces how many samples follow it in `ListenPcm` frames of the same request; the request
//! is complete when they are there. Samples are raw, as those of `Pcm` are, and are not judged here.

use narrator_core::{Hearing, Priors};
use serde::{Deserialize, Serialize};

use crate::from_worker::DeviceMemory;

/// Longest piece of audio that is heard in one request, in samples: half an hour at 24 kHz. A worker
/// believes the number before the samples come.
pub const MAX_LISTEN_SAMPLES: u64 = 24_000 * 1_800;

/// One piece of audio to hear.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Listen {
    pub sample_rate: u32,
    /// How many samples follow.
    pub samples: u64,
    /// BCP 47; absent: the engine finds out.
    pub language: Option<String>,
    /// What should have been said: scored against the audio word by word.
    pub expected: Option<String>,
    /// Which words of it are scored over silence too.
    pub priors: Priors,
    /// Whether to write down freely what is heard.
    pub transcribe: bool,
    /// Words that may come up, given to the decoder as context; empty: none.
    pub context: String,
    /// Hypotheses that are followed at once; 0 and 1 are greedy.
    pub beams: u16,
    /// Of the sampling that failed greedy decodings fall back to.
    pub seed: u64,
}

/// A recogniser is loaded and has heard a warm-up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListenerReady {
    /// Name of the engine in the registry.
    pub engine: String,
    /// The model's name.
    pub model: String,
    /// Whether it hears more than English.
    pub multilingual: bool,
    /// Requests that it takes at most at once, a batch in the engine and one that waits.
    pub max_rows: u32,
    /// The device that it runs on, such as `cpu` or `cuda:0`.
    pub device: String,
    pub load_ms: u64,
    /// Largest resident memory of the process so far, where it can be known.
    pub peak_resident_bytes: Option<u64>,
    /// Memory of the device after the warm-up; none on a CPU.
    pub device_memory: Option<DeviceMemory>,
}

/// What was heard. Nothing follows for this request.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Heard {
    pub hearing: Hearing,
    /// Compute time that the request took, its share of a batch.
    pub compute_ms: u64,
}
