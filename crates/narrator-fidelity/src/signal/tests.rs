//! The checks on a made-up voice: syllables of harmonics, each with its own pitch and colour.

use super::*;
use crate::times::WordTime;

const RATE: u32 = 24_000;
const TEXT: &str = "She walked into the garden and looked at the roses by the wall for some time.";

/// Numbers from 0 to 1 that are the same on every run.
struct Dice(u32);

impl Dice {
    fn roll(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 24) as f32
    }
}

fn silence(ms: u32) -> Vec<f32> {
    vec![0.0; (RATE * ms / 1000) as usize]
}

/// `count` syllables of 200 ms, falling to silence between them as closures do.
fn voice(count: usize, dice: &mut Dice) -> Vec<f32> {
    let mut pcm = Vec::new();
    for _ in 0..count {
        let pitch = 90.0 + 80.0 * dice.roll();
        let colour: Vec<f32> = (0..24).map(|_| dice.roll() * dice.roll()).collect();
        let samples = RATE / 5;
        for at in 0..samples {
            let time = at as f32 / RATE as f32;
            let shape = (std::f32::consts::PI * at as f32 / samples as f32).sin();
            let tone: f32 = colour
                .iter()
                .enumerate()
                .map(|(n, level)| {
                    level / (n + 1) as f32 * (std::f32::consts::TAU * pitch * (n + 1) as f32 * time).sin()
                })
                .sum();
            pcm.push(0.25 * shape * tone);
        }
    }
    pcm
}

/// A take as the engines give them: silence before and after.
fn take(voice: &[f32]) -> Vec<f32> {
    [silence(250), voice.to_vec(), silence(400)].concat()
}

fn kinds(pcm: &[f32]) -> Vec<SignalFault> {
    examine(pcm, RATE, TEXT, None).findings.into_iter().map(|finding| finding.kind).collect()
}

#[test]
fn a_good_take_has_no_findings() {
    let good = take(&voice(24, &mut Dice(7)));
    assert_eq!(examine(&good, RATE, TEXT, None).findings, []);
    assert_eq!(examine(&good, RATE, TEXT, Some(Pace { letters_per_s: 14.0 })).findings, []);
}

#[test]
fn half_a_second_of_static_is_found_where_it_is() {
    let mut dice = Dice(7);
    let (before, after) = (voice(12, &mut dice), voice(12, &mut dice));
    let noise: Vec<f32> = (0..RATE / 2).map(|_| 0.1 * (dice.roll() + dice.roll() - 1.0)).collect();
    let signal = examine(&take(&[before, noise, after].concat()), RATE, TEXT, None);
    let found: Vec<&Finding> = signal.findings.iter().filter(|it| it.kind == SignalFault::Static).collect();
    assert_eq!(found.len(), 1, "{:?}", signal.findings);
    // 250 ms of silence and 12 syllables stand before it.
    assert!(found[0].start_ms.abs_diff(2650) < 60 && found[0].end_ms.abs_diff(3150) < 60, "{:?}", found[0]);
}

#[test]
fn a_take_that_breaks_off_is_found() {
    let mut cut = take(&voice(24, &mut Dice(7)));
    // In the middle of the last syllable.
    cut.truncate((RATE * (250 + 23 * 200 + 100) / 1000) as usize);
    assert_eq!(kinds(&cut), [SignalFault::SuddenEnd]);
}

#[test]
fn a_voice_that_is_cut_inside_a_take_is_found_where_it_is() {
    let mut dice = Dice(7);
    let (mut before, after) = (voice(12, &mut dice), voice(12, &mut dice));
    // In the middle of its last syllable.
    before.truncate(before.len() - (RATE / 10) as usize);
    let signal = examine(&take(&[before, silence(200), after.clone()].concat()), RATE, TEXT, None);
    assert_eq!(signal.findings.len(), 1, "{:?}", signal.findings);
    let found = &signal.findings[0];
    assert_eq!(found.kind, SignalFault::SuddenEnd);
    assert!(found.start_ms.abs_diff(2550) <= 10, "{found:?}");
    // One that falls by itself is none.
    let whole = take(&[voice(12, &mut dice), silence(200), after].concat());
    assert_eq!(examine(&whole, RATE, TEXT, None).findings, []);
}

