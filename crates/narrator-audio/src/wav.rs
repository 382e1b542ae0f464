//! WAV of 16 bits, written without help: RIFF, or RF64 (EBU Tech 3306) where 32 bits do not suffice.
//!
//! The length is known before the first sample, so the header is right from the start and nothing has
//! to be gone back to. Titles are INFO chunks, chapters are cue points with labels.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use crate::flac::to_i16;
use crate::tags::Tags;

/// A WAV file being written.
#[derive(Debug)]
pub(crate) struct WavWriter {
    file: BufWriter<File>,
    trailer: Vec<u8>,
}

/// A chunk: its name, its length and its bytes, padded to an even length.
fn chunk(name: [u8; 4], bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 9);
    out.extend(name);
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
    out.resize(out.len().next_multiple_of(2), 0);
    out
}

fn text_chunk(name: [u8; 4], text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    chunk(name, &bytes)
}

fn info(tags: &Tags) -> Vec<u8> {
    const NAMES: [(&str, [u8; 4]); 6] = [
        ("title", *b"INAM"),
        ("album", *b"IPRD"),
        ("artist", *b"IART"),
        ("genre", *b"IGNR"),
        ("composer", *b"IMUS"),
        ("track", *b"IPRT"),
    ];
    let mut list = b"INFO".to_vec();
    for (key, value) in &tags.texts {
        if let Some((_, name)) = NAMES.iter().find(|(known, _)| known == key) {
            list.extend(text_chunk(*name, value));
        }
    }
    chunk(*b"LIST", &list)
}

/// Cue points and their labels. A cue's place is a 32-bit sample number, enough for 49 hours at 24 kHz;
/// later chapters have none.
fn cues(tags: &Tags) -> Vec<u8> {
    let placed: Vec<(u32, u32, &str)> = (1_u32..)
        .zip(&tags.marks)
        .filter_map(|(number, mark)| Some((number, u32::try_from(mark.start).ok()?, &*mark.title)))
        .collect();
    if placed.is_empty() {
        return Vec::new();
    }
    let mut points = (placed.len() as u32).to_le_bytes().to_vec();
    let mut labels = b"adtl".to_vec();
    for (number, start, title) in placed {
        points.extend(number.to_le_bytes());
        points.extend(start.to_le_bytes());
        points.extend(b"data");
        points.extend([0; 8]);
        points.extend(start.to_le_bytes());
        let mut label = number.to_le_bytes().to_vec();
        label.extend(title.as_bytes());
        label.push(0);
        labels.extend(chunk(*b"labl", &label));
    }
    [chunk(*b"cue ", &points), chunk(*b"LIST", &labels)].concat()
}

fn header(rate: u32, samples: u64, trailer: usize) -> Vec<u8> {
    let data = samples * 2;
    let small = 4 + 24 + 8 + data + trailer as u64;
    let mut format = Vec::new();
    format.extend(1_u16.to_le_bytes());
    format.extend(1_u16.to_le_bytes());
    format.extend(rate.to_le_bytes());
    format.extend((rate * 2).to_le_bytes());
    format.extend(2_u16.to_le_bytes());
    format.extend(16_u16.to_le_bytes());

    let mut out = Vec::new();
    let data_size = if let (Ok(riff), Ok(data)) = (u32::try_from(small), u32::try_from(data)) {
        out.extend(b"RIFF");
        out.extend(riff.to_le_bytes());
        out.extend(b"WAVE");
        data
    } else {
        let mut sizes = Vec::new();
        for size in [small + 36, data, samples] {
            sizes.extend(size.to_le_bytes());
        }
        sizes.extend(0_u32.to_le_bytes());
        out.extend(b"RF64");
        out.extend(u32::MAX.to_le_bytes());
        out.extend(b"WAVE");
        out.extend(chunk(*b"ds64", &sizes));
        u32::MAX
    };
    out.extend(chunk(*b"fmt ", &format));
    out.extend(b"data");
    out.extend(data_size.to_le_bytes());
    out
}

impl WavWriter {
    /// Starts a file that will hold exactly `samples` samples.
    pub fn start(file: File, rate: u32, samples: u64, tags: &Tags) -> io::Result<Self> {
        let trailer = [cues(tags), info(tags)].concat();
        let mut file = BufWriter::with_capacity(256 * 1024, file);
        file.write_all(&header(rate, samples, trailer.len()))?;
        Ok(Self { file, trailer })
    }

    pub fn write(&mut self, samples: &[f32]) -> io::Result<()> {
        for &sample in samples {
            self.file.write_all(&to_i16(sample).to_le_bytes())?;
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.file.write_all(&self.trailer)?;
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_is_riff_and_a_long_one_rf64() {
        let short = header(24_000, 1_000, 10);
        assert_eq!(&short[..4], b"RIFF");
        assert_eq!(u32::from_le_bytes(short[4..8].try_into().unwrap()), 36 + 2_000 + 10);
        assert_eq!(u32::from_le_bytes(short[40..44].try_into().unwrap()), 2_000);

        let samples = 3_000_000_000_u64;
        let long = header(24_000, samples, 10);
        assert_eq!((&long[..4], &long[12..16]), (&b"RF64"[..], &b"ds64"[..]));
        let size = |at: usize| u64::from_le_bytes(long[at..at + 8].try_into().unwrap());
        assert_eq!(size(20), long.len() as u64 - 8 + samples * 2 + 10);
        assert_eq!((size(28), size(36)), (samples * 2, samples));
    }
}
