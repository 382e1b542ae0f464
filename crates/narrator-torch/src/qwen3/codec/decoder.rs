//! Codes to samples, chunk by chunk, exactly.
//!
//! ```text
//! codes [rows, codebooks, n]
//!   quantiser    split in two: the first code's vector and the sum of the others', each projected, added
//!   pre_conv     causal, kernel 3
//!   transformer  8 layers, window 72                                    12.5 frames a second
//!   upsample ×2  transposed convolution, then a ConvNeXt block, twice
//!   decoder      causal convolution, 4 blocks that halve channels and
//!                upsample by 8, 5, 4, 3, each with 3 residual units
//!   output       activation, convolution to one channel, clamp          24,000 samples a second
//! ```
//!
//! The reference decodes long passages in windows of 300 frames with 25 frames of context thrown away,
//! though its transformer alone sees far further; its seams differ from a decode in one piece. Here every
//! layer carries its own past ([`CodecState`]), so any cutting into chunks gives the samples of the whole.
//! Rows of one chunk length are decoded together, whatever their age.

use narrator_engine::EngineError;
use tch::{Device, Kind, Tensor};

use super::carry::{Carry, CodecState};
use super::centres;
use super::layers::{CausalConv, SnakeBeta, Upsample};
use super::transformer::Transformer;
use crate::error::Doing;
use crate::qwen3::config::DecoderConfig;
use crate::qwen3::ops::{NONE, Torch};
use crate::qwen3::source::Loader;

/// A CPU makes sound of fewer frames than this row by row, as of codes in any case: these are the last frames of
/// some rows, and the products of the first convolution over less than sixteen steps are summed in another order
/// when rows are put together. Those over more were never seen to be.
const SHORT_FRAMES: i64 = 4;

/// One half of the split quantiser.
#[derive(Debug)]
struct Codebooks {
    /// `[codebook_size, codebook_dim / 2]` each.
    tables: Vec<Tensor>,
    projection: Tensor,
}

impl Codebooks {
    fn load(loader: &Loader, config: &DecoderConfig, count: i64) -> Result<Self, EngineError> {
        let half = config.codebook_dim / 2;
        let tables = (0..count)
            .map(|index| {
                let codebook = loader.at("vq.layers").at(index).at("_codebook").in_kind(Kind::Float);
                let sum = codebook.tensor("embedding_sum", &[config.codebook_size, half])?;
                let usage = codebook.tensor("cluster_usage", &[config.codebook_size])?;
                centres(&sum, &usage)
                    .and_then(|centres| centres.f_to_kind(loader.kind()))
                    .doing("preparing a codebook")
            })
            .collect::<Result<_, _>>()?;
        let projection = loader.at("output_proj").tensor("weight", &[config.codebook_dim, half, 1])?;
        Ok(Self { tables, projection })
    }

    /// `codes`: one `[rows, n]` a table; gives `[rows, codebook_dim, n]`.
    fn decode(&self, codes: &[Tensor]) -> Torch {
        let mut sum: Option<Tensor> = None;
        for (table, codes) in self.tables.iter().zip(codes) {
            let vectors = Tensor::f_embedding(table, codes, -1, false, false)?;
            sum = Some(match sum {
                Some(sum) => sum.f_add(&vectors)?,
                None => vectors,
            });
        }
        let sum = sum.ok_or_else(|| tch::TchError::Shape("a quantiser without codebooks".into()))?;
        sum.f_transpose(1, 2)?.f_conv1d(&self.projection, NONE, [1], [0], [1], 1)
    }
}

/// A depthwise convolution and a small network on each position, added to what came in.
#[derive(Debug)]
struct ConvNext {
    depthwise: CausalConv,
    norm: (Tensor, Tensor),
    wide: (Tensor, Tensor),
    narrow: (Tensor, Tensor),
    gamma: Tensor,
    width: i64,
}

