//! `narratord run`: a book in, an audiobook out.
//!
//! ```text
//!  settings, model, book ─▶ plan ─▶ job folder ─▶ speak, hear ─▶ finish
//!  everything that can be   nothing   lock,         pools,         audiobook,
//!  refused, is refused here is lost   journal       keeper, checks report
//! ```
//!
//! Invariants:
//! - what can be refused is refused before the job folder exists;
//! - the job is in the catalog before it starts;
//! - a segment counts as done when its take and its record are durable, and not before;
//! - the same command resumes: results are found by content key.

pub mod check;
mod finish;
mod keeper;
mod page;
mod places;
pub mod report;
pub mod signals;
mod speak;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use narrator_audio::{Ffmpeg, Output};
use narrator_core::settings::Speech;
use narrator_core::{ContentKey, SegmentKind, Settings};
use narrator_journal::{Digest, JobLock, RunId, RunOpened};
use serde_json::json;

use crate::catalog::{self, Catalog, Ending, Entry};
use crate::cli::RunArgs;
use crate::error::Failure;
use crate::events::{self, EventLog, Level};
use crate::exit::Exit;
use crate::home::{self, Home};
use crate::job::{JobDir, JobFacts, JobFile, changed_settings, remove_if_there, write_whole};
use crate::models::{self, Model, VoiceAt, Wanted};
use crate::planning::{self, Planned};
use crate::progress::{Display, Tally};
use crate::trace::Route;
use crate::{config, memory, output, voices};

use check::hearers::{self, Hearers};
use check::notes;
use finish::Finishing;
use keeper::Keeper;
use narrator_pool::{NvidiaSmi, Seat, Stopped};
use signals::Signals;
use speak::Speaking;

/// Free space that a run wants beyond what its takes and audiobook need.
const SPARE_BYTES: u64 = 200 << 20;
/// A second of a take as FLAC: 24 kHz, 16 bits, speech and pauses; measured at 22 to 28 kB.
const TAKE_BYTES_A_SECOND: f64 = 30_000.0;

/// Everything that a run needs, found and checked.
#[derive(Debug)]
struct Prepared {
    settings: Settings,
    output: Output,
    ffmpeg: Option<Ffmpeg>,
    worker: PathBuf,
    model: Model,
    /// What the worker is asked to speak with: a voice of the model by name, or a file.
    voice: String,
    /// The voice was cloned from a clip without its words.
    voice_is_timbre: bool,
    planned: Planned,
    job: JobDir,
    /// Nobody chose the starter voice: it speaks because nothing better is here.
    makeshift: bool,
    /// Who listens to the takes, or why nobody does.
    hearers: Result<Hearers, String>,
}

pub fn run(args: &RunArgs, traces: &Route) -> Result<Exit, Failure> {
    let work = prepare(args)?;
    std::fs::create_dir_all(&work.job.root).map_err(|error| Failure::io("make", &work.job.root, error))?;
    let _lock = JobLock::acquire(&work.job.root)?;
    let catalog = Catalog::of_user();
    let entry = enter(&catalog, &work)?;
    let signals = Signals::catch();
    let (log, writer) = events::open(&work.job.logs());
    traces.to(Some(log.clone()));
    let result = narrate(args, &work, &log, &signals);
    let (exit, failure) = match &result {
        Ok(exit) => (*exit, None),
        Err(failure) => (failure.exit, Some(failure.for_people())),
    };
    let level = match exit {
        Exit::Done => Level::Info,
        Exit::Stopped | Exit::Quarantined => Level::Warn,
        _ => Level::Error,
    };
    log.emit(
        level,
        "run_finished",
        &json!({ "exit": exit.code(), "meaning": exit.meaning(), "failure": failure }),
    );
    traces.to(None);
    drop(log);
    drop(writer);
    let ending = if exit == Exit::Stopped && signals.by_person() {
        Ending::StoppedByPerson
    } else {
        Ending::Exited { code: exit.code() }
    };
    // The job itself is safe on disk: a catalog that cannot be written is worth a line, not a failure.
    if let Err(failure) = catalog.put(&Entry { ending, ..entry }) {
        output::note(failure.for_people());
    }
    result
}

