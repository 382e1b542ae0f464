//! One engine call without an orchestrator.

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Instant;

use narrator_core::Delivery;
use narrator_engine::{
    EngineError, EngineErrorKind, RowId, SpeechRequest, SpeechSink, SpeechStats, Synthesizer,
};
use thiserror::Error;

use crate::cli::{ModelArgs, SynthArgs};
use crate::exit::Exit;
use crate::{dump, load, wav};

/// The most that is read from standard input: a segment, not a book.
const MAX_TEXT_BYTES: u64 = 64 * 1024;

/// Why nothing was spoken.
#[derive(Debug, Error)]
pub enum SynthError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("cannot read the text from standard input: {0}")]
    Input(io::Error),
    #[error("there is no text to speak: give it with --text, or on standard input with --text -")]
    NoText,
    #[error("cannot write {}: {source}", path.display())]
    Output { path: PathBuf, source: io::Error },
}

impl SynthError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::Engine(error) => error.kind().into(),
            Self::Input(_) | Self::NoText => Exit::BadInput,
            Self::Output { .. } => Exit::Disk,
        }
    }
}

/// Speaks one text into a WAV file and says on standard error how long it took.
#[expect(clippy::print_stderr, reason = "a command for people")]
pub fn synth(args: &SynthArgs) -> Result<(), SynthError> {
    let text = text_of(&args.text)?;
    if let Some(mode) = args.parity.mode {
        return dump::speak(args, mode, &text);
    }
    let mut engine = load::for_people(&args.model)?;
    let info = engine.info().clone();
    let voice = args.voice.clone().unwrap_or_else(|| info.default_voice.clone());
    let own = info.voices.iter().find(|known| known.name == voice).map(|known| known.language.clone());
    let request = SpeechRequest {
        row: RowId(1),
        text,
        language: args.language.clone().or(own).unwrap_or_else(|| "en".into()),
        voice,
        speed: args.speed,
        seed: args.seed,
        max_seconds: args.max_seconds,
        delivery: Delivery::default(),
    };
    let begun = Instant::now();
    let samples = speak(&mut *engine, request)?;
    let (taken, audio) = (begun.elapsed().as_secs_f64(), samples.len() as f64 / f64::from(info.sample_rate));
    wav::write(&args.out, info.sample_rate, &samples)
        .map_err(|source| SynthError::Output { path: args.out.clone(), source })?;
    eprintln!(
        "{}: {audio:.2} s of audio at {} Hz in {taken:.2} s, {:.1} times real time",
        args.out.display(),
        info.sample_rate,
        audio / taken.max(1e-9),
    );
    Ok(())
}

/// Lists a model's voices on standard output: name, language, description, with tabs between.
#[expect(clippy::print_stdout, reason = "the list is the command's data")]
pub fn voices(args: &ModelArgs) -> Result<(), SynthError> {
    let engine = load::for_people(args)?;
    let info = engine.info();
    for voice in &info.voices {
        let mark = if voice.name == info.default_voice { " (default)" } else { "" };
        println!("{}\t{}\t{}{mark}", voice.name, voice.language, voice.description);
    }
    Ok(())
}

fn text_of(given: &str) -> Result<String, SynthError> {
    let mut text = given.to_owned();
    if given == "-" {
        text.clear();
        io::stdin().take(MAX_TEXT_BYTES).read_to_string(&mut text).map_err(SynthError::Input)?;
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { Err(SynthError::NoText) } else { Ok(text) }
}

/// All samples of one request.
fn speak(engine: &mut dyn Synthesizer, request: SpeechRequest) -> Result<Vec<f32>, EngineError> {
    let mut collected = Collected::default();
    engine.admit(request)?;
    while !collected.finished {
        engine.step(&mut collected)?;
        if let Some(error) = collected.error.take() {
            return Err(error);
        }
        if engine.rows() == 0 && !collected.finished {
            return Err(EngineError::new(
                EngineErrorKind::BadOutput,
                "engine dropped the text without a word",
            ));
        }
    }
    Ok(collected.samples)
}

#[derive(Default)]
struct Collected {
    samples: Vec<f32>,
    finished: bool,
    error: Option<EngineError>,
}

impl SpeechSink for Collected {
    fn samples(&mut self, _row: RowId, pcm: &[f32]) {
        self.samples.extend_from_slice(pcm);
    }

    fn finished(&mut self, _row: RowId, _stats: SpeechStats) {
        self.finished = true;
    }

    fn failed(&mut self, _row: RowId, error: EngineError) {
        self.error = Some(error);
    }
}
