//! What a speech engine is, to the rest of narratord: two traits, their requests and their errors.
//!
//! Engines are driven in steps, so that one loop serves a voice that finishes a request at once and a
//! model that advances sixty-four of them by a frame: rows are admitted while there is room, every
//! [`Synthesizer::step`] advances all of them, and what comes out goes to a [`SpeechSink`] row by row.
//! A row never depends on its neighbours.
//!
//! A model on disk is a folder with a [`Manifest`]. Nothing here names a tensor library; the implementations live in `narrator-torch`.

mod error;
mod footprint;
mod hearing;
mod manifest;
mod speech;

pub use error::{EngineError, EngineErrorKind};
pub use footprint::{DRIVER_BYTES, Footprint};
pub use hearing::{HearingRequest, ListenerInfo, Transcriber};
pub use manifest::{MANIFEST_FILE, Manifest, ManifestFile};
pub use speech::{EngineInfo, RowId, SpeechRequest, SpeechSink, SpeechStats, Synthesizer, VoiceInfo};
