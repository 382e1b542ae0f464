//! The speaker encoder: a clip as one vector.
//!
//! An ECAPA-TDNN: a convolution, blocks that mix channels in eight dependent groups and weigh them by their
//! mean over time, all blocks joined, then the mean and deviation over time under an attention of its own.
//! Every convolution keeps the length by mirroring the edges.
//!
//! Runs in float32 whatever the model's precision, once a voice.

mod mel;

use narrator_engine::EngineError;
use tch::{Kind, Tensor};

use super::config::SpeakerConfig;
use super::ops::Torch;
use super::source::Loader;
use crate::error::{Doing, bad_request};

/// A convolution that keeps the length.
#[derive(Debug)]
struct SameConv {
    weight: Tensor,
    bias: Tensor,
    kernel: i64,
    dilation: i64,
}

impl SameConv {
    fn load(
        loader: &Loader,
        (inputs, outputs): (i64, i64),
        kernel: i64,
        dilation: i64,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            weight: loader.tensor("weight", &[outputs, inputs, kernel])?,
            bias: loader.tensor("bias", &[outputs])?,
            kernel,
            dilation,
        })
    }

    fn forward(&self, x: &Tensor) -> Torch {
        let total = (self.kernel - 1) * self.dilation;
        let left = total / 2;
        let padded = if total > 0 { x.f_reflection_pad1d([left, total - left])? } else { x.shallow_clone() };
        padded.f_conv1d(&self.weight, Some(&self.bias), [1], [0], [self.dilation], 1)
    }
}

/// A block that mixes channels in groups, each hearing the one before.
#[derive(Debug)]
struct Block {
    enter: SameConv,
    groups: Vec<SameConv>,
    leave: SameConv,
    squeeze: SameConv,
    excite: SameConv,
}

impl Block {
    fn forward(&self, x: &Tensor) -> Torch {
        let inner = self.enter.forward(x)?.f_relu()?;
        let parts = inner.f_chunk(self.groups.len() as i64 + 1, 1)?;
        let mut mixed: Vec<Tensor> = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let next = match index {
                0 => part.shallow_clone(),
                1 => self.groups[0].forward(part)?.f_relu()?,
                _ => self.groups[index - 1].forward(&part.f_add(&mixed[index - 1])?)?.f_relu()?,
            };
            mixed.push(next);
        }
        let inner = self.leave.forward(&Tensor::f_cat(&mixed, 1)?)?.f_relu()?;
        let mean = inner.f_mean_dim(2, true, None)?;
        let weight = self.excite.forward(&self.squeeze.forward(&mean)?.f_relu()?)?.f_sigmoid()?;
        inner.f_mul(&weight)?.f_add(x)
    }
}

/// The encoder's weights.
#[derive(Debug)]
pub(crate) struct SpeakerEncoder {
    config: SpeakerConfig,
    opening: SameConv,
    blocks: Vec<Block>,
    join: SameConv,
    attend: SameConv,
    weigh: SameConv,
    out: SameConv,
}

