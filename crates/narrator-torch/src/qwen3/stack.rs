//! A stack of decoder layers with a static cache of keys and values: the body of the talker and of the
//! code predictor.
//!
//! Per layer: norm, attention (a norm on every head of queries and keys, then the rotary embedding, grouped
//! key heads), residual; norm, gated feed-forward with `SiLU`, residual. A norm after the last.
//!
//! # The cache
//!
//! `[rows, positions, kv heads, head dim]` per layer for keys and for values, taken once. A row of the batch
//! lives in one row of the cache, always among the first ones, so that a step reads a plain slice; when a row
//! leaves, the last one moves into its place ([`Cache::move_row`]). On a CPU the memory of positions that no
//! row has reached is reserved and never touched, so it is not resident.
//!
//! Addresses never change while the cache lives, which is what a recorded CUDA graph needs.

use narrator_engine::EngineError;
use tch::{Device, Kind, Tensor};

use super::config::StackConfig;
use super::ops::{Rope, Torch, attention, linear, repeat_heads, rms_norm};
use super::source::Loader;
use crate::error::Doing;

#[derive(Debug)]
struct Layer {
    input_norm: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    o: Tensor,
    q_norm: Tensor,
    k_norm: Tensor,
    post_norm: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

/// The layers and the norm after them.
#[derive(Debug)]
pub(crate) struct Stack {
    config: StackConfig,
    layers: Vec<Layer>,
    norm: Tensor,
    rope: Rope,
}

/// Keys and values of earlier positions.
#[derive(Debug)]
pub(crate) struct Cache {
    keys: Vec<Tensor>,
    values: Vec<Tensor>,
    rows: i64,
    positions: i64,
    /// Positions of each row that have ever been written: what lies beyond is whatever memory held.
    written: Vec<i64>,
}

impl Cache {
    pub(crate) fn new(
        config: &StackConfig,
        rows: i64,
        positions: i64,
        kind: Kind,
        device: Device,
    ) -> Torch<Self> {
        let shape = [rows, positions, config.kv_heads, config.head_dim];
        let layers =
            || (0..config.layers).map(|_| Tensor::f_empty(shape, (kind, device))).collect::<Torch<_>>();
        Ok(Self { keys: layers()?, values: layers()?, rows, positions, written: vec![0; rows as usize] })
    }

    pub(crate) fn rows(&self) -> i64 {
        self.rows
    }

    pub(crate) fn positions(&self) -> i64 {
        self.positions
    }

    /// Notes that `tokens` positions of `row` are written.
    pub(crate) fn wrote(&mut self, row: i64, tokens: i64) {
        if let Some(written) = self.written.get_mut(row as usize) {
            *written = tokens.max(*written);
        }
    }

    /// Makes the first `rows` rows readable up to `seen`: a position that a longer neighbour makes a row
    /// read, masked, must hold numbers, as no weight of zero undoes a NaN.
    fn clear_up_to(&mut self, rows: i64, seen: i64) -> Torch<()> {
        /// Cleared ahead, so that this is rare: five seconds of speech.
        const AHEAD: i64 = 64;
        for row in 0..rows {
            let written = self.written[row as usize];
            if written < seen {
                let until = (seen + AHEAD).min(self.positions);
                for tensor in self.keys.iter().chain(&self.values) {
                    let _ = tensor.f_narrow(0, row, 1)?.f_narrow(1, written, until - written)?.f_zero_()?;
                }
                self.written[row as usize] = until;
            }
        }
        Ok(())
    }