impl ConvNext {
    fn load(loader: &Loader, width: i64) -> Result<Self, EngineError> {
        let pair = |name: &str, shape: &[i64]| -> Result<_, EngineError> {
            let layer = loader.at(name);
            Ok((layer.tensor("weight", shape)?, layer.tensor("bias", &shape[..1])?))
        };
        Ok(Self {
            depthwise: CausalConv::load(&loader.at("dwconv"), (width, width), 7, 1, width)?,
            norm: pair("norm", &[width])?,
            wide: pair("pwconv1", &[4 * width, width])?,
            narrow: pair("pwconv2", &[width, 4 * width])?,
            gamma: loader.tensor("gamma", &[width])?,
            width,
        })
    }

    fn forward(&self, x: &Tensor, carry: &mut Carry) -> Torch {
        let inner = self.depthwise.forward(x, carry)?.f_transpose(1, 2)?;
        let inner = inner.f_layer_norm([self.width], Some(&self.norm.0), Some(&self.norm.1), 1e-6, false)?;
        let inner = inner.f_linear(&self.wide.0, Some(&self.wide.1))?.f_gelu("none")?;
        let inner = inner.f_linear(&self.narrow.0, Some(&self.narrow.1))?.f_mul(&self.gamma)?;
        x.f_add(&inner.f_transpose(1, 2)?)
    }
}

#[derive(Debug)]
struct ResidualUnit {
    act1: SnakeBeta,
    conv1: CausalConv,
    act2: SnakeBeta,
    conv2: CausalConv,
}

impl ResidualUnit {
    fn load(loader: &Loader, width: i64, dilation: i64) -> Result<Self, EngineError> {
        Ok(Self {
            act1: SnakeBeta::load(&loader.at("act1"), width)?,
            conv1: CausalConv::load(&loader.at("conv1"), (width, width), 7, dilation, 1)?,
            act2: SnakeBeta::load(&loader.at("act2"), width)?,
            conv2: CausalConv::load(&loader.at("conv2"), (width, width), 1, 1, 1)?,
        })
    }

    fn forward(&self, x: &Tensor, carry: &mut Carry) -> Torch {
        let inner = self.conv1.forward(&self.act1.forward(x)?, carry)?;
        let mut out = self.conv2.forward(&self.act2.forward(&inner)?, carry)?;
        out.f_add_(x)
    }
}

#[derive(Debug)]
struct Block {
    act: SnakeBeta,
    upsample: Upsample,
    units: Vec<ResidualUnit>,
}

impl Block {
    /// Dilations of the residual units, fixed in the reference.
    const DILATIONS: [i64; 3] = [1, 3, 9];

    fn load(loader: &Loader, (inputs, outputs): (i64, i64), rate: i64) -> Result<Self, EngineError> {
        let part = |index: usize| loader.at("block").at(index);
        Ok(Self {
            act: SnakeBeta::load(&part(0), inputs)?,
            upsample: Upsample::load(&part(1), (inputs, outputs), 2 * rate, rate)?,
            units: Self::DILATIONS
                .iter()
                .enumerate()
                .map(|(index, &dilation)| ResidualUnit::load(&part(2 + index), outputs, dilation))
                .collect::<Result<_, _>>()?,
        })
    }

    fn forward(&self, x: &Tensor, carry: &mut Carry) -> Torch {
        let mut x = self.upsample.forward(&self.act.forward(x)?, carry)?;
        for unit in &self.units {
            x = unit.forward(&x, carry)?;
        }
        Ok(x)
    }
}

/// The decoder's weights.
#[derive(Debug)]
pub(crate) struct CodecDecoder {
    first: Codebooks,
    rest: Codebooks,
    pre_conv: CausalConv,
    transformer: Transformer,
    upsample: Vec<(Upsample, ConvNext)>,
    opening: CausalConv,
    blocks: Vec<Block>,
    act: SnakeBeta,
    closing: CausalConv,
    samples_per_frame: i64,
    codebooks: i64,
    kind: Kind,
    device: Device,
    /// Rows that are decoded together.
    together: usize,
}

