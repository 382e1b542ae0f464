//! The engine: rows that join and leave, speech that ends or runs away, codec chunks.

use std::collections::BTreeMap;

use crate::support::{checkpoint, clip, load, model, plan, quiet};
use narrator_core::Delivery;
use narrator_engine::{
    EngineError, EngineErrorKind, RowId, SpeechRequest, SpeechSink, SpeechStats, Synthesizer,
};
use narrator_torch::qwen3::{
    CloneContext, Manner, ModelKind, Numbers, Qwen3Engine, Qwen3Tts, write_checkpoint,
};

#[derive(Default)]
struct Heard {
    samples: BTreeMap<u64, Vec<f32>>,
    finished: BTreeMap<u64, u64>,
    failed: BTreeMap<u64, EngineErrorKind>,
    longest_chunk: usize,
}

impl SpeechSink for Heard {
    fn samples(&mut self, row: RowId, pcm: &[f32]) {
        self.samples.entry(row.0).or_default().extend_from_slice(pcm);
        self.longest_chunk = self.longest_chunk.max(pcm.len());
    }

    fn finished(&mut self, row: RowId, stats: SpeechStats) {
        self.finished.insert(row.0, stats.samples);
    }

    fn failed(&mut self, row: RowId, error: EngineError) {
        self.failed.insert(row.0, error.kind());
    }
}

fn request(row: u64) -> SpeechRequest {
    let texts = [
        "Hello there.",
        "A storm was coming from the west, and nobody at home knew.",
        "It's nine.",
        "Über Nacht.",
    ];
    let voices = ["ryan", "vivian", "eric"];
    SpeechRequest {
        row: RowId(row),
        text: texts[row as usize % texts.len()].to_owned(),
        language: ["en", "de", "zh", "und"][row as usize % 4].to_owned(),
        voice: voices[row as usize % voices.len()].to_owned(),
        speed: 1.0,
        seed: 100 + row,
        max_seconds: 1.5,
        delivery: Delivery::default(),
    }
}

