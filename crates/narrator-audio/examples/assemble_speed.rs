//! Measures how fast a long book is assembled, and how much memory that takes.
//!
//! ```sh
//! cargo run --release -p narrator-audio --example assemble_speed -- HOURS OUT [TAKE.wav …]
//! ```
//!
//! It makes takes for `HOURS` hours of programme in a temporary folder: from the given WAV files (16-bit
//! mono; real speech gives the figures that count), else from a synthetic voice of harmonics and pauses.
//! Each stage's time and the peak of the resident set are printed, the delivered levels too.

#![expect(clippy::print_stdout, reason = "a measuring program for people")]

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use narrator_audio::{Assembly, ChapterAudio, Ffmpeg, Output, Piece, Stage, assemble, flac};

const PAUSE_MS: u32 = 350;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "assemble_speed HOURS OUT [TAKE.wav …]";
    let hours: f64 = args.next().ok_or(usage)?.parse()?;
    let out = PathBuf::from(args.next().ok_or(usage)?);
    let sources: Vec<String> = args.collect();

    let dir = tempfile::tempdir()?;
    let take = |number: usize| dir.path().join(format!("{number}.flac"));
    let (mut lengths, mut encode_time) = (Vec::new(), Duration::ZERO);
    for number in 0..sources.len().max(10) {
        let (rate, samples) = match sources.get(number) {
            Some(path) => read_wav(Path::new(path))?,
            None if sources.is_empty() => (24_000, synthetic_voice(number as u32)),
            None => break,
        };
        let start = Instant::now();
        let bytes = flac::encode(&samples, rate)?;
        encode_time += start.elapsed();
        std::fs::write(take(number), bytes)?;
        lengths.push(samples.len() as f64 / f64::from(rate));
    }
    println!(
        "take encoding      {:8.0} times real time",
        lengths.iter().sum::<f64>() / encode_time.as_secs_f64()
    );

    let (mut pieces, mut spoken) = (Vec::new(), 0.0);
    while spoken < hours * 3600.0 {
        let number = pieces.len() % lengths.len();
        spoken += lengths[number];
        pieces.push(Piece { take: take(number), pause_after_ms: PAUSE_MS });
    }
    let per_chapter = pieces.len().div_ceil(60).max(1);
    let chapter = |(number, pieces): (usize, &[Piece])| ChapterAudio {
        title: format!("Chapter {}", number + 1),
        pieces: pieces.to_vec(),
    };
    let chapters = pieces.chunks(per_chapter).enumerate().map(chapter).collect();
    let metadata = narrator_core::Metadata { title: "A long book".into(), ..Default::default() };
    let assembly = Assembly { chapters, metadata, ..Default::default() };
    let output = Output::parse(&out, None)?;
    let candidate = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps/bin/ffmpeg");
    let ffmpeg = Ffmpeg::find(&[candidate]).ok();

    let start = Instant::now();
    let mut stages: Vec<(Stage, Duration)> = Vec::new();
    let mut last = start;
    let finished = assemble(&assembly, &output, ffmpeg.as_ref(), &mut |now| {
        let passed = last.elapsed();
        last = Instant::now();
        match stages.last_mut() {
            Some((stage, time)) if *stage == now.stage => *time += passed,
            _ => stages.push((now.stage, passed)),
        }
        ControlFlow::Continue(())
    })?;
    let total = start.elapsed();
    let length = finished.duration().as_secs_f64();
    println!("programme          {:8.2} h in {} takes", length / 3600.0, pieces.len());
    for (stage, time) in stages {
        let name = format!("{stage:?}").to_lowercase();
        println!(
            "{name:<18} {:8.1} s, {:.0} times real time",
            time.as_secs_f64(),
            length / time.as_secs_f64()
        );
    }
    println!("in all             {:8.1} s", total.as_secs_f64());
    println!("bytes              {:8}", finished.bytes);
    println!(
        "gain, ceiling      {:8.2} dB, {:.2} dB, encoded {} time(s)",
        finished.gain_db, finished.ceiling_db, finished.encodes
    );
    println!("takes              {:?}", finished.takes);
    println!("delivered          {:?}", finished.delivered);
    println!("peak resident set  {}", peak_resident());
    Ok(())
}

/// The kernel's own record of this process's peak, where there is one.
fn peak_resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "not known on this system".to_owned(), |value| value.trim().to_owned())
}

/// Harmonics of a gliding pitch under a syllable-like envelope, with silence around: ten to eighteen
/// seconds.
fn synthetic_voice(seed: u32) -> Vec<f32> {
    let rate = 24_000.0_f32;
    let count = 24_000 * (10 + (seed % 9)) as usize;
    let mut phase = 0.0_f32;
    let voiced = (0..count).map(|n| {
        let t = n as f32 / rate;
        let pitch = 110.0 + 40.0 * (t * 1.3 + seed as f32).sin();
        phase = (phase + pitch / rate).fract();
        let envelope = ((t * 4.1).sin() * 0.5 + 0.5) * if t % 3.7 < 3.2 { 1.0 } else { 0.0 };
        let wave: f32 =
            (1..20_u8).map(|k| (phase * std::f32::consts::TAU * f32::from(k)).sin() / f32::from(k)).sum();
        0.18 * envelope * wave
    });
    let edge = std::iter::repeat_n(0.0, 8_000);
    edge.clone().chain(voiced).chain(edge).collect()
}

/// Rate and samples of a plain 16-bit mono WAV file.
fn read_wav(path: &Path) -> Result<(u32, Vec<f32>), Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let data = bytes.windows(4).position(|w| w == b"data").ok_or("no data chunk")? + 8;
    let rate = bytes.get(24..28).ok_or("no header")?;
    let rate = u32::from_le_bytes(rate.try_into()?);
    let samples = bytes.get(data..).ok_or("no data")?.chunks_exact(2);
    Ok((rate, samples.map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0).collect()))
}
