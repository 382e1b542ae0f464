//! Text to speech.

use narrator_core::{Delivery, VoiceAbilities};
use serde::{Deserialize, Serialize};

use crate::EngineError;

/// A request's name while it is inside an engine, chosen by the caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowId(pub u64);

/// One text to speak.
#[derive(Clone, PartialEq, Debug)]
pub struct SpeechRequest {
    pub row: RowId,
    pub text: String,
    /// BCP 47, such as `en`.
    pub language: String,
    /// A voice of the engine, by name.
    pub voice: String,
    /// 0.5 to 2; 1 is the voice's own speed.
    pub speed: f32,
    /// The row's own random stream starts here.
    pub seed: u64,
    /// Generation past this many seconds of audio is a runaway.
    pub max_seconds: f32,
    /// What is different from usual; an engine passes over what it cannot do.
    pub delivery: Delivery,
}

/// A voice that an engine offers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VoiceInfo {
    pub name: String,
    /// BCP 47.
    pub language: String,
    pub description: String,
}

/// What a loaded engine says of itself.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineInfo {
    /// Name in the registry.
    pub engine: String,
    pub sample_rate: u32,
    /// Rows that it takes at most at once.
    pub max_rows: u32,
    pub voices: Vec<VoiceInfo>,
    pub default_voice: String,
    /// Which differences a request may ask for.
    pub abilities: VoiceAbilities,
}

/// Measurements of one finished row.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct SpeechStats {
    pub samples: u64,
    /// Compute time that the row took, its share of batches.
    pub compute_ms: u64,
}

/// Where an engine's output goes.
pub trait SpeechSink {
    /// The next samples of a row: mono, −1 to 1, at the engine's rate.
    fn samples(&mut self, row: RowId, pcm: &[f32]);
    /// The row is complete; no more samples follow.
    fn finished(&mut self, row: RowId, stats: SpeechStats);
    /// The row failed; what was sent of it is void.
    fn failed(&mut self, row: RowId, error: EngineError);
}

/// A loaded text-to-speech model. One OS thread owns it.
pub trait Synthesizer {
    fn info(&self) -> &EngineInfo;

    /// Takes a row in; an error is about this row alone and admits nothing. The caller keeps to
    /// [`EngineInfo::max_rows`].
    fn admit(&mut self, request: SpeechRequest) -> Result<(), EngineError>;

    /// Rows admitted and neither finished, failed nor cancelled.
    fn rows(&self) -> usize;

    /// Advances every row by a little and reports what came of it. An error here is about the engine as
    /// a whole: out of memory (the rows are still admitted and the caller may cancel some), or a device
    /// that is gone.
    fn step(&mut self, sink: &mut dyn SpeechSink) -> Result<(), EngineError>;

    /// Forgets a row; false when there is none of that name.
    fn cancel(&mut self, row: RowId) -> bool;
}
