//! The encoder: log-mel frames to states, one for every 20 ms.
//!
//! It takes the beginning and the end of a window; `pieces.rs` says why.

use narrator_engine::EngineError;
use tch::Tensor;

use super::config::Shape;
use super::layers::{Linear, Norm, Perceptron, attend, merge_heads, split_heads};
use super::pieces::Window;
use crate::error::Doing;
use crate::qwen3::ops::Torch;
use crate::qwen3::source::Loader;

#[derive(Debug)]
struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
}

impl Conv {
    fn load(loader: &Loader, into: i64, from: i64, stride: i64) -> Result<Self, EngineError> {
        Ok(Self {
            weight: loader.tensor("weight", &[into, from, 3])?,
            bias: loader.tensor("bias", &[into])?,
            stride,
        })
    }

    fn run(&self, x: &Tensor) -> Torch {
        x.f_conv1d(&self.weight, Some(&self.bias), [self.stride], [1], [1], 1)?.f_gelu("none")
    }
}

#[derive(Debug)]
struct Layer {
    norm: Norm,
    /// Queries, keys and values in one.
    qkv: Linear,
    out: Linear,
    perceptron: Perceptron,
}

#[derive(Debug)]
pub(crate) struct Encoder {
    convs: [Conv; 2],
    positions: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
    heads: i64,
}

impl Encoder {
    /// Loads from `model.encoder`.
    pub(crate) fn load(loader: &Loader, shape: &Shape) -> Result<Self, EngineError> {
        let width = shape.d_model;
        let layer = |index: i64| -> Result<Layer, EngineError> {
            let here = loader.at("layers").at(index);
            let attention = here.at("self_attn");
            let projections = [
                Linear::load(&attention.at("q_proj"), width, width, true)?,
                Linear::load(&attention.at("k_proj"), width, width, false)?,
                Linear::load(&attention.at("v_proj"), width, width, true)?,
            ];
            Ok(Layer {
                norm: Norm::load(&here.at("self_attn_layer_norm"), width)?,
                qkv: Linear::joined(&projections).doing("joining the encoder's projections")?,
                out: Linear::load(&attention.at("out_proj"), width, width, true)?,
                perceptron: Perceptron::load(&here, width, shape.encoder_ffn_dim)?,
            })
        };
        Ok(Self {
            convs: [
                Conv::load(&loader.at("conv1"), width, shape.num_mel_bins, 1)?,
                Conv::load(&loader.at("conv2"), width, width, 2)?,
            ],
            positions: loader.at("embed_positions").tensor("weight", &[shape.max_source_positions, width])?,
            layers: (0..shape.encoder_layers).map(layer).collect::<Result<_, _>>()?,
            norm: Norm::load(&loader.at("layer_norm"), width)?,
            heads: shape.encoder_attention_heads,
        })
    }

    /// States `[windows, frames, width]` of `mel` `[windows, bins, 2 · frames]`, which has head and tail of
    /// `window` side by side; `told` is called after every layer.
    pub(crate) fn run(&self, mel: &Tensor, window: Window, told: &mut dyn FnMut()) -> Torch {
        let mel = mel.f_to_kind(self.positions.f_kind()?)?;
        let x = self.convs[1].run(&self.convs[0].run(&mel)?)?.f_transpose(1, 2)?;
        let (head, tail) = (window.head as i64, window.tail as i64);
        let places = Tensor::f_cat(
            &[
                self.positions.f_narrow(0, 0, head)?,
                self.positions.f_narrow(0, self.positions.size()[0] - tail, tail)?,
            ],
            0,
        )?;
        let mut x = x.f_add(&places)?.f_contiguous()?;
        told();
        for layer in &self.layers {
            x = layer.run(&x, self.heads)?;
            told();
        }
        self.norm.run(&x)
    }
}

impl Layer {
    fn run(&self, x: &Tensor, heads: i64) -> Torch {
        let joined = self.qkv.run(&self.norm.run(x)?)?;
        let width = x.size()[2];
        let part = |index: i64| split_heads(&joined.f_narrow(2, index * width, width)?, heads);
        let heard = merge_heads(&attend(&part(0)?, &part(1)?, &part(2)?, None)?)?;
        self.perceptron.run(&x.f_add(&self.out.run(&heard)?)?)
    }
}
