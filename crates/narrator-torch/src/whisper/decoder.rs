//! The decoder: tokens so far and what the encoder heard, to the next token's logits.
//!
//! Rows are independent: each has its own place in the cache, its own length and its own piece of audio. A
//! pass takes the same number of new tokens from every row; a row with fewer is filled up, and what the
//! filling wrote is overwritten by the row's next pass, since a pass writes where its row's tokens end.
//!
//! Several rows in turn may hear the same piece: it is kept once, and they look at it together.
//!
//! A row's attention to the audio is kept for the alignment heads, from which word times are read.

use std::ops::Range;

use narrator_engine::EngineError;
use tch::{Device, Kind, Tensor};

use super::config::Config;
use super::layers::{Linear, Norm, Perceptron, attend, merge_heads, split_heads};
use crate::error::Doing;
use crate::qwen3::ops::{Torch, linear, to_floats};
use crate::qwen3::source::Loader;

#[derive(Debug)]
struct Layer {
    self_norm: Norm,
    /// Queries, keys and values in one.
    self_qkv: Linear,
    self_out: Linear,
    cross_norm: Norm,
    cross_q: Linear,
    /// Keys and values in one.
    cross_kv: Linear,
    cross_out: Linear,
    perceptron: Perceptron,
    /// Heads whose attention follows the audio.
    aligned: Option<Tensor>,
}

#[derive(Debug)]
pub(crate) struct Decoder {
    embedding: Tensor,
    /// The embedding again, in float32 on a CPU whatever the rest is in: with logits of 8 bits a near tie is
    /// decided by rounding. A GPU rounds only the result, which libtorch sums in float32.
    out: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
    heads: i64,
    kind: Kind,
    device: Device,
}

/// What rows hear: keys and values of their windows.
#[derive(Debug)]
pub(crate) struct Audio {
    /// Of every layer, `[pieces, heads, frames, dim]`.
    layers: Vec<(Tensor, Tensor)>,
}

/// Keys and values of the tokens that rows have read.
#[derive(Debug)]
pub(crate) struct Cache {
    /// Of every layer, `[rows, capacity, width]`.
    layers: Vec<(Tensor, Tensor)>,
    capacity: i64,
    /// Tokens that each row has read.
    pub(crate) lengths: Vec<i64>,
}

/// What a pass gives.
#[derive(Debug)]
pub(crate) struct Pass {
    /// `[rows, n, width]`, ready for [`Decoder::logits`].
    pub(crate) states: Tensor,
    /// Attention of the alignment heads, `[pieces, heads, n of each row, frames]`, float32; where it was asked for.
    pub(crate) attention: Option<Tensor>,
}

impl Pass {
    /// Appends the attention of row `at` while it read the tokens `which`.
    pub(crate) fn keep_attention(&self, at: usize, which: Range<usize>, into: &mut Vec<f32>) -> Torch<()> {
        if let Some(attention) = &self.attention {
            let row =
                attention.f_select(0, at as i64)?.f_narrow(1, which.start as i64, which.len() as i64)?;
            into.extend(to_floats(&row.f_transpose(0, 1)?)?);
        }
        Ok(())
    }
}

impl Decoder {
    /// Loads from `model.decoder`.
    pub(crate) fn load(loader: &Loader, config: &Config) -> Result<Self, EngineError> {
        let shape = &config.shape;
        let width = shape.d_model;
        let layer = |index: i64| -> Result<Layer, EngineError> {
            let here = loader.at("layers").at(index);
            let project = |block: &str, name: &str| {
                Linear::load(&here.at(block).at(name), width, width, name != "k_proj")
            };
            let doing = "joining the decoder's projections";
            let own = [
                project("self_attn", "q_proj")?,
                project("self_attn", "k_proj")?,
                project("self_attn", "v_proj")?,
            ];
            let heard = [project("encoder_attn", "k_proj")?, project("encoder_attn", "v_proj")?];
            let aligned: Vec<i64> =
                config.alignment_heads.iter().filter(|(at, _)| *at == index).map(|(_, head)| *head).collect();
            let aligned = if aligned.is_empty() {
                None
            } else {
                let heads =
                    Tensor::f_from_slice(&aligned).and_then(|heads| heads.f_to_device(loader.device()));
                Some(heads.doing("placing the alignment heads")?)
            };
            Ok(Layer {
                self_norm: Norm::load(&here.at("self_attn_layer_norm"), width)?,
                self_qkv: Linear::joined(&own).doing(doing)?,
                self_out: project("self_attn", "out_proj")?,
                cross_norm: Norm::load(&here.at("encoder_attn_layer_norm"), width)?,
                cross_q: project("encoder_attn", "q_proj")?,
                cross_kv: Linear::joined(&heard).doing(doing)?,
                cross_out: project("encoder_attn", "out_proj")?,
                perceptron: Perceptron::load(&here, width, shape.decoder_ffn_dim)?,
                aligned,
            })
        };
        let embedding =
            |loader: &Loader| loader.at("embed_tokens").tensor("weight", &[shape.vocab_size, width]);
        let of_logits = if loader.device() == Device::Cpu { Kind::Float } else { loader.kind() };
        let out = embedding(&loader.in_kind(of_logits))?;
        Ok(Self {
            embedding: if loader.kind() == of_logits { out.shallow_clone() } else { embedding(loader)? },
            out,
            positions: loader.at("embed_positions").tensor("weight", &[shape.max_target_positions, width])?,
            layers: (0..shape.decoder_layers).map(layer).collect::<Result<_, _>>()?,
            norm: Norm::load(&loader.at("layer_norm"), width)?,
            heads: shape.decoder_attention_heads,
            kind: loader.kind(),
            device: loader.device(),
        })
    }

