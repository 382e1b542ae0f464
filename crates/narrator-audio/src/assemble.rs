//! The whole way: takes in, a finished audiobook out.

use std::ops::ControlFlow;
use std::path::PathBuf;

use tracing::{info, warn};

use crate::assembly::{Assembly, Finished, Progress, check_settings};
use crate::dips::Dips;
use crate::error::AudioError;
use crate::ffmpeg::Ffmpeg;
use crate::folder::{Folder, file_name};
use crate::format::{Format, Output};
use crate::levels::{
    Levels, MAX_ENCODES, MAX_REHEARSALS, Next, corrected_levels, first_levels, limits, next_try,
};
use crate::part::Part;
use crate::picture;
use crate::render::{FileJob, Layout, Report, Shared, encode, measure_programme, rehearse, verify};
use crate::tags::{Mark, Tags, Track, chapter_title, language_code};

/// Assembles a book.
///
/// The programme is measured, mastered without being written until its loudness is right, then mastered
/// and encoded; what was written is decoded and measured again, and where a lossy format went over the
/// wanted peak it is encoded once more, with the level lowered there. Only then do the files get their
/// names. The same takes, settings and ffmpeg give the same bytes.
///
/// `ffmpeg` may be absent for formats that do not need it. `progress` is called on the caller's thread,
/// several times a second or so; [`ControlFlow::Break`] stops the work and leaves nothing behind.
pub fn assemble(
    assembly: &Assembly,
    output: &Output,
    ffmpeg: Option<&Ffmpeg>,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Finished, AudioError> {
    check_settings(&assembly.settings)?;
    let format = output.format();
    if format.needs_ffmpeg() && ffmpeg.is_none() {
        let looked = "NARRATOR_FFMPEG, PATH".to_owned();
        return Err(AudioError::NoFfmpeg { format: format.extension(), looked });
    }
    let mut report = |progress_now| match progress(progress_now) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(AudioError::Cancelled),
    };
    let claimed = claim(assembly, output)?;
    let layout = measure_programme(assembly, &mut report)?;
    info!(
        event = "audio_measured",
        samples = layout.samples,
        chapters = layout.chapters.len(),
        loudness_lufs = layout.takes.loudness_lufs,
        true_peak_db = layout.takes.true_peak_db,
        "measured the programme"
    );

    let (folder, mut files) = claimed.plan(assembly, &layout, format);
    let cover = prepare(assembly, format, ffmpeg, &mut files)?;
    let shared = Shared {
        format,
        rate: layout.rate,
        language: language_code(&assembly.metadata.language),
        settings: &assembly.settings,
        ffmpeg,
    };
    let master = master(assembly, &layout, &shared, &files, &mut report)?;

    let mut bytes = 0;
    for file in &files {
        bytes += file.part.sync()?;
    }
    let parts: Vec<(String, Part)> = files.into_iter().map(|file| (file.name, file.part)).collect();
    let files = match folder {
        Some(folder) => folder.commit(parts)?,
        None => parts.into_iter().map(|(_, part)| part.commit()).collect::<Result<_, _>>()?,
    };
    Ok(Finished {
        files,
        bytes,
        rate: layout.rate,
        samples: layout.samples,
        chapters: layout.chapters,
        placed: layout.placed,
        takes: layout.takes,
        delivered: master.delivered,
        gain_db: master.levels.gain_db,
        ceiling_db: master.levels.ceiling_db,
        encodes: master.encodes,
        cover,
    })
}

/// The places of the output, taken before any work is done for them.
#[derive(Debug)]
struct Claimed {
    folder: Option<Folder>,
    /// Name in the folder, and the part.
    parts: Vec<(String, Part)>,
}

fn claim(assembly: &Assembly, output: &Output) -> Result<Claimed, AudioError> {
    let sounding: Vec<(usize, &str)> = (1..)
        .zip(&assembly.chapters)
        .filter(|(_, chapter)| !chapter.pieces.is_empty())
        .map(|(number, chapter)| (number, &*chapter.title))
        .collect();
    if sounding.is_empty() {
        return Err(AudioError::NoSound);
    }
    match output {
        Output::File { path, .. } => {
            Ok(Claimed { folder: None, parts: vec![(String::new(), Part::create(path)?)] })
        }
        Output::Folder { path, format } => {
            let name = |(at, (number, title)): (usize, &(usize, &str))| {
                file_name(at + 1, sounding.len(), &chapter_title(title, *number), format.extension())
            };
            let names: Vec<String> = sounding.iter().enumerate().map(name).collect();
            let folder = Folder::claim(path, &names)?;
            let claimed = names.into_iter().map(|name| {
                let part = Part::create(&path.join(&name))?;
                Ok((name, part))
            });
            let parts = claimed.collect::<Result<_, AudioError>>()?;
            Ok(Claimed { folder: Some(folder), parts })
        }
    }
}

