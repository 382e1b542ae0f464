//! One file through ffmpeg: samples in, an encoded file out, and back again to be measured.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::error::AudioError;
use crate::ffmpeg::{Ffmpeg, Run, encoder_name, file_url};
use crate::format::Format;

/// Opus knows its own rates only; it decodes at this one.
const OPUS_RATE: u32 = 48_000;

/// What an encoder may add at the end to fill its last frame, in samples: two frames of AAC or MP3.
/// Players cut it by the edit list or the gapless tag; not every decoder does.
const PADDING: u64 = 2304;

/// What is written, and beside what.
#[derive(Clone, Debug)]
pub(crate) struct EncodeJob {
    pub format: Format,
    pub rate: u32,
    pub bitrate_kbps: u32,
    /// In ffmpeg's metadata format.
    pub metadata: PathBuf,
    /// Attached as a picture, where the format has a place for one.
    pub cover: Option<PathBuf>,
    pub language: String,
    pub target: PathBuf,
}

impl EncodeJob {
    /// ffmpeg's arguments. Nothing in the output depends on the time, the machine or ffmpeg's version
    /// string, so that the same book gives the same bytes.
    fn args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        let mut add = |text: &str| args.extend(text.split(' ').map(OsString::from));
        add("-hide_banner -nostdin -v error -xerror -y");
        add(&format!("-f f32le -ar {} -ac 1 -i pipe:0 -f ffmetadata -i", self.rate));
        args.push(file_url(&self.metadata));
        if let Some(cover) = &self.cover {
            args.extend([OsString::from("-i"), file_url(cover)]);
        }
        let mut add = |text: &str| args.extend(text.split(' ').map(OsString::from));
        add("-map 0:a -map_metadata 1 -map_chapters 1 -fflags +bitexact -flags:a +bitexact");
        if let Some(encoder) = encoder_name(self.format) {
            add("-c:a");
            add(encoder);
        }
        if self.format.is_lossy() {
            add(&format!("-b:a {}k", self.bitrate_kbps));
        }
        if self.cover.is_some() {
            add("-map 2:v -c:v copy -disposition:v:0 attached_pic -metadata:s:v");
            args.push("title=Album cover".into());
            args.extend(["-metadata:s:v", "comment=Cover (front)"].map(OsString::from));
        }
        let mut add = |text: &str| args.extend(text.split(' ').map(OsString::from));
        match self.format {
            // The fast coder does 450 times real time a core where the two-loop one does 130, and at
            // 64 kb/s of mono speech their errors are the same: docs/benchmarks.md.
            Format::M4b => {
                add("-aac_coder fast -metadata:s:a:0");
                args.push(format!("language={}", self.language).into());
                args.extend(["-movflags", "+faststart", "-brand", "M4B ", "-f", "ipod"].map(OsString::from));
            }
            Format::Mp3 => add("-id3v2_version 3 -f mp3"),
            Format::Opus => add("-frame_duration 60 -f ogg"),
            Format::Flac => add("-sample_fmt s16 -f flac"),
            Format::Wav => {}
        }
        args.push(file_url(&self.target));
        args
    }
}

/// A file being encoded.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// None after it broke off.
    run: Option<Run>,
    program: PathBuf,
    target: PathBuf,
    bytes: Vec<u8>,
}

/// Starts to encode.
pub(crate) fn start(ffmpeg: &Ffmpeg, job: &EncodeJob) -> Result<Encoder, AudioError> {
    let run = ffmpeg.start(job.args(), Stdio::piped(), Stdio::null())?;
    let (program, target) = (ffmpeg.program().to_owned(), job.target.clone());
    Ok(Encoder { run: Some(run), program, target, bytes: Vec::new() })
}

