//! Duration against the text.

use std::ops::Range;

use super::frames::Frames;
use super::{Finding, Pace, Signal, SignalFault};
use crate::readings::sign;

/// Nobody reads slower or faster than this, in letters a second of sound. 150 takes of the starter
/// voice lie between 13 and 20.
const SLOWEST: f32 = 5.0;
const FASTEST: f32 = 40.0;
/// How far a take may be from the voice's own pace.
const SLOWER: f32 = 0.5;
const FASTER: f32 = 1.8;
/// Shorter texts say little about pace.
const MIN_LETTERS: u32 = 12;
/// And this many are needed to hold a take to the voice's own.
const OWN_LETTERS: u32 = 40;

/// Letters of a text as they are said: a figure is a short word, and so is a sign that is spoken. Voices read
/// `/usr/lib` with its slashes.
pub(super) fn letters(text: &str) -> u32 {
    let of = |c: char| if c.is_numeric() || is_spoken(c) { 4 } else { u32::from(c.is_alphabetic()) };
    text.chars().map(of).sum()
}

fn is_spoken(c: char) -> bool {
    c == '/' || sign(c).is_some()
}

/// Whether a text is long enough to tell a voice's pace, and to be held to it.
pub fn tells_pace(text: &str) -> bool {
    letters(text) >= OWN_LETTERS
}

/// Letters of `text` for each second of sound in its take; nothing where they tell nothing.
pub fn letters_per_s(signal: &Signal, text: &str) -> Option<f32> {
    if tells_pace(text) { pace_of(letters(text), &signal.sounding) } else { None }
}

fn pace_of(letters: u32, sounding: &[Range<u32>]) -> Option<f32> {
    let sounding: u32 = sounding.iter().map(|run| run.end - run.start).sum();
    (sounding > 0).then(|| letters as f32 * 1000.0 / sounding as f32)
}

pub(super) fn against_text(frames: &Frames, text: &str, pace: Option<Pace>) -> Option<Finding> {
    let letters = letters(text);
    if letters < MIN_LETTERS {
        return None;
    }
    let measure = pace_of(letters, &frames.sounding())?;
    let (slowest, fastest) = match pace.filter(|_| tells_pace(text)) {
        Some(own) => (own.letters_per_s * SLOWER, own.letters_per_s * FASTER),
        None => (SLOWEST, FASTEST),
    };
    let (kind, limit) = match measure {
        pace if pace < slowest => (SignalFault::TooLong, slowest),
        pace if pace > fastest => (SignalFault::TooShort, fastest),
        _ => return None,
    };
    let voice = frames.voice_ms();
    Some(Finding { kind, start_ms: voice.start, end_ms: voice.end, measure, limit })
}
