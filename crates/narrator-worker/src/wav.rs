//! A mono WAV file of 32-bit floats: the engine's own samples, not rounded, so that a parity check
//! compares what the engine made.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// `fmt ` chunk's code for IEEE floats.
const FORMAT_FLOAT: u16 = 3;
const BYTES_PER_SAMPLE: u32 = 4;

/// Writes the file whole or not at all: beside its place first, then renamed.
pub fn write(path: &Path, sample_rate: u32, samples: &[f32]) -> io::Result<()> {
    let data_bytes = u32::try_from(samples.len() * BYTES_PER_SAMPLE as usize)
        .ok()
        .filter(|bytes| *bytes < u32::MAX - 64)
        .ok_or_else(|| io::Error::other("more samples than a WAV file can hold"))?;
    let part = part_of(path);
    let written = write_to(&part, sample_rate, data_bytes, samples).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // Whatever is there of it helps nobody; the first error is the one to tell.
        let _ = fs::remove_file(&part);
    }
    written
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

fn write_to(path: &Path, sample_rate: u32, data_bytes: u32, samples: &[f32]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&header(sample_rate, data_bytes))?;
    for sample in samples {
        file.write_all(&sample.to_le_bytes())?;
    }
    file.into_inner()?.sync_all()
}

fn header(sample_rate: u32, data_bytes: u32) -> Vec<u8> {
    let mut header = Vec::with_capacity(58);
    let mut chunk = |tag: &[u8; 4], fields: &[&[u8]], announced: u32| {
        header.extend_from_slice(tag);
        header.extend_from_slice(&announced.to_le_bytes());
        for field in fields {
            header.extend_from_slice(field);
        }
    };
    // The size of everything after this field: `WAVE`, fmt (8 + 18), fact (8 + 4), data (8 + samples).
    chunk(b"RIFF", &[b"WAVE"], 4 + 26 + 12 + 8 + data_bytes);
    let byte_rate = sample_rate * BYTES_PER_SAMPLE;
    let fields: [&[u8]; 7] = [
        &FORMAT_FLOAT.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &sample_rate.to_le_bytes(),
        &byte_rate.to_le_bytes(),
        &(BYTES_PER_SAMPLE as u16).to_le_bytes(),
        &32_u16.to_le_bytes(),
        &0_u16.to_le_bytes(),
    ];
    chunk(b"fmt ", &fields, 18);
    chunk(b"fact", &[&(data_bytes / BYTES_PER_SAMPLE).to_le_bytes()], 4);
    chunk(b"data", &[], data_bytes);
    header
}

/// Samples of a mono file at `sample_rate`, of 16-bit integers or 32-bit floats.
pub fn read_mono(path: &Path, sample_rate: u32) -> io::Result<Vec<f32>> {
    match read(path)? {
        (rate, samples) if rate == sample_rate => Ok(samples),
        (rate, _) => Err(wrong(&format!("its rate is {rate} Hz"))),
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

/// Rate and samples of a mono file, of 16-bit integers or 32-bit floats.
pub fn read(path: &Path) -> io::Result<(u32, Vec<f32>)> {
    let bytes = fs::read(path)?;
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Err(wrong("it is not a WAV file"));
    }
    let (mut rest, mut format) = (&bytes[12..], None);
    while let Some((tag, after)) = rest.split_first_chunk::<4>() {
        let Some((length, after)) = after.split_first_chunk::<4>() else { break };
        let length = u32::from_le_bytes(*length) as usize;
        let body = &after[..length.min(after.len())];
        match tag {
            b"fmt " => {
                let field = |at: usize| body.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
                let rate = body.get(4..8).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                if field(2) != Some(1) {
                    return Err(wrong("it is not mono"));
                }
                let rate = rate.filter(|rate| *rate > 0).ok_or_else(|| wrong("it has no rate"))?;
                format = Some((rate, field(0), field(14)));
            }
            b"data" => {
                return match format {
                    Some((rate, Some(1), Some(16))) => {
                        let sample = |b: &[u8]| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0;
                        Ok((rate, body.chunks_exact(2).map(sample).collect()))
                    }
                    Some((rate, Some(FORMAT_FLOAT), Some(32))) => {
                        let sample = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                        Ok((rate, body.chunks_exact(4).map(sample).collect()))
                    }
                    _ => Err(wrong("its samples are neither 16-bit integers nor 32-bit floats")),
                };
            }
            _ => {}
        }
        // Chunks begin at even places.
        rest = after.get(length + length % 2..).unwrap_or_default();
    }
    Err(wrong("it holds no samples"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_counts_what_is_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.wav");
        write(&path, 24_000, &[0.0, 0.5, -1.0]).expect("written");
        let bytes = fs::read(&path).expect("read");
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        assert_eq!(u32_at(4) as usize, bytes.len() - 8);
        assert_eq!(u32_at(24), 24_000);
        assert_eq!((&bytes[50..54], u32_at(54), bytes.len()), (&b"data"[..], 12, 58 + 12));
        assert_eq!(bytes[62..66], 0.5_f32.to_le_bytes());
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1, "no part is left");
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.wav");
        write(&path, 24_000, &[0.0, 0.5, -1.0]).expect("written");
        assert_eq!(read_mono(&path, 24_000).expect("read"), [0.0, 0.5, -1.0]);
        assert!(read_mono(&path, 16_000).expect_err("another rate").to_string().contains("24000"));
        fs::write(&path, b"RIFF").expect("written");
        assert!(read_mono(&path, 24_000).is_err());
    }

    #[test]
    fn a_folder_that_is_not_there_leaves_nothing() {
        assert!(write(Path::new("/nonexistent/a.wav"), 24_000, &[0.0]).is_err());
    }
}
