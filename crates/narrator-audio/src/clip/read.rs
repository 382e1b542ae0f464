//! Samples of an audio file: WAV by hand, everything else through ffmpeg, which gives a WAV.

use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use super::Clip;
use super::error::ClipError;
use crate::ffmpeg::{Ffmpeg, file_url};

/// No more than this is read of a clip, which has half a minute at most.
const MOST_SECONDS: u32 = 300;

pub(super) fn read(path: &Path, ffmpeg: Option<&Ffmpeg>) -> Result<Clip, ClipError> {
    let unreadable = |source| ClipError::Read { path: path.to_owned(), source };
    let not_audio = |why: &str| ClipError::NotAudio { path: path.to_owned(), why: why.to_owned() };
    let mut start = [0; 12];
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let is_wav = file.read_exact(&mut start).is_ok() && &start[..4] == b"RIFF" && &start[8..] == b"WAVE";
    let bytes = if is_wav {
        /// Five minutes of the heaviest kind there is: eight channels of 64 bits at 192 kHz.
        const MOST_BYTES: u64 = MOST_SECONDS as u64 * 192_000 * 64;
        if length > MOST_BYTES {
            return Err(not_audio("it is far longer than a clip; cut out the best 15 seconds"));
        }
        std::fs::read(path).map_err(unreadable)?
    } else {
        let ffmpeg = ffmpeg.ok_or_else(|| ClipError::NeedsFfmpeg { path: path.to_owned() })?;
        decoded(path, ffmpeg)?
    };
    let clip = parse(&bytes).map_err(|why| not_audio(&why))?;
    if clip.seconds() > f64::from(MOST_SECONDS) {
        return Err(not_audio("it is far longer than a clip; cut out the best 15 seconds"));
    }
    Ok(clip)
}

/// The file as a WAV of floats, at its own rate.
fn decoded(path: &Path, ffmpeg: &Ffmpeg) -> Result<Vec<u8>, ClipError> {
    let seconds = (MOST_SECONDS + 1).to_string();
    let before = ["-hide_banner", "-nostdin", "-v", "error", "-xerror", "-i"].map(OsString::from);
    let after = ["-map", "0:a:0", "-t", &seconds, "-c:a", "pcm_f32le", "-f", "wav", "-"].map(OsString::from);
    let arguments = before.into_iter().chain([file_url(path)]).chain(after);
    let mut run = ffmpeg.start(arguments, Stdio::null(), Stdio::piped())?;
    let mut bytes = Vec::new();
    if let Some(mut stdout) = run.stdout.take() {
        stdout.read_to_end(&mut bytes).map_err(|source| ClipError::Read { path: path.to_owned(), source })?;
    }
    run.finish("reading the clip")
        .map_err(|error| ClipError::NotAudio { path: path.to_owned(), why: error.to_string() })?;
    Ok(bytes)
}

/// How samples are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Unsigned8,
    Signed(usize),
    Float32,
    Float64,
}

#[derive(Clone, Copy, Debug)]
struct Format {
    kind: Kind,
    channels: usize,
    rate: u32,
}

/// Reads a WAV file; a data chunk that announces more than there is (a stream's) ends with the file.
fn parse(bytes: &[u8]) -> Result<Clip, String> {
    let (mut rest, mut format) = (bytes.get(12..).unwrap_or_default(), None);
    while let Some((tag, after)) = rest.split_first_chunk::<4>() {
        let Some((length, after)) = after.split_first_chunk::<4>() else { break };
        let length = u32::from_le_bytes(*length) as usize;
        let body = &after[..length.min(after.len())];
        match tag {
            b"fmt " => format = Some(format_of(body)?),
            b"data" => {
                let format = format.ok_or("its samples come before their format")?;
                return Ok(Clip { samples: mixed(body, format), rate: format.rate });
            }
            _ => {}
        }
        // Chunks begin at even places.
        rest = after.get(length + length % 2..).unwrap_or_default();
    }
    Err("it holds no samples".into())
}

