//! From the command line's book to a plan: what is read, who speaks, what is said.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use narrator_core::settings::ScriptSettings;
use narrator_core::{Ledger, Manuscript, Settings, SpeechSettings};
use narrator_script::{ChapterSelection, Lexicon, Plan, ScriptError};

use crate::account;
use crate::cli::BookArgs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::models::{Model, Speaker};

/// What makes a plan of a book: [`narrator_script::plan`].
pub type Splitter = fn(
    &Manuscript,
    &ScriptSettings,
    &SpeechSettings,
    &Lexicon,
    Option<&ChapterSelection>,
) -> Result<Plan, ScriptError>;

/// Another splitter, when one was put in.
static PUT_IN: OnceLock<Splitter> = OnceLock::new();

/// Puts in another splitter, once, before anything is planned.
pub fn put_in(splitter: Splitter) {
    // The first one stays.
    let _ = PUT_IN.set(splitter);
}

/// A book, planned.
#[derive(Debug)]
pub struct Planned {
    pub source: Source,
    pub manuscript: Manuscript,
    pub speech: SpeechSettings,
    /// Who speaks; nobody in a plan that is only looked at.
    pub speaker: Option<Speaker>,
    pub plan: Plan,
    /// What of the book the person asked for, whatever the plan says.
    pub wanted: Ledger,
    /// The lexicon's text, where one was given.
    pub lexicon: Option<String>,
}

/// The book's file, as it was when it was read.
#[derive(Clone, Debug)]
pub struct Source {
    pub path: PathBuf,
    pub bytes: u64,
    /// Hex.
    pub blake3: String,
}

/// What the orchestrator must know of a voice to name a segment's sound.
fn speech_settings(
    settings: &Settings,
    model: &Model,
    speaker: &Speaker,
    language: &str,
) -> Result<SpeechSettings, Failure> {
    let mut language = language.to_string();
    if let Some(checkpoint) = &model.checkpoint {
        let speed = settings.speech.speed;
        if (speed - 1.0).abs() > 1e-3 {
            return Err(Failure::new(
                Exit::BadSettings,
                format!("speech.speed is {speed}, and a Qwen3-TTS voice speaks at its own speed"),
            )
            .hint("leave the speed at 1; players change it while listening"));
        }
        if !checkpoint.speaks(&language) {
            // It guesses from the text.
            language = "und".into();
        }
    }
    let model_hash = &model.manifest.sha256;
    Ok(SpeechSettings {
        engine: model.manifest.engine.clone(),
        model_hash: match &speaker.hash {
            Some(voice) => format!("{model_hash}+{voice}"),
            None => model_hash.clone(),
        },
        voice: speaker.info.name.clone(),
        language,
        speed: settings.speech.speed,
        seed: settings.speech.seed,
    })
}

/// Reads and plans the book. Without a model the plan is for looking at only: its content keys name no
/// sound.
pub fn plan(args: &BookArgs, settings: &Settings, model: Option<&Model>) -> Result<Planned, Failure> {
    // The small things first: a misspelt range should not wait for a large book.
    let selection = args.chapters.as_deref().map(ChapterSelection::from_str).transpose()?;
    let text = args.lexicon.as_deref().map(lexicon_text).transpose()?;
    let lexicon = match (&args.lexicon, &text) {
        (Some(path), Some(text)) => Lexicon::parse(text, &path.display().to_string())?,
        _ => Lexicon::default(),
    };
    let manuscript = narrator_book::read(&args.book)?;
    let source = source(&args.book)?;
    let language = &manuscript.metadata.language;
    let speaker = model.map(|model| model.speaker(settings.speech.voice.as_deref())).transpose()?;
    let speech = match (model, &speaker) {
        (Some(model), Some(speaker)) => speech_settings(settings, model, speaker, language)?,
        _ => SpeechSettings {
            engine: String::new(),
            model_hash: String::new(),
            voice: settings.speech.voice.clone().unwrap_or_default(),
            language: language.clone(),
            speed: settings.speech.speed,
            seed: settings.speech.seed,
        },
    };
    let split = PUT_IN.get().copied().unwrap_or(narrator_script::plan);
    let plan = split(&manuscript, &settings.script, &speech, &lexicon, selection.as_ref())?;
    let wanted = account::wanted(&manuscript, selection.as_ref());
    Ok(Planned { source, manuscript, speech, speaker, plan, wanted, lexicon: text })
}

fn lexicon_text(path: &Path) -> Result<String, ScriptError> {
    std::fs::read_to_string(path)
        .map_err(|source| ScriptError::LexiconFile { file: path.display().to_string(), source })
}

fn source(path: &Path) -> Result<Source, Failure> {
    let absolute = std::path::absolute(path).map_err(|error| Failure::io("find", path, error))?;
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(path).map_err(|error| Failure::io("read", path, error))?;
    let bytes = std::io::copy(&mut std::io::BufReader::new(file), &mut hasher)
        .map_err(|error| Failure::io("read", path, error))?;
    Ok(Source { path: absolute, bytes, blake3: hasher.finalize().to_hex().to_string() })
}

impl From<narrator_book::BookError> for Failure {
    fn from(error: narrator_book::BookError) -> Self {
        use narrator_book::BookErrorKind as Kind;
        let exit = match error.kind() {
            Kind::NotFound | Kind::Unreadable => Exit::Missing,
            Kind::NotABook | Kind::Damaged | Kind::Drm | Kind::Bomb | Kind::Empty => Exit::BadInput,
        };
        Self::of(exit, &error)
    }
}

impl From<ScriptError> for Failure {
    fn from(error: ScriptError) -> Self {
        use narrator_script::ErrorKind as Kind;
        let exit = match (&error, error.kind()) {
            (ScriptError::Selection { .. } | ScriptError::NoSuchChapter { .. }, _) => Exit::Usage,
            (ScriptError::LexiconFile { .. }, _) => Exit::Missing,
            (_, Kind::Settings) => Exit::BadSettings,
            (_, Kind::BadInput | Kind::Broken) => Exit::BadInput,
            (_, Kind::Io) => Exit::Disk,
        };
        Self::of(exit, &error)
    }
}
