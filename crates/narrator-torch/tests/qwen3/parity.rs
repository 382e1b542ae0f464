//! Qwen3-TTS computes what the reference computes.
//!
//! The goldens in `tests/data/qwen3` come from the reference implementation over tiny checkpoints of random
//! numbers, which the tests forge again from the same seed; `scripts/qwen3-goldens` makes them anew.

use crate::support::{Golden, clip, load, model};
use narrator_torch::qwen3::{Dump, DumpRequest, Manner, ModelKind, Numbers, Utterance, Voice};

const TEXT: &str = "The lighthouse keeper hadn't slept; at 9:45 he said: “It's coming.”";
const CLIP_TEXT: &str = "The clip that is being cloned.";

/// Float32 over another order of sums.
const TOLERANCE: f32 = 1e-4;

fn speak(kind: ModelKind, text: &str, language: &str, voice: Voice, frames: usize) -> Dump {
    let utterance = Utterance { text, language, voice };
    let request = DumpRequest { utterance, greedy: true, seed: 0, frames, clip: None };
    model(kind).dump(&request).expect("an utterance")
}

/// Compares all that a golden holds.
fn compare(name: &str, dump: &Dump) {
    let golden = Golden::read(name);
    assert_eq!(dump.text_ids, golden.ints("text_ids"), "{name}: text ids");
    golden.near("prompt_embeds", &dump.prompt_embeds.values, TOLERANCE);
    let codes: Vec<i64> = dump.codes.concat();
    assert_eq!(codes, golden.ints("codes"), "{name}: codes");
    golden.near("talker_hidden", &dump.talker_hidden.values, TOLERANCE);
    let logits: Vec<f32> =
        dump.talker_logits.rows().flat_map(|row| row.iter().step_by(48)).copied().collect();
    golden.near("talker_logits", &logits, TOLERANCE);
    assert_eq!(vec![dump.wav.len() as i64], golden.ints("wav_length"), "{name}: samples");
    golden.near("wav_head", &dump.wav[..2 * 1920], TOLERANCE);
    let thin: Vec<f32> = dump.wav.iter().step_by(122).copied().collect();
    golden.near("wav_thin", &thin, TOLERANCE);
}

#[test]
fn a_named_voice_says_what_the_reference_says() {
    let voice = Voice::Named { speaker: "Ryan", instruct: None };
    compare("custom_voice", &speak(ModelKind::CustomVoice, TEXT, "English", voice, 64));
}

#[test]
fn a_designed_voice_says_what_the_reference_says() {
    let voice = Voice::Designed { instruct: "A calm, low voice." };
    compare("voice_design", &speak(ModelKind::VoiceDesign, TEXT, "English", voice, 64));
}

#[test]
fn a_speaker_vector_says_what_the_reference_says() {
    let clone = model(ModelKind::Base).clone_voice(&clip(), None).expect("a voice");
    let dump = speak(ModelKind::Base, TEXT, "English", Voice::Cloned(&clone), 64);
    let golden = Golden::read("x_vector");
    let cosine = golden.cosine("speaker", dump.speaker.as_deref().expect("a speaker"));
    assert!(cosine > 0.99999, "{cosine}");
    compare("x_vector", &dump);
}

#[test]
fn a_clone_in_context_says_what_the_reference_says() {
    let clone = model(ModelKind::Base).clone_voice(&clip(), Some(CLIP_TEXT)).expect("a voice");
    let dump = speak(ModelKind::Base, TEXT, "English", Voice::Cloned(&clone), 64);
    let codes = dump.ref_codes.as_ref().expect("reference codes").concat();
    let golden = Golden::read("icl").ints("ref_codes");
    assert_eq!(codes.len(), golden.len());
    let equal = codes.iter().zip(&golden).filter(|(ours, theirs)| ours == theirs).count();
    assert!(equal * 100 >= golden.len() * 99, "{equal} of {} reference codes are equal", golden.len());
    compare("icl", &dump);
}

#[test]
fn a_dialect_and_an_instruction_are_told_as_the_reference_tells_them() {
    let voice = Voice::Named { speaker: "eric", instruct: Some("Slowly.") };
    compare("dialect", &speak(ModelKind::CustomVoice, "天色渐渐暗了下来。", "Auto", voice, 3));
}

#[test]
fn an_open_language_is_told_as_the_reference_tells_it() {
    let voice = Voice::Designed { instruct: "Laut." };
    compare("auto", &speak(ModelKind::VoiceDesign, "Grüß Gott, Ärger!", "auto", voice, 3));
}

/// Codes may part at near ties, so only what comes of equal input is compared: the prompt, and the first
/// frame's state.
#[test]
fn half_precisions_stay_close() {
    for numbers in [Numbers::BFloat16, Numbers::Float16] {
        let manner = Manner { numbers, codec: numbers, positions: 512, ..Manner::default() };
        let model = load(ModelKind::CustomVoice, manner);
        let voice = Voice::Named { speaker: "Ryan", instruct: None };
        let utterance = Utterance { text: TEXT, language: "English", voice };
        let request = DumpRequest { utterance, greedy: true, seed: 0, frames: 2, clip: None };
        let dump = model.dump(&request).expect("an utterance");
        let golden = Golden::read("custom_voice");
        let cosine = golden.cosine("prompt_embeds", &dump.prompt_embeds.values);
        assert!(cosine > 0.9999, "{numbers:?}: prompt {cosine}");
        let first = dump.talker_hidden.rows().next().expect("a frame");
        let cosine = golden.cosine_of_first("talker_hidden", first);
        assert!(cosine > 0.999, "{numbers:?}: state {cosine}");
        assert!(dump.wav.iter().all(|sample| sample.is_finite() && sample.abs() <= 1.0));
    }
}