impl Encoder {
    pub fn write(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        self.bytes.clear();
        self.bytes.extend(samples.iter().flat_map(|x| x.to_le_bytes()));
        match self.run.as_mut().map(|run| run.write(&self.bytes)) {
            Some(Ok(())) => Ok(()),
            // It closed its input: its end says why.
            _ => self.end().and(Err(AudioError::Encoder {
                program: self.program.clone(),
                action: "encoding".into(),
                how: "it closed its input before the end".into(),
                said: String::new(),
            })),
        }
    }

    pub fn finish(mut self) -> Result<(), AudioError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), AudioError> {
        let Some(run) = self.run.take() else { return Ok(()) };
        run.finish("encoding").map_err(|error| match error {
            AudioError::Disk { action, source, .. } => {
                AudioError::Disk { action, path: self.target.clone(), source }
            }
            other => other,
        })
    }
}

/// The rate at which a format comes back.
pub(crate) fn decoded_rate(format: Format, rate: u32) -> u32 {
    if format == Format::Opus { OPUS_RATE } else { rate }
}

/// Decodes what was written and hands the samples to `listen`; `expected` is how many samples of `rate`
/// went in. A file that holds fewer is an error, what pads its end is left out.
pub(crate) fn decode(
    ffmpeg: &Ffmpeg,
    path: &Path,
    format: Format,
    rate: u32,
    expected: u64,
    mut listen: impl FnMut(&[f32]) -> Result<(), AudioError>,
) -> Result<(), AudioError> {
    let out_rate = decoded_rate(format, rate);
    let mut args: Vec<OsString> =
        ["-hide_banner", "-nostdin", "-v", "error", "-xerror", "-i"].map(OsString::from).into();
    args.push(file_url(path));
    let rest = format!("-map 0:a -c:a pcm_f32le -ar {out_rate} -ac 1 -f f32le pipe:1");
    args.extend(rest.split(' ').map(OsString::from));

    let expected = expected * u64::from(out_rate) / u64::from(rate);
    let mut run = ffmpeg.start(args, Stdio::null(), Stdio::piped())?;
    let mut found = 0_u64;
    if let Some(mut stdout) = run.stdout.take() {
        let mut bytes = vec![0_u8; 256 * 1024];
        let mut samples = Vec::with_capacity(bytes.len() / 4);
        let mut held = 0;
        loop {
            let count = match stdout.read(&mut bytes[held..]) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(AudioError::Disk { action: "read back", path: path.to_owned(), source });
                }
            };
            let whole = (held + count) / 4 * 4;
            samples.clear();
            samples
                .extend(bytes[..whole].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            bytes.copy_within(whole..held + count, 0);
            held = held + count - whole;
            let wanted = expected.saturating_sub(found).min(samples.len() as u64) as usize;
            found += samples.len() as u64;
            listen(&samples[..wanted])?;
        }
    }
    run.finish("reading back what it wrote")?;
    if found < expected || found > expected + PADDING {
        return Err(AudioError::WrongLength { path: path.to_owned(), expected, found });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_of_an_m4b() {
        let job = EncodeJob {
            format: Format::M4b,
            rate: 24_000,
            bitrate_kbps: 64,
            metadata: "b.m4b.part.tags".into(),
            cover: Some("b.m4b.part.cover".into()),
            language: "eng".into(),
            target: "-b.m4b.part".into(),
        };
        let args: Vec<_> = job.args().iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        insta::assert_snapshot!(args.join(" "), @"-hide_banner -nostdin -v error -xerror -y -f f32le -ar 24000 -ac 1 -i pipe:0 -f ffmetadata -i file:b.m4b.part.tags -i file:b.m4b.part.cover -map 0:a -map_metadata 1 -map_chapters 1 -fflags +bitexact -flags:a +bitexact -c:a aac -b:a 64k -map 2:v -c:v copy -disposition:v:0 attached_pic -metadata:s:v title=Album cover -metadata:s:v comment=Cover (front) -aac_coder fast -metadata:s:a:0 language=eng -movflags +faststart -brand M4B  -f ipod file:-b.m4b.part");
    }
}
