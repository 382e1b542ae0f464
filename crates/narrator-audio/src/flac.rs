//! Takes on disk: mono FLAC of 16 bits.
//!
//! A sample `x` becomes `round(x · 32768)`, halves away from zero, held to the range of 16 bits; reading
//! divides by 32768. What was once a take therefore comes back exactly, and the same samples always make
//! the same bytes. FLAC's frames carry a CRC-16 and its header the number of samples, so a take that was
//! cut short or changed on disk is told from a good one.
//!
//! No dither: synthesised speech carries its own noise far above one part in 65,536, and a take must be
//! a function of its samples alone.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use claxon::frame::Block;
use claxon::{FlacReader, FlacReaderOptions};
use flacenc::component::BitRepr;
use flacenc::error::Verify;

use crate::error::AudioError;

/// Full scale of 16-bit samples.
pub(crate) const FULL_SCALE: f32 = 32768.0;

/// A FLAC frame of 4,096 samples is 0.17 s at 24 kHz: small enough to stream, large enough to compress.
const FRAME_SAMPLES: usize = 4096;

/// Linear prediction of order 8 keeps encoding above 200 times real time a core and costs speech at
/// 24 kHz under one percent in size against order 12.
const PREDICTION_ORDER: usize = 8;

/// The 16-bit sample nearest to `sample`.
pub(crate) fn to_i16(sample: f32) -> i16 {
    // Float-to-integer casts saturate, so this is also the clamp.
    (sample * FULL_SCALE).round() as i16
}

/// Mono samples and their rate.
#[derive(Clone, PartialEq, Debug)]
pub struct Pcm {
    pub rate: u32,
    pub samples: Vec<f32>,
}

/// Encodes mono samples, −1 to 1, as a FLAC file. Samples beyond full scale are held to it; an empty
/// take and samples that are not numbers are refused.
pub fn encode(pcm: &[f32], rate: u32) -> Result<Vec<u8>, AudioError> {
    let bad = |why: String| AudioError::BadSamples { why };
    if pcm.is_empty() {
        return Err(bad("there are none".into()));
    }
    if let Some(at) = pcm.iter().position(|sample| !sample.is_finite()) {
        return Err(bad(format!("sample {at} of {} is {}", pcm.len(), pcm[at])));
    }
    let samples: Vec<i32> = pcm.iter().map(|&sample| i32::from(to_i16(sample))).collect();

    let mut config = flacenc::config::Encoder::default();
    config.block_size = FRAME_SAMPLES;
    config.multithread = false;
    config.subframe_coding.qlpc.lpc_order = PREDICTION_ORDER;
    let config = config.into_verified().map_err(|(_, error)| bad(error.to_string()))?;
    let source = flacenc::source::MemSource::from_samples(&samples, 1, 16, rate as usize);
    let mut stream = flacenc::encode_with_fixed_block_size(&config, source, FRAME_SAMPLES)
        .map_err(|error| bad(error.to_string()))?;
    // The header's smallest frame is meant without the last one; with a last frame under 16 samples
    // counted in, readers refuse the file.
    let header = stream.stream_info_mut();
    header.set_block_sizes(FRAME_SAMPLES, FRAME_SAMPLES).map_err(|error| bad(error.to_string()))?;
    let mut sink = flacenc::bitsink::ByteSink::new();
    stream.write(&mut sink).map_err(|error| bad(error.to_string()))?;
    Ok(sink.into_inner())
}

/// Reads a take block by block.
pub struct Reader<R: Read> {
    flac: FlacReader<R>,
    path: PathBuf,
    rate: u32,
    total: u64,
    read: u64,
    buffer: Vec<i32>,
}

impl<R: Read> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, rate, total, read, .. } = self;
        f.debug_struct("Reader")
            .field("path", path)
            .field("rate", rate)
            .field("total", total)
            .field("read", read)
            .finish_non_exhaustive()
    }
}

impl Reader<File> {
    /// Opens a take and reads its header.
    pub fn open(path: &Path) -> Result<Self, AudioError> {
        Self::new(open(path)?, path)
    }
}

impl<R: Read> Reader<R> {
    /// Reads a take's header from `source`; `path` is for messages.
    pub fn new(source: R, path: &Path) -> Result<Self, AudioError> {
        let options = FlacReaderOptions { metadata_only: false, read_vorbis_comment: false };
        let flac = FlacReader::new_ext(source, options).map_err(|error| damaged(path, &error))?;
        let info = flac.streaminfo();
        let refuse = |why: &str| AudioError::TakeDamaged { path: path.to_owned(), why: why.into() };
        if info.channels != 1 || info.bits_per_sample != 16 {
            return Err(refuse("not mono with 16 bits a sample"));
        }
        let total = info.samples.ok_or_else(|| refuse("its header gives no number of samples"))?;
        if total == 0 || info.sample_rate == 0 {
            return Err(refuse("it holds no samples"));
        }
        let (path, rate) = (path.to_owned(), info.sample_rate);
        Ok(Self { flac, path, rate, total, read: 0, buffer: Vec::new() })
    }

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Samples in the whole take.
    pub fn samples(&self) -> u64 {
        self.total
    }

    /// Appends the next block to `out`; false at the take's proper end.
    pub fn read_block(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioError> {
        let refuse = |why: String| AudioError::TakeDamaged { path: self.path.clone(), why };
        let buffer = std::mem::take(&mut self.buffer);
        let next: Option<Block> =
            self.flac.blocks().read_next_or_eof(buffer).map_err(|error| damaged(&self.path, &error))?;
        let Some(block) = next else {
            if self.read != self.total {
                return Err(refuse(format!("it ends after {} of {} samples", self.read, self.total)));
            }
            return Ok(false);
        };
        self.read += u64::from(block.duration());
        if block.channels() != 1 || self.read > self.total {
            return Err(refuse("it holds more than its header says".into()));
        }
        out.extend(block.channel(0).iter().map(|&sample| sample as f32 / FULL_SCALE));
        self.buffer = block.into_buffer();
        Ok(true)
    }
}

/// Reads a whole take.
pub fn decode(path: &Path) -> Result<Pcm, AudioError> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).map_err(AudioError::disk("read", path))?;
    decode_bytes(&bytes, path)
}

