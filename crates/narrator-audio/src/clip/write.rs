//! A mono WAV of 16 bits.

use std::io::Write;
use std::path::Path;

use super::error::ClipError;
use crate::flac::to_i16;

/// Writes `samples` to `path`, synced.
pub fn write_wav(path: &Path, rate: u32, samples: &[f32]) -> Result<(), ClipError> {
    let data = samples.len() as u32 * 2;
    let mut bytes = Vec::with_capacity(44 + data as usize);
    for part in [&b"RIFF"[..], &(36 + data).to_le_bytes(), b"WAVEfmt ", &16_u32.to_le_bytes()] {
        bytes.extend(part);
    }
    for field in [1_u16, 1] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * 2).to_le_bytes());
    for field in [2_u16, 16] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(b"data");
    bytes.extend(data.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|&sample| to_i16(sample).to_le_bytes()));
    let written = std::fs::File::create(path).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync_all()
    });
    written.map_err(|source| ClipError::Write { path: path.to_owned(), source })
}
