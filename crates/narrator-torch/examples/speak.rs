//! Speaks a text to a WAV file, for listening and for timing.
//!
//! ```text
//! cargo run --release -p narrator-torch --example speak -- MODEL_DIR OUT.wav TEXT [SPEED [SEED]]
//! ```
//!
//! Prints one line of JSON: samples, seconds of loading and of speaking.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use narrator_core::Delivery;
use narrator_engine::{EngineError, RowId, SpeechRequest, SpeechSink, SpeechStats};
use narrator_torch::{LoadOptions, load_synthesizer};

#[derive(Default)]
struct Collected {
    samples: Vec<f32>,
    error: Option<EngineError>,
}

impl SpeechSink for Collected {
    fn samples(&mut self, _: RowId, pcm: &[f32]) {
        self.samples.extend_from_slice(pcm);
    }

    fn finished(&mut self, _: RowId, _: SpeechStats) {}

    fn failed(&mut self, _: RowId, error: EngineError) {
        self.error = Some(error);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, wav, text, rest @ ..] = &arguments[..] else {
        return Err("usage: speak MODEL_DIR OUT.wav TEXT [SPEED [SEED]]".into());
    };
    let begun = Instant::now();
    let mut voice = load_synthesizer(Path::new(model), &LoadOptions::default(), &mut |_, _| {})?;
    let load_s = begun.elapsed().as_secs_f64();
    let info = voice.info().clone();
    let request = SpeechRequest {
        row: RowId(1),
        text: text.clone(),
        language: "en".into(),
        voice: info.default_voice,
        speed: rest.first().map_or(Ok(1.0), |speed| speed.parse())?,
        seed: rest.get(1).map_or(Ok(1), |seed| seed.parse())?,
        max_seconds: 3600.0,
        delivery: Delivery::default(),
    };
    let begun = Instant::now();
    let mut collected = Collected::default();
    voice.admit(request)?;
    while voice.rows() > 0 {
        voice.step(&mut collected)?;
    }
    let speak_s = begun.elapsed().as_secs_f64();
    if let Some(error) = collected.error {
        return Err(error.into());
    }
    std::fs::write(wav, wav_of(&collected.samples, info.sample_rate))?;
    println!(r#"{{"samples":{},"load_s":{load_s:.3},"speak_s":{speak_s:.4}}}"#, collected.samples.len());
    Ok(())
}

/// 16-bit mono.
fn wav_of(samples: &[f32], rate: u32) -> Vec<u8> {
    let bytes = samples.len() as u32 * 2;
    let mut wav = Vec::with_capacity(44 + samples.len() * 2);
    wav.extend(b"RIFF");
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    wav.extend(1u16.to_le_bytes());
    wav.extend(1u16.to_le_bytes());
    wav.extend(rate.to_le_bytes());
    wav.extend((rate * 2).to_le_bytes());
    wav.extend(2u16.to_le_bytes());
    wav.extend(16u16.to_le_bytes());
    wav.extend(b"data");
    wav.extend(bytes.to_le_bytes());
    wav.extend(samples.iter().flat_map(|sample| ((sample * 32767.0).round() as i16).to_le_bytes()));
    wav
}