/// Finds and checks everything; refuses what can be refused.
fn prepare(args: &RunArgs) -> Result<Prepared, Failure> {
    let mut settings = config::for_run(args)?;
    let home = Home::find();
    let output = Output::parse(&output_path(args), None)?;
    check_place(output.path())?;
    let ffmpeg = if output.format().needs_ffmpeg() {
        let ffmpeg = Ffmpeg::find(&[home.ffmpeg()])?;
        ffmpeg.check(output.format())?;
        Some(ffmpeg)
    } else {
        None
    };
    let worker = home::worker_program(settings.workers.program.as_deref())?;
    let job = args.job.as_deref().map_or_else(|| JobDir::beside(output.path()), JobDir::new);
    let job = JobDir::new(std::path::absolute(&job.root).map_err(|e| Failure::io("find", &job.root, e))?);
    let before = JobFile::read(&job)?.map(|file| file.settings.speech).unwrap_or_default();
    let wanted = Wanted {
        model: settings.speech.model.as_deref(),
        voice: settings.speech.voice.as_deref(),
        before: before.model.as_deref(),
    };
    let model = models::choose(&home, wanted)?;
    let makeshift = settings.speech.model.is_none() && model.manifest.name == models::STARTER;
    keep_choice(&mut settings.speech, before, &model);
    let planned = planning::plan(&args.book, &settings, Some(&model))?;
    let voice = match &planned.speaker {
        Some(speaker) => {
            settings.speech.voice = Some(speaker.setting.clone());
            voices::for_worker(speaker, &model, &worker)?
        }
        None => planned.speech.voice.clone(),
    };
    let voice_is_timbre = planned.speaker.as_ref().is_some_and(|speaker| match &speaker.at {
        VoiceAt::User(voice) => voice.file.text.is_none(),
        VoiceAt::Model | VoiceAt::File(_) => false,
    });
    let hearers =
        hearers::choose(&home, &settings.check, &planned.speech.language, &settings.workers.devices)?;
    Ok(Prepared {
        settings,
        output,
        ffmpeg,
        worker,
        model,
        voice,
        voice_is_timbre,
        planned,
        job,
        makeshift,
        hearers,
    })
}

/// Puts down the model that speaks, so that the same command goes on with it whatever is installed later;
/// with the voice that the job began with, where no other is asked for.
fn keep_choice(speech: &mut Speech, before: Speech, model: &Model) {
    let absolute = |name: String| {
        let path = Path::new(&name);
        if path.is_dir() {
            std::path::absolute(path).map_or(name, |path| path.display().to_string())
        } else {
            name
        }
    };
    let chosen = absolute(speech.model.take().unwrap_or_else(|| model.handle()));
    if before.model.as_deref() == Some(chosen.as_str()) && speech.voice.is_none() {
        speech.voice = before.voice;
    }
    speech.model = Some(chosen);
}

/// Without `-o`: the book's name, as M4B, where the command was given.
fn output_path(args: &RunArgs) -> PathBuf {
    args.output.clone().unwrap_or_else(|| {
        let stem = args.book.book.file_stem().unwrap_or_default();
        let mut name = stem.to_os_string();
        name.push(".m4b");
        PathBuf::from(name)
    })
}

fn check_place(output: &Path) -> Result<(), Failure> {
    let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty());
    match parent {
        Some(parent) if !parent.is_dir() => {
            Err(Failure::new(Exit::Missing, format!("there is no folder {}", parent.display()))
                .hint("make it first, or choose another output with -o"))
        }
        _ => Ok(()),
    }
}