impl CodecDecoder {
    /// `loader` is at `decoder` of the codec's file; `together` rows are decoded in one pass.
    pub(crate) fn load(
        loader: &Loader,
        config: &DecoderConfig,
        together: usize,
    ) -> Result<Self, EngineError> {
        let quantizer = loader.at("quantizer");
        let latent = config.latent;
        let upsample = config.upsampling.iter().enumerate().map(|(index, &factor)| {
            let stage = loader.at("upsample").at(index);
            Ok((
                Upsample::load(&stage.at(0), (latent, latent), factor, factor)?,
                ConvNext::load(&stage.at(1), latent)?,
            ))
        });
        let decoder = loader.at("decoder");
        let blocks = config.rates.iter().enumerate().map(|(index, &rate)| {
            let channels = (config.channels >> index, config.channels >> (index + 1));
            Block::load(&decoder.at(index + 1), channels, rate)
        });
        let last = config.channels >> config.rates.len();
        Ok(Self {
            first: Codebooks::load(&quantizer.at("rvq_first"), config, 1)?,
            rest: Codebooks::load(&quantizer.at("rvq_rest"), config, config.codebooks - 1)?,
            pre_conv: CausalConv::load(&loader.at("pre_conv"), (config.codebook_dim, latent), 3, 1, 1)?,
            transformer: Transformer::load(&loader.at("pre_transformer"), config)?,
            upsample: upsample.collect::<Result<_, EngineError>>()?,
            opening: CausalConv::load(&decoder.at(0), (latent, config.channels), 7, 1, 1)?,
            blocks: blocks.collect::<Result<_, _>>()?,
            act: SnakeBeta::load(&decoder.at(config.rates.len() + 1), last)?,
            closing: CausalConv::load(&decoder.at(config.rates.len() + 2), (last, 1), 7, 1, 1)?,
            samples_per_frame: config.samples_per_frame(),
            codebooks: config.codebooks,
            kind: loader.kind(),
            device: loader.device(),
            together: together.max(1),
        })
    }

    /// Decodes `rows` rows in one pass from now on.
    pub(crate) fn set_together(&mut self, rows: usize) {
        self.together = rows.max(1);
    }

    pub(crate) fn samples_per_frame(&self) -> usize {
        self.samples_per_frame as usize
    }

    /// The state of a stream that has not begun.
    pub(crate) fn fresh(&self) -> Torch<CodecState> {
        let parts = self
            .shapes()
            .iter()
            .map(|shape| Tensor::f_zeros(shape, (self.kind, self.device)))
            .collect::<Torch<_>>()?;
        Ok(CodecState { parts, frames: 0 })
    }

    /// Shapes of a stream's state, in the order in which [`Self::decode`] takes and puts the parts.
    fn shapes(&self) -> Vec<Vec<i64>> {
        let mut shapes = self.frame_shapes();
        self.opening.shapes(&mut shapes);
        for block in &self.blocks {
            block.upsample.shapes(&mut shapes);
            for unit in &block.units {
                unit.conv1.shapes(&mut shapes);
                unit.conv2.shapes(&mut shapes);
            }
        }
        self.closing.shapes(&mut shapes);
        shapes
    }

    /// The first of them, which [`Self::lay_out`] takes and puts.
    fn frame_shapes(&self) -> Vec<Vec<i64>> {
        let mut shapes = Vec::new();
        self.pre_conv.shapes(&mut shapes);
        self.transformer.shapes(&mut shapes);
        for (upsample, block) in &self.upsample {
            upsample.shapes(&mut shapes);
            block.depthwise.shapes(&mut shapes);
        }
        shapes
    }

    /// True when `state` is one of this decoder's.
    pub(crate) fn accepts(&self, state: &CodecState) -> bool {
        let shapes = self.shapes();
        state.parts.len() == shapes.len()
            && state.parts.iter().zip(&shapes).all(|(part, shape)| part.size() == *shape)
    }