    /// Copies the first `length` positions of row `from` over row `to`.
    pub(crate) fn move_row(&mut self, from: i64, to: i64, length: i64) -> Torch<()> {
        let written = &mut self.written[to as usize];
        *written = length.max(*written);
        for tensor in self.keys.iter().chain(&self.values) {
            let source = tensor.f_narrow(0, from, 1)?.f_narrow(1, 0, length)?;
            tensor.f_narrow(0, to, 1)?.f_narrow(1, 0, length)?.f_copy_(&source)?;
        }
        Ok(())
    }
}

/// Where the new tokens of a forward pass stand, and what they see.
#[derive(Debug)]
pub(crate) enum Place {
    /// The first tokens of the rows `first_row..`, from position 0 on: they see each other causally.
    Start { first_row: i64, tokens: i64 },
    /// One token a row, all at one position.
    Together { position: i64 },
    /// One token a row, each at a position of its own.
    Apart(Positions),
}

/// Positions of rows 0, 1, … of a cache.
#[derive(Debug)]
pub(crate) struct Positions {
    /// Index of every row's position in the cache flattened over rows and positions: `[rows]`, int64.
    flat: Tensor,
    /// `[rows]`, int64.
    at: Tensor,
    /// Positions that some row sees: the longest row's.
    seen: i64,
    /// `[rows, 1, 1, seen]`, additive; absent when all rows are of one length.
    mask: Option<Tensor>,
}

impl Positions {
    /// `at[i]` is where row `i`'s new token goes: the length of the row so far.
    pub(crate) fn new(at: &[i64], cache: &mut Cache, kind: Kind, device: Device) -> Torch<Self> {
        let flat: Vec<i64> = at.iter().zip(0..).map(|(at, row)| row * cache.positions + at).collect();
        let seen = at.iter().max().map_or(0, |longest| longest + 1);
        cache.clear_up_to(at.len() as i64, seen)?;
        let positions = Tensor::f_from_slice(at)?;
        let mask = if at.iter().all(|&at| at + 1 == seen) {
            None
        } else {
            let range = Tensor::f_arange(seen, (Kind::Int64, Device::Cpu))?;
            let unseen = range.f_unsqueeze(0)?.f_gt_tensor(&positions.f_unsqueeze(1)?)?;
            let mask = Tensor::f_zeros([at.len() as i64, seen], (kind, Device::Cpu))?
                .f_masked_fill(&unseen, f64::NEG_INFINITY)?;
            Some(mask.f_view([at.len() as i64, 1, 1, seen])?.f_to_device(device)?)
        };
        let flat = Tensor::f_from_slice(&flat)?.f_to_device(device)?;
        Ok(Self { flat, at: positions.f_to_device(device)?, seen, mask })
    }
}

impl Stack {
    /// Loads `layers.N` and `norm` below `loader`. `positions` is how far the rotary embedding reaches.
    pub(crate) fn load(loader: &Loader, config: &StackConfig, positions: i64) -> Result<Self, EngineError> {
        let StackConfig { hidden, inner, heads, kv_heads, head_dim, .. } = *config;
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
                    q_norm: attention.tensor("q_norm.weight", &[head_dim])?,
                    k_norm: attention.tensor("k_norm.weight", &[head_dim])?,
                    post_norm: layer.tensor("post_attention_layernorm.weight", &[hidden])?,
                    gate: mlp.tensor("gate_proj.weight", &[inner, hidden])?,
                    up: mlp.tensor("up_proj.weight", &[inner, hidden])?,
                    down: mlp.tensor("down_proj.weight", &[hidden, inner])?,
                })
            })
            .collect::<Result<_, EngineError>>()?;
        let norm = loader.tensor("norm.weight", &[hidden])?;
        let rope = Rope::new(head_dim, config.rope_theta, positions, loader.kind(), loader.device())
            .doing("preparing the rotary embedding")?;
        Ok(Self { config: config.clone(), layers, norm, rope })
    }

    /// Runs `x` `[rows, tokens, hidden]` through the stack, adding its keys and values to `cache`; returns
    /// the states after the last norm, of the same shape.
    pub(crate) fn forward(&self, x: &Tensor, cache: &Cache, place: &Place) -> Torch {
        let rope = match place {
            Place::Start { tokens, .. } => self.rope.narrow(0, *tokens)?.unsqueeze(1)?,
            Place::Together { position } => self.rope.narrow(*position, 1)?.unsqueeze(1)?,
            Place::Apart(positions) => self.rope.at(&positions.at)?.unsqueeze(1)?.unsqueeze(1)?,
        };
        let eps = self.config.norm_eps;
        let mut x = x.shallow_clone();
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = rms_norm(&x, &layer.input_norm, eps)?;
            let heard =
                self.attend(layer, &normed, &rope, (&cache.keys[index], &cache.values[index]), place)?;
            x = x.f_add(&heard)?;
            let normed = rms_norm(&x, &layer.post_norm, eps)?;
            let gated = linear(&normed, &layer.gate)?.f_silu()?.f_mul(&linear(&normed, &layer.up)?)?;
            x = x.f_add(&linear(&gated, &layer.down)?)?;
        }
        rms_norm(&x, &self.norm, eps)
    }

    fn attend(
        &self,
        layer: &Layer,
        x: &Tensor,
        rope: &Rope,
        (keys, values): (&Tensor, &Tensor),
        place: &Place,
    ) -> Torch {
        let StackConfig { heads, kv_heads, head_dim, norm_eps, .. } = self.config;
        let (rows, tokens) = (x.size()[0], x.size()[1]);
        let group = heads / kv_heads;
        let q = linear(x, &layer.q)?.f_view([rows, tokens, heads, head_dim])?;
        let k = linear(x, &layer.k)?.f_view([rows, tokens, kv_heads, head_dim])?;
        let v = linear(x, &layer.v)?.f_view([rows, tokens, kv_heads, head_dim])?;
        let q = rope.rotate(&rms_norm(&q, &layer.q_norm, norm_eps)?)?;
        let k = rope.rotate(&rms_norm(&k, &layer.k_norm, norm_eps)?)?;
        let heard = match place {
            Place::Start { first_row, tokens } => {
                keys.f_narrow(0, *first_row, rows)?.f_narrow(1, 0, *tokens)?.f_copy_(&k)?;
                values.f_narrow(0, *first_row, rows)?.f_narrow(1, 0, *tokens)?.f_copy_(&v)?;
                let k = repeat_heads(&k.f_transpose(1, 2)?, group)?;
                let v = repeat_heads(&v.f_transpose(1, 2)?, group)?;
                attention(&q.f_transpose(1, 2)?, &k, &v, None, true)?.f_transpose(1, 2)?
            }
            Place::Together { position } => {
                keys.f_narrow(0, 0, rows)?.f_narrow(1, *position, 1)?.f_copy_(&k)?;
                values.f_narrow(0, 0, rows)?.f_narrow(1, *position, 1)?.f_copy_(&v)?;
                self.attend_cached(&q, keys, values, position + 1, None)?
            }
            Place::Apart(positions) => {
                let width = kv_heads * head_dim;
                let _ =
                    keys.f_view([-1, width])?.f_index_copy_(0, &positions.flat, &k.f_view([rows, width])?)?;
                let _ = values.f_view([-1, width])?.f_index_copy_(
                    0,
                    &positions.flat,
                    &v.f_view([rows, width])?,
                )?;
                self.attend_cached(&q, keys, values, positions.seen, positions.mask.as_ref())?
            }
        };
        linear(&heard.f_reshape([rows, tokens, heads * head_dim])?, &layer.o)
    }

    /// One query a row over the first `seen` cached positions. The query heads that share a key head stand
    /// in the place of time, so that no key is repeated.
    fn attend_cached(
        &self,
        q: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        seen: i64,
        mask: Option<&Tensor>,
    ) -> Torch {
        let StackConfig { heads, kv_heads, head_dim, .. } = self.config;
        let rows = q.size()[0];
        let q = q.f_view([rows, kv_heads, heads / kv_heads, head_dim])?;
        let cached = |cache: &Tensor| cache.f_narrow(0, 0, rows)?.f_narrow(1, 0, seen)?.f_transpose(1, 2);
        attention(&q, &cached(keys)?, &cached(values)?, mask, false)
    }
}