    /// Keys and values of `states` `[rows, frames, width]`.
    pub(crate) fn audio(&self, states: &Tensor) -> Torch<Audio> {
        let width = states.size()[2];
        let mut layers = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let joined = layer.cross_kv.run(states)?;
            let part = |index: i64| {
                split_heads(&joined.f_narrow(2, index * width, width)?, self.heads)?.f_contiguous()
            };
            layers.push((part(0)?, part(1)?));
        }
        Ok(Audio { layers })
    }

    /// Room for `rows` of up to `capacity` tokens.
    pub(crate) fn cache(&self, rows: usize, capacity: i64) -> Torch<Cache> {
        let width = self.positions.size()[1];
        let capacity = capacity.min(self.positions.size()[0]);
        let room = || Tensor::f_zeros([rows as i64, capacity, width], (self.kind, self.device));
        let layers = (0..self.layers.len()).map(|_| Ok((room()?, room()?))).collect::<Torch<_>>()?;
        Ok(Cache { layers, capacity, lengths: vec![0; rows] })
    }

    /// Reads `n` tokens of every row, row after row in `tokens`, behind those that it has read. As many rows in turn
    /// hear each piece of `audio` as there are rows for a piece. The caller then sets the cache's lengths to what
    /// counts.
    pub(crate) fn read(&self, tokens: &[i64], cache: &Cache, audio: &Audio, attention: bool) -> Torch<Pass> {
        let rows = cache.lengths.len() as i64;
        let n = tokens.len() as i64 / rows;
        let places = Places::new(self, cache, n)?;
        let ids = Tensor::f_from_slice(tokens)?.f_to_device(self.device)?;
        let x = self.embedding.f_index_select(0, &ids)?;
        let mut x = x.f_add(&self.positions.f_index_select(0, &places.positions)?)?.f_view([rows, n, -1])?;
        let mut aligned = Vec::new();
        for ((layer, kept), heard) in self.layers.iter().zip(&cache.layers).zip(&audio.layers) {
            x = layer.read_tokens(&x, kept, &places, self.heads)?;
            x = layer.hear(&x, heard, self.heads, attention.then_some(&mut aligned))?;
            x = layer.perceptron.run(&x)?;
        }
        let attention = if attention { Some(Tensor::f_cat(&aligned, 1)?) } else { None };
        Ok(Pass { states: self.norm.run(&x)?, attention })
    }

    /// Logits over the vocabulary, float32, of `states` `[…, width]`.
    pub(crate) fn logits(&self, states: &Tensor) -> Torch {
        let states = states.f_to_kind(self.out.f_kind()?)?;
        linear(&states, &self.out)?.f_to_kind(Kind::Float)
    }

    fn place(&self, values: &[f32]) -> Torch {
        Tensor::f_from_slice(values)?.f_to_device(self.device)?.f_to_kind(self.kind)
    }
}

fn masked(seen: bool) -> f32 {
    if seen { 0.0 } else { f32::NEG_INFINITY }
}

/// Where the new tokens of a pass stand.
struct Places {
    /// Of every new token in its row.
    positions: Tensor,
    /// Of every new token in the cache, laid out flat.
    slots: Tensor,
    /// Tokens of the cache that a pass looks at.
    seen: i64,
    /// `[rows, 1, n, seen]`.
    mask: Tensor,
}