impl Claimed {
    /// Decides which stretch of the programme and which tags each file gets.
    fn plan(self, assembly: &Assembly, layout: &Layout, format: Format) -> (Option<Folder>, Vec<FileJob>) {
        let narrator = assembly.narrator.as_deref();
        let tags = |track: Option<(Track, &str)>, marks: Vec<Mark>| {
            Tags::new(format, &assembly.metadata, narrator, track, marks, layout.rate)
        };
        let job = |(name, part), start, end, tags| FileJob {
            name,
            part,
            start,
            end,
            tags,
            metadata: PathBuf::new(),
            cover: None,
        };
        let files = if self.folder.is_none() {
            let mark = |chapter: &crate::FinishedChapter| Mark {
                title: chapter.title.clone(),
                start: chapter.start,
                end: chapter.end,
            };
            let marks: Vec<Mark> = layout.chapters.iter().map(mark).collect();
            self.parts
                .into_iter()
                .map(|part| job(part, 0, layout.samples, tags(None, marks.clone())))
                .collect()
        } else {
            let of = layout.chapters.len();
            let numbered = (1..).zip(self.parts.into_iter().zip(&layout.chapters));
            let file = |(number, (part, chapter)): (usize, ((String, Part), &crate::FinishedChapter))| {
                let track = Some((Track { number, of }, &*chapter.title));
                job(part, chapter.start, chapter.end, tags(track, Vec::new()))
            };
            numbered.map(file).collect()
        };
        (self.folder, files)
    }
}

/// Writes what the encoder reads beside each part; returns whether the cover is in.
fn prepare(
    assembly: &Assembly,
    format: Format,
    ffmpeg: Option<&Ffmpeg>,
    files: &mut [FileJob],
) -> Result<bool, AudioError> {
    let Some(ffmpeg) = ffmpeg.filter(|_| format.needs_ffmpeg()) else { return Ok(false) };
    let mut image = assembly.cover.as_ref().map(|cover| &cover.bytes[..]);
    for file in files.iter_mut() {
        if let Some(bytes) = image {
            let path = file.part.put_beside(".cover", bytes)?;
            if file.start == 0 && (picture::media_type(bytes).is_none() || !ffmpeg.reads_image(&path)) {
                warn!(
                    event = "cover_left_out",
                    bytes = bytes.len(),
                    "the cover is no readable JPEG or PNG and is left out"
                );
                image = None;
            } else if format == Format::Opus {
                file.tags.put_picture(bytes);
            } else {
                file.cover = Some(path);
            }
        }
        file.metadata = file.part.put_beside(".tags", file.tags.to_ffmetadata().as_bytes())?;
    }
    Ok(image.is_some())
}

/// What mastering came to.
#[derive(Debug)]
struct Mastered {
    delivered: crate::Measurement,
    levels: Levels,
    encodes: u32,
}

/// Encodes until the delivered levels are right.
fn master(
    assembly: &Assembly,
    layout: &Layout,
    shared: &Shared<'_>,
    files: &[FileJob],
    report: Report<'_>,
) -> Result<Mastered, AudioError> {
    let settings = &assembly.settings;
    let mut levels = first_levels(&layout.takes, settings, shared.format);
    if limits(&layout.takes, levels) {
        for _ in 0..MAX_REHEARSALS {
            let rehearsed = rehearse(assembly, layout, levels, report)?;
            let (next, again) = corrected_levels(&rehearsed, settings, levels);
            levels = next;
            if !again {
                break;
            }
        }
    }
    let mut encodes = 0;
    let mut dips = Dips::default();
    let seconds = layout.samples as f64 / f64::from(layout.rate);
    loop {
        encodes += 1;
        let mut delivered = encode(assembly, layout, shared, files, (levels, &dips), report)?;
        let mut excesses = Vec::new();
        if let Some(ffmpeg) = shared.ffmpeg.filter(|_| shared.format.needs_ffmpeg()) {
            (delivered, excesses) = verify(shared, ffmpeg, files, report)?;
        }
        info!(
            event = "audio_encoded",
            encodes,
            gain_db = levels.gain_db,
            ceiling_db = levels.ceiling_db,
            dips = dips.len(),
            over = excesses.len(),
            loudness_lufs = delivered.loudness_lufs,
            true_peak_db = delivered.true_peak_db,
            "encoded and measured the audiobook"
        );
        match next_try(&delivered, &excesses, seconds, settings, (levels, &dips)) {
            Some(next) if encodes < MAX_ENCODES => Next { levels, dips } = next,
            _ => return Ok(Mastered { delivered, levels, encodes }),
        }
    }
}