fn engine(rows: u32) -> Qwen3Engine {
    let model = load(ModelKind::CustomVoice, Manner { positions: 512, ..Manner::default() });
    Qwen3Engine::new(model, &checkpoint(ModelKind::CustomVoice), rows).expect("an engine")
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// What rows 0 to 8 say alone, and what they say when they join and leave while others speak; row 1 leaves early.
fn alone_and_among_others(engine: &mut Qwen3Engine, max_seconds: f32) -> (BTreeMap<u64, Vec<f32>>, Heard) {
    let request = |row| SpeechRequest { max_seconds, ..request(row) };
    let mut alone = BTreeMap::new();
    for row in 0..9 {
        let mut heard = Heard::default();
        engine.admit(request(row)).expect("admitted");
        while engine.rows() > 0 {
            engine.step(&mut heard).expect("a step");
        }
        alone.extend(heard.samples);
    }

    let mut heard = Heard::default();
    for row in 0..5 {
        engine.admit(request(row)).expect("admitted");
    }
    for step in 0.. {
        if engine.rows() == 0 {
            break;
        }
        match step {
            // A neighbour leaves early, from the middle of the batch; others come late.
            3 => assert!(engine.cancel(RowId(1))),
            5 => (5..8).for_each(|row| engine.admit(request(row)).expect("admitted")),
            9 => engine.admit(request(8)).expect("admitted"),
            _ => {}
        }
        engine.step(&mut heard).expect("a step");
    }
    assert!(!engine.cancel(RowId(1)), "it is gone");
    assert_eq!(heard.samples.len(), 8, "all but the one that left");
    (alone, heard)
}

#[test]
fn a_row_sounds_the_same_alone_and_among_others_that_join_and_leave() {
    let (alone, heard) = alone_and_among_others(&mut engine(8), 1.5);
    for (row, samples) in &heard.samples {
        let own = &alone[row];
        assert_eq!(samples.len(), own.len(), "row {row}");
        let worst = worst(samples, own);
        assert!(worst < 1e-4, "row {row} differs by {worst}");
    }
    assert!(heard.longest_chunk <= 24_000, "chunks are a second at most");
}

/// A last bit of the talker that depended on the company would tip a sampled code within seconds, and the row would go
/// on saying something else. A processor without the instruction is given float32. Samples differ by rounding: the
/// convolutions of the tiny codec, unlike those of published widths, are summed otherwise when rows are put together.
#[test]
#[cfg(target_arch = "x86_64")]
fn in_bfloat16_a_row_says_the_same_alone_and_among_others_for_as_long_as_it_speaks() {
    if !std::arch::is_x86_feature_detected!("avx512bf16") {
        return;
    }
    let manner = Manner { positions: 512, numbers: Numbers::BFloat16, ..Manner::default() };
    let model = load(ModelKind::CustomVoice, manner);
    let mut engine = Qwen3Engine::new(model, &checkpoint(ModelKind::CustomVoice), 8).expect("an engine");
    let (alone, heard) = alone_and_among_others(&mut engine, 4.0);
    for (row, samples) in &heard.samples {
        assert_eq!(samples.len(), alone[row].len(), "row {row}");
        let worst = worst(samples, &alone[row]);
        assert!(worst < 1e-4, "row {row} differs by {worst}");
    }
}

#[test]
fn speech_ends_by_itself_or_is_a_runaway() {
    quiet();
    let dir = tempfile::tempdir().expect("a folder");
    write_checkpoint(dir.path(), &plan(ModelKind::CustomVoice, true)).expect("a checkpoint");
    let manner = Manner { positions: 512, ..Manner::default() };
    let model = Qwen3Tts::load(dir.path(), manner, &mut |_, _| {}).expect("a model");
    let mut engine = Qwen3Engine::new(model, dir.path(), 4).expect("an engine");
    let mut heard = Heard::default();
    for row in 0..4 {
        let max_seconds = if row == 3 { 0.3 } else { 10.0 };
        engine.admit(SpeechRequest { max_seconds, ..request(row) }).expect("admitted");
    }
    while engine.rows() > 0 {
        engine.step(&mut heard).expect("a step");
    }
    assert!((0..3).all(|row| heard.finished.contains_key(&row)), "{:?}", heard.failed);
    for (row, samples) in &heard.finished {
        assert_eq!(*samples, heard.samples[row].len() as u64);
        assert_eq!(samples % 1920, 0);
    }
    assert_eq!(heard.failed.get(&3), Some(&EngineErrorKind::Runaway));
}

#[test]
fn what_cannot_be_spoken_is_refused_and_admits_nothing() {
    let mut engine = engine(1);
    let wrong = [
        SpeechRequest { text: "  \n ".into(), ..request(0) },
        SpeechRequest { voice: "nobody".into(), ..request(0) },
        SpeechRequest { language: "tlh".into(), ..request(0) },
        SpeechRequest { speed: 1.5, ..request(0) },
        SpeechRequest { max_seconds: f32::NAN, ..request(0) },
        SpeechRequest { text: "word ".repeat(2000), ..request(0) },
    ];
    for request in wrong {
        let error = engine.admit(request).expect_err("refused");
        assert_eq!(error.kind(), EngineErrorKind::BadRequest, "{error}");
        assert_eq!(engine.rows(), 0);
    }
    engine.admit(request(0)).expect("admitted");
    assert!(engine.admit(request(0)).is_err(), "the same row twice");
    assert!(engine.admit(request(1)).is_err(), "no room");
}

#[test]
fn a_stream_in_chunks_is_the_whole() {
    let model = model(ModelKind::VoiceDesign);
    let codes: Vec<Vec<i64>> =
        (0..40).map(|frame| (0..16).map(|book| (frame * 131 + book * 977) % 2048).collect()).collect();
    let whole = model.decode_whole(&[], &codes).expect("samples");
    assert_eq!(whole.len(), 40 * 1920);
    for chunk in [1, 3, 12, 39] {
        let parts = model.decode_chunks(&codes, chunk).expect("samples");
        assert_eq!(parts.len(), whole.len());
        let worst = worst(&parts, &whole);
        assert!(worst < 1e-4, "chunks of {chunk} differ by {worst}");
    }
}

#[test]
fn a_clone_is_kept_and_speaks_as_before() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("kept.safetensors");
    let manner = Manner { positions: 512, ..Manner::default() };
    let base = load(ModelKind::Base, manner);
    let samples = clip();
    base.clone_voice(&samples, Some("The clip.")).expect("a voice").save(&path).expect("saved");
    assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 1, "no part is left");

    let clone = base.clone_voice(&samples, Some("The clip.")).expect("a voice");
    let kept = base.load_voice(&path).expect("a voice");
    assert_eq!(kept.context().map(CloneContext::frames), clone.context().map(CloneContext::frames));
    let voice = path.to_str().expect("a path").to_owned();
    let mut engine = Qwen3Engine::new(base, dir.path(), 2).expect("an engine");
    let mut heard = Heard::default();
    engine.admit(SpeechRequest { voice, ..request(0) }).expect("admitted");
    while engine.rows() > 0 {
        engine.step(&mut heard).expect("a step");
    }
    assert_eq!(heard.failed.get(&0), Some(&EngineErrorKind::Runaway), "a forged model does not end");
    assert_eq!(heard.samples[&0].len(), 12 * 1920, "one full chunk of 19 frames");

    let other = model(ModelKind::CustomVoice);
    assert!(other.clone_voice(&samples, None).is_err(), "only a base model clones");
    std::fs::write(&path, b"not a voice").expect("written");
    assert!(model(ModelKind::Base).load_voice(&path).is_err());
}
