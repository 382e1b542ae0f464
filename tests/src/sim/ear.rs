//! The sim worker as a recogniser: it hears the text that it is told was to be said, and mishears by script.

use narrator_core::{HeardWord, Hearing};
use narrator_proto::Listen;

use super::script::HearDeed;

/// What it hears in a take, whatever is in it.
pub fn hearing_for(listen: &Listen, deed: Option<&HearDeed>, model: &str) -> Hearing {
    let text = listen.expected.clone().unwrap_or_default();
    let audio_ms = (listen.samples * 1000 / u64::from(listen.sample_rate.max(1))) as u32;
    let mut words: Vec<&str> = text.split_whitespace().collect();
    match deed {
        Some(HearDeed::Miss { word }) => words.retain(|heard| bare(heard) != word.as_str()),
        Some(HearDeed::Garbage) => words = "thanks for watching".split(' ').collect(),
        _ => {}
    }
    let share = audio_ms / (words.len().max(1) as u32 + 1);
    let heard = words.iter().enumerate().map(|(at, word)| {
        let start_ms = share / 2 + at as u32 * share;
        HeardWord { text: (*word).to_owned(), start_ms, end_ms: start_ms + share * 9 / 10, log_prob: -0.1 }
    });
    Hearing {
        model: model.to_owned(),
        words: heard.collect(),
        mean_log_prob: -0.2,
        no_speech_prob: 0.01,
        compression_ratio: 1.3,
        temperature: 0.0,
        audio_ms,
        scored: Vec::new(),
    }
}

/// A word without its punctuation.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// Samples that a check of the signal has nothing against: a hum that swells and fades with every syllable,
/// at a reader's pace, and is quiet at both ends and between two sentences.
pub fn hum_for(text: &str, seed: u64, sample_rate: u32) -> Vec<f32> {
    let mut sentences = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let end = word.trim_end_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '!' | '?'));
        if let Some(last) = sentences.last_mut() {
            last.push_str(word);
        }
        if end.ends_with(['.', '!', '?']) {
            sentences.push(String::new());
        }
    }
    sentences.retain(|sentence| sentence.chars().any(char::is_alphanumeric));
    if sentences.len() < 2 {
        return hum_one(text, seed, sample_rate);
    }
    let hums = sentences.iter().zip(0_u64..);
    hums.flat_map(|(sentence, at)| hum_one(sentence, seed ^ (at << 32), sample_rate)).collect()
}

fn hum_one(text: &str, seed: u64, sample_rate: u32) -> Vec<f32> {
    const SYLLABLE_S: f32 = 0.18;
    const EDGE_S: f32 = 0.12;
    let rate = sample_rate as f32;
    let letters = text.chars().filter(|c| c.is_alphanumeric()).count().max(2);
    let syllables = (letters as f32 / 2.6).ceil();
    let voiced = syllables * SYLLABLE_S;
    let samples = ((voiced + 2.0 * EDGE_S) * rate) as usize;
    let pitch = 110.0 + (seed % 40) as f32;
    (0..samples)
        .map(|n| {
            let at = n as f32 / rate - EDGE_S;
            if !(0.0..voiced).contains(&at) {
                return 0.0;
            }
            let (syllable, within) = ((at / SYLLABLE_S).floor(), (at / SYLLABLE_S).fract());
            let swell = (within * std::f32::consts::PI).sin().powf(0.6) * 0.85 + 0.1;
            let ends = (at / 0.05).min((voiced - at) / 0.12).clamp(0.0, 1.0);
            let turn = |times: f32| (at * pitch * times * std::f32::consts::TAU).sin();
            // Two partials are others with every syllable, so that no stretch is the other's copy.
            let dice = (seed ^ (syllable as u64 + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let colour = |bits: u64| 3.0 + (bits & 0xffff) as f32 / 65_536.0 * 50.0;
            let colours = turn(colour(dice >> 48)) + turn(colour(dice >> 32));
            0.2 * swell * ends * (turn(1.0) + 0.6 * turn(2.0) + 0.6 * colours)
        })
        .collect()
}
