//! Samples to codes: run once on the reference clip of an in-context clone.
//!
//! ```text
//! samples [1, 1, n]
//!   convolutions  64 channels, doubled by strides 4, 5, 6, 8, each after residual units      25 a second
//!   transformer   causal, with biased layer norms and scaled residuals
//!   downsample    stride 2, its beginning padded with copies of the first frame            12.5 a second
//!   quantiser     semantic and acoustic halves, each the nearest centre of what is left
//! ```
//!
//! The configuration names a sliding window, but the reference applies it in one attention backend and not
//! in the others, so its own codes of clips above ten seconds depend on the backend. Here there is no window,
//! as in the default backend.
//!
//! Everything runs in float32, whatever the model's precision: it decides between near codes once for a
//! whole book.

use narrator_engine::EngineError;
use tch::{Kind, Tensor};

use super::centres;
use crate::error::{Doing, bad_request};
use crate::qwen3::config::EncoderConfig;
use crate::qwen3::ops::{NONE, Rope, Torch, attention, linear, to_ints};
use crate::qwen3::source::Loader;

/// A causal convolution with the reference's padding: what the kernel needs on the left, and on the right
/// what completes the last stride.
#[derive(Debug)]
struct Conv {
    weight: Tensor,
    bias: Option<Tensor>,
    kernel: i64,
    stride: i64,
    dilation: i64,
    replicate: bool,
}

impl Conv {
    fn load(
        loader: &Loader,
        (inputs, outputs): (i64, i64),
        kernel: i64,
        stride: i64,
        dilation: i64,
    ) -> Result<Self, EngineError> {
        let conv = loader.at("conv");
        Ok(Self {
            weight: conv.tensor("weight", &[outputs, inputs, kernel])?,
            bias: Some(conv.tensor("bias", &[outputs])?),
            kernel,
            stride,
            dilation,
            replicate: false,
        })
    }

    fn forward(&self, x: &Tensor) -> Torch {
        let length = x.size()[2];
        let reach = (self.kernel - 1) * self.dilation + 1;
        let left = reach - self.stride;
        let right = length.div_ceil_to(self.stride) - length;
        let mode = if self.replicate { "replicate" } else { "constant" };
        x.f_pad([left, right], mode, None)?.f_conv1d(
            &self.weight,
            self.bias.as_ref(),
            [self.stride],
            [0],
            [self.dilation],
            1,
        )
    }
}

/// Rounding up to a multiple, named for what it is here.
trait DivCeilTo {
    fn div_ceil_to(self, step: Self) -> Self;
}

impl DivCeilTo for i64 {
    fn div_ceil_to(self, step: Self) -> Self {
        (self + step - 1) / step * step
    }
}

#[derive(Debug)]
enum Stage {
    Residual(Conv, Conv),
    Down(Conv),
}

#[derive(Debug)]
struct Layer {
    input_norm: (Tensor, Tensor),
    q: Tensor,
    k: Tensor,
    v: Tensor,
    o: Tensor,
    attention_scale: Tensor,
    post_norm: (Tensor, Tensor),
    fc1: Tensor,
    fc2: Tensor,
    mlp_scale: Tensor,
}

/// One half of the split quantiser.
#[derive(Debug)]
struct Quantizer {
    projection: Tensor,
    /// Centres, `[codebook_size, codebook_dim]` each.
    tables: Vec<Tensor>,
}

impl Quantizer {
    fn load(loader: &Loader, config: &EncoderConfig, count: i64) -> Result<Self, EngineError> {
        let tables = (0..count)
            .map(|index| {
                let codebook = loader.at("layers").at(index).at("codebook");
                let sum = codebook.tensor("embed_sum", &[config.codebook_size, config.codebook_dim])?;
                let usage = codebook.tensor("cluster_usage", &[config.codebook_size])?;
                centres(&sum, &usage).doing("preparing a codebook")
            })
            .collect::<Result<_, _>>()?;
        let shape = [config.quantizer_dim, config.hidden, 1];
        Ok(Self { projection: loader.at("input_proj").tensor("weight", &shape)?, tables })
    }

