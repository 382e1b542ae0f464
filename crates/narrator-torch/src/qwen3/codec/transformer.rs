//! The decoder's transformer: a few layers with a sliding window, run on frames before they become sound.
//!
//! No norm on heads and no bias; both residuals are scaled per channel. A frame sees itself and the
//! `window - 1` before it; a stream carries the keys and values of that many frames, already rotated, and the
//! number of frames so far tells which of them are real.

use narrator_engine::EngineError;
use tch::{Device, Kind, Tensor};

use super::carry::Carry;
use crate::error::Doing;
use crate::qwen3::config::DecoderConfig;
use crate::qwen3::ops::{Rope, Torch, attention, feed_forward, linear, rms_norm};
use crate::qwen3::source::Loader;

#[derive(Debug)]
struct Layer {
    input_norm: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    o: Tensor,
    attention_scale: Tensor,
    post_norm: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
    mlp_scale: Tensor,
}

#[derive(Debug)]
pub(super) struct Transformer {
    config: DecoderConfig,
    input: (Tensor, Tensor),
    layers: Vec<Layer>,
    norm: Tensor,
    output: (Tensor, Tensor),
    /// `[head_dim / 2]`, float32.
    frequencies: Tensor,
}

impl Transformer {
    pub(super) fn load(loader: &Loader, config: &DecoderConfig) -> Result<Self, EngineError> {
        let DecoderConfig { hidden, inner, heads, kv_heads, head_dim, latent, .. } = *config;
        let layers = (0..config.layers)
            .map(|index| {
                let layer = loader.at("layers").at(index);
                let (attention, mlp) = (layer.at("self_attn"), layer.at("mlp"));
                Ok(Layer {
                    input_norm: layer.tensor("input_layernorm.weight", &[hidden])?,
                    q: attention.tensor("q_proj.weight", &[heads * head_dim, hidden])?,
                    k: attention.tensor("k_proj.weight", &[kv_heads * head_dim, hidden])?,
                    v: attention.tensor("v_proj.weight", &[kv_heads * head_dim, hidden])?,
                    o: attention.tensor("o_proj.weight", &[hidden, heads * head_dim])?,
                    attention_scale: layer.tensor("self_attn_layer_scale.scale", &[hidden])?,
                    post_norm: layer.tensor("post_attention_layernorm.weight", &[hidden])?,
                    gate: mlp.tensor("gate_proj.weight", &[inner, hidden])?,
                    up: mlp.tensor("up_proj.weight", &[inner, hidden])?,
                    down: mlp.tensor("down_proj.weight", &[hidden, inner])?,
                    mlp_scale: layer.tensor("mlp_layer_scale.scale", &[hidden])?,
                })
            })
            .collect::<Result<_, EngineError>>()?;
        let (input, output) = (loader.at("input_proj"), loader.at("output_proj"));
        Ok(Self {
            input: (input.tensor("weight", &[hidden, latent])?, input.tensor("bias", &[hidden])?),
            output: (output.tensor("weight", &[latent, hidden])?, output.tensor("bias", &[latent])?),
            norm: loader.tensor("norm.weight", &[hidden])?,
            frequencies: Rope::frequencies(head_dim, config.rope_theta, loader.device())
                .doing("preparing the codec's rotary embedding")?,
            layers,
            config: config.clone(),
        })
    }

    /// Keys and values of the frames that the next one still sees, per layer.
    pub(super) fn shapes(&self, into: &mut Vec<Vec<i64>>) {
        let shape = vec![1, self.config.kv_heads, self.past(), self.config.head_dim];
        for _ in 0..2 * self.layers.len() {
            into.push(shape.clone());
        }
    }

    fn past(&self) -> i64 {
        self.config.window - 1
    }

    /// Angles `[rows, 1, time, head_dim]` for `time` frames after those that each row has had.
    fn angles(&self, frames: &[i64], time: i64, kind: Kind, device: Device) -> Torch<Rope> {
        let starts = Tensor::f_from_slice(frames)?.f_to_device(device)?.f_to_kind(Kind::Float)?;
        let steps = Tensor::f_arange(time, (Kind::Float, device))?;
        let at = starts.f_unsqueeze(1)?.f_add(&steps.f_unsqueeze(0)?)?;
        Rope::of(&at.f_unsqueeze(1)?.f_unsqueeze(3)?, &self.frequencies, kind)
    }

