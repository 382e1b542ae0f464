//! Times a voice on a text, for `scripts/bench starter`.
//!
//! ```text
//! cargo run --release -p narrator-torch --example pace -- MODEL_DIR TEXT_FILE ROUNDS
//! ```
//!
//! Speaks every line of the file as one row. Prints a line of JSON with the seconds of the quickest round:
//! of reading (text to phonemes) and of speaking, and the seconds of audio.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use narrator_core::Delivery;
use narrator_engine::{EngineError, RowId, SpeechRequest, SpeechSink, SpeechStats, Synthesizer};
use narrator_torch::{LoadOptions, load_synthesizer};

#[derive(Default)]
struct Counted {
    samples: u64,
    error: Option<EngineError>,
}

impl SpeechSink for Counted {
    fn samples(&mut self, _: RowId, pcm: &[f32]) {
        self.samples += pcm.len() as u64;
    }

    fn finished(&mut self, _: RowId, _: SpeechStats) {}

    fn failed(&mut self, _: RowId, error: EngineError) {
        self.error = Some(error);
    }
}

struct Round {
    reading: Duration,
    speaking: Duration,
    samples: u64,
}

fn round(voice: &mut dyn Synthesizer, lines: &[&str]) -> Result<Round, Box<dyn Error>> {
    let (mut reading, mut speaking) = (Duration::ZERO, Duration::ZERO);
    let mut counted = Counted::default();
    for (number, line) in lines.iter().enumerate() {
        let begun = Instant::now();
        voice.admit(SpeechRequest {
            row: RowId(number as u64),
            text: (*line).to_owned(),
            language: "en".into(),
            voice: voice.info().default_voice.clone(),
            speed: 1.0,
            seed: number as u64,
            max_seconds: 3600.0,
            delivery: Delivery::default(),
        })?;
        reading += begun.elapsed();
        let begun = Instant::now();
        while voice.rows() > 0 {
            voice.step(&mut counted)?;
        }
        speaking += begun.elapsed();
    }
    match counted.error {
        Some(error) => Err(error.into()),
        None => Ok(Round { reading, speaking, samples: counted.samples }),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, text, rounds] = &arguments[..] else {
        return Err("usage: pace MODEL_DIR TEXT_FILE ROUNDS".into());
    };
    let text = std::fs::read_to_string(text)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let begun = Instant::now();
    let mut voice = load_synthesizer(Path::new(model), &LoadOptions::default(), &mut |_, _| {})?;
    let load = begun.elapsed();
    let mut best: Option<Round> = None;
    for _ in 0..rounds.parse::<u32>()?.max(1) {
        let next = round(&mut *voice, &lines)?;
        let quicker = |best: &Round| next.reading + next.speaking < best.reading + best.speaking;
        if best.as_ref().is_none_or(quicker) {
            best = Some(next);
        }
    }
    let best = best.ok_or("no round was run")?;
    let rate = f64::from(voice.info().sample_rate);
    println!(
        r#"{{"load_s":{:.3},"reading_s":{:.4},"speaking_s":{:.4},"audio_s":{:.3}}}"#,
        load.as_secs_f64(),
        best.reading.as_secs_f64(),
        best.speaking.as_secs_f64(),
        best.samples as f64 / rate
    );
    Ok(())
}
