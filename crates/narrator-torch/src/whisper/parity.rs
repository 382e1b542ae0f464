//! The port held against transformers on the same weights: mel, encoder, greedy tokens, token times, scores.
//!
//! The goldens are two clips, thinned out to stay small. For other clips and models: `scripts/whisper-goldens`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use narrator_core::Priors;
use safetensors::SafeTensors;
use tch::{Kind, Tensor};

use super::decode::Row;
use super::decoder::Audio;
use super::listen::Piece;
use super::mel::HOP;
use super::model::Model;
use super::pieces::Window;
use super::score::Task;
use super::words::Expected;
use crate::manner::{LoadOptions, Precision};
use crate::weights::Weights;

/// Of encoder states, whose values are some tenths.
const STATES: f64 = 1e-3;
/// Of log-mel values, which lie between −1.5 and 1.5.
const MEL: f64 = 1e-4;
/// Of log-probabilities.
const SCORES: f64 = 2e-3;
/// Of token times.
const MOST_MS: f64 = 40.0;
/// Of all tokens, those within it.
const SHARE: f64 = 0.95;

fn from_environment(name: &str, default: &str) -> PathBuf {
    let path = std::env::var_os(name)
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(default), PathBuf::from);
    assert!(path.exists(), "{} is missing: run scripts/setup", path.display());
    path
}

fn model() -> Model {
    let dir = from_environment("NARRATOR_WHISPER", "../../.deps/models/whisper-tiny.en");
    let options = LoadOptions { precision: Precision::Float32, ..LoadOptions::default() };
    let mut model = Model::load(&dir, &options, &mut |_, _| {}).expect("a model");
    model.whole_windows = true;
    model
}

/// A golden of whatever shape and kind.
fn golden(file: &SafeTensors<'_>, name: &str) -> Tensor {
    let view = file.tensor(name).expect(name);
    let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
    let kind = match view.dtype() {
        safetensors::Dtype::I64 => Kind::Int64,
        safetensors::Dtype::I16 => Kind::Int16,
        safetensors::Dtype::U8 => Kind::Uint8,
        _ => Kind::Float,
    };
    Tensor::f_from_data_size(view.data(), &shape, kind).expect(name)
}

/// Largest difference, the values of `ours` thinned out as `theirs` are.
fn most(ours: &Tensor, theirs: &Tensor, stride: &[i64]) -> f64 {
    let thinned = ours.slice(0, None, None, stride[0]).slice(1, None, None, stride[1]);
    assert_eq!(thinned.size(), theirs.size());
    (thinned - theirs).abs().max().double_value(&[])
}

/// What is written of one row.
fn write(model: &Model, row: Row, expected: Option<&Expected>, frames: usize, audio: &Audio) -> Vec<i64> {
    let task = Task {
        row,
        piece: 0,
        expected,
        priors: Priors::None,
        transcribe: true,
        frames,
        start: 0,
        no_speech: 0.0,
        scored: Vec::new(),
    };
    let mut tasks = [task];
    let cache = model.read_expected(&mut tasks, audio).expect("a first pass");
    let [task] = tasks;
    let mut rows = [task.row];
    model
        .write(&mut rows, cache, audio.select(&[0]).expect("a row"), &mut || ControlFlow::Continue(()))
        .expect("written");
    let [row] = rows;
    row.written.tokens
}

#[derive(Default)]
struct Sums {
    mel: f64,
    states: f64,
    scores: f64,
    equal: usize,
    cases: usize,
    timed: usize,
    times: Vec<f64>,
}

