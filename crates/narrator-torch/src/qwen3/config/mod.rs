//! A checkpoint's configuration files, read once and checked against themselves.
//!
//! Every number that the code uses comes from here: nothing about a model's size is written down in code,
//! except the reference's own defaults for keys that published files leave out. Reading checks what the
//! network relies on (divisible heads, ids below their vocabulary, rates whose product is the frame), so
//! that a wrong file is an error with its key before any weight is read.

mod codec;
mod model;
mod section;

pub use codec::{CodecConfig, DecoderConfig, EncoderConfig};
pub use model::{
    GenerationConfig, ModelConfig, ModelKind, SamplingConfig, SpeakerConfig, StackConfig, TalkerConfig,
    TextIds,
};
pub(crate) use section::Section;
