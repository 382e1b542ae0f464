//! Samples as a raw payload: f32, little-endian, outside the codec.
//!
//! Values are not judged here: what is not finite must reach whoever decides about it.

use crate::MessageError;
use crate::kind::SizeClass;

/// Most samples in one chunk: what the payload's limit holds. A worker that speaks keeps to half a second.
pub const MAX_CHUNK_SAMPLES: usize = SizeClass::Pcm.limit_bytes() / size_of::<f32>();

pub(crate) fn to_bytes(samples: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(samples));
    for sample in samples {
        bytes.extend_from_slice(&sample.to_le_bytes());
    }
    bytes
}

pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Vec<f32>, MessageError> {
    let (samples, rest) = bytes.as_chunks::<{ size_of::<f32>() }>();
    if samples.is_empty() || !rest.is_empty() {
        return Err(MessageError::Samples { bytes: bytes.len() });
    }
    Ok(samples.iter().map(|sample| f32::from_le_bytes(*sample)).collect())
}