impl Places {
    fn new(decoder: &Decoder, cache: &Cache, n: i64) -> Torch<Self> {
        let last = cache.capacity - 1;
        let seen = (cache.lengths.iter().max().copied().unwrap_or(0) + n).min(cache.capacity);
        let (mut positions, mut slots, mut mask) = (Vec::new(), Vec::new(), Vec::new());
        for (row, &length) in cache.lengths.iter().enumerate() {
            for at in length..length + n {
                // What stands past the capacity is filling, as its row has no such token.
                let at = at.min(last);
                positions.push(at);
                slots.push(row as i64 * cache.capacity + at);
                mask.extend((0..seen).map(|before| masked(before <= at)));
            }
        }
        let ints = |values: &[i64]| Tensor::f_from_slice(values)?.f_to_device(decoder.device);
        Ok(Self {
            positions: ints(&positions)?,
            slots: ints(&slots)?,
            seen,
            mask: decoder.place(&mask)?.f_view([cache.lengths.len() as i64, 1, n, seen])?,
        })
    }
}

impl Layer {
    fn read_tokens(&self, x: &Tensor, kept: &(Tensor, Tensor), places: &Places, heads: i64) -> Torch {
        let joined = self.self_qkv.run(&self.self_norm.run(x)?)?;
        let width = x.size()[2];
        let part = |index: i64| joined.f_narrow(2, index * width, width);
        let keep = |kept: &Tensor, new: &Tensor| {
            let (rows, capacity) = (kept.size()[0], kept.size()[1]);
            let mut flat = kept.f_view([rows * capacity, width])?;
            let _ = flat.f_index_copy_(0, &places.slots, &new.f_reshape([-1, width])?)?;
            split_heads(&kept.f_narrow(1, 0, places.seen)?, heads)
        };
        let k = keep(&kept.0, &part(1)?)?;
        let v = keep(&kept.1, &part(2)?)?;
        let heard = attend(&split_heads(&part(0)?, heads)?, &k, &v, Some(&places.mask))?;
        x.f_add(&self.self_out.run(&merge_heads(&heard)?)?)
    }

    fn hear(
        &self,
        x: &Tensor,
        (k, v): &(Tensor, Tensor),
        heads: i64,
        aligned: Option<&mut Vec<Tensor>>,
    ) -> Torch {
        let shape = x.size();
        // Where a token stands is nothing to the audio: all that look at one piece do so as one row.
        let x = x.f_view([k.size()[0], -1, shape[2]])?;
        let q = split_heads(&self.cross_q.run(&self.cross_norm.run(&x)?)?, heads)?;
        let heard = match (&self.aligned, aligned) {
            (Some(which), Some(aligned)) => {
                let scale = (q.size()[3] as f64).sqrt().recip();
                let scores = q.f_mul_scalar(scale)?.f_matmul(&k.f_transpose(2, 3)?)?;
                let weights = scores.f_softmax(-1, Kind::Float)?;
                aligned.push(weights.f_index_select(1, which)?);
                weights.f_to_kind(v.f_kind()?)?.f_matmul(v)?
            }
            _ => attend(&q, k, v, None)?,
        };
        x.f_add(&self.cross_out.run(&merge_heads(&heard)?)?)?.f_view(shape.as_slice())
    }
}

impl Audio {
    /// The pieces `pieces`, in that order; a piece may come more than once.
    pub(crate) fn select(&self, pieces: &[usize]) -> Torch<Self> {
        Ok(Self { layers: select(&self.layers, pieces)? })
    }
}

impl Cache {
    /// The rows `rows`, in that order; a row may come more than once.
    pub(crate) fn select(&self, rows: &[usize]) -> Torch<Self> {
        Ok(Self {
            layers: select(&self.layers, rows)?,
            capacity: self.capacity,
            lengths: rows.iter().map(|&row| self.lengths[row]).collect(),
        })
    }

    /// Has every row go on from what another has read, `parents[row]`; all have read as much.
    pub(crate) fn follow(&mut self, parents: &[usize]) -> Torch<()> {
        if parents.iter().copied().eq(0..parents.len()) {
            return Ok(());
        }
        let read = self.lengths.iter().max().copied().unwrap_or(0).min(self.capacity);
        let index = index(parents, &self.layers)?;
        for kept in self.layers.iter().flat_map(|(keys, values)| [keys, values]) {
            let mut kept = kept.f_narrow(1, 0, read)?;
            let parents = kept.f_index_select(0, &index)?;
            kept.f_copy_(&parents)?;
        }
        Ok(())
    }

    pub(crate) fn capacity(&self) -> i64 {
        self.capacity
    }
}

fn select(layers: &[(Tensor, Tensor)], rows: &[usize]) -> Torch<Vec<(Tensor, Tensor)>> {
    let index = index(rows, layers)?;
    layers.iter().map(|(k, v)| Ok((k.f_index_select(0, &index)?, v.f_index_select(0, &index)?))).collect()
}

/// `rows` where `layers` are.
fn index(rows: &[usize], layers: &[(Tensor, Tensor)]) -> Torch {
    let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    let device = layers.first().map_or(Device::Cpu, |(keys, _)| keys.device());
    Tensor::f_from_slice(&rows)?.f_to_device(device)
}
