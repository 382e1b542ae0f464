//! The building blocks that the voice's networks share. Activations are `[time, channels]`, contiguous, and
//! stay so from the embedding to the spectra: nothing is ever transposed.

use narrator_engine::EngineError;
use tch::{Kind, TchError, Tensor};

use crate::error::Doing;
use crate::weights::Names;

/// What an operation on tensors gives.
pub(super) type Fallible<T = Tensor> = Result<T, TchError>;

/// Of every layer norm of the voice.
const EPSILON: f64 = 1e-5;

/// Where the voice's weights come from, and how its int8 matrices are to be used.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) names: &'a Names<'a>,
    pub(super) arithmetic: Arithmetic,
}

/// Two ways to multiply by an int8 matrix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arithmetic {
    /// Round the input to 8 bits, with one scale and one zero point for all of it, and multiply integers:
    /// ONNX's `DynamicQuantizeLinear` and `MatMulInteger`, which is what the package does.
    Rounded,
    /// Dequantise the matrix at load and multiply real numbers.
    Real,
}

/// A linear layer with an int8 matrix.
pub(super) struct Int8Linear {
    matrix: Matrix,
    bias: Tensor,
    outputs: i64,
}

enum Matrix {
    /// `weight` is `[in, out]`; `shift` is what every output gains when all inputs grow by one.
    Rounded { weight: Tensor, scale: f32, shift: Tensor },
    /// `[out, in]`.
    Real(Tensor),
}

/// Matrices are padded with columns of zeros to a multiple of this: the integer products take twice as
/// long for the 3005 columns of the voice's last matrix as for 3008.
const COLUMNS: i64 = 16;

impl Int8Linear {
    pub(super) fn load(
        source: &Source<'_>,
        name: &str,
        inputs: i64,
        outputs: i64,
    ) -> Result<Self, EngineError> {
        let weight = source.names.take(&format!("{name}.weight"), &[inputs, outputs])?;
        let scale = source.names.take(&format!("{name}.scale"), &[])?;
        let bias = source.names.take(&format!("{name}.bias"), &[outputs])?;
        Self::new(&weight, &scale, &bias, source.arithmetic).doing("preparing an int8 matrix")
    }

    fn new(weight: &Tensor, scale: &Tensor, bias: &Tensor, arithmetic: Arithmetic) -> Fallible<Self> {
        let outputs = bias.size()[0];
        let missing = (COLUMNS - outputs % COLUMNS) % COLUMNS;
        let weight = weight.f_constant_pad_nd([0, missing])?;
        let bias = bias.f_constant_pad_nd([0, missing])?;
        let scale = scale.f_double_value(&[])?;
        let matrix = match arithmetic {
            Arithmetic::Real => {
                let real = weight.f_to_kind(Kind::Float)?.f_mul_scalar(scale)?;
                Matrix::Real(real.f_tr()?.f_contiguous()?)
            }
            Arithmetic::Rounded => {
                let sums = weight.f_sum_dim_intlist(&[0i64][..], false, Kind::Float)?;
                Matrix::Rounded { shift: sums.f_mul_scalar(scale)?, weight, scale: scale as f32 }
            }
        };
        Ok(Self { matrix, bias, outputs })
    }

    /// Contiguous but for the columns that were padded.
    pub(super) fn forward(&self, input: &Tensor) -> Fallible {
        let output = match &self.matrix {
            Matrix::Real(weight) => input.f_linear(weight, Some(&self.bias))?,
            Matrix::Rounded { weight, scale, shift } => {
                let rounding = Rounding::for_all_of(input)?;
                let products = rounding.product(input, weight)?.f_to_kind(Kind::Float)?;
                let offset = Tensor::f_from_slice(&[rounding.scale * (128.0 - rounding.zero_point)])?;
                let bias = self.bias.f_addcmul(shift, &offset)?;
                // Into the products themselves: another buffer of this size would push them out of the cache.
                bias.f_addcmul_out(&products, &products, &Tensor::f_from_slice(&[rounding.scale * scale])?)?
            }
        };
        if output.size()[1] == self.outputs { Ok(output) } else { output.f_narrow(1, 0, self.outputs) }
    }
}