/// Decodes a take that is already in memory; `path` is for messages.
pub fn decode_bytes(bytes: &[u8], path: &Path) -> Result<Pcm, AudioError> {
    let mut reader = Reader::new(bytes, path)?;
    let mut samples = Vec::new();
    while reader.read_block(&mut samples)? {}
    Ok(Pcm { rate: reader.rate(), samples })
}

fn open(path: &Path) -> Result<File, AudioError> {
    File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => AudioError::TakeMissing { path: path.to_owned() },
        _ => AudioError::Disk { action: "read", path: path.to_owned(), source },
    })
}

fn damaged(path: &Path, error: &claxon::Error) -> AudioError {
    let why = match error {
        claxon::Error::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            "it is cut short".to_owned()
        }
        other => other.to_string(),
    };
    AudioError::TakeDamaged { path: path.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::AudioErrorKind;

    fn here() -> &'static Path {
        Path::new("takes/ab/abcd.flac")
    }

    fn tone(samples: usize) -> Vec<f32> {
        (0..samples).map(|n| 0.4 * (n as f32 * 0.05).sin() + 0.1 * (n as f32 * 1.31).sin()).collect()
    }

    #[test]
    fn rounding_is_to_the_nearest_sample_and_holds_the_range() {
        let cases = [(0.0, 0), (1.0, 32767), (-1.0, -32768), (1.7, 32767), (-9.0, -32768)];
        for (sample, expected) in cases {
            assert_eq!(to_i16(sample), expected, "{sample}");
        }
        assert_eq!(to_i16(0.5 / FULL_SCALE), 1, "halves go away from zero");
        assert_eq!(to_i16(-0.5 / FULL_SCALE), -1);
        assert_eq!(to_i16(0.49 / FULL_SCALE), 0);
    }

    #[test]
    fn a_take_comes_back_exactly_and_its_bytes_are_always_the_same() {
        let pcm = tone(30_000);
        let bytes = encode(&pcm, 24_000).unwrap();
        assert_eq!(bytes, encode(&pcm, 24_000).unwrap());
        let back = decode_bytes(&bytes, here()).unwrap();
        let expected: Vec<f32> = pcm.iter().map(|&x| f32::from(to_i16(x)) / FULL_SCALE).collect();
        assert_eq!(back, Pcm { rate: 24_000, samples: expected.clone() });
        assert_eq!(encode(&expected, 24_000).unwrap(), bytes, "a second generation loses nothing");
    }

    #[test]
    fn any_length_survives_a_last_frame_of_few_samples_too() {
        for samples in (1..40).chain(4_096 - 2..4_096 + 40).chain([8_192, 8_193]) {
            let bytes = encode(&tone(samples), 24_000).unwrap();
            let back = decode_bytes(&bytes, here()).unwrap();
            assert_eq!(back.samples.len(), samples);
        }
    }

    #[test]
    fn impossible_samples_are_refused() {
        for pcm in [&[][..], &[0.0, f32::NAN], &[f32::INFINITY]] {
            assert_eq!(encode(pcm, 24_000).unwrap_err().kind(), AudioErrorKind::Take);
        }
        let message = encode(&[0.0, f32::NAN], 24_000).unwrap_err().to_string();
        assert_eq!(message, "the samples cannot become a take: sample 1 of 2 is NaN");
    }

    #[test]
    fn a_missing_take_is_named_with_what_to_do() {
        let error = decode(Path::new("nowhere/take.flac")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "take nowhere/take.flac is missing; run the job again to speak that segment anew"
        );
    }

    #[test]
    fn a_take_cut_at_any_byte_is_told_from_a_whole_one() {
        let bytes = encode(&tone(6_000), 24_000).unwrap();
        for end in 0..bytes.len() {
            let error = decode_bytes(&bytes[..end], here()).expect_err("a cut take");
            assert_eq!(error.kind(), AudioErrorKind::Take, "cut at {end}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_samples_survive(pcm in proptest::collection::vec(-1.2_f32..1.2, 1..9_000), rate in 8_000_u32..48_001) {
            let back = decode_bytes(&encode(&pcm, rate).unwrap(), here()).unwrap();
            prop_assert_eq!(back.rate, rate);
            let expected: Vec<f32> = pcm.iter().map(|&x| f32::from(to_i16(x)) / FULL_SCALE).collect();
            prop_assert_eq!(back.samples, expected);
        }

        #[test]
        fn a_changed_byte_in_the_sound_is_noticed(at in 0.0_f64..1.0, flip in 1_u8..=255) {
            let mut bytes = encode(&tone(6_000), 24_000).unwrap();
            // The 42 bytes of header hold sizes and a digest that claxon does not check.
            let at = 42 + ((bytes.len() - 43) as f64 * at) as usize;
            bytes[at] ^= flip;
            let error = decode_bytes(&bytes, here()).expect_err("a changed take");
            prop_assert_eq!(error.kind(), AudioErrorKind::Take);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut with_header = encode(&tone(50), 24_000).unwrap()[..42].to_vec();
            with_header.extend(&bytes);
            let _ = decode_bytes(&with_header, here());
            let _ = decode_bytes(&bytes, here());
        }
    }
}