    /// `x`: `[1, hidden, n]`; pushes one `[n]` of codes a table.
    fn encode(&self, x: &Tensor, codes: &mut Vec<Tensor>) -> Torch<()> {
        let mut rest =
            x.f_conv1d(&self.projection, NONE, [1], [0], [1], 1)?.f_squeeze_dim(0)?.f_transpose(0, 1)?;
        for table in &self.tables {
            let distances = Tensor::f_cdist(&rest.f_unsqueeze(0)?, &table.f_unsqueeze(0)?, 2.0, None)?;
            let nearest = distances.f_squeeze_dim(0)?.f_argmin(-1, false)?;
            rest = rest.f_sub(&Tensor::f_embedding(table, &nearest, -1, false, false)?)?;
            codes.push(nearest);
        }
        Ok(())
    }
}

/// The encoder's weights.
#[derive(Debug)]
pub(crate) struct CodecEncoder {
    config: EncoderConfig,
    opening: Conv,
    stages: Vec<Stage>,
    closing: Conv,
    layers: Vec<Layer>,
    downsample: Conv,
    semantic: Quantizer,
    acoustic: Quantizer,
    samples_per_code: i64,
}

impl CodecEncoder {
    /// `loader` is at `encoder` of the codec's file.
    pub(crate) fn load(
        loader: &Loader,
        config: &EncoderConfig,
        samples_per_code: i64,
    ) -> Result<Self, EngineError> {
        let loader = &loader.in_kind(Kind::Float);
        let convs = loader.at("encoder.layers");
        let mut stages = Vec::new();
        let mut index = 1;
        let mut width = config.filters;
        for &stride in &config.strides {
            for unit in 0..config.residual_layers {
                let block = convs.at(index).at("block");
                let inner = width / config.compress;
                let dilation = config.dilation_growth.pow(unit as u32);
                stages.push(Stage::Residual(
                    Conv::load(&block.at(1), (width, inner), config.residual_kernel, 1, dilation)?,
                    Conv::load(&block.at(3), (inner, width), 1, 1, 1)?,
                ));
                index += 1;
            }
            // The activation before it has a number of its own.
            index += 1;
            stages.push(Stage::Down(Conv::load(
                &convs.at(index),
                (width, 2 * width),
                2 * stride,
                stride,
                1,
            )?));
            index += 1;
            width *= 2;
        }
        let quantizer = loader.at("quantizer");
        let half = |name: &str, count| {
            Quantizer::load(&quantizer.at(format!("{name}_residual_vector_quantizer")), config, count)
        };
        Ok(Self {
            opening: Conv::load(&convs.at(0), (1, config.filters), config.kernel, 1, 1)?,
            stages,
            closing: Conv::load(&convs.at(index + 1), (width, config.hidden), config.last_kernel, 1, 1)?,
            layers: (0..config.layers)
                .map(|layer| load_layer(&loader.at("encoder_transformer.layers").at(layer), config))
                .collect::<Result<_, _>>()?,
            downsample: Conv {
                weight: loader.tensor("downsample.conv.weight", &[config.hidden, config.hidden, 4])?,
                bias: None,
                kernel: 4,
                stride: 2,
                dilation: 1,
                replicate: true,
            },
            semantic: half("semantic", config.semantic)?,
            acoustic: half("acoustic", config.codebooks - config.semantic)?,
            config: config.clone(),
            samples_per_code,
        })
    }

    /// Codes `[n, codebooks]`, int64, of mono samples at the codec's rate; `n` is the samples' length in
    /// frames, rounded up.
    pub(crate) fn encode(&self, samples: &[f32]) -> Result<Tensor, EngineError> {
        if samples.is_empty() {
            return Err(bad_request("the reference clip is empty"));
        }
        let frames = (samples.len() as i64).div_ceil_to(self.samples_per_code) / self.samples_per_code;
        let codes = self.run(samples).doing("encoding the reference clip")?;
        let codes = codes.f_narrow(0, 0, frames.min(codes.size()[0])).doing("encoding the reference clip")?;
        // One host copy: the codes outlive this, on whatever device the talker is.
        let values = to_ints(&codes).doing("reading the reference's codes")?;
        Tensor::f_from_slice(&values)
            .and_then(|flat| flat.f_view([-1, self.config.codebooks]))
            .doing("shaping the reference's codes")
    }

