//! The starter voice as the worker uses it, from the model that `scripts/setup` brought.

use std::path::{Path, PathBuf};

use narrator_core::Delivery;
use narrator_engine::{
    EngineError, EngineErrorKind, RowId, SpeechRequest, SpeechSink, SpeechStats, Synthesizer,
};
use narrator_torch::{Device, LoadOptions, Precision, load_synthesizer};

const RATE: usize = 24_000;

fn model_dir() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps/models/starter-en");
    assert!(dir.join("manifest.json").exists(), "{} is missing: run scripts/setup", dir.display());
    dir
}

fn voice() -> Box<dyn Synthesizer> {
    load_synthesizer(&model_dir(), &LoadOptions::default(), &mut |_, _| {}).expect("a voice")
}

fn request(row: u64, text: &str) -> SpeechRequest {
    SpeechRequest {
        row: RowId(row),
        text: text.into(),
        language: "en".into(),
        voice: "heart".into(),
        speed: 1.0,
        seed: 1,
        max_seconds: 120.0,
        delivery: Delivery::default(),
    }
}

#[derive(Default)]
struct Heard {
    samples: Vec<(RowId, f32)>,
    longest_chunk: usize,
    finished: Vec<(RowId, SpeechStats)>,
    failed: Vec<(RowId, EngineError)>,
}

impl SpeechSink for Heard {
    fn samples(&mut self, row: RowId, pcm: &[f32]) {
        self.longest_chunk = self.longest_chunk.max(pcm.len());
        self.samples.extend(pcm.iter().map(|&sample| (row, sample)));
    }

    fn finished(&mut self, row: RowId, stats: SpeechStats) {
        self.finished.push((row, stats));
    }

    fn failed(&mut self, row: RowId, error: EngineError) {
        self.failed.push((row, error));
    }
}

impl Heard {
    fn of(&self, row: u64) -> Vec<f32> {
        let of_row = self.samples.iter().filter(|(of, _)| *of == RowId(row));
        of_row.map(|&(_, sample)| sample).collect()
    }
}

fn run(voice: &mut dyn Synthesizer) -> Heard {
    let mut heard = Heard::default();
    while voice.rows() > 0 {
        voice.step(&mut heard).expect("a step");
    }
    heard
}

fn speak(voice: &mut dyn Synthesizer, request: SpeechRequest) -> Vec<f32> {
    let row = request.row.0;
    voice.admit(request).expect("admitted");
    let heard = run(voice);
    assert!(heard.failed.is_empty(), "{:?}", heard.failed);
    heard.of(row)
}

fn refusal(voice: &mut dyn Synthesizer, request: SpeechRequest) -> String {
    let error = voice.admit(request).expect_err("a refusal");
    assert_eq!(error.kind(), EngineErrorKind::BadRequest, "{error}");
    assert_eq!(voice.rows(), 0);
    error.to_string()
}

#[test]
fn a_row_sounds_the_same_whenever_and_beside_whatever_it_is_spoken() {
    let mut voice = voice();
    let text = "Mr. Bennet of Netherfield said hello. He left.";
    let alone = speak(&mut *voice, request(1, text));
    voice.admit(request(7, "Something else came first.")).expect("admitted");
    voice.admit(request(8, text)).expect("admitted");
    assert_eq!(run(&mut *voice).of(8), alone);
    assert_eq!(speak(&mut *self::voice(), request(1, text)), alone);
    let other_seed = speak(&mut *voice, SpeechRequest { seed: 2, ..request(1, text) });
    assert_eq!(other_seed.len(), alone.len());
    assert_ne!(other_seed, alone);
}

#[test]
fn samples_come_in_chunks_of_a_second_at_most_and_are_counted() {
    let mut voice = voice();
    voice
        .admit(request(3, "It was the best of times, it was the worst of times, it was the age of wisdom."))
        .expect("admitted");
    let heard = run(&mut *voice);
    let samples = heard.of(3);
    assert!(heard.longest_chunk <= RATE);
    assert!((3 * RATE..8 * RATE).contains(&samples.len()), "{} samples", samples.len());
    assert!(samples.iter().all(|sample| sample.abs() <= 1.0));
    let loudness = (samples.iter().map(|s| f64::from(s * s)).sum::<f64>() / samples.len() as f64).sqrt();
    assert!(loudness > 0.01, "only {loudness} loud");
    let [(RowId(3), stats)] = heard.finished[..] else { panic!("{:?}", heard.finished) };
    assert_eq!(stats.samples, samples.len() as u64);
}

#[test]
fn speed_changes_the_length() {
    let mut voice = voice();
    let text = "The quick brown fox jumps over the lazy dog.";
    let mut at = |speed| speak(&mut *voice, SpeechRequest { speed, ..request(1, text) }).len() as f64;
    let (slow, normal, fast) = (at(0.5), at(1.0), at(2.0));
    assert!((1.7..2.3).contains(&(slow / normal)), "{slow} to {normal}");
    assert!((0.4..0.65).contains(&(fast / normal)), "{fast} to {normal}");
}

#[test]
fn a_text_without_end_is_spoken_in_parts() {
    let mut voice = voice();
    let text = "and on and on it went ".repeat(60);
    let samples = speak(&mut *voice, request(1, &text));
    assert!(samples.len() > 60 * RATE, "{} samples", samples.len());
}

