//! The two passes over the programme: measuring it, and mastering it into files.

use std::io;
use std::path::PathBuf;

use narrator_core::settings::Audio;

use crate::assembly::{Assembly, FinishedChapter, PlacedTake, Progress, Stage};
use crate::dips::{Dips, Excess, Excesses};
use crate::encoder::{self, EncodeJob, Encoder};
use crate::error::AudioError;
use crate::ffmpeg::Ffmpeg;
use crate::format::Format;
use crate::levels::{Levels, factor};
use crate::limiter::Limiter;
use crate::loudness::{Measurement, Meter};
use crate::part::Part;
use crate::programme;
use crate::tags::{Tags, chapter_title};

/// Says how far it is; an error from it, which is [`AudioError::Cancelled`], ends the work.
pub(crate) type Report<'a> = &'a mut dyn FnMut(Progress) -> Result<(), AudioError>;

/// The programme as it was found by the first pass.
#[derive(Debug)]
pub(crate) struct Layout {
    pub rate: u32,
    pub samples: u64,
    pub takes: Measurement,
    /// Only those with sound.
    pub chapters: Vec<FinishedChapter>,
    pub placed: Vec<PlacedTake>,
}

/// One file to be written: a stretch of the programme.
#[derive(Debug)]
pub(crate) struct FileJob {
    /// Its name in the folder, when there is one.
    pub name: String,
    pub part: Part,
    pub start: u64,
    pub end: u64,
    pub tags: Tags,
    pub metadata: PathBuf,
    pub cover: Option<PathBuf>,
}

/// What all files have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared<'a> {
    pub format: Format,
    pub rate: u32,
    pub language: &'a str,
    pub settings: &'a Audio,
    pub ffmpeg: Option<&'a Ffmpeg>,
}

/// Reads every take once: proves that all are there and whole, finds where chapters begin, and measures.
pub(crate) fn measure_programme(assembly: &Assembly, report: Report<'_>) -> Result<Layout, AudioError> {
    let total = assembly.chapters.iter().map(|chapter| chapter.pieces.len() as u64).sum();
    let mut meter: Option<(u32, Meter)> = None;
    let mut starts: Vec<(usize, u64)> = Vec::new();
    let mut placed: Vec<PlacedTake> = Vec::new();
    let mut samples = 0_u64;
    programme::stream(&assembly.chapters, |block| {
        starts.extend(block.begins.map(|chapter| (chapter, samples)));
        let start = samples;
        samples += block.samples.len() as u64;
        placed.extend(block.cut.map(|cut| PlacedTake { start, end: samples, cut }));
        let (_, meter) = match &mut meter {
            Some(meter) => meter,
            none => none.insert((block.rate, Meter::new(block.rate)?)),
        };
        meter.add(&block.samples);
        report(Progress { stage: Stage::Measure, done: block.takes, total })
    })?;
    let Some((rate, meter)) = meter else { return Err(AudioError::NoSound) };
    let ends = starts.iter().skip(1).map(|&(_, start)| start).chain([samples]);
    let chapters = starts.iter().zip(ends).map(|(&(chapter, start), end)| {
        let title = chapter_title(&assembly.chapters[chapter].title, chapter + 1);
        FinishedChapter { title, start, end }
    });
    Ok(Layout { rate, samples, takes: meter.measurement(), chapters: chapters.collect(), placed })
}

/// Where mastered samples go.
#[derive(Debug)]
enum Writer {
    Encoder(Encoder),
    Wav(crate::wav::WavWriter),
}

fn start_writer(shared: &Shared<'_>, file: &FileJob) -> Result<Writer, AudioError> {
    let Some(ffmpeg) = shared.ffmpeg.filter(|_| shared.format.needs_ffmpeg()) else {
        let wav =
            crate::wav::WavWriter::start(file.part.open()?, shared.rate, file.end - file.start, &file.tags);
        return Ok(Writer::Wav(wav.map_err(AudioError::disk("write", file.part.path()))?));
    };
    let job = EncodeJob {
        format: shared.format,
        rate: shared.rate,
        bitrate_kbps: shared.settings.bitrate_kbps,
        metadata: file.metadata.clone(),
        cover: file.cover.clone(),
        language: shared.language.to_owned(),
        target: file.part.path().to_owned(),
    };
    Ok(Writer::Encoder(encoder::start(ffmpeg, &job)?))
}

/// Cuts the mastered programme into its files.
#[derive(Debug)]
struct Cutter<'a> {
    shared: &'a Shared<'a>,
    files: &'a [FileJob],
    /// Files finished, and samples written in all.
    finished: usize,
    position: u64,
    writer: Option<Writer>,
}