    fn run(&self, samples: &[f32]) -> Torch {
        let device = self.opening.weight.device();
        let x = Tensor::f_from_slice(samples)?.f_to_device(device)?.f_view([1, 1, -1])?;
        let mut x = self.opening.forward(&x)?;
        for stage in &self.stages {
            x = match stage {
                Stage::Residual(wide, narrow) => {
                    let inner = wide.forward(&x.f_elu()?)?;
                    x.f_add(&narrow.forward(&inner.f_elu()?)?)?
                }
                Stage::Down(conv) => conv.forward(&x.f_elu()?)?,
            };
        }
        let x = self.closing.forward(&x.f_elu()?)?;
        let x = self.transform(&x.f_transpose(1, 2)?)?.f_transpose(1, 2)?;
        let x = self.downsample.forward(&x)?;
        let mut codes = Vec::new();
        self.semantic.encode(&x, &mut codes)?;
        self.acoustic.encode(&x, &mut codes)?;
        Tensor::f_stack(&codes, 1)
    }

    /// `x`: `[1, n, hidden]`.
    fn transform(&self, x: &Tensor) -> Torch {
        let EncoderConfig { hidden, heads, kv_heads, head_dim, norm_eps, rope_theta, .. } = self.config;
        let time = x.size()[1];
        let rope = Rope::new(head_dim, rope_theta, time, Kind::Float, x.device())?;
        let norm = |x: &Tensor, (weight, bias): &(Tensor, Tensor)| {
            x.f_layer_norm([hidden], Some(weight), Some(bias), norm_eps, false)
        };
        let split = |x: &Tensor, heads: i64| x.f_view([1, time, heads, head_dim])?.f_transpose(1, 2);
        let mut x = x.f_contiguous()?;
        for layer in &self.layers {
            let normed = norm(&x, &layer.input_norm)?;
            let q = rope.rotate(&split(&linear(&normed, &layer.q)?, heads)?)?;
            let k = rope.rotate(&split(&linear(&normed, &layer.k)?, kv_heads)?)?;
            let v = split(&linear(&normed, &layer.v)?, kv_heads)?;
            let heard = attention(&q, &k, &v, None, true)?;
            let heard = linear(&heard.f_transpose(1, 2)?.f_reshape([1, time, heads * head_dim])?, &layer.o)?;
            x = x.f_add(&heard.f_mul(&layer.attention_scale)?)?;
            let inner = linear(&norm(&x, &layer.post_norm)?, &layer.fc1)?.f_gelu("none")?;
            x = x.f_add(&linear(&inner, &layer.fc2)?.f_mul(&layer.mlp_scale)?)?;
        }
        Ok(x)
    }
}

fn load_layer(loader: &Loader, config: &EncoderConfig) -> Result<Layer, EngineError> {
    let EncoderConfig { hidden, inner, heads, kv_heads, head_dim, .. } = *config;
    let norm = |name: &str| -> Result<_, EngineError> {
        let norm = loader.at(name);
        Ok((norm.tensor("weight", &[hidden])?, norm.tensor("bias", &[hidden])?))
    };
    let (attention, mlp) = (loader.at("self_attn"), loader.at("mlp"));
    Ok(Layer {
        input_norm: norm("input_layernorm")?,
        q: attention.tensor("q_proj.weight", &[heads * head_dim, hidden])?,
        k: attention.tensor("k_proj.weight", &[kv_heads * head_dim, hidden])?,
        v: attention.tensor("v_proj.weight", &[kv_heads * head_dim, hidden])?,
        o: attention.tensor("o_proj.weight", &[hidden, heads * head_dim])?,
        attention_scale: loader.tensor("self_attn_layer_scale.scale", &[hidden])?,
        post_norm: norm("post_attention_layernorm")?,
        fc1: mlp.tensor("fc1.weight", &[inner, hidden])?,
        fc2: mlp.tensor("fc2.weight", &[hidden, inner])?,
        mlp_scale: loader.tensor("mlp_layer_scale.scale", &[hidden])?,
    })
}
