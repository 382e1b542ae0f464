//! From phonemes, their timing and the melody to spectra: one frame of five parts every 12.5 ms.

use narrator_engine::EngineError;
use tch::{Kind, Tensor};

use super::layers::{ConvBlock, Fallible, Int8Linear, LayerNorm, Source};
use super::prosody::{Melody, Timing};
use super::text_encoder::TextEncoder;
use super::vocoder::BINS;
use crate::error::Doing;

const TEXT_CHANNELS: i64 = 128;
const ROUNDS: usize = 4;
const CHANNELS: i64 = 256;
const BLOCKS: usize = 8;

/// Parts of a frame, each of [`BINS`] numbers: see [`super::vocoder`].
pub(super) const PARTS: i64 = 5;

pub(super) struct Acoustic {
    text: TextEncoder,
    decoder_in: DecoderIn,
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
        Ok(Self {
            text: TextEncoder::load(source, "acoustic.text", TEXT_CHANNELS, ROUNDS)?,
            decoder_in: DecoderIn::load(source)?,
            decoder,
            norm: LayerNorm::load(source, "acoustic.decoder_norm", CHANNELS)?,
            head: Int8Linear::load(source, "acoustic.head", CHANNELS, PARTS * BINS)?,
        })
    }

    /// `[frames, PARTS * BINS]`.
    pub(super) fn spectra(&self, ids: &Tensor, timing: &Timing, melody: &Melody) -> Fallible {
        let text = self.text.forward(ids)?;
        let mut hidden = self.decoder_in.forward(&text, timing, melody)?;
        for block in &self.decoder {
            hidden = block.forward(&hidden)?;
        }
        self.head.forward(&self.norm.forward(&hidden)?)
    }
}

/// The decoder's first layer: a convolution over the frames, seven wide, of each frame's phoneme vector and melody.
///
/// The vector is the same in all frames of a phoneme. So what each of the seven taps makes of a phoneme is
/// computed once a phoneme, a fifth of the work, and frames only sum up what they have around them.
struct DecoderIn {
    /// `[taps * CHANNELS, TEXT_CHANNELS]`.
    text: Tensor,
    /// `[taps * 2, CHANNELS]`.
    melody: Tensor,
    bias: Tensor,
}

const TAPS: i64 = 7;
const MELODY_CHANNELS: i64 = 2;

/// Of `embedding_bag`, to add its rows up.
const SUM: i64 = 0;

impl DecoderIn {
    fn load(source: &Source<'_>) -> Result<Self, EngineError> {
        let inputs = TEXT_CHANNELS + MELODY_CHANNELS;
        let weight = source.names.take("acoustic.decoder_in.weight", &[CHANNELS, inputs, TAPS])?;
        let bias = source.names.take("acoustic.decoder_in.bias", &[CHANNELS])?;
        Self::new(&weight, bias).doing("preparing the decoder's first layer")
    }

    fn new(weight: &Tensor, bias: Tensor) -> Fallible<Self> {
        let text = weight.f_narrow(1, 0, TEXT_CHANNELS)?.f_permute([2, 0, 1])?;
        let melody = weight.f_narrow(1, TEXT_CHANNELS, MELODY_CHANNELS)?.f_permute([2, 1, 0])?;
        Ok(Self {
            text: text.f_reshape([TAPS * CHANNELS, TEXT_CHANNELS])?,
            melody: melody.f_reshape([TAPS * MELODY_CHANNELS, CHANNELS])?,
            bias,
        })
    }

    fn forward(&self, text: &Tensor, timing: &Timing, melody: &Melody) -> Fallible {
        let frames = timing.frames();
        // Both scaled to about one; the energy already is.
        let pitch = melody.pitch.f_relu()?.f_log1p()?.f_div_scalar(5.0)?;
        let around =
            Tensor::f_stack(&[&pitch, &melody.energy], 1)?.f_constant_pad_nd([0, 0, TAPS / 2, TAPS / 2])?;
        let around = around.f_as_strided([frames, TAPS * MELODY_CHANNELS], [MELODY_CHANNELS, 1], 0)?;
        let melody = self.bias.f_addmm(&around, &self.melody)?;

        let phonemes = text.size()[0];
        // One more phoneme, of zeros: silence before the first frame and after the last.
        let taps = text.f_linear(&self.text, None::<&Tensor>)?.f_constant_pad_nd([0, 0, 0, 1])?;
        let taps = taps.f_view([(phonemes + 1) * TAPS, CHANNELS])?;
        let rows = Tensor::f_from_slice(&rows_around(&timing.phonemes_of_frames(), phonemes))?;
        let bags = Tensor::f_arange_start_step(0, frames * TAPS, TAPS, (Kind::Int64, text.device()))?;
        let (sums, ..) =
            Tensor::f_embedding_bag(&taps, &rows, &bags, false, SUM, false, None::<&Tensor>, false)?;
        melody.f_add(&sums)
    }
}

/// For every frame the rows to sum up: tap `n` of the phoneme that sounds `n - 3` frames later. `silence` is the
/// phoneme beyond both ends.
fn rows_around(phonemes: &[i64], silence: i64) -> Vec<i64> {
    let reach = TAPS / 2;
    let mut rows = Vec::with_capacity(phonemes.len() * TAPS as usize);
    for frame in 0..phonemes.len() as i64 {
        for tap in 0..TAPS {
            let at = usize::try_from(frame + tap - reach).ok();
            let phoneme = at.and_then(|at| phonemes.get(at)).copied().unwrap_or(silence);
            rows.push(phoneme * TAPS + tap);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_sums_its_neighbours_and_silence_beyond() {
        let rows = rows_around(&[0, 0, 1], 2);
        assert_eq!(rows[..7], [14, 15, 16, 3, 4, 7 + 5, 14 + 6]);
        assert_eq!(rows[14..], [14, 1, 2, 7 + 3, 18, 19, 20]);
    }

    #[test]
    fn summing_taps_is_the_convolution() {
        let kind = (Kind::Float, tch::Device::Cpu);
        let weight = Tensor::randn([CHANNELS, TEXT_CHANNELS + MELODY_CHANNELS, TAPS], kind);
        let bias = Tensor::randn([CHANNELS], kind);
        let text = Tensor::randn([3, TEXT_CHANNELS], kind);
        let timing = Timing::for_tests(&[0, 0, 1, 2, 2, 2]);
        let melody = Melody { pitch: Tensor::rand([12], kind) * 200.0, energy: Tensor::rand([12], kind) };
        let layer = DecoderIn::new(&weight, bias.shallow_clone()).expect("a layer");
        let found = layer.forward(&text, &timing, &melody).expect("sums");
        let frames = text.index_select(0, &Tensor::from_slice(&timing.phonemes_of_frames()));
        let pitch = ((&melody.pitch + 1.0).log() / 5.0).unsqueeze(1);
        let input = Tensor::cat(&[frames, pitch, melody.energy.unsqueeze(1)], 1).transpose(0, 1).unsqueeze(0);
        let expected = input.conv1d(&weight, Some(&bias), 1, 3, 1, 1).squeeze_dim(0).transpose(0, 1);
        assert!((found - expected).abs().max().double_value(&[]) < 1e-3);
    }
}
