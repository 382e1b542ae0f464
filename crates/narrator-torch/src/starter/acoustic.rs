//! From phonemes, their timing and the melody to spectra: one frame of five parts every 12.5 ms.

use narrator_engine::EngineError;
use tch::Tensor;

use super::layers::{Conv, ConvBlock, ConvShape, Fallible, Int8Linear, LayerNorm, Source};
use super::prosody::{FRAMES_PER_STEP, Melody, Timing};
use super::text_encoder::TextEncoder;
use super::vocoder::BINS;

const TEXT_CHANNELS: i64 = 128;
const ROUNDS: usize = 4;
const CHANNELS: i64 = 256;
const BLOCKS: usize = 8;

/// Parts of a frame, each of [`BINS`] numbers: see [`super::vocoder`].
pub(super) const PARTS: i64 = 5;

pub(super) struct Acoustic {
    text: TextEncoder,
    decoder_in: Conv,
    decoder: Vec<ConvBlock>,
    norm: LayerNorm,
    head: Int8Linear,
}

impl Acoustic {
    pub(super) fn load(source: &Source<'_>) -> Result<Self, EngineError> {
        let decoder = (0..BLOCKS)
            .map(|block| {
                let name = format!("acoustic.decoder.{block}");
                ConvBlock::load(source, &name, (CHANNELS, 3 * CHANNELS), (7, 1))
            })
            .collect::<Result<_, _>>()?;
        let decoder_in = ConvShape::dense(TEXT_CHANNELS + 2, CHANNELS, 7);
        Ok(Self {
            text: TextEncoder::load(source, "acoustic.text", TEXT_CHANNELS, ROUNDS)?,
            decoder_in: Conv::load(source, "acoustic.decoder_in", decoder_in)?,
            decoder,
            norm: LayerNorm::load(source, "acoustic.decoder_norm", CHANNELS)?,
            head: Int8Linear::load(source, "acoustic.head", CHANNELS, PARTS * BINS)?,
        })
    }

    /// `[frames, PARTS * BINS]`.
    pub(super) fn spectra(&self, ids: &Tensor, timing: &Timing, melody: &Melody) -> Fallible {
        let steps = self.text.forward(ids)?.f_index_select(0, &timing.steps()?)?;
        let text = steps
            .f_unsqueeze(1)?
            .f_expand([-1, FRAMES_PER_STEP, -1], false)?
            .f_reshape([timing.frames(), TEXT_CHANNELS])?;
        // Both scaled to about one; the energy already is.
        let pitch = melody.pitch.f_relu()?.f_log1p()?.f_div_scalar(5.0)?.f_unsqueeze(1)?;
        let energy = melody.energy.f_unsqueeze(1)?;
        let mut hidden = self.decoder_in.forward(&Tensor::f_cat(&[text, pitch, energy], 1)?)?;
        for block in &self.decoder {
            hidden = block.forward(&hidden)?;
        }
        self.head.forward(&self.norm.forward(&hidden)?)
    }
}
