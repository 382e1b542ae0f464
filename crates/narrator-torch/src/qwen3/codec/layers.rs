//! Causal layers of the decoder: convolutions that remember, and the activation between them.
//!
//! Layout is `[rows, channels, time]`.

use narrator_engine::EngineError;
use tch::{Kind, Tensor};

use super::carry::Carry;
use crate::error::Doing;
use crate::qwen3::ops::{NONE, Torch};
use crate::qwen3::source::Loader;

/// A convolution that sees only the past: its history is the last `(kernel - 1) · dilation` inputs.
#[derive(Debug)]
pub(super) struct CausalConv {
    weight: Tensor,
    bias: Tensor,
    dilation: i64,
    groups: i64,
    history: i64,
    inputs: i64,
}

impl CausalConv {
    /// Loads `conv.weight` `[outputs, inputs / groups, kernel]` and `conv.bias`.
    pub(super) fn load(
        loader: &Loader,
        (inputs, outputs): (i64, i64),
        kernel: i64,
        dilation: i64,
        groups: i64,
    ) -> Result<Self, EngineError> {
        let conv = loader.at("conv");
        Ok(Self {
            weight: conv.tensor("weight", &[outputs, inputs / groups, kernel])?,
            bias: conv.tensor("bias", &[outputs])?,
            dilation,
            groups,
            history: (kernel - 1) * dilation,
            inputs,
        })
    }

    /// Shape of a stream's history.
    pub(super) fn shapes(&self, into: &mut Vec<Vec<i64>>) {
        if self.history > 0 {
            into.push(vec![1, self.inputs, self.history]);
        }
    }

    pub(super) fn forward(&self, x: &Tensor, carry: &mut Carry) -> Torch {
        if self.history == 0 {
            return x.f_conv1d(&self.weight, Some(&self.bias), [1], [0], [self.dilation], self.groups);
        }
        let x = Tensor::f_cat(&[&carry.take()?, x], 2)?;
        carry.put(x.f_narrow(2, x.size()[2] - self.history, self.history)?);
        x.f_conv1d(&self.weight, Some(&self.bias), [1], [0], [self.dilation], self.groups)
    }
}

/// An upsampling convolution. Outputs of one input reach `kernel - stride` samples into the next one's; what
/// reaches past a chunk is carried (without the bias, which is added once) and added to the next chunk. The
/// end of a stream drops it, as the reference trims its output.
#[derive(Debug)]
pub(super) struct Upsample {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    overlap: i64,
    outputs: i64,
}

impl Upsample {
    /// Loads `conv.weight` `[inputs, outputs, kernel]` and `conv.bias`.
    pub(super) fn load(
        loader: &Loader,
        (inputs, outputs): (i64, i64),
        kernel: i64,
        stride: i64,
    ) -> Result<Self, EngineError> {
        let conv = loader.at("conv");
        let bias = conv.tensor("bias", &[outputs])?;
        Ok(Self {
            weight: conv.tensor("weight", &[inputs, outputs, kernel])?,
            bias: bias.f_view([1, -1, 1]).doing("shaping a bias")?,
            stride,
            overlap: kernel - stride,
            outputs,
        })
    }

    pub(super) fn shapes(&self, into: &mut Vec<Vec<i64>>) {
        if self.overlap > 0 {
            into.push(vec![1, self.outputs, self.overlap]);
        }
    }

    pub(super) fn forward(&self, x: &Tensor, carry: &mut Carry) -> Torch {
        let ready = x.size()[2] * self.stride;
        let full = x.f_conv_transpose1d(&self.weight, NONE, [self.stride], [0], [0], 1, [1])?;
        if self.overlap == 0 {
            return full.f_add(&self.bias);
        }
        let _ = full.f_narrow(2, 0, self.overlap)?.f_add_(&carry.take()?)?;
        carry.put(full.f_narrow(2, ready, self.overlap)?);
        full.f_narrow(2, 0, ready)?.f_add(&self.bias)
    }
}

/// `x + sin²(αx) / β`, with a frequency and a magnitude of its own for every channel; both are stored as
/// logarithms.
#[derive(Debug)]
pub(super) struct SnakeBeta {
    alpha: Tensor,
    inverse_beta: Tensor,
}

impl SnakeBeta {
    /// Keeps the division defined, as the reference does.
    const EPSILON: f64 = 1e-9;

    pub(super) fn load(loader: &Loader, channels: i64) -> Result<Self, EngineError> {
        let wide = loader.in_kind(Kind::Float);
        let (alpha, beta) = (wide.tensor("alpha", &[channels])?, wide.tensor("beta", &[channels])?);
        let prepare = || -> Torch<_> {
            let alpha = alpha.f_exp()?.f_view([1, -1, 1])?.f_to_kind(loader.kind())?;
            let inverse = beta.f_exp()?.f_add_scalar(Self::EPSILON)?.f_reciprocal()?;
            Ok(Self { alpha, inverse_beta: inverse.f_view([1, -1, 1])?.f_to_kind(loader.kind())? })
        };
        prepare().doing("preparing an activation")
    }

    pub(super) fn forward(&self, x: &Tensor) -> Torch {
        let mut wave = x.f_mul(&self.alpha)?;
        let _ = wave.f_sin_()?.f_square_()?;
        x.f_addcmul(&wave, &self.inverse_beta)
    }
}