    /// What each of `time` new frames sees of `past + time` keys: additive, `[rows, 1, time, past + time]`.
    fn mask(&self, frames: &[i64], time: i64, kind: Kind, device: Device) -> Torch {
        let (past, rows) = (self.past(), frames.len() as i64);
        let ints = (Kind::Int64, Device::Cpu);
        let keys = Tensor::f_arange(past + time, ints)?.f_view([1, 1, 1, past + time])?;
        let queries = Tensor::f_arange_start(past, past + time, ints)?.f_view([1, 1, time, 1])?;
        let distance = queries.f_sub(&keys)?;
        let near = distance.f_ge(0)?.f_logical_and(&distance.f_lt(self.config.window)?)?;
        // The carried keys end where the new ones begin; of a young stream only the last few are real.
        let first: Vec<i64> = frames.iter().map(|&frames| past - frames.min(past)).collect();
        let real = keys.f_ge_tensor(&Tensor::f_from_slice(&first)?.f_view([rows, 1, 1, 1])?)?;
        let unseen = near.f_logical_and(&real)?.f_logical_not()?;
        Tensor::f_zeros(unseen.size(), (kind, Device::Cpu))?
            .f_masked_fill(&unseen, f64::NEG_INFINITY)?
            .f_to_device(device)
    }

    /// `x`: `[rows, latent, time]`, and so is what is returned. `frames`: how many each row has had.
    pub(super) fn forward(&self, x: &Tensor, frames: &[i64], carry: &mut Carry) -> Torch {
        let (time, kind, device) = (x.size()[2], x.f_kind()?, x.device());
        let rope = self.angles(frames, time, kind, device)?;
        let mask = self.mask(frames, time, kind, device)?;
        let eps = self.config.norm_eps;
        let mut x = x.f_transpose(1, 2)?.f_linear(&self.input.0, Some(&self.input.1))?;
        for layer in &self.layers {
            let normed = rms_norm(&x, &layer.input_norm, eps)?;
            let heard = self.attend(layer, &normed, &rope, &mask, carry)?;
            x = x.f_add(&heard.f_mul(&layer.attention_scale)?)?;
            let normed = rms_norm(&x, &layer.post_norm, eps)?;
            let answer = feed_forward(&normed, &layer.gate, &layer.up, &layer.down)?;
            x = x.f_add(&answer.f_mul(&layer.mlp_scale)?)?;
        }
        rms_norm(&x, &self.norm, eps)?.f_linear(&self.output.0, Some(&self.output.1))?.f_transpose(1, 2)
    }

    fn attend(&self, layer: &Layer, x: &Tensor, rope: &Rope, mask: &Tensor, carry: &mut Carry) -> Torch {
        let DecoderConfig { heads, kv_heads, head_dim, .. } = self.config;
        let (rows, time) = (x.size()[0], x.size()[1]);
        let split = |x: &Tensor, heads: i64| x.f_view([rows, time, heads, head_dim])?.f_transpose(1, 2);
        let q = rope.rotate(&split(&linear(x, &layer.q)?, heads)?)?;
        let k = rope.rotate(&split(&linear(x, &layer.k)?, kv_heads)?)?;
        let v = split(&linear(x, &layer.v)?, kv_heads)?;
        let k = Tensor::f_cat(&[&carry.take()?, &k], 2)?;
        let v = Tensor::f_cat(&[&carry.take()?, &v], 2)?;
        carry.put(k.f_narrow(2, time, self.past())?);
        carry.put(v.f_narrow(2, time, self.past())?);
        let heard = attention(&q, &k, &v, Some(mask), false)?;
        linear(&heard.f_transpose(1, 2)?.f_reshape([rows, time, heads * head_dim])?, &layer.o)
    }
}
