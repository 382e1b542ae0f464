//! The port held against the package itself: the same phoneme ids through both.
//!
//! The goldens are thinned out to stay small. All numbers are compared by making the full set with
//! `scripts/models/goldens_starter.py OUT --full` and naming it in `NARRATOR_GOLDENS`.

use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use safetensors::SafeTensors;
use tch::Tensor;

use super::config::Config;
use super::layers::{Arithmetic, Source};
use super::spelling::Spelling;
use super::voice::Voice;
use crate::weights::Weights;

/// Absolute, on every log magnitude, phase and hertz that the networks give.
const TOLERANCE: f64 = 2e-2;

/// With the inputs of matrices rounded to 8 bits, a last digit that differs can tip a rounding, and from there
/// on whole layers differ: onnxruntime with and without its graph optimisations differs from itself by 0.7 at
/// most and 0.05 on average in these sentences. Only the average says anything.
const ROUNDED_MEAN: f64 = 5e-2;

const CASES: usize = 5;

pub(super) fn model_dir() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps/models/starter-en");
    assert!(dir.join("manifest.json").exists(), "{} is missing: run scripts/setup", dir.display());
    dir
}

fn goldens() -> Weights {
    let path = std::env::var_os("NARRATOR_GOLDENS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/starter.safetensors"),
        PathBuf::from,
    );
    Weights::open(&path, tch::Device::Cpu).expect("goldens")
}

/// A golden of whatever shape.
fn golden(file: &SafeTensors<'_>, name: &str) -> Tensor {
    let view = file.tensor(name).expect(name);
    let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
    let kind = match view.dtype() {
        safetensors::Dtype::I64 => tch::Kind::Int64,
        _ => tch::Kind::Float,
    };
    Tensor::f_from_data_size(view.data(), &shape, kind).expect(name)
}

struct Differences {
    spectra_most: f64,
    spectra_mean: f64,
    pitch_most: f64,
    envelope_correlation: f64,
}

/// Speaks a case's phonemes in one of the arithmetics and compares with the golden of the same.
fn compare(voice: &mut Voice, file: &SafeTensors<'_>, case: usize, set: &str) -> Differences {
    let of = |name: &str| golden(file, &format!("{case}.{name}"));
    let ids = Vec::<i64>::try_from(&of("ids")).expect("ids");
    let speed = of("speed").double_value(&[0]) as f32;
    let stride = Vec::<i64>::try_from(&of("stride")).expect("a stride");
    let utterance = voice.utter(&ids, speed, u64::MAX).expect("an utterance");
    let pitch = of(&format!("{set}.pitch"));
    assert_eq!(utterance.pitch.size(), pitch.size(), "case {case} ({set}): other durations");
    let thinned = utterance.spectra.slice(0, None, None, stride[0]).slice(1, None, None, stride[1]);
    let spectra = (thinned - of(&format!("{set}.spectra"))).abs();
    let samples = voice.sound(&utterance, &mut ChaCha8Rng::seed_from_u64(1)).expect("samples");
    let expected = Vec::<f32>::try_from(&of(&format!("{set}.envelope"))).expect("values");
    let found = Differences {
        spectra_most: spectra.max().double_value(&[]),
        spectra_mean: spectra.mean(tch::Kind::Double).double_value(&[]),
        pitch_most: (&utterance.pitch - pitch).abs().max().double_value(&[]),
        envelope_correlation: correlation(&envelope(&samples), &expected),
    };
    println!(
        "case {case} ({set}): spectra {:.1e} at most, {:.1e} on average; pitch {:.1e} Hz; envelopes {:.5}",
        found.spectra_most, found.spectra_mean, found.pitch_most, found.envelope_correlation
    );
    found
}

fn voice(arithmetic: Arithmetic) -> Voice {
    crate::manner::set_threads(1);
    let weights = Weights::open(&model_dir().join("model.safetensors"), tch::Device::Cpu).expect("weights");
    Voice::load(&Source { names: &weights.names().expect("a header"), arithmetic }).expect("a voice")
}

#[test]
fn in_real_numbers_every_output_is_onnxruntimes() {
    let (mut voice, goldens) = (voice(Arithmetic::Real), goldens());
    let file = SafeTensors::deserialize(goldens.bytes_of_file()).expect("goldens");
    for case in 0..CASES {
        let found = compare(&mut voice, &file, case, "real");
        assert!(found.spectra_most <= TOLERANCE, "case {case}: spectra {}", found.spectra_most);
        assert!(found.pitch_most <= TOLERANCE, "case {case}: pitch {} Hz", found.pitch_most);
        assert!(found.envelope_correlation >= 0.99, "case {case}: {}", found.envelope_correlation);
    }
}

#[test]
fn with_rounding_it_is_as_near_as_onnxruntime_is_to_itself() {
    let (mut voice, goldens) = (voice(Arithmetic::Rounded), goldens());
    let file = SafeTensors::deserialize(goldens.bytes_of_file()).expect("goldens");
    for case in 0..CASES {
        let found = compare(&mut voice, &file, case, "rounded");
        assert!(found.spectra_mean <= ROUNDED_MEAN, "case {case}: spectra {}", found.spectra_mean);
        assert!(found.envelope_correlation >= 0.99, "case {case}: {}", found.envelope_correlation);
    }
}

#[test]
fn unknown_words_are_read_as_the_package_reads_them() {
    let dir = model_dir();
    let weights = Weights::open(&dir.join("model.safetensors"), tch::Device::Cpu).expect("weights");
    let names = weights.names().expect("a header");
    let config = Config::read(&dir).expect("a config").spelling;
    let spelling =
        Spelling::load(&Source { names: &names, arithmetic: Arithmetic::Real }, config).expect("a network");
    let goldens = goldens();
    let file = SafeTensors::deserialize(goldens.bytes_of_file()).expect("goldens");
    let words: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(file.tensor("words").expect("words").data()).expect("json");
    for (word, phonemes) in words {
        assert_eq!(spelling.phonemes(&word).expect("phonemes"), phonemes, "{word}");
    }
}

/// Root mean square of every 10 ms.
fn envelope(samples: &[f32]) -> Vec<f32> {
    let power = |hop: &[f32]| hop.iter().map(|sample| sample * sample).sum::<f32>() / hop.len() as f32;
    samples.chunks_exact(240).map(|hop| power(hop).sqrt()).collect()
}

fn correlation(left: &[f32], right: &[f32]) -> f64 {
    assert_eq!(left.len(), right.len());
    let mean = |values: &[f32]| values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64;
    let (left_mean, right_mean) = (mean(left), mean(right));
    let (mut product, mut left_square, mut right_square) = (0.0, 0.0, 0.0);
    for (&a, &b) in left.iter().zip(right) {
        let (a, b) = (f64::from(a) - left_mean, f64::from(b) - right_mean);
        product += a * b;
        left_square += a * a;
        right_square += b * b;
    }
    product / (left_square * right_square).sqrt()
}