/// Puts the job into the catalog, keeping what `supervise` counted.
fn enter(catalog: &Catalog, work: &Prepared) -> Result<Entry, Failure> {
    let supervised = std::env::var_os(crate::commands::supervise::MARK).is_some();
    let known = catalog.get(&work.job.root);
    // A retake is the same job once more: it is started again by the command that it was started with.
    let retaken = std::env::args().nth(1).is_some_and(|command| command == "retake");
    let known = known.filter(|_| supervised || retaken);
    let directory = std::env::current_dir()
        .map_err(|error| Failure::new(Exit::Missing, "the current folder is gone").because(error))?;
    let fresh = Entry {
        title: work.planned.manuscript.metadata.title.clone(),
        folder: work.job.root.clone(),
        directory,
        arguments: std::env::args().skip(1).collect(),
        environment: catalog::environment_to_keep(),
        started: events::now(),
        tries: 0,
        tries_without_progress: 0,
        done_at_restart: 0,
        ending: Ending::Unknown,
    };
    let entry = match known {
        Some(known) => Entry { ending: Ending::Unknown, ..known },
        None => fresh,
    };
    catalog.put(&entry)?;
    Ok(entry)
}

fn narrate(args: &RunArgs, work: &Prepared, log: &EventLog, signals: &Signals) -> Result<Exit, Failure> {
    let mut display = Display::new(args.plain);
    let script = &work.planned.plan.script;
    let before = JobFile::read(&work.job)?;
    let run = RunId::random();
    let (keeper, warnings) = Keeper::open(&work.job, script, &opening(work, run), log.clone())?;
    for warning in &warnings {
        display.say(format_args!("warning: {warning}"));
        log.emit(Level::Warn, "journal_warning", &json!({ "detail": warning.to_string() }));
    }
    write_job(work, args)?;
    let mut tally = Tally::new(script.segments.len() as u32, characters(script.segments.iter()));
    let hearers = work.hearers.as_ref().ok();
    let notes = hearers.map_or_else(notes::Notes::new, |_| notes::read(&work.job));
    let settled = |key: &ContentKey, take| {
        hearers.is_none_or(|hearers| notes::is_judged(&notes, key, take, hearers.strict))
    };
    let pending = keeper.tally_up(&mut tally, settled);
    announce(work, before.as_ref(), pending.len(), &display, log, run);
    check_space(work, &pending)?;

    let keeper = Arc::new(keeper);
    if !pending.is_empty() {
        let (seats, listening) = seated(work, pending.len(), hearers, &display, log)?;
        let speaking = Speaking {
            work,
            run,
            pending,
            keeper: &keeper,
            log,
            signals,
            seats,
            checks: listening.as_ref().map(|hearers| (hearers, &notes)),
        };
        let stopped = speak::speak(speaking, tally, &mut display)?;
        if let Some(failure) = after(&stopped) {
            display.clear();
            keeper.close(failure.exit);
            return Err(failure);
        }
    }
    let replay = keeper.replay();
    let notes = notes::read(&work.job);
    notes::write_words(&work.job, script, &replay, &notes)?;
    let result = finish::finish(
        &Finishing {
            planned: &work.planned,
            settings: &work.settings,
            model: &work.model,
            job: &work.job,
            output: &work.output,
            ffmpeg: work.ffmpeg.as_ref(),
            replay: &replay,
            notes: &notes,
            log,
            stop: signals.asked(),
            hearers,
            worker: &work.worker,
        },
        &mut display,
    );
    display.clear();
    keeper.close(result.as_ref().map_or_else(|failure| failure.exit, |exit| *exit));
    result
}

fn opening(work: &Prepared, run: RunId) -> RunOpened {
    let settings = toml::to_string(&work.settings).unwrap_or_default();
    RunOpened {
        run,
        plan: Digest(work.planned.plan.script.plan_hash()),
        settings: Digest::of(settings.as_bytes()),
        at_ms: narrator_core::clock::unix_ms(),
        build: format!("narratord {}", env!("CARGO_PKG_VERSION")),
        model_hash: work.planned.speech.model_hash.clone(),
    }
}

