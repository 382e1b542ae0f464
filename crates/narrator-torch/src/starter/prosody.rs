//! How long every phoneme lasts, and the voice's pitch and energy over time.

use narrator_engine::EngineError;
use tch::Tensor;

use super::layers::{Conv, ConvBlock, ConvShape, Fallible, Source};
use super::text_encoder::TextEncoder;

const CHANNELS: i64 = 192;
const ROUNDS: usize = 6;
const DILATIONS: [i64; 6] = [1, 2, 4, 8, 1, 2];

/// The network's pitch is in hundreds of hertz.
const HERTZ: f64 = 100.0;

/// Length of a step.
pub(super) const STEP_MS: u32 = 25;

/// Durations are counted in steps; pitch and spectra come in frames of half a step.
const FRAMES_PER_STEP: i64 = 2;

pub(super) struct Prosody {
    text: TextEncoder,
    duration_in: Conv,
    duration_out: Conv,
    blocks_in: Conv,
    blocks: Vec<ConvBlock>,
    blocks_out: Conv,
}

/// When each phoneme sounds.
pub(super) struct Timing {
    /// The prosody network's view of the text, `[length, channels]`.
    text: Tensor,
    /// For each step, the phoneme that sounds in it.
    steps: Vec<i64>,
}

/// Pitch in hertz (below 40: unvoiced) and energy, both `[frames]`.
pub(super) struct Melody {
    pub(super) pitch: Tensor,
    pub(super) energy: Tensor,
}

impl Timing {
    pub(super) fn frames(&self) -> i64 {
        self.steps.len() as i64 * FRAMES_PER_STEP
    }

    /// The phoneme that sounds in each frame.
    pub(super) fn phonemes_of_frames(&self) -> Vec<i64> {
        self.steps.iter().flat_map(|&phoneme| [phoneme; FRAMES_PER_STEP as usize]).collect()
    }

    /// The phoneme that sounds in each step.
    pub(super) fn steps(&self) -> &[i64] {
        &self.steps
    }

    #[cfg(test)]
    pub(super) fn for_tests(steps: &[i64]) -> Self {
        Self { text: Tensor::new(), steps: steps.to_vec() }
    }
}

impl Prosody {
    pub(super) fn load(source: &Source<'_>) -> Result<Self, EngineError> {
        let conv = |name: &str, outputs, kernel| {
            Conv::load(source, &format!("prosody.{name}"), ConvShape::dense(CHANNELS, outputs, kernel))
        };
        let blocks = DILATIONS
            .iter()
            .enumerate()
            .map(|(block, &dilation)| {
                let name = format!("prosody.blocks.{block}");
                ConvBlock::load(source, &name, (CHANNELS, 2 * CHANNELS), (7, dilation))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: TextEncoder::load(source, "prosody.text", CHANNELS, ROUNDS)?,
            duration_in: conv("duration_in", CHANNELS, 3)?,
            duration_out: conv("duration_out", 1, 1)?,
            blocks_in: conv("blocks_in", CHANNELS, 1)?,
            blocks,
            blocks_out: conv("blocks_out", 4, 1)?,
        })
    }

    pub(super) fn time(&self, ids: &Tensor, speed: f32) -> Fallible<Timing> {
        let text = self.text.forward(ids)?;
        let hidden = self.duration_in.forward(&text)?.f_gelu("none")?;
        let logs = self.duration_out.forward(&hidden)?.f_flatten(0, -1)?;
        let steps = steps_of(&Vec::<f32>::try_from(&logs)?, speed);
        Ok(Timing { text, steps })
    }

    pub(super) fn melody(&self, timing: &Timing) -> Fallible<Melody> {
        // One frame wide, so it does not mind being applied before phonemes are stretched to their steps.
        let phonemes = self.blocks_in.forward(&timing.text)?;
        let mut hidden = phonemes.f_index_select(0, &Tensor::f_from_slice(&timing.steps)?)?;
        for block in &self.blocks {
            hidden = block.forward(&hidden)?;
        }
        // A step's four numbers: pitch of its first and its second frame, energy of both.
        let steps = self.blocks_out.forward(&hidden)?;
        let of = |first| steps.f_narrow(1, first, FRAMES_PER_STEP)?.f_flatten(0, -1);
        Ok(Melody { pitch: of(0)?.f_mul_scalar(HERTZ)?, energy: of(FRAMES_PER_STEP)? })
    }
}

/// From the network's log(1 + duration) of each phoneme to the phoneme of each step: at least one each.
fn steps_of(logs: &[f32], speed: f32) -> Vec<i64> {
    let mut steps = Vec::with_capacity(logs.len() * 4);
    for (phoneme, log) in logs.iter().enumerate() {
        let duration = ((log.exp() - 1.0) / speed).round_ties_even().clamp(1.0, MAX_STEPS);
        steps.resize(steps.len() + duration as usize, phoneme as i64);
    }
    steps
}

/// Ten seconds; the voice's longest pauses are below one. A damaged network cannot ask for more memory.
const MAX_STEPS: f32 = 400.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phoneme_has_its_steps_in_order() {
        assert_eq!(steps_of(&[(3.0f32).ln(), -5.0, (2.6f32).ln()], 1.0), [0, 0, 1, 2, 2]);
    }

    #[test]
    fn speed_shortens_but_never_drops_a_phoneme() {
        assert_eq!(steps_of(&[(5.0f32).ln(), (2.0f32).ln()], 2.0), [0, 0, 1]);
        assert_eq!(steps_of(&[(5.0f32).ln()], 0.5).len(), 8);
    }

    #[test]
    fn a_mad_duration_is_bounded() {
        assert_eq!(steps_of(&[f32::INFINITY], 1.0).len(), 400);
        assert_eq!(steps_of(&[f32::NAN], 1.0).len(), 0);
    }
}
