//! From logits to a code, in the reference's order.
//!
//! The talker's first code: penalty on codes that the row has already said, no end before the second frame,
//! control ids never, temperature, the k likeliest (and all that tie with the k-th), the nucleus, a draw. The
//! predictor's codes: temperature, k likeliest, nucleus, draw. Greedy decoding stops before the temperature.
//!
//! Draws come from a random stream of the row's own, so a row says the same beside any neighbours.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::{GenerationConfig, SamplingConfig, TalkerConfig};

/// The reference gives every row at least this many frames.
const MIN_FRAMES: usize = 2;

/// At the end of the codec vocabulary stand control ids, which are never sampled, except the end of speech.
const CONTROL_IDS: usize = 1024;

/// What logits of first codes are multiplied by where a row is to be calm: a temperature of two thirds of the
/// usual one, 0.6 for the published 0.9. The draws stay as they are and fall on likelier codes.
const CALM: f32 = 1.5;

/// What a row's choices depend on beside the logits.
#[derive(Clone, Debug)]
pub(crate) struct Chooser {
    random: ChaCha8Rng,
    /// First codes that the row has said.
    said: Vec<bool>,
    frames: usize,
    config: GenerationConfig,
    sharpness: f32,
    eos: usize,
    /// Room for candidates, kept between draws.
    scratch: Vec<f32>,
}

impl Chooser {
    pub(crate) fn new(talker: &TalkerConfig, config: GenerationConfig, seed: u64, calm: bool) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            said: vec![false; talker.stack.vocab as usize],
            frames: 0,
            config,
            sharpness: if calm { CALM } else { 1.0 },
            eos: talker.ids.eos as usize,
            scratch: Vec::new(),
        }
    }

    /// The next first code; `logits` is used up. Not a number among them gives none.
    pub(crate) fn first(&mut self, logits: &mut [f32]) -> Option<usize> {
        let penalty = self.config.repetition_penalty;
        for (logit, _) in logits.iter_mut().zip(&self.said).filter(|(_, said)| **said) {
            *logit = if *logit < 0.0 { *logit * penalty } else { *logit / penalty };
        }
        for logit in logits.iter_mut() {
            *logit *= self.sharpness;
        }
        let eos = self.eos;
        let control = logits.len().saturating_sub(CONTROL_IDS);
        for (id, logit) in logits.iter_mut().enumerate().skip(control) {
            if id != eos {
                *logit = f32::NEG_INFINITY;
            }
        }
        if self.frames < MIN_FRAMES
            && let Some(end) = logits.get_mut(eos)
        {
            *end = f32::NEG_INFINITY;
        }
        let sampling = self.config.talker;
        let code = self.choose(logits, &sampling)?;
        self.frames += 1;
        if let Some(said) = self.said.get_mut(code) {
            *said = true;
        }
        Some(code)
    }

    /// What logits of first codes are multiplied by.
    pub(crate) fn sharpness(&self) -> f32 {
        self.sharpness
    }

    /// One of the codes after the first.
    pub(crate) fn next(&mut self, logits: &mut [f32]) -> Option<usize> {
        let sampling = self.config.predictor;
        self.choose(logits, &sampling)
    }

    fn choose(&mut self, logits: &mut [f32], sampling: &SamplingConfig) -> Option<usize> {
        if logits.iter().any(|logit| logit.is_nan()) {
            return None;
        }
        // One draw a code, whatever the logits: the stream stays in step.
        let draw = if sampling.sample { self.random.random() } else { 0.0 };
        choose_with(logits, draw, sampling, &mut self.scratch)
    }

    /// Opens a frame that is chosen elsewhere: appends the draws of its first code and of `codes` others to
    /// `draws`, 0 where nothing is drawn, and says whether speech may end with it.
    pub(crate) fn draw_frame(&mut self, codes: usize, draws: &mut Vec<f64>) -> bool {
        let (first, rest) = (self.config.talker.sample, self.config.predictor.sample);
        let mut draw = |sample: bool| draws.push(if sample { self.random.random() } else { 0.0 });
        draw(first);
        (0..codes).for_each(|_| draw(rest));
        self.frames += 1;
        self.frames > MIN_FRAMES
    }
}

/// What the talker may choose, as something to be added to its logits: where speech may not end yet, and where
/// it may.
pub(crate) fn barred(vocab: usize, eos: usize) -> [Vec<f32>; 2] {
    let row = |ends: bool| {
        let barred = |id: usize| if id == eos { !ends } else { id + CONTROL_IDS >= vocab };
        (0..vocab).map(|id| if barred(id) { f32::NEG_INFINITY } else { 0.0 }).collect()
    };
    [row(false), row(true)]
}

