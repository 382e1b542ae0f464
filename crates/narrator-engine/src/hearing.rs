//! Speech to text.

use std::ops::ControlFlow;

use narrator_core::{Hearing, Priors};

use crate::EngineError;

/// One piece of audio to hear.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HearingRequest {
    /// Mono, −1 to 1, of any length.
    pub pcm: Vec<f32>,
    /// Any; the engine resamples to its own.
    pub sample_rate: u32,
    /// BCP 47, such as `en`; absent: the engine finds out.
    pub language: Option<String>,
    /// What should have been said: scored against the audio word by word.
    pub expected: Option<String>,
    /// Which words of it are scored over silence too.
    pub priors: Priors,
    /// Whether to write down freely what is heard. Without it only `expected` is scored, which is cheaper.
    pub transcribe: bool,
    /// Words that may come up, such as names: given to the decoder as context. Empty: none.
    pub context: String,
    /// Hypotheses that are followed at once; 0 and 1 are greedy.
    pub beams: u16,
    /// Of the sampling that failed greedy decodings fall back to.
    pub seed: u64,
}

/// What a loaded recogniser says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenerInfo {
    /// Name in the registry.
    pub engine: String,
    /// The model's name, from its manifest or folder.
    pub model: String,
    /// Whether it hears more than English.
    pub multilingual: bool,
    /// Requests that one call takes at most.
    pub max_batch: u32,
}

/// A loaded speech recogniser. One OS thread owns it.
pub trait Transcriber {
    fn info(&self) -> &ListenerInfo;

    /// Hears all requests and answers in their order; each fails alone. `progress` is called often, with a
    /// count that grows, so that slow is told from stuck; when it breaks, the call ends soon with an error of
    /// the kind `Cancelled`, and nothing was heard. Any other error of the whole is about the engine: out of
    /// memory (a smaller batch may do), or a device that is gone.
    fn hear(
        &mut self,
        batch: &[HearingRequest],
        progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Vec<Result<Hearing, EngineError>>, EngineError>;
}
