//! `narratord verify`: an audiobook against its book, computed from these two files.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use narrator_audio::Ffmpeg;
use narrator_core::{Script, Settings};
use narrator_ipc::RunDir;
use narrator_pool::{DeviceProbe, NvidiaSmi, PoolConfig};
use std::sync::Arc;

use crate::account;
use crate::audit::{self, Means, Outcome, Subject};
use crate::cli::{BookArgs, VerifyArgs};
use crate::error::Failure;
use crate::exit::Exit;
use crate::home::{self, Home};
use crate::job::{JobDir, JobFile};
use crate::planning::{self, Planned};
use crate::progress::Display;
use crate::run::check::alone;
use crate::run::check::hearers::{self, Hearer, Hearers};
use crate::run::signals::Signals;
use crate::{config, memory, output};

/// The book and the audio, found.
struct Found {
    planned: Planned,
    /// As the job has it; of a book without a job, as it would be.
    script: Script,
    /// What is wrong with the job's script and ledger.
    broken: Option<String>,
    files: Vec<PathBuf>,
    settings: Settings,
}

pub fn verify(args: &VerifyArgs) -> Result<Exit, Failure> {
    let signals = Signals::catch();
    let found = match (&args.book, &args.audio) {
        (Some(book), Some(audio)) => of_files(args, book, audio)?,
        _ => of_job(args)?,
    };
    let home = Home::find();
    let ffmpeg = Ffmpeg::find(&[home.ffmpeg()])?;
    let worker = home::worker_program(found.settings.workers.program.as_deref())?;
    let hearers = listeners(&home, &found.settings, &found.planned.manuscript.metadata.language)?;
    if signals.asked().load(Ordering::Relaxed) {
        return Err(Failure::new(Exit::Stopped, "stopped as asked, before anything was heard"));
    }
    let mut display = Display::new(args.plain);
    let subject = Subject {
        manuscript: &found.planned.manuscript,
        script: &found.script,
        ledger: &found.planned.wanted,
        files: &found.files,
    };
    let heard = audit::run(
        &subject,
        &mut Means {
            ffmpeg: &ffmpeg,
            hearers: &hearers,
            pool: &|hearer| pool(&worker, hearer),
            stop: signals.asked(),
            told: &|_| {},
            progress: &mut |at| display.audit(at),
        },
    );
    display.clear();
    let outcome = Outcome { ledger: found.broken, ..heard? };
    audit::tell(&outcome);
    if args.json {
        output::json(&outcome);
    } else {
        output::data(&outcome.sentence);
    }
    Ok(if outcome.is_whole() { Exit::Done } else { Exit::Quarantined })
}

/// Recognisers for an audit, whatever the job's checks were.
pub fn listeners(home: &Home, settings: &Settings, language: &str) -> Result<Hearers, Failure> {
    let mut check = settings.check.clone();
    check.mode = Some(narrator_core::settings::CheckMode::Fast);
    hearers::choose(home, &check, language, &settings.workers.devices)?
        .map_err(|why| Failure::new(Exit::Missing, "nobody can listen to the audiobook").hint(why))
}

/// A pool of one recogniser, with a card to itself if it has one.
pub fn pool(worker: &Path, hearer: &Hearer) -> Result<PoolConfig, Failure> {
    let arranged = memory::arrange(&[hearer.party()], &NvidiaSmi, memory::weighed_by(worker))?;
    let hearer = &Hearer { seats: arranged.seats.into_iter().flatten().collect(), ..hearer.clone() };
    let run_dir = RunDir::open(None).map_err(|error| Failure::of(Exit::Missing, &error))?;
    let probe: Option<Arc<dyn DeviceProbe>> =
        if hearer.seats.iter().any(|seat| seat.device != "cpu") { Some(Arc::new(NvidiaSmi)) } else { None };
    let run = narrator_journal::RunId::random().to_string();
    Ok(alone(run, worker.to_path_buf(), run_dir, hearer, probe))
}

fn of_files(args: &VerifyArgs, book: &Path, audio: &Path) -> Result<Found, Failure> {
    let book = BookArgs { chapters: args.chapters.clone(), lexicon: args.lexicon.clone(), ..bare(book) };
    let settings = match &args.config {
        Some(path) => config::from_file(path)?,
        None => Settings::default(),
    };
    let planned = planning::plan(&book, &settings, None)?;
    let script = planned.plan.script.clone();
    Ok(Found { script, broken: None, files: audio_files(audio)?, settings, planned })
}

fn of_job(args: &VerifyArgs) -> Result<Found, Failure> {
    let job = JobDir::find(args.job.job.as_deref())?;
    let Some(JobFile { job: facts, settings }) = JobFile::read(&job)? else {
        return Err(Failure::new(Exit::Missing, format!("{} was never started", job.root.display()))
            .hint("`narratord verify --book BOOK --audio FILE` needs no job"));
    };
    let lexicon = Some(job.lexicon()).filter(|path| path.is_file());
    let book = BookArgs { chapters: facts.chapters.clone(), lexicon, ..bare(&facts.source) };
    let planned = planning::plan(&book, &settings, None)?;
    if planned.source.blake3 != facts.source_blake3 {
        output::note("warning: the book's file is not the one that was narrated.");
    }
    let read = |path: PathBuf| std::fs::File::open(&path).map_err(|error| Failure::io("read", &path, error));
    let script = narrator_script::read_script(std::io::BufReader::new(read(job.script())?))?;
    let ledger = narrator_script::read_ledger(std::io::BufReader::new(read(job.ledger())?))?;
    let max_chars = settings.script.max_chars;
    let broken = account::fault(&planned.manuscript, &planned.wanted, &script, &ledger, max_chars);
    let files = audio_files(&facts.output)?;
    Ok(Found { planned, script, broken, files, settings })
}

fn bare(book: &Path) -> BookArgs {
    BookArgs {
        book: book.to_path_buf(),
        chapters: None,
        config: None,
        lexicon: None,
        voice: None,
        model: None,
        speed: None,
        seed: None,
    }
}

/// One file, or the files of a folder in the order of their names.
pub fn audio_files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    const ENDINGS: [&str; 9] = ["m4b", "m4a", "mp3", "opus", "ogg", "flac", "wav", "aac", "wma"];
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let none = || Failure::new(Exit::Missing, format!("there is no audiobook at {}", path.display()));
    let entries = std::fs::read_dir(path).map_err(|error| none().because(error))?;
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    let is_audio = |file: &PathBuf| {
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
    };
    files.retain(is_audio);
    files.sort();
    if files.is_empty() { Err(none()) } else { Ok(files) }
}