/// The choice from `logits` with one draw of 0 to 1; nothing where there is none.
fn choose_with(
    logits: &mut [f32],
    draw: f64,
    sampling: &SamplingConfig,
    scratch: &mut Vec<f32>,
) -> Option<usize> {
    if !sampling.sample {
        return likeliest(logits);
    }
    for logit in logits.iter_mut() {
        *logit /= sampling.temperature;
    }
    keep_top_k(logits, sampling.top_k, scratch);
    keep_nucleus(logits, sampling.top_p);
    pick(logits, draw)
}

/// The same from logits that stay as they are, to compare with.
#[cfg(test)]
pub(crate) fn choose_one(logits: &[f32], draw: f64, sampling: &SamplingConfig) -> Option<usize> {
    if logits.iter().any(|logit| logit.is_nan()) {
        return None;
    }
    choose_with(&mut logits.to_vec(), draw, sampling, &mut Vec::new())
}

/// The first of the highest.
fn likeliest(logits: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (id, &logit) in logits.iter().enumerate() {
        if best.is_none_or(|(_, highest)| logit > highest) {
            best = Some((id, logit));
        }
    }
    best.map(|(id, _)| id)
}

/// Leaves the `k` highest and their ties with the k-th.
fn keep_top_k(logits: &mut [f32], k: usize, scratch: &mut Vec<f32>) {
    if k == 0 || k >= logits.len() {
        return;
    }
    scratch.clear();
    scratch.extend_from_slice(logits);
    let (_, threshold, _) = scratch.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    let threshold = *threshold;
    for logit in logits.iter_mut().filter(|logit| **logit < threshold) {
        *logit = f32::NEG_INFINITY;
    }
}

/// Leaves the likeliest that together reach `p`, and at least one.
fn keep_nucleus(logits: &mut [f32], p: f32) {
    if p >= 1.0 {
        return;
    }
    let mut order: Vec<usize> = (0..logits.len()).filter(|&id| logits[id] > f32::NEG_INFINITY).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    let Some(&top) = order.first() else { return };
    let highest = f64::from(logits[top]);
    let weight = |id: usize| (f64::from(logits[id]) - highest).exp();
    let total: f64 = order.iter().map(|&id| weight(id)).sum();
    let mut reached = 0.0;
    let mut kept = 0;
    for &id in &order {
        if kept > 0 && reached >= f64::from(p) * total {
            break;
        }
        reached += weight(id);
        kept += 1;
    }
    for &id in &order[kept..] {
        logits[id] = f32::NEG_INFINITY;
    }
}

/// The id at `draw` (0 to 1) of the cumulated softmax.
fn pick(logits: &[f32], draw: f64) -> Option<usize> {
    let highest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    if highest == f64::NEG_INFINITY {
        return None;
    }
    let weight = |logit: f32| (f64::from(logit) - highest).exp();
    let total: f64 = logits.iter().map(|&logit| weight(logit)).sum();
    let mut left = draw * total;
    let mut last = None;
    for (id, &logit) in logits.iter().enumerate().filter(|(_, logit)| **logit > f32::NEG_INFINITY) {
        last = Some(id);
        left -= weight(logit);
        if left < 0.0 {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn finite(logits: &[f32]) -> Vec<usize> {
        (0..logits.len()).filter(|&id| logits[id].is_finite()).collect()
    }

    #[test]
    fn ties_with_the_last_of_the_top_stay() {
        let mut logits = [1.0, 3.0, 2.0, 2.0, 0.0];
        keep_top_k(&mut logits, 2, &mut Vec::new());
        assert_eq!(finite(&logits), [1, 2, 3]);
    }

    #[test]
    fn the_nucleus_keeps_what_reaches_it() {
        let mut logits = [0.6_f32.ln(), 0.3_f32.ln(), 0.1_f32.ln()];
        keep_nucleus(&mut logits, 0.7);
        assert_eq!(finite(&logits), [0, 1]);
        let mut logits = [0.6_f32.ln(), 0.3_f32.ln(), 0.1_f32.ln()];
        keep_nucleus(&mut logits, 0.0);
        assert_eq!(finite(&logits), [0]);
    }

    #[test]
    fn a_draw_lands_by_weight() {
        let logits = [0.25_f32.ln(), f32::NEG_INFINITY, 0.75_f32.ln()];
        assert_eq!(pick(&logits, 0.0), Some(0));
        assert_eq!(pick(&logits, 0.24), Some(0));
        assert_eq!(pick(&logits, 0.26), Some(2));
        assert_eq!(pick(&logits, 0.999_999), Some(2));
        assert_eq!(pick(&[f32::NEG_INFINITY], 0.5), None);
    }

    proptest! {
        #[test]
        fn a_choice_is_among_the_likeliest(logits in prop::collection::vec(-9.0_f32..9.0, 1..200), k in 1_usize..60, draw in 0.0_f64..1.0) {
            let mut kept = logits.clone();
            keep_top_k(&mut kept, k, &mut Vec::new());
            let id = pick(&kept, draw).expect("something is left");
            let higher = logits.iter().filter(|&&logit| logit > logits[id]).count();
            prop_assert!(higher < k);
        }
    }
}