#[test]
fn what_cannot_be_spoken_is_refused_in_words() {
    let mut voice = voice();
    for text in ["", "  \n ", "…", "* * *", "“—”", "你好"] {
        let message = refusal(&mut *voice, request(1, text));
        assert!(message.contains("can be pronounced"), "{text}: {message}");
    }
    let message = refusal(&mut *voice, SpeechRequest { voice: "emma".into(), ..request(1, "Yes.") });
    insta::assert_snapshot!(message, @"the starter voice has no voice `emma`, only `heart`");
    let message = refusal(&mut *voice, SpeechRequest { language: "de".into(), ..request(1, "Ja.") });
    insta::assert_snapshot!(
        message,
        @"the starter voice speaks English and not `de`; choose another model"
    );
    for speed in [0.0, 0.49, 2.01, -1.0, f32::NAN, f32::INFINITY] {
        let message = refusal(&mut *voice, SpeechRequest { speed, ..request(1, "Yes.") });
        assert!(message.contains("not between 0.5 and 2"), "{message}");
    }
    for max_seconds in [0.0, -1.0, f32::NAN] {
        refusal(&mut *voice, SpeechRequest { max_seconds, ..request(1, "Yes.") });
    }
}

#[test]
fn a_row_that_would_not_end_in_time_fails_alone() {
    let mut voice = voice();
    let text = "A long sentence that takes a good while to be spoken from here to there.";
    voice.admit(SpeechRequest { max_seconds: 1.0, ..request(1, text) }).expect("admitted");
    voice.admit(request(2, "Yes.")).expect("admitted");
    let heard = run(&mut *voice);
    let [(RowId(1), ref error)] = heard.failed[..] else { panic!("{:?}", heard.failed) };
    assert_eq!(error.kind(), EngineErrorKind::Runaway);
    assert!(heard.of(1).is_empty());
    assert_eq!(heard.finished.len(), 1);
}

#[test]
fn a_cancelled_row_is_forgotten_and_rows_are_not_taken_twice() {
    let mut voice = voice();
    voice.admit(request(1, "One.")).expect("admitted");
    assert_eq!(voice.admit(request(1, "One.")).expect_err("twice").kind(), EngineErrorKind::BadRequest);
    assert!(voice.cancel(RowId(1)));
    assert!(!voice.cancel(RowId(1)));
    assert_eq!(voice.rows(), 0);
    assert!(run(&mut *voice).samples.is_empty());
    voice.step(&mut Heard::default()).expect("nothing to do");
}

#[test]
fn a_folder_that_is_no_model_says_what_is_wrong() {
    let load = |dir: &Path, options: LoadOptions| {
        let error = load_synthesizer(dir, &options, &mut |_, _| {}).err().expect("an error");
        assert_eq!(error.kind(), EngineErrorKind::BadModel, "{error}");
        error.to_string()
    };
    let nowhere = load(Path::new("/nowhere"), LoadOptions::default());
    assert!(nowhere.starts_with("cannot read /nowhere/manifest.json"), "{nowhere}");
    let cuda = load(&model_dir(), LoadOptions { device: Device::Cuda(0), ..LoadOptions::default() });
    // Where there is a card, that this voice has no use for it; elsewhere, that there is none.
    assert!(cuda.contains("set the device to cpu") || cuda.contains("use the device cpu"), "{cuda}");

    let dir = tempfile::tempdir().expect("a temporary folder");
    let manifest = |engine: &str, files: &str| {
        format!(
            r#"{{"name":"m","engine":"{engine}","source":"s","license":"MIT","files":[{files}],"sha256":""}}"#
        )
    };
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
    write("manifest.json", &manifest("abacus", ""));
    assert!(
        load(dir.path(), LoadOptions::default()).contains("needs the engine `abacus`, and this build has")
    );
    write("manifest.json", "{");
    assert!(load(dir.path(), LoadOptions::default()).contains("is not a model manifest"));
    write("manifest.json", &manifest("starter", r#"{"path":"model.safetensors","bytes":9,"sha256":""}"#));
    assert!(load(dir.path(), LoadOptions::default()).contains("model `m` is incomplete"));
    write("manifest.json", &manifest("starter", ""));
    write("config.json", "{}");
    assert!(load(dir.path(), LoadOptions::default()).contains("does not describe a starter voice"));
    std::fs::copy(model_dir().join("config.json"), dir.path().join("config.json")).expect("copied");
    write("model.safetensors", "not this");
    assert!(load(dir.path(), LoadOptions::default()).contains("is not a safetensors file"));
}

#[test]
fn real_numbers_are_another_way_to_the_same_voice() {
    let options = LoadOptions { precision: Precision::Float32, ..LoadOptions::default() };
    let mut real = load_synthesizer(&model_dir(), &options, &mut |_, _| {}).expect("a voice");
    let samples = speak(&mut *real, request(1, "Yes."));
    let rounded = speak(&mut *voice(), request(1, "Yes."));
    assert!(samples.len().abs_diff(rounded.len()) <= RATE / 10, "{} and {}", samples.len(), rounded.len());
}
