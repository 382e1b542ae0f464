//! Judges takes from JSON lines, for `scripts/bench damage`: one object a line in, one a line out.
//!
//!   `{"text": "…", "hearings": [{…}], "wav": "take.wav", "last": false}` gives `{"verdict": {…}}`
//!
//! The WAV file, where one is given, is mono with 16 bits a sample.

use std::error::Error;
use std::io::{BufRead, Write};

use narrator_core::Hearing;
use narrator_fidelity::{Evidence, Listener, examine, judge};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line?)?;
        writeln!(out, "{}", judged(&line)?)?;
    }
    Ok(())
}

fn judged(line: &Value) -> Result<Value, Box<dyn Error>> {
    let text = line["text"].as_str().unwrap_or_default();
    let hearings: Vec<Hearing> = serde_json::from_value(line["hearings"].clone())?;
    let signal = match line["wav"].as_str() {
        Some(path) => {
            let (rate, pcm) = read_wav(path)?;
            Some(examine(&pcm, rate, text, None))
        }
        None => None,
    };
    let listener = if line["last"].as_bool().unwrap_or_default() { Listener::Last } else { Listener::First };
    let evidence = Evidence { segment: None, text, hearings: &hearings, signal: signal.as_ref(), listener };
    Ok(json!({ "verdict": judge(&evidence) }))
}

fn read_wav(path: &str) -> Result<(u32, Vec<f32>), Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let word = |at: usize| bytes.get(at..at + 4).map(|it| u32::from_le_bytes([it[0], it[1], it[2], it[3]]));
    let (mut at, mut rate) = (12, None);
    while let Some(size) = word(at + 4) {
        let body = at + 8;
        match bytes.get(at..at + 4) {
            Some(b"fmt ") => rate = word(body + 4),
            Some(b"data") => {
                let end = (body + size as usize).min(bytes.len());
                let samples = bytes[body..end].chunks_exact(2);
                let pcm = samples.map(|it| f32::from(i16::from_le_bytes([it[0], it[1]])) / 32768.0).collect();
                return Ok((rate.ok_or("a WAV file without a rate")?, pcm));
            }
            _ => {}
        }
        at = body + size as usize + size as usize % 2;
    }
    Err("a WAV file without samples".into())
}
