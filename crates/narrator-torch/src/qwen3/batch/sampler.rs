//! From logits to codes in tensor operations alone, so that a choice can be recorded with what it follows.
//!
//! The decisions are those of [`Chooser`](super::super::sampling::Chooser), in its order and over the same
//! draws: the numbers that a row would have drawn are made on the host before the frame and lie on the
//! device when it runs. Sums are in float64 as there, so the two part only where a draw falls within a
//! rounding of the border between two codes.
//!
//! Nothing here waits for the device or asks it anything.

use tch::{Kind, Tensor};

use crate::qwen3::config::SamplingConfig;
use crate::qwen3::ops::{NONE, Torch};

/// Codes of all rows, `[rows, 1]`, int64, and a number for each that is not one when the row's logits were not
/// numbers, `[rows, 1]`, float64.
pub(super) struct Choice {
    pub(super) codes: Tensor,
    pub(super) proof: Tensor,
}

/// Chooses from `logits` `[rows, vocab]`, float32, with one draw a row: `[rows, 1]`, float64, from 0 to 1.
pub(super) fn choose(logits: &Tensor, draws: &Tensor, sampling: &SamplingConfig) -> Torch<Choice> {
    if !sampling.sample {
        let proof = logits.f_amax([-1], true)?.f_to_kind(Kind::Double)?;
        return Ok(Choice { codes: logits.f_argmax(-1, true)?, proof });
    }
    let vocab = logits.size().last().copied().unwrap_or(0);
    let mut logits = logits.f_div_scalar(f64::from(sampling.temperature))?;
    let top_k = sampling.top_k as i64;
    if top_k > 0 && top_k < vocab {
        let (highest, _) = logits.f_topk(top_k, -1, true, false)?;
        let below = logits.f_lt_tensor(&highest.f_amin([-1], true)?)?;
        let _ = logits.f_masked_fill_(&below, f64::NEG_INFINITY)?;
    }
    if sampling.top_p < 1.0 {
        logits = keep_nucleus(&logits, f64::from(sampling.top_p))?;
    }
    let reached = logits.f_softmax(-1, Kind::Double)?.f_cumsum(-1, None)?;
    let proof = reached.f_narrow(-1, vocab - 1, 1)?;
    let wanted = proof.f_mul(draws)?;
    // The first code whose sum is past the draw. Without numbers there is none, and any code in range will do.
    let mut codes = wanted.f_searchsorted(&reached, false, true, "right", NONE)?;
    let codes = codes.f_clamp_max_(vocab - 1)?;
    Ok(Choice { codes, proof })
}

/// Leaves the likeliest that together reach `p`, and at least one.
fn keep_nucleus(logits: &Tensor, p: f64) -> Torch {
    let (sorted, order) = logits.f_sort_stable(true, -1, true)?;
    // Not shares of one but plain weights: those of equal codes add up without rounding, as on the host.
    let highest = sorted.f_narrow(-1, 0, 1)?;
    let weights = sorted.f_sub(&highest)?.f_to_kind(Kind::Double)?.f_exp()?;
    let reached = weights.f_cumsum(-1, None)?;
    let before = reached.f_sub(&weights)?;
    let total = reached.f_narrow(-1, reached.size().last().copied().unwrap_or(1) - 1, 1)?;
    let cut = before.f_ge_tensor(&total.f_mul_scalar(p)?)?;
    let _ = cut.f_narrow(-1, 0, 1)?.f_fill_(0)?;
    let cut = cut.f_scatter(-1, &order, &cut)?;
    logits.f_masked_fill(&cut, f64::NEG_INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qwen3::ops::{to_floats, to_ints};
    use crate::qwen3::sampling::choose_one;
    use proptest::prelude::*;

    fn both(logits: &[f32], draw: f64, sampling: SamplingConfig) -> (Option<usize>, Option<usize>) {
        let row = Tensor::from_slice(logits).view([1, -1]);
        let choice = choose(&row, &Tensor::from_slice(&[draw]).view([1, 1]), &sampling).expect("a choice");
        let code = to_ints(&choice.codes).expect("codes")[0] as usize;
        let whole = !to_floats(&choice.proof).expect("proof")[0].is_nan();
        (choose_one(logits, draw, &sampling), whole.then_some(code))
    }

    proptest! {
        #[test]
        fn tensors_choose_what_the_host_chooses(
            steps in prop::collection::vec(-40_i16..40, 2..300),
            top_k in 0_usize..60,
            top_p in prop::sample::select(vec![1.0_f32, 0.9, 0.5, 0.05]),
            temperature in prop::sample::select(vec![1.0_f32, 0.9, 0.3]),
            sample in prop::bool::weighted(0.9),
            draw in 0.0_f64..1.0,
        ) {
            // Coarse steps make ties, which the two must break alike.
            let logits: Vec<f32> = steps.iter().map(|&step| f32::from(step) * 0.25).collect();
            let (host, tensors) = both(&logits, draw, SamplingConfig { sample, temperature, top_k, top_p });
            prop_assert_eq!(host, tensors);
        }
    }

    #[test]
    fn what_is_no_number_is_told_and_the_code_stays_in_range() {
        let sampled = SamplingConfig { sample: true, temperature: 0.9, top_k: 2, top_p: 1.0 };
        for sampling in [sampled, SamplingConfig { sample: false, ..sampled }] {
            assert_eq!(both(&[0.0, f32::NAN, 1.0], 0.5, sampling), (None, None));
        }
        let row = Tensor::from_slice(&[f32::NAN; 4]).view([1, 4]);
        let draw = Tensor::from_slice(&[0.999_999_999_f64]).view([1, 1]);
        let code = to_ints(&choose(&row, &draw, &sampled).expect("a choice").codes).expect("codes")[0];
        assert!((0..4).contains(&code));
    }
}
