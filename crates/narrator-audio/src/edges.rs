//! A take's edges: what of the near-silence around the speech is kept, and how it fades.
//!
//! Voices put a few tenths of a second of hiss before and after the words, as much as they like. The
//! script decides the pauses, so what lies outside the words is cut down to a small margin, and the
//! programme counts that margin into the pause.
//!
//! Invariant, held by property tests: no sample from the first audible one to the last is removed, and
//! none is changed except within [`DECLICK_MS`] of an edge where the take itself starts or ends in the
//! middle of sound.

use std::ops::Range;

/// A sample at or above this is sound, −60 dB of full scale: the hiss of neural voices lies at −73 to
/// −80, the faintest trailing consonants of normalised speech around −55.
const AUDIBLE: f32 = 0.001;

/// In a quiet take, sound is what comes within this of its peak, 50 dB: a whispered take is not cut
/// by a rule made for a full voice.
const AUDIBLE_BELOW_PEAK: f32 = 0.003_162;

/// Kept before the first audible sample: a soft onset (h, f, a breath) starts below the threshold.
const LEAD_MS: u32 = 40;

/// Kept after the last audible sample: the decay of a last syllable is longer than an onset.
const TAIL_MS: u32 = 80;

/// Fade inside the kept margin.
const FADE_MS: u32 = 8;

/// Fade where there is no margin because the take starts or ends in the middle of sound. Too short to
/// take a consonant away, long enough that no step is heard.
const DECLICK_MS: u32 = 2;

/// Samples in `ms` milliseconds.
pub(crate) fn ms_to_samples(ms: u32, rate: u32) -> u64 {
    u64::from(ms) * u64::from(rate) / 1000
}

/// What is kept of a take, in samples of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Edges {
    pub kept: Range<usize>,
    /// From the first audible sample to behind the last; empty for a take without sound.
    pub audible: Range<usize>,
}

impl Edges {
    /// Near-silence kept before the sound.
    pub fn lead(&self) -> u64 {
        (self.audible.start - self.kept.start) as u64
    }

    /// Near-silence kept after the sound.
    pub fn tail(&self) -> u64 {
        (self.kept.end - self.audible.end) as u64
    }
}

/// Decides what to keep of a take. A take without any audible sample is kept whole: it is not for this
/// stage to make text disappear.
pub(crate) fn find_edges(take: &[f32], rate: u32) -> Edges {
    let peak = take.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
    let threshold = AUDIBLE.min(peak * AUDIBLE_BELOW_PEAK);
    let is_audible = |x: &f32| x.abs() >= threshold && peak > 0.0;
    let (Some(first), Some(last)) = (take.iter().position(is_audible), take.iter().rposition(is_audible))
    else {
        return Edges { kept: 0..take.len(), audible: 0..take.len() };
    };
    let audible = first..last + 1;
    let start = first.saturating_sub(ms_to_samples(LEAD_MS, rate) as usize);
    let end = take.len().min(audible.end + ms_to_samples(TAIL_MS, rate) as usize);
    Edges { kept: start..end, audible }
}

/// Fades the kept part in and out with a raised cosine, inside its margins where it has them.
pub(crate) fn fade_edges(kept: &mut [f32], edges: &Edges, rate: u32) {
    let fade = |margin: u64| {
        let shortest = ms_to_samples(DECLICK_MS, rate);
        (ms_to_samples(FADE_MS, rate).min(margin.max(shortest)) as usize).min(kept.len() / 2)
    };
    let (fade_in, fade_out) = (fade(edges.lead()), fade(edges.tail()));
    let ramp = |step: usize, steps: usize| {
        let phase = (step as f32 + 0.5) / steps as f32;
        0.5 - 0.5 * (phase * std::f32::consts::PI).cos()
    };
    for (step, x) in kept.iter_mut().take(fade_in).enumerate() {
        *x *= ramp(step, fade_in);
    }
    for (step, x) in kept.iter_mut().rev().take(fade_out).enumerate() {
        *x *= ramp(step, fade_out);
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "bit for bit is what is promised")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: u32 = 24_000;

    fn take(lead: usize, sound: usize, tail: usize) -> Vec<f32> {
        let hiss = |n: usize| if n.is_multiple_of(2) { 1e-4 } else { -1e-4 };
        let mut take: Vec<f32> = (0..lead).map(hiss).collect();
        take.extend((0..sound).map(|n| if n.is_multiple_of(2) { 0.3 } else { -0.3 }));
        take.extend((0..tail).map(hiss));
        take
    }

    #[test]
    fn long_margins_are_cut_to_their_bounds() {
        let edges = find_edges(&take(7_000, 24_000, 11_000), RATE);
        assert_eq!(edges.audible, 7_000..31_000);
        assert_eq!((edges.lead(), edges.tail()), (960, 1920));
    }

    #[test]
    fn short_margins_and_soundless_takes_are_left() {
        assert_eq!(find_edges(&take(100, 5_000, 50), RATE).kept, 0..5_150);
        let silence = vec![0.0; 4_000];
        assert_eq!(find_edges(&silence, RATE).kept, 0..4_000);
    }

    #[test]
    fn a_whisper_is_not_cut_by_the_rule_for_a_full_voice() {
        let mut whisper = take(7_000, 24_000, 11_000);
        for x in &mut whisper {
            *x *= 0.003;
        }
        let edges = find_edges(&whisper, RATE);
        assert_eq!(edges.audible, 7_000..31_000);
    }

    #[test]
    fn a_take_that_starts_in_the_middle_of_sound_does_not_click() {
        let mut pcm = take(0, 6_000, 0);
        let edges = find_edges(&pcm, RATE);
        fade_edges(&mut pcm, &edges, RATE);
        assert!(pcm[0].abs() < 0.001 && pcm[5_999].abs() < 0.001);
        assert_eq!(pcm[48..5_952], take(0, 6_000, 0)[48..5_952]);
    }

    proptest! {
        #[test]
        fn sound_is_neither_removed_nor_changed(
            lead in 0_usize..4_000, tail in 0_usize..4_000,
            sound in proptest::collection::vec(-1.0_f32..1.0, 200..4_000),
            hiss in 0.0_f32..0.0009, level in 0.02_f32..1.0,
        ) {
            let mut pcm: Vec<f32> = (0..lead).map(|n| if n % 3 == 0 { hiss } else { -hiss }).collect();
            pcm.extend(sound.iter().map(|x| x * level));
            pcm.extend((0..tail).map(|n| if n % 3 == 0 { hiss } else { -hiss }));
            let edges = find_edges(&pcm, RATE);
            let loud = |x: &f32| x.abs() >= AUDIBLE;
            let mut kept = pcm[edges.kept.clone()].to_vec();
            fade_edges(&mut kept, &edges, RATE);

            let declick = ms_to_samples(DECLICK_MS, RATE) as usize;
            for (at, (before, after)) in pcm[edges.kept.clone()].iter().zip(&kept).enumerate() {
                prop_assert!(after.abs() <= before.abs());
                if loud(before) && at >= declick && at + declick < kept.len() {
                    prop_assert_eq!(before, after, "changed sample {}", at);
                }
            }
            prop_assert!(!pcm[..edges.kept.start].iter().any(loud));
            prop_assert!(!pcm[edges.kept.end..].iter().any(loud));
            prop_assert!(edges.lead() <= ms_to_samples(LEAD_MS, RATE));
            prop_assert!(edges.tail() <= ms_to_samples(TAIL_MS, RATE));
        }
    }
}