/// `input` with rows of zeros behind it, to one of few lengths. `oneDNN` compiles a kernel for every shape that it
/// meets, which takes as long as running it, and every sentence has a length of its own.
fn padded(input: &Tensor) -> Fallible {
    let rows = input.size().first().copied().unwrap_or(0);
    let step = if rows <= 256 { 32 } else { 64 };
    input.f_constant_pad_nd([0, 0, 0, (step - rows % step) % step])
}

/// The map from real numbers to unsigned bytes that ONNX's `DynamicQuantizeLinear` chooses.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Rounding {
    scale: f32,
    zero_point: f32,
}

impl Rounding {
    fn for_all_of(input: &Tensor) -> Fallible<Self> {
        let (least, greatest) = input.f_aminmax(None, false)?;
        Ok(Self::of(least.f_double_value(&[])? as f32, greatest.f_double_value(&[])? as f32))
    }

    /// For numbers between `least` and `greatest`; zero is always among the numbers that are kept exactly.
    fn of(least: f32, greatest: f32) -> Self {
        let (least, greatest) = (least.min(0.0), greatest.max(0.0));
        let scale = if greatest > least { (greatest - least) / 255.0 } else { 1.0 };
        let zero_point = (-least / scale).clamp(0.0, 255.0).round_ties_even();
        Self { scale, zero_point }
    }

    /// Rounds `input` to bytes, less 128 since libtorch multiplies signed ones, and multiplies by `weight`.
    fn product(self, input: &Tensor, weight: &Tensor) -> Fallible {
        let quantised = self.apply(input)?;
        // SAFETY: `quantised` is an 8-bit tensor that quantize_per_tensor made contiguous, in the shape of the
        // two-dimensional `input`, so its storage has one byte for each number at these strides; it lives until
        // the end of this function, and the view, which owns nothing, not longer. (int_repr, the safe way to
        // its bytes, copies them five times slower than they are made.)
        let bytes = unsafe {
            let size = quantised.size();
            let strides = [size.get(1).copied().unwrap_or(1), 1];
            Tensor::f_from_blob(quantised.data_ptr().cast(), &size, &strides, Kind::Int8, tch::Device::Cpu)?
        };
        padded(&bytes)?.f_internal_int_mm(weight)?.f_narrow(0, 0, input.size()[0])
    }

    fn apply(self, input: &Tensor) -> Fallible {
        let zero_point = self.zero_point as i64 - 128;
        input.f_contiguous()?.f_quantize_per_tensor(f64::from(self.scale), zero_point, Kind::QInt8)
    }
}

/// Normalisation over the channels.
pub(super) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    channels: i64,
}

impl LayerNorm {
    pub(super) fn load(source: &Source<'_>, name: &str, channels: i64) -> Result<Self, EngineError> {
        Ok(Self {
            weight: source.names.take(&format!("{name}.weight"), &[channels])?,
            bias: source.names.take(&format!("{name}.bias"), &[channels])?,
            channels,
        })
    }

    pub(super) fn forward(&self, input: &Tensor) -> Fallible {
        input.f_layer_norm([self.channels], Some(&self.weight), Some(&self.bias), EPSILON, false)
    }
}

/// A convolution over time with "same" padding: beyond both ends there are zeros.
pub(super) struct Conv {
    /// `[out, in / groups, 1, kernel]`: two-dimensional, because only those take channels last.
    weight: Tensor,
    bias: Tensor,
    dilation: i64,
    groups: i64,
    padding: i64,
}

/// A convolution's sizes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvShape {
    pub(super) inputs: i64,
    pub(super) outputs: i64,
    pub(super) kernel: i64,
    pub(super) dilation: i64,
    pub(super) groups: i64,
}

impl ConvShape {
    pub(super) fn dense(inputs: i64, outputs: i64, kernel: i64) -> Self {
        Self { inputs, outputs, kernel, dilation: 1, groups: 1 }
    }

    pub(super) fn depthwise(channels: i64, kernel: i64, dilation: i64) -> Self {
        Self { inputs: channels, outputs: channels, kernel, dilation, groups: channels }
    }
}

impl Conv {
    pub(super) fn load(source: &Source<'_>, name: &str, shape: ConvShape) -> Result<Self, EngineError> {
        let ConvShape { inputs, outputs, kernel, dilation, groups } = shape;
        let weight = source
            .names
            .take(&format!("{name}.weight"), &[outputs, inputs / groups, kernel])?
            .f_unsqueeze(2)
            .doing("preparing a convolution")?;
        Ok(Self {
            weight,
            bias: source.names.take(&format!("{name}.bias"), &[outputs])?,
            dilation,
            groups,
            padding: (kernel - 1) / 2 * dilation,
        })
    }

