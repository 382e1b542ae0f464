//! A stack of decoder layers with a static cache of keys and values: the body of the talker and of the
//! code predictor.
//!
//! Per layer: norm, attention (a norm on every head of queries and keys, then the rotary embedding, grouped
//! key heads), residual; norm, gated feed-forward with `SiLU`, residual. A norm after the last.
//!
//! Addresses of the cache never change while it lives, which is what a recorded CUDA graph needs.

mod cache;
mod layer;

use narrator_engine::EngineError;
use tch::{Device, Kind, Tensor};

pub(crate) use self::cache::Cache;
use self::layer::{Heads, Layer};
use super::config::StackConfig;
use super::ops::{Rope, Torch, attention, rms_norm};
use super::source::Loader;
use crate::error::Doing;

/// The layers and the norm after them.
#[derive(Debug)]
pub(crate) struct Stack {
    config: StackConfig,
    layers: Vec<Layer>,
    norm: Tensor,
    rope: Rope,
    joined: bool,
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

/// Rows read a multiple of this many positions. Attention sums sixteen at a time and what is left over one by one: a
/// row's own positions would be summed in another order whenever a longer neighbour made it read further. The masked
/// ones in between add nothing, in any order.
const READ_STEP: u64 = 16;

/// Positions of rows 0, 1, … of a cache.
#[derive(Debug)]
pub(crate) struct Positions {
    /// Index of every row's position in the cache flattened over rows and positions: `[rows]`, int64.
    flat: Tensor,
    /// `[rows]`, int64.
    at: Tensor,
    /// Positions that are read: the longest row's, rounded up.
    seen: i64,
    /// `[rows, 1, 1, seen]`, additive; absent when every row sees all of them.
    mask: Option<Tensor>,
}

impl Positions {
    /// `at[i]` is where row `i`'s new token goes: the length of the row so far.
    pub(crate) fn new(at: &[i64], cache: &mut Cache, kind: Kind, device: Device) -> Torch<Self> {
        let flat: Vec<i64> = at.iter().zip(0..).map(|(at, row)| row * cache.positions() + at).collect();
        let longest = at.iter().max().map_or(0, |longest| longest + 1);
        let seen = ((longest as u64).next_multiple_of(READ_STEP) as i64).min(cache.positions());
        cache.clear_up_to(at.len() as i64, seen)?;
        let positions = Tensor::f_from_slice(at)?;
        let mask = if at.iter().all(|&at| at + 1 == seen) {
            None
        } else {
            let range = Tensor::f_arange(seen, (Kind::Int64, Device::Cpu))?;
            Some(Self::mask(&positions, &range, kind)?.f_to_device(device)?)
        };
        let flat = Tensor::f_from_slice(&flat)?.f_to_device(device)?;
        Ok(Self { flat, at: positions.f_to_device(device)?, seen, mask })
    }

    /// The same from tensors alone, so that it can be recorded: `at` and `base`, where each row of the
    /// flattened cache begins, are `[rows]`, and `range` counts from 0 to what is seen, int64 all of them.
    pub(crate) fn recorded(at: Tensor, base: &Tensor, range: &Tensor, kind: Kind) -> Torch<Self> {
        let mask = Some(Self::mask(&at, range, kind)?);
        Ok(Self { flat: at.f_add(base)?, at, seen: range.size()[0], mask })
    }

    fn mask(at: &Tensor, range: &Tensor, kind: Kind) -> Torch {
        let (rows, seen) = (at.size()[0], range.size()[0]);
        let unseen = range.f_unsqueeze(0)?.f_gt_tensor(&at.f_unsqueeze(1)?)?;
        let mut mask = Tensor::f_zeros([rows, seen], (kind, at.device()))?;
        mask.f_masked_fill_(&unseen, f64::NEG_INFINITY)?.f_view([rows, 1, 1, seen])
    }
}

impl Stack {
    /// Loads `layers.N` and `norm` below `loader`. `positions` is how far the rotary embedding reaches;
    /// `joined` what [`layer`] says of it.
    pub(crate) fn load(
        loader: &Loader,
        config: &StackConfig,
        positions: i64,
        joined: bool,
    ) -> Result<Self, EngineError> {
        let layers = (0..config.layers)
            .map(|index| Layer::load(&loader.at("layers").at(index), config, joined))
            .collect::<Result<_, EngineError>>()?;
        let norm = loader.tensor("norm.weight", &[config.hidden])?;
        let rope = Rope::new(config.head_dim, config.rope_theta, positions, loader.kind(), loader.device())
            .doing("preparing the rotary embedding")?;
        Ok(Self { config: config.clone(), layers, norm, rope, joined })
    }