impl SpeakerEncoder {
    pub(crate) fn load(loader: &Loader, config: &SpeakerConfig) -> Result<Self, EngineError> {
        let loader = &loader.in_kind(Kind::Float);
        let SpeakerConfig { channels, kernels, dilations, .. } = config;
        let last = channels.len() - 1;
        let place = |index: usize| loader.at("blocks").at(index);
        let blocks = (1..last)
            .map(|index| {
                let (inputs, width) = (channels[index - 1], channels[index]);
                let part = width / config.res2net_scale;
                let block = place(index);
                let groups = block.at("res2net_block.blocks");
                Ok(Block {
                    enter: SameConv::load(&block.at("tdnn1.conv"), (inputs, width), 1, 1)?,
                    groups: (0..config.res2net_scale - 1)
                        .map(|group| {
                            let conv = groups.at(group).at("conv");
                            SameConv::load(&conv, (part, part), kernels[index], dilations[index])
                        })
                        .collect::<Result<_, _>>()?,
                    leave: SameConv::load(&block.at("tdnn2.conv"), (width, width), 1, 1)?,
                    squeeze: SameConv::load(&block.at("se_block.conv1"), (width, config.squeeze), 1, 1)?,
                    excite: SameConv::load(&block.at("se_block.conv2"), (config.squeeze, width), 1, 1)?,
                })
            })
            .collect::<Result<_, EngineError>>()?;
        let width = channels[last];
        let asp = loader.at("asp");
        Ok(Self {
            opening: SameConv::load(
                &place(0).at("conv"),
                (config.mel_bins, channels[0]),
                kernels[0],
                dilations[0],
            )?,
            blocks,
            join: SameConv::load(&loader.at("mfa.conv"), (width, width), kernels[last], dilations[last])?,
            attend: SameConv::load(&asp.at("tdnn.conv"), (3 * width, config.attention), 1, 1)?,
            weigh: SameConv::load(&asp.at("conv"), (config.attention, width), 1, 1)?,
            out: SameConv::load(&loader.at("fc"), (2 * width, config.out), 1, 1)?,
            config: config.clone(),
        })
    }

    pub(crate) fn sample_rate(&self) -> i64 {
        self.config.sample_rate
    }

    /// The speaker `[out]`, float32, of mono samples at [`Self::sample_rate`].
    pub(crate) fn encode(&self, samples: &[f32]) -> Result<Tensor, EngineError> {
        // Mirroring an edge needs more samples than it makes; in practice clips are a thousand times longer.
        if (samples.len() as i64) < 2 * mel::FFT {
            return Err(bad_request(format!("the reference clip has only {} samples", samples.len())));
        }
        self.run(samples).doing("encoding the speaker of the reference clip")
    }

    fn run(&self, samples: &[f32]) -> Torch {
        let device = self.opening.weight.device();
        let mel = mel::spectrogram(samples, self.config.sample_rate, self.config.mel_bins, device)?;
        let mut x = self.opening.forward(&mel)?.f_relu()?;
        let mut heard = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            x = block.forward(&x)?;
            heard.push(x.shallow_clone());
        }
        let x = self.join.forward(&Tensor::f_cat(&heard, 1)?)?.f_relu()?;
        let pooled = self.pool(&x)?;
        self.out.forward(&pooled)?.f_view([-1])
    }

    /// Mean and deviation over time of `x` `[1, channels, time]`, weighted by an attention that has seen the
    /// unweighted ones: `[1, 2 · channels, 1]`.
    fn pool(&self, x: &Tensor) -> Torch {
        let time = x.size()[2];
        let even = Tensor::f_full([1, 1, time], 1.0 / time as f64, (Kind::Float, x.device()))?;
        let (mean, deviation) = statistics(x, &even)?;
        let wide = |x: &Tensor| x.f_unsqueeze(2)?.f_expand([-1, -1, time], false);
        let context = Tensor::f_cat(&[x, &wide(&mean)?, &wide(&deviation)?], 1)?;
        let attention = self.attend.forward(&context)?.f_relu()?.f_tanh()?;
        let weights = self.weigh.forward(&attention)?.f_softmax(2, None)?;
        let (mean, deviation) = statistics(x, &weights)?;
        Tensor::f_cat(&[mean, deviation], 1)?.f_unsqueeze(2)
    }
}

fn statistics(x: &Tensor, weights: &Tensor) -> Torch<(Tensor, Tensor)> {
    let sum = |x: Tensor| x.f_sum_dim_intlist([2].as_slice(), false, None);
    let mean = sum(weights.f_mul(x)?)?;
    let spread = x.f_sub(&mean.f_unsqueeze(2)?)?.f_square()?;
    let deviation = sum(weights.f_mul(&spread)?)?.f_clamp_min(1e-12)?.f_sqrt()?;
    Ok((mean, deviation))
}
