//! What encoder and decoder are both made of.

use narrator_engine::EngineError;
use tch::Tensor;

use crate::qwen3::ops::{NONE, Torch};
use crate::qwen3::source::Loader;

/// The reference's, of every layer norm.
const NORM_EPS: f64 = 1e-5;

/// `x · Wᵀ + b`.
#[derive(Debug)]
pub(super) struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    pub(super) fn load(loader: &Loader, into: i64, from: i64, bias: bool) -> Result<Self, EngineError> {
        let weight = loader.tensor("weight", &[into, from])?;
        let bias = if bias { Some(loader.tensor("bias", &[into])?) } else { None };
        Ok(Self { weight, bias })
    }

    pub(super) fn run(&self, x: &Tensor) -> Torch {
        x.f_linear(&self.weight, self.bias.as_ref())
    }

    /// Several projections of the same input as one, in this order. A missing bias is zero.
    pub(super) fn joined(parts: &[Self]) -> Torch<Self> {
        let weights: Vec<&Tensor> = parts.iter().map(|part| &part.weight).collect();
        let mut biases = Vec::with_capacity(parts.len());
        for part in parts {
            biases.push(match &part.bias {
                Some(bias) => bias.shallow_clone(),
                None => {
                    Tensor::f_zeros([part.weight.size()[0]], (part.weight.f_kind()?, part.weight.device()))?
                }
            });
        }
        Ok(Self { weight: Tensor::f_cat(&weights, 0)?, bias: Some(Tensor::f_cat(&biases, 0)?) })
    }
}

/// Layer norm over the last axis.
#[derive(Debug)]
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
}

impl Norm {
    pub(super) fn load(loader: &Loader, width: i64) -> Result<Self, EngineError> {
        Ok(Self { weight: loader.tensor("weight", &[width])?, bias: loader.tensor("bias", &[width])? })
    }

    pub(super) fn run(&self, x: &Tensor) -> Torch {
        let width = self.weight.size()[0];
        x.f_layer_norm([width], Some(&self.weight), Some(&self.bias), NORM_EPS, false)
    }
}

/// The two linear layers that end every block, with their residual.
#[derive(Debug)]
pub(super) struct Perceptron {
    norm: Norm,
    up: Linear,
    down: Linear,
}

impl Perceptron {
    pub(super) fn load(loader: &Loader, width: i64, inner: i64) -> Result<Self, EngineError> {
        Ok(Self {
            norm: Norm::load(&loader.at("final_layer_norm"), width)?,
            up: Linear::load(&loader.at("fc1"), inner, width, true)?,
            down: Linear::load(&loader.at("fc2"), width, inner, true)?,
        })
    }

    pub(super) fn run(&self, x: &Tensor) -> Torch {
        let inner = self.up.run(&self.norm.run(x)?)?.f_gelu("none")?;
        x.f_add(&self.down.run(&inner)?)
    }
}

/// `[rows, n, heads · dim]` as `[rows, heads, n, dim]`.
pub(super) fn split_heads(x: &Tensor, heads: i64) -> Torch {
    let size = x.size();
    x.f_view([size[0], size[1], heads, size[2] / heads])?.f_transpose(1, 2)
}

/// The way back.
pub(super) fn merge_heads(x: &Tensor) -> Torch {
    let size = x.size();
    x.f_transpose(1, 2)?.f_reshape([size[0], size[2], size[1] * size[3]])
}

/// Scaled dot-product attention without a mask.
pub(super) fn attend(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Torch {
    Tensor::f_scaled_dot_product_attention(q, k, v, mask.or(NONE), 0.0, false, None, false)
}