    pub(super) fn forward(&self, input: &Tensor) -> Fallible {
        let padded = padded(input)?;
        let [length, channels] = padded.size()[..] else { return input.f_view([0, 0]) };
        let as_image = padded.f_view([1, 1, length, channels])?.f_permute([0, 3, 1, 2])?;
        let output = as_image.f_conv2d(
            &self.weight,
            Some(&self.bias),
            [1, 1],
            [0, self.padding],
            [1, self.dilation],
            self.groups,
        )?;
        // A view, as long as `oneDNN` answers in the layout it was asked in.
        output.f_permute([0, 2, 3, 1])?.f_reshape([length, -1])?.f_narrow(0, 0, input.size()[0])
    }
}

/// A depthwise convolution, then a two-layer perceptron, added to the input: the block of `ConvNeXt`.
pub(super) struct ConvBlock {
    depthwise: Conv,
    norm: LayerNorm,
    up: Int8Linear,
    down: Int8Linear,
    gamma: Tensor,
}

impl ConvBlock {
    pub(super) fn load(
        source: &Source<'_>,
        name: &str,
        (channels, hidden): (i64, i64),
        (kernel, dilation): (i64, i64),
    ) -> Result<Self, EngineError> {
        let depthwise = ConvShape::depthwise(channels, kernel, dilation);
        Ok(Self {
            depthwise: Conv::load(source, &format!("{name}.depthwise"), depthwise)?,
            norm: LayerNorm::load(source, &format!("{name}.norm"), channels)?,
            up: Int8Linear::load(source, &format!("{name}.up"), channels, hidden)?,
            down: Int8Linear::load(source, &format!("{name}.down"), hidden, channels)?,
            gamma: source.names.take(&format!("{name}.gamma"), &[channels])?,
        })
    }

    pub(super) fn forward(&self, input: &Tensor) -> Fallible {
        let mixed = self.norm.forward(&self.depthwise.forward(input)?)?;
        let mut hidden = self.up.forward(&mixed)?;
        let output = self.down.forward(&hidden.f_gelu_("none")?)?;
        input.f_addcmul(&self.gamma, &output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_keeps_zero_and_reaches_both_ends() {
        let rounding = Rounding::of(-1.0, 3.0);
        assert_eq!(rounding, Rounding { scale: 4.0 / 255.0, zero_point: 64.0 });
        assert_eq!(Rounding::of(0.0, 2.0), Rounding { scale: 2.0 / 255.0, zero_point: 0.0 });
        assert_eq!(Rounding::of(0.5, 2.0), Rounding::of(0.0, 2.0));
        assert_eq!(Rounding::of(-2.0, -0.5), Rounding { scale: 2.0 / 255.0, zero_point: 255.0 });
        assert_eq!(Rounding::of(0.0, 0.0), Rounding { scale: 1.0, zero_point: 0.0 });
        let bytes = rounding.apply(&Tensor::from_slice(&[-1.0f32, 0.0, 3.0])).expect("bytes").int_repr();
        assert_eq!(Vec::<i8>::try_from(&bytes).expect("values"), [-128, -64, 127]);
    }

    #[test]
    fn both_arithmetics_multiply_what_the_bytes_stand_for() {
        let weight = Tensor::from_slice(&[1i8, -2, 3, 4, -5, 6]).view([3, 2]);
        let bias = Tensor::from_slice(&[10.0f32, 20.0]);
        let layer =
            |arithmetic| Int8Linear::new(&weight, &Tensor::from(0.5f32), &bias, arithmetic).expect("a layer");
        // 0, 1 and 255 steps of 1/255 are kept exactly.
        let input = Tensor::from_slice(&[0.0f32, 1.0, 1.0 / 255.0]).view([1, 3]);
        let expected =
            input.matmul(&(weight.to_kind(Kind::Float) * 0.5)) + Tensor::from_slice(&[10.0f32, 20.0]);
        for arithmetic in [Arithmetic::Rounded, Arithmetic::Real] {
            let found = layer(arithmetic).forward(&input).expect("a product");
            assert!((found - &expected).abs().max().double_value(&[]) < 1e-5, "{arithmetic:?}");
        }
    }
}
