//! After the last take: the audiobook, its audit, its report, and the sentence for the morning.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use narrator_audio::{Assembly, ChapterAudio, Ffmpeg, Finished, Output, Piece, Progress, Stage};
use narrator_core::{Script, ScriptChapter, Settings};
use narrator_journal::{Replay, Standing, take_path};
use serde_json::json;

use narrator_pool::PoolEvent;

use super::check::hearers::Hearers;
use super::check::notes::Notes;
use super::page::{self, Page};
use super::places;
use super::report::{self, Checks, Missing, Report};
use crate::account;
use crate::audit::{self, Means, Outcome, Subject};
use crate::commands::plan::Tokens;
use crate::commands::verify;
use crate::error::Failure;
use crate::events::{EventLog, Level, now};
use crate::exit::Exit;
use crate::home::Home;
use crate::job::{JobDir, write_whole};
use crate::models::Model;
use crate::output;
use crate::planning::Planned;
use crate::progress::Display;

/// Silence in the place of a segment that could not be spoken, beyond its own pause: long enough to be
/// noticed as a gap.
const GAP_MS: u32 = 1500;

/// Everything that the audiobook is made from.
#[derive(Debug)]
pub struct Finishing<'a> {
    pub planned: &'a Planned,
    pub settings: &'a Settings,
    pub model: &'a Model,
    pub job: &'a JobDir,
    pub output: &'a Output,
    pub ffmpeg: Option<&'a Ffmpeg>,
    pub replay: &'a Replay,
    /// What was said of the takes.
    pub notes: &'a Notes,
    pub log: &'a EventLog,
    pub stop: &'a AtomicBool,
    /// Who listens; nobody when the checks are off.
    pub hearers: Option<&'a Hearers>,
    pub worker: &'a Path,
}

/// Segments of the script without a good take, and why.
pub fn missing(script: &Script, replay: &Replay) -> Vec<Missing> {
    let chapter_of = |index: u32| script.chapters.get(index as usize).map_or("", |chapter| &chapter.title);
    let reason = |standing: Standing<'_>| match standing {
        Standing::Done(_) => None,
        Standing::Quarantined(given_up) => Some(given_up.reason.clone()),
        Standing::Pending(_) => Some("not spoken yet".to_string()),
    };
    let segments = script.segments.iter().filter_map(|segment| {
        Some(Missing {
            segment: segment.id,
            chapter: chapter_of(segment.chapter).to_string(),
            text: segment.text.clone(),
            reason: reason(replay.standing(&segment.key))?,
            kept: replay.audible(&segment.key).map(|take| take.take),
        })
    });
    segments.collect()
}

/// Makes the audiobook unless it is there already, and says what came of the book.
pub fn finish(work: &Finishing<'_>, display: &mut Display) -> Result<Exit, Failure> {
    let script = &work.planned.plan.script;
    let missing = missing(script, work.replay);
    let gaps = missing.iter().filter(|missing| missing.kept.is_none()).count();
    if gaps == script.segments.len() {
        return Err(Failure::new(
            Exit::Quarantined,
            "not one segment could be spoken, so there is no audiobook",
        )
        .hint("`narratord logs --level warn` tells what went wrong"));
    }
    let exit = if missing.is_empty() { Exit::Done } else { Exit::Quarantined };
    let ledger = accounted(work);
    let how = json!({ "audio": work.settings.audio, "output": work.output.path(), "voice": work.planned.speech.voice });
    let hash = report::assembly_hash(script, &missing, work.replay, &work.planned.manuscript.metadata, &how);
    if let Some(report) = report::written(work.job, &hash).filter(|_| work.job.places().is_file()) {
        let report = Report { ledger, ..report };
        if report.audit.is_some() || work.hearers.is_none() || !work.settings.check.audit {
            display.clear();
            let path = work.output.path().display();
            output::note(format_args!("{path} is finished: nothing is left to do."));
            if let Some(fault) = &report.ledger {
                audit::tell_ledger(fault);
            }
            return Ok(judged(exit, &report));
        }
        return close(work, report, exit, display);
    }
    let finished = assemble(work, display)?;
    places::write(work.job, &places::of(script, work.replay, &finished))?;
    let report = Report {
        title: work.planned.manuscript.metadata.title.clone(),
        authors: work.planned.manuscript.metadata.authors.clone(),
        finished: now(),
        model: work.model.manifest.name.clone(),
        voice: work.planned.speech.voice.clone(),
        seed: work.planned.speech.seed,
        assembly: hash,
        files: finished
            .files
            .iter()
            .map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone()))
            .collect(),
        bytes: finished.bytes,
        audio_s: finished.duration().as_secs_f64(),
        segments: script.segments.len() as u32,
        spoken: (script.segments.len() - gaps) as u32,
        quarantined: missing,
        tokens: Tokens::of(&work.planned.plan.ledger),
        chapters: Report::chapters_of(&finished),
        ledger,
        loudness: finished.delivered,
        checks: work.hearers.map(|hearers| Checks::of(hearers, script, work.replay, work.notes)),
        audit: None,
    };
    write_report(work, &report)?;
    close(work, report, exit, display)
}