fn write_job(work: &Prepared, args: &RunArgs) -> Result<(), Failure> {
    let (planned, job) = (&work.planned, &work.job);
    let mut script = Vec::new();
    narrator_script::write_script(&planned.plan.script, &mut script)?;
    write_whole(&job.script(), &script)?;
    let mut ledger = Vec::new();
    narrator_script::write_ledger(&planned.plan.ledger, &mut ledger)?;
    write_whole(&job.ledger(), &ledger)?;
    match &planned.lexicon {
        Some(text) => write_whole(&job.lexicon(), text.as_bytes())?,
        None => remove_if_there(&job.lexicon())?,
    }
    let facts = JobFacts {
        title: planned.manuscript.metadata.title.clone(),
        source: planned.source.path.clone(),
        source_bytes: planned.source.bytes,
        source_blake3: planned.source.blake3.clone(),
        output: std::path::absolute(work.output.path()).unwrap_or_else(|_| work.output.path().to_path_buf()),
        chapters: args.book.chapters.clone(),
        segments: planned.plan.script.segments.len() as u32,
        characters: characters(planned.plan.script.segments.iter()),
    };
    JobFile { job: facts, settings: work.settings.clone() }.write(job)
}

/// Characters to speak.
fn characters<'a>(segments: impl Iterator<Item = &'a narrator_core::Segment>) -> u64 {
    segments.map(|segment| segment.text.chars().count() as u64).sum()
}

/// Says what is about to happen, and what changed since the last time.
fn announce(
    work: &Prepared,
    before: Option<&JobFile>,
    pending: usize,
    display: &Display,
    log: &EventLog,
    run: RunId,
) {
    let (planned, segments) = (&work.planned, work.planned.plan.script.segments.len());
    let metadata = &planned.manuscript.metadata;
    let changes = before.map_or_else(Vec::new, |before| changed_settings(&before.settings, &work.settings));
    let other_book = before.is_some_and(|before| before.job.source_blake3 != planned.source.blake3);
    if !changes.is_empty() {
        display.say(format_args!("Settings changed since the last run: {}.", changes.join(", ")));
        log.emit(Level::Info, "settings_changed", &json!({ "changes": changes }));
    }
    if other_book {
        display.say("The book's file changed since the last run.");
        log.emit(Level::Info, "book_changed", &json!({ "source": planned.source.path }));
    }
    let headings = planned.plan.script.segments.iter().filter(|s| s.kind == SegmentKind::Heading).count();
    log.emit(
        Level::Info,
        "run_started",
        &json!({
            "run": run.to_string(),
            "version": env!("CARGO_PKG_VERSION"),
            "title": metadata.title,
            "source": planned.source.path,
            "output": work.output.path(),
            "model": work.model.manifest.name,
            "voice": planned.speech.voice,
            "seed": planned.speech.seed,
            "segments": segments,
            "headings": headings,
            "pending": pending,
            "check": work.hearers.as_ref().map_or("off", Hearers::mode),
            "recognisers": work.hearers.as_ref().map_or_else(|_| Vec::new(), Hearers::names),
        }),
    );
    let resumed = segments - pending;
    let chapters = planned.plan.script.chapters.iter().filter(|chapter| !chapter.segments.is_empty()).count();
    display.say(format_args!(
        "{}: {chapters} chapters, {} segments, voice {}.",
        metadata.title,
        output::count(segments as u64),
        planned.speech.voice
    ));
    if resumed > 0 && pending > 0 {
        display.say(format_args!("{resumed} segments are done already; {pending} to speak."));
    }
    if work.makeshift && resumed == 0 {
        display.say(
            "This is the starter voice. The real one: `narratord models pull qwen3-tts-1.7b-custom-voice` (4.5 GB).",
        );
    }
    match &work.hearers {
        Ok(hearers) => {
            display.say(format_args!("Every take is heard by {}.", hearers.names().join(", in doubt by ")));
        }
        // Nobody chose it.
        Err(why) if work.settings.check.mode.is_none() => {
            display.say(format_args!("The takes are not checked: {why}."));
        }
        Err(_) => {}
    }
    if let Some(warning) = language_warning(work) {
        display.say(format_args!("warning: {warning}."));
        let voice = planned.speaker.as_ref().map(|speaker| &speaker.info.language);
        let book = &metadata.language;
        log.emit(
            Level::Warn,
            "language_differs",
            &json!({ "book": book, "voice": voice, "detail": warning }),
        );
    }
}

