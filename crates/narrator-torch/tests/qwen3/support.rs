//! Forged checkpoints and goldens, shared by the tests of Qwen3-TTS.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::OnceLock;

use narrator_torch::qwen3::{ForgePlan, ForgeSize, Manner, ModelKind, Qwen3Tts, write_checkpoint};
use safetensors::{Dtype, SafeTensors};

/// The seed of the committed goldens.
pub const SEED: u64 = 1;

pub fn plan(kind: ModelKind, ends: bool) -> ForgePlan {
    ForgePlan { kind, size: ForgeSize::Tiny, seed: SEED, bfloat16: false, ends }
}

/// The folder of a tiny forged checkpoint, written once a process.
pub fn checkpoint(kind: ModelKind) -> PathBuf {
    static ROOTS: [OnceLock<tempfile::TempDir>; 3] = [const { OnceLock::new() }; 3];
    let index = match kind {
        ModelKind::Base => 0,
        ModelKind::CustomVoice => 1,
        ModelKind::VoiceDesign => 2,
    };
    let root = ROOTS[index].get_or_init(|| {
        let root = tempfile::tempdir().expect("a folder");
        write_checkpoint(root.path(), &plan(kind, false)).expect("a checkpoint");
        root
    });
    root.path().to_owned()
}

/// One libtorch thread for each test: tests run beside each other.
pub fn quiet() {
    tch::set_num_threads(1);
}

pub fn load(kind: ModelKind, manner: Manner) -> Qwen3Tts {
    quiet();
    Qwen3Tts::load(&checkpoint(kind), manner, &mut |_, _| {}).expect("a model")
}

/// A tiny model in float32, loaded once a thread, as a model stays on its thread.
pub fn model(kind: ModelKind) -> Rc<Qwen3Tts> {
    thread_local! {
        static MODELS: RefCell<HashMap<&'static str, Rc<Qwen3Tts>>> = RefCell::new(HashMap::new());
    }
    let name = match kind {
        ModelKind::Base => "base",
        ModelKind::CustomVoice => "custom_voice",
        ModelKind::VoiceDesign => "voice_design",
    };
    MODELS.with_borrow_mut(|models| {
        let load = || Rc::new(load(kind, Manner { positions: 512, ..Manner::default() }));
        Rc::clone(models.entry(name).or_insert_with(load))
    })
}

pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/qwen3").join(name)
}

/// Samples of the committed clip: 16-bit mono after a header of 44 bytes.
pub fn clip() -> Vec<f32> {
    let bytes = std::fs::read(data("clip.wav")).expect("the clip");
    bytes[44..]
        .chunks_exact(2)
        .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32768.0)
        .collect()
}

/// A golden file.
pub struct Golden {
    name: String,
    bytes: Vec<u8>,
}

impl Golden {
    pub fn read(name: &str) -> Self {
        let path = data(&format!("{name}.safetensors"));
        Self { name: name.to_owned(), bytes: std::fs::read(path).expect("a golden") }
    }

    pub fn ints(&self, tensor: &str) -> Vec<i64> {
        let file = SafeTensors::deserialize(&self.bytes).expect("a safetensors file");
        let view = file.tensor(tensor).expect("a tensor");
        match view.dtype() {
            Dtype::I16 => {
                view.data().chunks_exact(2).map(|b| i64::from(i16::from_le_bytes([b[0], b[1]]))).collect()
            }
            Dtype::I64 => view
                .data()
                .chunks_exact(8)
                .map(|b| i64::from_le_bytes(b.try_into().expect("eight bytes")))
                .collect(),
            other => panic!("{tensor} is {other:?}"),
        }
    }

    pub fn floats(&self, tensor: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.bytes).expect("a safetensors file");
        let view = file.tensor(tensor).expect("a tensor");
        assert_eq!(view.dtype(), Dtype::F32, "{tensor}");
        view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }

    /// Asserts that `ours` is the golden tensor within `tolerance`.
    pub fn near(&self, tensor: &str, ours: &[f32], tolerance: f32) {
        let theirs = self.floats(tensor);
        assert_eq!(ours.len(), theirs.len(), "{}: length of {tensor}", self.name);
        let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= tolerance, "{}: {tensor} differs by {worst}", self.name);
        assert!(ours.iter().all(|value| value.is_finite()), "{}: {tensor}", self.name);
    }

    pub fn cosine(&self, tensor: &str, ours: &[f32]) -> f64 {
        let theirs = self.floats(tensor);
        assert_eq!(ours.len(), theirs.len(), "{}: length of {tensor}", self.name);
        cosine(ours, &theirs)
    }

    /// Of the golden's first row alone.
    pub fn cosine_of_first(&self, tensor: &str, ours: &[f32]) -> f64 {
        cosine(ours, &self.floats(tensor)[..ours.len()])
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