/// Holds script and ledger against the book's file once more, whoever made them: the last moment in which a
/// person can be told.
fn accounted(work: &Finishing<'_>) -> Option<String> {
    let planned = work.planned;
    let (script, ledger) = (&planned.plan.script, &planned.plan.ledger);
    let max_chars = work.settings.script.max_chars;
    let fault = account::fault(&planned.manuscript, &planned.wanted, script, ledger, max_chars);
    if let Some(detail) = &fault {
        work.log.emit(Level::Error, "ledger_broken", &json!({ "detail": detail }));
    }
    fault
}

/// The audit, the report with it, and the last words.
fn close(
    work: &Finishing<'_>,
    mut report: Report,
    exit: Exit,
    display: &mut Display,
) -> Result<Exit, Failure> {
    if let Some(hearers) = work.hearers.filter(|_| work.settings.check.audit) {
        report.audit = audited(work, hearers, &report, display)?;
        write_report(work, &report)?;
    }
    display.clear();
    page::write(&Page {
        script: &work.planned.plan.script,
        replay: work.replay,
        notes: work.notes,
        report: &report,
        audit: report.audit.as_ref(),
        places: &places::read(work.job),
        job: work.job,
        language: &work.planned.manuscript.metadata.language,
    })?;
    say(work, &report);
    Ok(judged(exit, &report))
}

/// A book that is not all there is not done, whatever its segments said.
fn judged(exit: Exit, report: &Report) -> Exit {
    let whole = report.ledger.is_none() && report.audit.as_ref().is_none_or(Outcome::is_whole);
    if whole { exit } else { Exit::Quarantined }
}

fn write_report(work: &Finishing<'_>, report: &Report) -> Result<(), Failure> {
    let text = serde_json::to_vec_pretty(report)
        .map_err(|error| Failure::new(Exit::Disk, "the report cannot be written").because(error))?;
    write_whole(&work.job.report(), &text)
}

/// Hears the finished audiobook. The book is there whatever comes of it: recognisers that fail cost the
/// audit and not the night.
fn audited(
    work: &Finishing<'_>,
    hearers: &Hearers,
    report: &Report,
    display: &mut Display,
) -> Result<Option<Outcome>, Failure> {
    let found;
    let ffmpeg = match work.ffmpeg {
        Some(ffmpeg) => ffmpeg,
        None => match Ffmpeg::find(&[Home::find().ffmpeg()]) {
            Ok(ffmpeg) => {
                found = ffmpeg;
                &found
            }
            Err(error) => {
                work.log.emit(Level::Warn, "audit_failed", &json!({ "why": error.to_string() }));
                return Ok(None);
            }
        },
    };
    let planned = work.planned;
    let subject = Subject {
        manuscript: &planned.manuscript,
        script: &planned.plan.script,
        ledger: &planned.wanted,
        files: &report.files,
    };
    work.log.emit(
        Level::Info,
        "audit_started",
        &json!({ "files": report.files, "recognisers": hearers.names() }),
    );
    let started = std::time::Instant::now();
    let told = |event: &PoolEvent| work.log.emit_named(event_level(event), event);
    let outcome = audit::run(
        &subject,
        &mut Means {
            ffmpeg,
            hearers,
            pool: &|hearer| verify::pool(work.worker, hearer),
            stop: work.stop,
            told: &told,
            progress: &mut |at| display.audit(at),
        },
    );
    match outcome {
        Ok(outcome) => {
            let outcome = Outcome { ledger: report.ledger.clone(), ..outcome };
            let level = if outcome.is_whole() { Level::Info } else { Level::Error };
            work.log.emit(
                level,
                "audit_finished",
                &json!({
                    "words_in_book": outcome.words_in_book,
                    "words_heard": outcome.words_heard,
                    "words_lost": outcome.words_lost,
                    "differences": outcome.differences.len(),
                    "unsure": outcome.unsure.len(),
                    "audio_s": outcome.audio_s,
                    "wall_s": started.elapsed().as_secs_f64(),
                }),
            );
            Ok(Some(outcome))
        }
        Err(failure) if failure.exit == Exit::Stopped => Err(failure),
        Err(failure) => {
            display.say(format_args!("warning: the audiobook could not be heard again: {}", failure.message));
            work.log.emit(Level::Warn, "audit_failed", &json!({ "why": failure.for_people() }));
            Ok(None)
        }
    }
}

