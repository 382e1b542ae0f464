//! The 12.5 Hz codec: codes to samples and samples to codes.

mod carry;
mod decoder;
mod encoder;
mod layers;
mod transformer;

pub use carry::CodecState;
pub(crate) use decoder::CodecDecoder;
pub(crate) use encoder::CodecEncoder;