fn format_of(body: &[u8]) -> Result<Format, String> {
    /// The real code stands in the extension.
    const EXTENSIBLE: u16 = 0xFFFE;
    let field = |at: usize| body.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let rate = body.get(4..8).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let code = match field(0) {
        Some(EXTENSIBLE) => field(24),
        code => code,
    };
    let kind = match (code, field(14)) {
        (Some(1), Some(8)) => Kind::Unsigned8,
        (Some(1), Some(bits @ (16 | 24 | 32))) => Kind::Signed(usize::from(bits) / 8),
        (Some(3), Some(32)) => Kind::Float32,
        (Some(3), Some(64)) => Kind::Float64,
        _ => return Err("its samples are neither plain integers nor floats".into()),
    };
    match (field(2), rate) {
        (Some(channels @ 1..=32), Some(rate @ 4_000..=768_000)) => {
            Ok(Format { kind, channels: usize::from(channels), rate })
        }
        _ => Err("its rate or its number of channels is impossible".into()),
    }
}

/// One channel of samples: the mean of all.
fn mixed(body: &[u8], format: Format) -> Vec<f32> {
    let width = match format.kind {
        Kind::Unsigned8 => 1,
        Kind::Signed(width) => width,
        Kind::Float32 => 4,
        Kind::Float64 => 8,
    };
    let sample = |b: &[u8]| -> f32 {
        match format.kind {
            Kind::Unsigned8 => (f32::from(b[0]) - 128.0) / 128.0,
            Kind::Signed(width) => {
                let mut wide = [0; 4];
                wide[4 - width..].copy_from_slice(b);
                (f64::from(i32::from_le_bytes(wide)) / 2_147_483_648.0) as f32
            }
            Kind::Float32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            Kind::Float64 => f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32,
        }
    };
    let channels = format.channels;
    body.chunks_exact(width * channels)
        .map(|frame| frame.chunks_exact(width).map(sample).sum::<f32>() / channels as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(code: u16, channels: u16, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        bytes.extend(code.to_le_bytes());
        bytes.extend(channels.to_le_bytes());
        bytes.extend(48_000_u32.to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(bits.to_le_bytes());
        bytes.extend(b"data");
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn every_kind_of_sample_is_read() {
        let half: [(u16, u16, Vec<u8>); 6] = [
            (1, 8, vec![192]),
            (1, 16, 16_384_i16.to_le_bytes().to_vec()),
            (1, 24, vec![0, 0, 0x40]),
            (1, 32, (1_i32 << 30).to_le_bytes().to_vec()),
            (3, 32, 0.5_f32.to_le_bytes().to_vec()),
            (3, 64, 0.5_f64.to_le_bytes().to_vec()),
        ];
        for (code, bits, data) in half {
            assert_eq!(parse(&wav(code, 1, bits, &data)).unwrap().samples, [0.5], "{code} {bits}");
        }
    }

    #[test]
    fn channels_are_mixed_and_a_streams_length_is_not_believed() {
        let data = [0.5_f32, -0.5, 1.0, 0.0].iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        let mut bytes = wav(3, 2, 32, &data);
        assert_eq!(parse(&bytes).unwrap(), Clip { samples: vec![0.0, 0.5], rate: 48_000 });
        let at = bytes.len() - data.len() - 4;
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&bytes).unwrap().samples, [0.0, 0.5]);
    }

    #[test]
    fn what_is_no_wav_says_why() {
        assert!(parse(&wav(85, 1, 16, &[])).unwrap_err().contains("neither plain integers"));
        assert!(parse(b"RIFF").unwrap_err().contains("no samples"));
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.mp3"), b"ID3").unwrap();
        let error = Clip::read(&dir.path().join("a.mp3"), None).unwrap_err();
        assert!(error.to_string().contains("needs ffmpeg"), "{error}");
    }
}