    /// Runs `x` `[rows, tokens, hidden]` through the stack, adding its keys and values to `cache`; returns
    /// the states after the last norm, of the same shape.
    pub(crate) fn forward(&self, x: &Tensor, cache: &Cache, place: &Place) -> Torch {
        let rope = match place {
            Place::Start { tokens, .. } => self.rope.narrow(0, *tokens)?.unsqueeze(1)?,
            Place::Together { position } => self.rope.narrow(*position, 1)?.unsqueeze(1)?,
            Place::Apart(positions) => self.rope.at(&positions.at)?.unsqueeze(1)?.unsqueeze(1)?,
        };
        let (eps, hidden) = (self.config.norm_eps, self.config.hidden);
        let mut x = x.shallow_clone();
        for (index, layer) in self.layers.iter().enumerate() {
            let heads = layer.heads(&x, &self.config)?;
            let heard = self.attend(heads, &rope, (&cache.keys[index], &cache.values[index]), place)?;
            // The first sum is a tensor of this pass's own.
            x = layer.add_heard(&x, &heard, index > 0)?;
            x = layer.add_feed_forward(&x, &self.config)?;
        }
        if self.joined {
            return x.f_rms_norm([hidden], Some(&self.norm), eps);
        }
        rms_norm(&x, &self.norm, eps)
    }

    /// What every token hears of those it sees: `[rows, tokens, heads · head_dim]`.
    fn attend(&self, all: Heads, rope: &Rope, (keys, values): (&Tensor, &Tensor), place: &Place) -> Torch {
        let StackConfig { heads, kv_heads, head_dim, .. } = self.config;
        let (q, k, v) = match all {
            Heads::Apart { q, k, v } => (rope.rotate(&q)?, rope.rotate(&k)?, v),
            Heads::Joined { qk, v } => {
                let qk = rope.rotate_at_once(&qk)?;
                (qk.f_narrow(2, 0, heads)?, qk.f_narrow(2, heads, kv_heads)?, v)
            }
        };
        let (rows, tokens) = (q.size()[0], q.size()[1]);
        let heard = match place {
            Place::Start { first_row, tokens } => {
                keys.f_narrow(0, *first_row, rows)?.f_narrow(1, 0, *tokens)?.f_copy_(&k)?;
                values.f_narrow(0, *first_row, rows)?.f_narrow(1, 0, *tokens)?.f_copy_(&v)?;
                let [q, k, v] = [q.f_transpose(1, 2)?, k.f_transpose(1, 2)?, v.f_transpose(1, 2)?];
                attention(&q, &k, &v, None, true)?.f_transpose(1, 2)?
            }
            Place::Together { position } => {
                keys.f_narrow(0, 0, rows)?.f_narrow(1, *position, 1)?.f_copy_(&k)?;
                values.f_narrow(0, 0, rows)?.f_narrow(1, *position, 1)?.f_copy_(&v)?;
                self.attend_cached(&q, keys, values, position + 1, None)?
            }
            Place::Apart(positions) => {
                let width = kv_heads * head_dim;
                for (cache, new) in [(keys, &k), (values, &v)] {
                    let new = new.f_view([rows, width])?;
                    let _ = cache.f_view([-1, width])?.f_index_copy_(0, &positions.flat, &new)?;
                }
                self.attend_cached(&q, keys, values, positions.seen, positions.mask.as_ref())?
            }
        };
        heard.f_reshape([rows, tokens, heads * head_dim])
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
