//! The 12.5 Hz codec: codes to samples and samples to codes.

mod carry;
mod decoder;
mod encoder;
mod layers;
mod transformer;

use tch::Tensor;

use super::ops::Torch;

pub use carry::CodecState;
pub(crate) use decoder::CodecDecoder;
pub(crate) use encoder::CodecEncoder;

/// Clusters that were hardly used in training keep a defined centre, as in the reference.
const MIN_USAGE: f64 = 1e-5;

/// Centres `[size, dim]` of a codebook, which files keep as sums over the members and their number.
fn centres(sum: &Tensor, usage: &Tensor) -> Torch {
    sum.f_div(&usage.f_clamp_min(MIN_USAGE)?.f_unsqueeze(1)?)
}