fn compare(model: &Model, file: &SafeTensors<'_>, case: usize, sums: &mut Sums) {
    let of = |name: &str| golden(file, &format!("{case}.{name}"));
    let ints = |name: &str| Vec::<i64>::try_from(&of(name)).expect(name);
    let stride = ints("stride");
    let pcm = Vec::<f32>::try_from(&(of("pcm").to_kind(Kind::Float) / 32768.0)).expect("samples");
    let shape = &model.config.shape;
    let limited = file.tensor(&format!("{case}.limit")).is_ok();
    let limit = if limited { ints("limit")[0] as usize } else { 224 };

    let capacity = shape.max_source_positions as usize;
    let window = Window::of(capacity, capacity);
    let mut padded = pcm.clone();
    padded.resize(2 * capacity * HOP, 0.0);
    let mel = model.mel.frames(&padded).expect("frames");
    sums.mel = sums.mel.max(most(&mel, &of("mel"), &stride));
    let states = model.encoder.run(&mel.unsqueeze(0), window, &mut || ()).expect("states");
    sums.states = sums.states.max(most(&states.squeeze_dim(0), &of("states"), &stride[2..]));

    let vocabulary = &model.vocabulary;
    let mut prompt = vec![vocabulary.start];
    if let (Some(english), Some(transcribe)) = (vocabulary.language("en"), vocabulary.transcribe) {
        prompt.extend([english, transcribe]);
    }
    let audio = model.decoder.audio(&states).expect("audio");
    let read = |tokens: &[i64], attention: bool| {
        let cache = model.decoder.cache(1, 448).expect("a cache");
        model.decoder.read(tokens, &cache, &audio, attention).expect("a pass")
    };

    // Greedy, without a draft and with the reference's own transcript as one.
    let wanted = ints("tokens");
    let plain = [prompt.clone(), vec![vocabulary.no_timestamps]].concat();
    let piece = Piece::new(pcm.clone(), 0);
    for draft in [&[][..], &wanted] {
        let expected = Expected { ids: draft.to_vec(), words: Vec::new() };
        let row = Row::new(plain.clone(), &expected.ids, limit);
        let written = write(model, row, Some(&expected), piece.frames(), &audio);
        sums.equal += usize::from(written == wanted);
        sums.cases += 1;
        if written != wanted {
            println!(
                "case {case}: {:?} is not {:?}",
                vocabulary.decode(&written),
                vocabulary.decode(&wanted)
            );
        }
    }

    // Every token of the words, after the right ones before it.
    let words = ints("words");
    let pass = read(&[plain.as_slice(), &words].concat(), false);
    let logits = model.decoder.logits(&pass.states).expect("logits").squeeze_dim(0);
    let from = plain.len() as i64 - 1;
    let found = logits
        .narrow(0, from, words.len() as i64)
        .log_softmax(-1, Kind::Float)
        .gather(1, &Tensor::from_slice(&words).unsqueeze(1), false)
        .squeeze_dim(1);
    sums.scores = sums.scores.max((found - of("scores")).abs().max().double_value(&[]));

    // Random weights hear no time: their attention lies anywhere, and a hair decides where.
    if limited {
        sums.timed += 1;
        return;
    }

    // Greedy, with timestamps.
    let wanted = ints("timed");
    let mut row = Row::new(prompt.clone(), &[], limit);
    row.timestamps = true;
    let written = write(model, row, None, piece.frames(), &audio);
    sums.timed += usize::from(written == wanted);
    if written != wanted {
        println!("case {case}: {written:?} is not {wanted:?}");
    }

    // Times of the reference's own transcript, with its timestamps.
    let timed = ints("timed");
    let pass = read(&[prompt.as_slice(), &timed].concat(), true);
    let mut attention = Vec::new();
    pass.keep_attention(0, prompt.len()..prompt.len() + timed.len(), &mut attention).expect("attention");
    // The reference counts mel frames, and two of them make one of the encoder's.
    let frames = pcm.len() / HOP / 2;
    let found = model.frames_of(&attention, capacity, frames);
    let wanted = Vec::<f32>::try_from(&of("seconds")).expect("seconds");
    assert_eq!(found.len(), wanted.len());
    sums.times.extend(
        found
            .iter()
            .zip(wanted)
            .map(|(&frame, seconds)| (frame as f64 * 20.0 - f64::from(seconds) * 1e3).abs()),
    );
}

#[test]
fn the_port_is_the_reference() {
    let path = from_environment("NARRATOR_WHISPER_GOLDENS", "tests/data/whisper.safetensors");
    let weights = Weights::open(&path, tch::Device::Cpu).expect("goldens");
    let file = SafeTensors::deserialize(weights.bytes_of_file()).expect("goldens");
    let model = model();
    let _guard = tch::no_grad_guard();
    let cases = file
        .names()
        .iter()
        .filter(|name| name.split_once('.').is_some_and(|(_, what)| what == "pcm"))
        .count();
    assert!(cases > 0);
    let mut sums = Sums::default();
    for case in 0..cases {
        compare(&model, &file, case, &mut sums);
    }
    let near = sums.times.iter().filter(|&&off| off <= MOST_MS).count();
    println!(
        "{cases} clips: mel {:.1e}, states {:.1e}, scores {:.1e}, transcripts {} of {} equal, with timestamps {} of {cases}, times {} of {} within \
         {MOST_MS} ms, the worst {:.0} ms off",
        sums.mel,
        sums.states,
        sums.scores,
        sums.equal,
        sums.cases,
        sums.timed,
        near,
        sums.times.len(),
        sums.times.iter().fold(0.0_f64, |worst, &off| worst.max(off)),
    );
    assert!(sums.mel < MEL && sums.states < STATES && sums.scores < SCORES);
    assert_eq!(sums.equal, sums.cases, "greedy transcripts differ");
    assert_eq!(sums.timed, cases, "greedy transcripts with timestamps differ");
    assert!(near as f64 >= SHARE * sums.times.len() as f64, "times differ");
}