impl Cutter<'_> {
    fn write(&mut self, mut samples: &[f32]) -> Result<(), AudioError> {
        while let (Some(file), false) = (self.files.get(self.finished), samples.is_empty()) {
            let writer = match &mut self.writer {
                Some(writer) => writer,
                none => none.insert(start_writer(self.shared, file)?),
            };
            let room = (file.end - self.position).min(samples.len() as u64) as usize;
            let (now, later) = samples.split_at(room);
            match writer {
                Writer::Encoder(encoder) => encoder.write(now)?,
                Writer::Wav(wav) => wav.write(now).map_err(disk(file))?,
            }
            self.position += room as u64;
            samples = later;
            if self.position == file.end {
                match self.writer.take() {
                    Some(Writer::Encoder(encoder)) => encoder.finish()?,
                    Some(Writer::Wav(wav)) => wav.finish().map_err(disk(file))?,
                    None => {}
                }
                self.finished += 1;
            }
        }
        Ok(())
    }
}

fn disk(file: &FileJob) -> impl FnOnce(io::Error) -> AudioError {
    AudioError::disk("write", file.part.path())
}

/// Streams the programme through gain, limiter and dips; the samples keep their number and their places.
fn mastered(
    assembly: &Assembly,
    rate: u32,
    (levels, dips): (Levels, &Dips),
    mut give: impl FnMut(&[f32]) -> Result<(), AudioError>,
) -> Result<(), AudioError> {
    let gain = factor(levels.gain_db);
    let mut dipper = dips.start(rate);
    let mut limiter = Limiter::new(factor(levels.ceiling_db), rate);
    let mut out = Vec::new();
    programme::stream(&assembly.chapters, |mut block| {
        for x in &mut block.samples {
            *x *= gain;
        }
        limiter.process(&block.samples, &mut out);
        dipper.apply(&mut out);
        give(&out)?;
        out.clear();
        Ok(())
    })?;
    limiter.finish(&mut out);
    dipper.apply(&mut out);
    give(&out)
}

/// Masters the programme for the meter alone: what the limiter takes is known before anything is encoded.
pub(crate) fn rehearse(
    assembly: &Assembly,
    layout: &Layout,
    levels: Levels,
    report: Report<'_>,
) -> Result<Measurement, AudioError> {
    let mut meter = Meter::new(layout.rate)?;
    let mut done = 0;
    mastered(assembly, layout.rate, (levels, &Dips::default()), |samples| {
        meter.add(samples);
        done += samples.len() as u64;
        report(Progress { stage: Stage::Rehearse, done, total: layout.samples })
    })?;
    Ok(meter.measurement())
}

/// Masters the programme into `files`, which follow each other without a gap. What was delivered is
/// measured here for a format that gives the samples back as they were, else by [`verify`].
pub(crate) fn encode(
    assembly: &Assembly,
    layout: &Layout,
    shared: &Shared<'_>,
    files: &[FileJob],
    levels: (Levels, &Dips),
    report: Report<'_>,
) -> Result<Measurement, AudioError> {
    let mut meter = Meter::new(layout.rate)?;
    let mut cutter = Cutter { shared, files, finished: 0, position: 0, writer: None };
    mastered(assembly, layout.rate, levels, |samples| {
        if !shared.format.needs_ffmpeg() {
            meter.add(samples);
        }
        cutter.write(samples)?;
        report(Progress { stage: Stage::Encode, done: cutter.position, total: layout.samples })
    })?;
    let found = cutter.position;
    if found != layout.samples {
        // Someone changed the takes while they were read.
        let path = files.first().map(|file| file.part.path().to_owned()).unwrap_or_default();
        return Err(AudioError::WrongLength { path, expected: layout.samples, found });
    }
    Ok(meter.measurement())
}

/// Decodes what was written and measures it as one programme; also gives the places that are higher than
/// wanted.
pub(crate) fn verify(
    shared: &Shared<'_>,
    ffmpeg: &Ffmpeg,
    files: &[FileJob],
    report: Report<'_>,
) -> Result<(Measurement, Vec<Excess>), AudioError> {
    let rate = encoder::decoded_rate(shared.format, shared.rate);
    let wanted_db = shared.settings.true_peak_db;
    let mut meter = Meter::watching(rate, factor(wanted_db))?;
    let mut excesses = Excesses::default();
    let total = files.last().map_or(0, |file| file.end);
    for file in files {
        let mut heard = 0_u64;
        encoder::decode(
            ffmpeg,
            file.part.path(),
            shared.format,
            shared.rate,
            file.end - file.start,
            |samples| {
                meter.add(samples);
                for (at, peak) in meter.take_over() {
                    let at = at * u64::from(shared.rate) / u64::from(rate);
                    let db = 20.0 * f64::from(peak).log10() - wanted_db;
                    excesses.add(shared.rate, Excess { at, db });
                }
                heard += samples.len() as u64;
                let done = file.start + heard * u64::from(shared.rate) / u64::from(rate);
                report(Progress { stage: Stage::Verify, done, total })
            },
        )?;
    }
    Ok((meter.measurement(), excesses.into_inner()))
}