fn event_level(event: &PoolEvent) -> Level {
    match event.what.level() {
        narrator_pool::Level::Debug => Level::Debug,
        narrator_pool::Level::Info => Level::Info,
        // A stretch that cannot be heard is in the report; nothing is at risk.
        narrator_pool::Level::Warn | narrator_pool::Level::Error => Level::Warn,
    }
}

fn assemble(work: &Finishing<'_>, display: &mut Display) -> Result<Finished, Failure> {
    let planned = work.planned;
    let takes = work.job.takes();
    let chapter = |chapter: &ScriptChapter| chapter_audio(&planned.plan.script, chapter, work.replay, &takes);
    let assembly = Assembly {
        chapters: planned.plan.script.chapters.iter().map(chapter).collect(),
        metadata: planned.manuscript.metadata.clone(),
        narrator: Some(planned.speech.voice.clone()),
        cover: planned.manuscript.cover.clone(),
        settings: work.settings.audio.clone(),
    };
    let started = std::time::Instant::now();
    work.log.emit(
        Level::Info,
        "assembly_started",
        &json!({ "chapters": assembly.chapters.len(), "output": work.output.path() }),
    );
    let mut show = |progress: Progress| {
        let name = match progress.stage {
            Stage::Measure => "measuring loudness",
            Stage::Rehearse => "mastering",
            Stage::Encode => "encoding",
            Stage::Verify => "checking the audiobook",
        };
        display.stage(name, progress.done as f64 / progress.total.max(1) as f64);
        if work.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let finished = narrator_audio::assemble(&assembly, work.output, work.ffmpeg, &mut show)?;
    work.log.emit(
        Level::Info,
        "assembly_finished",
        &json!({
            "files": finished.files,
            "bytes": finished.bytes,
            "audio_s": finished.duration().as_secs_f64(),
            "gain_db": finished.gain_db,
            "loudness_lufs": finished.delivered.loudness_lufs,
            "true_peak_db": finished.delivered.true_peak_db,
            "wall_s": started.elapsed().as_secs_f64(),
        }),
    );
    Ok(finished)
}

/// A chapter's takes; a missing one leaves a gap after the take before it.
fn chapter_audio(script: &Script, chapter: &ScriptChapter, replay: &Replay, takes: &Path) -> ChapterAudio {
    let mut pieces: Vec<Piece> = Vec::new();
    for segment in &script.segments[chapter.segments.start as usize..chapter.segments.end as usize] {
        if let Some(audible) = replay.audible(&segment.key) {
            let take: PathBuf = take_path(takes, &segment.key, audible.take);
            pieces.push(Piece { take, pause_after_ms: segment.pause_after_ms });
        } else if let Some(before) = pieces.last_mut() {
            before.pause_after_ms += GAP_MS + segment.pause_after_ms;
        }
    }
    ChapterAudio { title: chapter.title.clone(), pieces }
}

/// The sentence for the morning.
fn say(work: &Finishing<'_>, report: &Report) {
    output::note(report.tokens.line() + ".");
    for gap in report.quarantined.iter().take(20) {
        output::note(format_args!(
            "{}: segment {} in “{}”: “{}” ({})",
            if gap.kept.is_some() { "DOUBTFUL" } else { "NOT SPOKEN" },
            gap.segment,
            gap.chapter,
            gap.text,
            gap.reason
        ));
    }
    if report.quarantined.len() > 20 {
        output::note(format_args!("… and {} more: see report.json", report.quarantined.len() - 20));
    }
    output::note(format_args!(
        "{}: {} in {} chapters, {:.1} MB{}.",
        work.output.path().display(),
        output::duration(report.audio_s),
        report.chapters.len(),
        report.bytes as f64 / 1e6,
        report.loudness.loudness_lufs.map_or_else(String::new, |lufs| format!(", {lufs:.1} LUFS")),
    ));
    if let Some(audit) = &report.audit {
        audit::tell(audit);
        output::note(format_args!("{}: {}.", work.job.page().display(), audit.sentence));
    } else if let Some(fault) = &report.ledger {
        audit::tell_ledger(fault);
    }
}

impl From<narrator_audio::AudioError> for Failure {
    fn from(error: narrator_audio::AudioError) -> Self {
        use narrator_audio::{AudioError, AudioErrorKind as Kind};
        let exit = match (&error, error.kind()) {
            (AudioError::Disk { source, .. }, Kind::Disk)
                if source.kind() != std::io::ErrorKind::NotFound =>
            {
                Exit::Disk
            }
            (_, Kind::MissingProgram | Kind::Disk) => Exit::Missing,
            // A take that is lost is spoken again by the next run.
            (_, Kind::Take | Kind::Cancelled) => Exit::Stopped,
            (_, Kind::Empty | Kind::Unplayable) => Exit::BadInput,
            (_, Kind::Settings) => Exit::BadSettings,
            (_, Kind::Output) => Exit::Usage,
            (_, Kind::Encoder) => Exit::Disk,
        };
        Self::of(exit, &error)
    }
}