    /// The next frames of every row: `codes` is `[rows, n, codebooks]`, int64, `states` as many as rows. Gives
    /// `[rows, n · samples_per_frame]` in float32 and leaves the states after these frames; when it fails, no
    /// state has changed.
    pub(crate) fn decode(&self, codes: &Tensor, states: &mut [&mut CodecState]) -> Torch {
        let time = codes.size()[1];
        let together = if self.device == Device::Cpu && time < SHORT_FRAMES { 1 } else { self.together };
        let mut samples = Vec::new();
        let mut after = Vec::with_capacity(states.len());
        for (index, slice) in states.chunks(together).enumerate() {
            let joined: Vec<&CodecState> = slice.iter().map(|state| &**state).collect();
            let codes = codes.f_narrow(0, (index * together) as i64, joined.len() as i64)?;
            let (pcm, parts) = self.decode_together(&codes, &joined)?;
            samples.push(pcm);
            after.extend(parts);
        }
        for (state, parts) in states.iter_mut().zip(after) {
            state.parts = parts;
            state.frames += time;
        }
        match samples.as_slice() {
            [one] => Ok(one.shallow_clone()),
            several => Tensor::f_cat(several, 0),
        }
    }

    /// Samples of the rows, and their states' parts afterwards.
    fn decode_together(&self, codes: &Tensor, states: &[&CodecState]) -> Torch<(Tensor, Vec<Vec<Tensor>>)> {
        let first = self.frame_shapes().len();
        // A CPU lays rows out one by one, which costs it next to nothing: a product of few rows is summed in
        // another order than one of more, and a row's samples would then differ in their last bits by its company.
        let at_once = if self.device == Device::Cpu { 1 } else { states.len().max(1) };
        let (mut laid_out, mut after) = (Vec::new(), Vec::new());
        for (states, index) in states.chunks(at_once).zip(0..) {
            let codes = codes.f_narrow(0, index * at_once as i64, states.len() as i64)?;
            let mut carry = Carry::join(states, ..first)?;
            laid_out.push(self.lay_out(&codes, states, &mut carry)?);
            after.extend(carry.split(states.len())?);
        }
        let mut carry = Carry::join(states, first..)?;
        let samples = self.sound(&Tensor::f_cat(&laid_out, 0)?, &mut carry)?;
        for (parts, more) in after.iter_mut().zip(carry.split(states.len())?) {
            parts.extend(more);
        }
        Ok((samples, after))
    }

    /// From codes to what sound is made of: `[rows, latent, time]`, four times as many as frames.
    fn lay_out(&self, codes: &Tensor, states: &[&CodecState], carry: &mut Carry) -> Torch {
        let frames: Vec<i64> = states.iter().map(|state| state.frames).collect();
        let codes = codes.f_to_device(self.device)?.f_unbind(2)?;
        if codes.len() as i64 != self.codebooks {
            return Err(tch::TchError::Shape(format!(
                "{} codes a frame, not {}",
                codes.len(),
                self.codebooks
            )));
        }
        let quantized = self.first.decode(&codes[..1])?.f_add(&self.rest.decode(&codes[1..])?)?;
        let mut x = self.pre_conv.forward(&quantized, carry)?;
        x = self.transformer.forward(&x, &frames, carry)?;
        for (upsample, block) in &self.upsample {
            x = block.forward(&upsample.forward(&x, carry)?, carry)?;
        }
        Ok(x)
    }

    /// Samples `[rows, n]`, float32, of what [`Self::lay_out`] gave.
    fn sound(&self, x: &Tensor, carry: &mut Carry) -> Torch {
        let mut x = self.opening.forward(x, carry)?;
        for block in &self.blocks {
            x = block.forward(&x, carry)?;
        }
        x = self.closing.forward(&self.act.forward(&x)?, carry)?;
        x.f_squeeze_dim(1)?.f_clamp(-1.0, 1.0)?.f_to_kind(Kind::Float)
    }
}
