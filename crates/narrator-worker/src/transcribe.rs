//! One recogniser without an orchestrator: what it hears in files, and how fast.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use narrator_core::{Hearing, Priors};
use narrator_engine::{EngineError, EngineErrorKind, HearingRequest, Transcriber};

use crate::cli::{BenchHearingArgs, TranscribeArgs};
use crate::synth::SynthError;
use crate::{load, wav};

/// Writes on standard output what each file says.
#[expect(clippy::print_stdout, reason = "the transcript is the command's data")]
pub fn transcribe(args: &TranscribeArgs) -> Result<(), SynthError> {
    let mut listener = load::listener_for_people(&args.model, args.dtype)?;
    let batch = args.batch.clamp(1, listener.info().max_batch as usize);
    for files in args.audio.chunks(batch) {
        let mut requests = Vec::with_capacity(files.len());
        for file in files {
            let expected = if args.texts { Some(text_beside(file)?) } else { args.text.clone() };
            requests.push(HearingRequest {
                language: args.language.clone(),
                priors: args.priors,
                transcribe: !args.score_only,
                context: args.context.clone(),
                beams: args.beams,
                seed: args.seed,
                ..request(file, expected)?
            });
        }
        for ((file, request), heard) in
            files.iter().zip(&requests).zip(listener.hear(&requests, &mut |_| ControlFlow::Continue(()))?)
        {
            let heard = heard?;
            if args.json {
                println!("{}", as_json(file, &heard));
            } else {
                print!("{}", for_people(file, request, &heard, args.words));
            }
        }
    }
    Ok(())
}

fn request(file: &Path, expected: Option<String>) -> Result<HearingRequest, SynthError> {
    let (sample_rate, pcm) = wav::read(file).map_err(|error| bad(file, &error.to_string()))?;
    Ok(HearingRequest { pcm, sample_rate, expected, ..HearingRequest::default() })
}

fn text_beside(file: &Path) -> Result<String, SynthError> {
    let path = file.with_extension("txt");
    std::fs::read_to_string(&path).map_err(|error| bad(&path, &error.to_string()))
}

fn bad(file: &Path, why: &str) -> SynthError {
    let message = format!("cannot use {}: {why}", file.display());
    EngineError::new(EngineErrorKind::BadRequest, message).into()
}

fn as_json(file: &Path, heard: &Hearing) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    object.insert("file".into(), file.display().to_string().into());
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(heard) {
        object.extend(fields);
    }
    object.into()
}

fn for_people(file: &Path, request: &HearingRequest, heard: &Hearing, words: bool) -> String {
    let mut out = format!("{}: {}\n", file.display(), heard.text());
    if words {
        for word in &heard.words {
            out.push_str(&format!(
                "{:>8} {:>8} {:>7.2}  {}\n",
                word.start_ms, word.end_ms, word.log_prob, word.text
            ));
        }
    }
    if let Some(expected) = &request.expected {
        for word in &heard.scored {
            let text = expected.get(word.at.start as usize..word.at.end as usize).unwrap_or_default();
            let rather =
                if word.rather.is_empty() { String::new() } else { format!("  not {}", word.rather) };
            out.push_str(&format!(
                "{:>8} {:>8} {:>7.2} {:>7.2}  {text}{rather}\n",
                word.start_ms, word.end_ms, word.log_prob, word.best_log_prob
            ));
        }
    }
    out
}

/// What a call may be asked for.
const WAYS: [(&str, bool, bool); 3] =
    [("score", true, false), ("score and transcript", true, true), ("transcript", false, true)];

/// Prints how many times faster than real time the files are heard, in each way.
#[expect(clippy::print_stdout, reason = "the table is the command's data")]
pub fn measure(args: &BenchHearingArgs) -> Result<(), SynthError> {
    let mut listener = load::listener_for_people(&args.model, args.dtype)?;
    let batch = args.batch.clamp(1, listener.info().max_batch as usize);
    let mut requests = Vec::with_capacity(args.audio.len());
    for file in &args.audio {
        requests
            .push(HearingRequest { language: Some("en".into()), ..request(file, Some(text_beside(file)?))? });
    }
    let audio: f64 = requests.iter().map(|one| one.pcm.len() as f64 / f64::from(one.sample_rate)).sum();
    println!("way\tfiles\taudio_s\twall_s\ttimes_real_time");
    for (way, score, transcribe) in WAYS {
        let asked: Vec<HearingRequest> = requests
            .iter()
            .map(|one| HearingRequest {
                // As a take is checked.
                priors: if score && transcribe { Priors::Guessable } else { Priors::None },
                transcribe,
                expected: one.expected.clone().filter(|_| score),
                ..one.clone()
            })
            .collect();
        let mut quickest = f64::INFINITY;
        for _ in 0..args.rounds.max(1) {
            quickest = quickest.min(hear_all(&mut *listener, &asked, batch)?);
        }
        println!("{way}\t{}\t{audio:.1}\t{quickest:.2}\t{:.1}", asked.len(), audio / quickest.max(1e-9));
    }
    Ok(())
}

fn hear_all(
    listener: &mut dyn Transcriber,
    requests: &[HearingRequest],
    batch: usize,
) -> Result<f64, EngineError> {
    let begun = Instant::now();
    for requests in requests.chunks(batch) {
        for heard in listener.hear(requests, &mut |_| ControlFlow::Continue(()))? {
            heard?;
        }
    }
    Ok(begun.elapsed().as_secs_f64())
}