#[test]
fn silence_quiet_and_clipped_takes_are_found() {
    assert_eq!(kinds(&silence(3000)), [SignalFault::Silent]);
    let good = take(&voice(24, &mut Dice(7)));
    let scaled = |by: f32| good.iter().map(|sample| (sample * by).clamp(-1.0, 1.0)).collect::<Vec<_>>();
    assert_eq!(kinds(&scaled(0.03)), [SignalFault::Quiet]);
    assert!(kinds(&scaled(40.0)).contains(&SignalFault::Clipped));
    let mut broken = good.clone();
    broken[4000] = f32::NAN;
    assert_eq!(kinds(&broken), [SignalFault::NotFinite]);
}

#[test]
fn what_is_far_too_short_or_long_for_its_text_is_found() {
    assert_eq!(kinds(&take(&voice(6, &mut Dice(7)))), [SignalFault::TooShort]);
    assert_eq!(kinds(&take(&voice(70, &mut Dice(7)))), [SignalFault::TooLong]);
}

#[test]
fn a_stretch_that_is_there_twice_is_found() {
    let mut dice = Dice(7);
    let (before, twice, after) = (voice(8, &mut dice), voice(6, &mut dice), voice(4, &mut dice));
    assert_eq!(kinds(&take(&[before, twice.clone(), twice, after].concat())), [SignalFault::Repeated]);
}

fn times(text: &str, start_ms: u32, each_ms: u32, gap: (usize, u32)) -> Vec<WordTime> {
    let words = crate::words::text_words(text);
    let mut from = start_ms;
    words
        .into_iter()
        .enumerate()
        .map(|(index, word)| {
            let time = WordTime { at: word.at, start_ms: from, end_ms: from + each_ms };
            from += each_ms + if index == gap.0 { gap.1 } else { 0 };
            time
        })
        .collect()
}

#[test]
fn a_pause_is_a_hole_in_a_phrase_and_rest_at_a_mark() {
    let mut dice = Dice(7);
    let (before, after) = (voice(12, &mut dice), voice(12, &mut dice));
    let pcm = take(&[before, silence(600), after].concat());
    for (text, holes) in [
        ("She walked into the garden and looked at the old roses", 1),
        ("She walked into the garden and, looked at the old roses", 0),
    ] {
        let signal = examine(&pcm, RATE, text, None);
        let times = times(text, 250, 400, (5, 600));
        let found = against_words(&signal, text, &times);
        assert_eq!(
            found.iter().filter(|it| it.kind == SignalFault::Pause).count(),
            holes,
            "{text}: {found:?}"
        );
    }
}

#[test]
fn a_word_with_a_sign_inside_may_be_read_in_two_breaths() {
    let mut dice = Dice(7);
    let pcm = take(&[voice(12, &mut dice), silence(600), voice(12, &mut dice)].concat());
    for (text, holes) in [("She opened Makefile.PL then", 0), ("She opened Makefiles then", 1)] {
        let signal = examine(&pcm, RATE, text, None);
        // The third word is the one around the silence.
        let mut times = times(text, 250, 700, (9, 0));
        times[2].end_ms = 4500;
        times[3] = WordTime { start_ms: 4500, end_ms: 5650, ..times[3].clone() };
        let found = against_words(&signal, text, &times);
        assert_eq!(
            found.iter().filter(|it| it.kind == SignalFault::Pause).count(),
            holes,
            "{text}: {found:?}"
        );
    }
}

#[test]
fn a_voice_that_goes_on_behind_the_text_is_found() {
    let pcm = take(&voice(24, &mut Dice(7)));
    let signal = examine(&pcm, RATE, TEXT, None);
    let end = |ms| vec![WordTime { at: 0..3, start_ms: 250, end_ms: ms }];
    assert!(against_words(&signal, TEXT, &end(5050)).is_empty());
    let found = against_words(&signal, TEXT, &end(3500));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind, found[0].start_ms), (SignalFault::SpeechAfter, 3800));
}