/// What is to be said when the voice and the book are of different languages.
fn language_warning(work: &Prepared) -> Option<String> {
    let book = &work.planned.manuscript.metadata.language;
    let voice = &work.planned.speaker.as_ref()?.info.language;
    if let Some(checkpoint) = &work.model.checkpoint
        && !models::is_open(book)
        && !checkpoint.speaks(book)
    {
        return Some(format!("the book is in `{book}`, which the model was not taught: it guesses"));
    }
    let differs = !models::is_open(voice) && models::primary(voice) != models::primary(book);
    differs.then(|| format!("the book is in `{book}` and the voice speaks `{voice}`"))
}

/// Settles who works where before anybody loads, and says so where a card is divided: the seats of the voices, and
/// the recognisers on theirs.
fn seated(
    work: &Prepared,
    pending: usize,
    hearers: Option<&Hearers>,
    display: &Display,
    log: &EventLog,
) -> Result<(Vec<Seat>, Option<Hearers>), Failure> {
    let mut hearers = hearers.cloned();
    let mut parties = vec![speak::party(work, pending)];
    parties.extend(hearers.iter_mut().flat_map(Hearers::each).map(|hearer| hearer.party()));
    let arranged = memory::arrange(&parties, &NvidiaSmi, memory::weighed_by(&work.worker))?;
    for card in &arranged.cards {
        display.say(card.line());
        log.emit(
            Level::Info,
            "memory_planned",
            &json!({
                "device": card.device,
                "total_bytes": card.memory.map(|memory| memory.card.total_bytes),
                "free_bytes": card.memory.map(|memory| memory.card.free_bytes),
                "reserve_bytes": card.memory.map(|memory| memory.reserve_bytes),
                "shares": card.shares,
                "turned_away": card.turned_away,
            }),
        );
    }
    let mut seats = arranged.seats.into_iter();
    let voices = seats.next().unwrap_or_default();
    for (hearer, seats) in hearers.iter_mut().flat_map(Hearers::each).zip(seats) {
        hearer.seats = seats;
    }
    Ok((voices, hearers))
}

/// Refuses to start what the disk cannot hold: better now than at three in the morning.
fn check_space(work: &Prepared, pending: &[narrator_core::SegmentId]) -> Result<(), Failure> {
    let script = &work.planned.plan.script;
    let seconds = |segments: &mut dyn Iterator<Item = &narrator_core::Segment>| {
        segments.map(crate::commands::plan::estimated_seconds).sum::<f64>()
    };
    let to_speak = seconds(&mut pending.iter().filter_map(|id| script.segment(*id)));
    let whole = seconds(&mut script.segments.iter());
    let audiobook = whole * f64::from(work.settings.audio.bitrate_kbps) * 125.0;
    let needed = (to_speak * TAKE_BYTES_A_SECOND + audiobook) as u64 + SPARE_BYTES;
    let Some(free) = crate::commands::doctor::free_bytes(&work.job.root) else { return Ok(()) };
    if free >= needed {
        return Ok(());
    }
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    Err(Failure::new(
        Exit::Disk,
        format!(
            "{} has {:.1} GB free; this book needs about {:.1} GB",
            work.job.root.display(),
            gigabytes(free),
            gigabytes(needed)
        ),
    )
    .hint("free some space, or put the job on another disk with --job DIR"))
}

/// What a run that stopped before its end tells; nothing for one that may go on to the audiobook.
fn after(stopped: &Stopped) -> Option<Failure> {
    match stopped {
        Stopped::Finished => None,
        Stopped::Drained => Some(
            Failure::new(Exit::Stopped, "stopped as asked, with work left")
                .hint("run the same command again: it resumes"),
        ),
        Stopped::NoSlotLeft { fault, why } => {
            let exit = if fault.policy().park { Exit::BadSettings } else { Exit::Stopped };
            Some(
                Failure::new(exit, format!("no worker can go on: {why}")).hint(
                    "`narratord logs --level warn` tells the whole story; then run the same command again",
                ),
            )
        }
        Stopped::DiskFull { detail } => Some(
            Failure::new(Exit::Disk, format!("the disk stayed full: {detail}"))
                .hint("free some space and run the same command again: nothing that was finished is lost"),
        ),
        Stopped::StoreFailed { detail } => Some(
            Failure::new(Exit::Disk, format!("a take could not be made safe: {detail}"))
                .hint("look at the disk, then run the same command again"),
        ),
    }
}
