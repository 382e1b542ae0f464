//! One layer's weights, in the checkpoint's own tensors or joined.
//!
//! *Apart*, every matrix is the checkpoint's and every operation rounds as the reference's does; on a CPU the
//! matrices are used where the file is mapped. *Joined*, matrices that read the same input are one, norms are
//! single operations and residuals are added inside the products: a third of the kernels, which is what a
//! frame's time on a GPU consists of. The two differ in rounding alone.

use narrator_engine::EngineError;
use tch::Tensor;

use crate::error::Doing;
use crate::qwen3::config::StackConfig;
use crate::qwen3::ops::{NONE, Torch, feed_forward, linear, rms_norm};
use crate::qwen3::source::Loader;

#[derive(Debug)]
pub(super) struct Layer {
    input_norm: Tensor,
    post_norm: Tensor,
    matrices: Matrices,
}

#[derive(Debug)]
enum Matrices {
    Apart {
        q: Tensor,
        k: Tensor,
        v: Tensor,
        o: Tensor,
        q_norm: Tensor,
        k_norm: Tensor,
        gate: Tensor,
        up: Tensor,
        down: Tensor,
    },
    Joined {
        qkv: Tensor,
        /// Transposed: `[heads · head_dim, hidden]`.
        o: Tensor,
        /// Norm weights of all query heads and all key heads: `[heads + kv_heads, head_dim]`.
        norms: Tensor,
        gate_up: Tensor,
        /// Transposed: `[inner, hidden]`.
        down: Tensor,
    },
}

/// Queries, keys and values, `[rows, tokens, heads, head_dim]` each; queries and keys normed, not yet rotated.
pub(super) enum Heads {
    Apart {
        q: Tensor,
        k: Tensor,
        v: Tensor,
    },
    /// Queries and keys in one, query heads first.
    Joined {
        qk: Tensor,
        v: Tensor,
    },
}

impl Layer {
    pub(super) fn load(layer: &Loader, config: &StackConfig, joined: bool) -> Result<Self, EngineError> {
        let StackConfig { hidden, inner, heads, kv_heads, head_dim, .. } = *config;
        let (attention, mlp) = (layer.at("self_attn"), layer.at("mlp"));
        let input_norm = layer.tensor("input_layernorm.weight", &[hidden])?;
        let q = attention.tensor("q_proj.weight", &[heads * head_dim, hidden])?;
        let k = attention.tensor("k_proj.weight", &[kv_heads * head_dim, hidden])?;
        let v = attention.tensor("v_proj.weight", &[kv_heads * head_dim, hidden])?;
        let o = attention.tensor("o_proj.weight", &[hidden, heads * head_dim])?;
        let q_norm = attention.tensor("q_norm.weight", &[head_dim])?;
        let k_norm = attention.tensor("k_norm.weight", &[head_dim])?;
        let post_norm = layer.tensor("post_attention_layernorm.weight", &[hidden])?;
        let gate = mlp.tensor("gate_proj.weight", &[inner, hidden])?;
        let up = mlp.tensor("up_proj.weight", &[inner, hidden])?;
        let down = mlp.tensor("down_proj.weight", &[hidden, inner])?;
        let matrices = if joined {
            let join = || -> Torch<Matrices> {
                let norms = [q_norm.f_expand([heads, -1], false)?, k_norm.f_expand([kv_heads, -1], false)?];
                Ok(Matrices::Joined {
                    qkv: Tensor::f_cat(&[q, k, v], 0)?,
                    o: o.f_transpose(0, 1)?,
                    norms: Tensor::f_cat(&norms, 0)?,
                    gate_up: Tensor::f_cat(&[gate, up], 0)?,
                    down: down.f_transpose(0, 1)?,
                })
            };
            join().doing("joining a layer's matrices")?
        } else {
            Matrices::Apart { q, k, v, o, q_norm, k_norm, gate, up, down }
        };
        Ok(Self { input_norm, post_norm, matrices })
    }

    /// What attention works on, from `x` `[rows, tokens, hidden]`.
    pub(super) fn heads(&self, x: &Tensor, config: &StackConfig) -> Torch<Heads> {
        let StackConfig { heads, kv_heads, head_dim, norm_eps, .. } = *config;
        let (rows, tokens) = (x.size()[0], x.size()[1]);
        let split = |x: &Tensor, heads: i64| x.f_view([rows, tokens, heads, head_dim]);
        match &self.matrices {
            Matrices::Apart { q, k, v, q_norm, k_norm, .. } => {
                let x = rms_norm(x, &self.input_norm, norm_eps)?;
                Ok(Heads::Apart {
                    q: rms_norm(&split(&linear(&x, q)?, heads)?, q_norm, norm_eps)?,
                    k: rms_norm(&split(&linear(&x, k)?, kv_heads)?, k_norm, norm_eps)?,
                    v: split(&linear(&x, v)?, kv_heads)?,
                })
            }
            Matrices::Joined { qkv, norms, .. } => {
                let x = x.f_rms_norm([config.hidden], Some(&self.input_norm), norm_eps)?;
                let all = split(&linear(&x, qkv)?, heads + 2 * kv_heads)?;
                // Values are normed along and left: cheaper than copying the others out first.
                let normed = all.f_rms_norm([head_dim], NONE, norm_eps)?;
                Ok(Heads::Joined {
                    qk: normed.f_narrow(2, 0, heads + kv_heads)?.f_mul(norms)?,
                    v: all.f_narrow(2, heads + kv_heads, kv_heads)?,
                })
            }
        }
    }

    /// Adds what attention heard, `[rows, tokens, heads · head_dim]`, to `x`. `own`: `x` belongs to this pass
    /// alone and may be written over.
    pub(super) fn add_heard(&self, x: &Tensor, heard: &Tensor, own: bool) -> Torch {
        match &self.matrices {
            Matrices::Apart { o, .. } => x.f_add(&linear(heard, o)?),
            Matrices::Joined { o, .. } => add_product(x, heard, o, own),
        }
    }

    /// Adds the feed-forward network's answer to `x`, which belongs to this pass alone.
    pub(super) fn add_feed_forward(&self, x: &Tensor, config: &StackConfig) -> Torch {
        let eps = config.norm_eps;
        match &self.matrices {
            Matrices::Apart { gate, up, down, .. } => {
                let normed = rms_norm(x, &self.post_norm, eps)?;
                x.f_add(&feed_forward(&normed, gate, up, down)?)
            }
            Matrices::Joined { gate_up, down, .. } => {
                let normed = x.f_rms_norm([config.hidden], Some(&self.post_norm), eps)?;
                let both = linear(&normed, gate_up)?;
                let mut gated = both.f_narrow(-1, 0, config.inner)?.f_silu()?;
                let gated = gated.f_mul_(&both.f_narrow(-1, config.inner, config.inner)?)?;
                add_product(x, &gated, down, true)
            }
        }
    }
}

/// `x + y · weight` in one product; `x` and `y` are `[rows, tokens, …]`.
fn add_product(x: &Tensor, y: &Tensor, weight: &Tensor, own: bool) -> Torch {
    let size = x.size();
    let y = y.f_reshape([-1, weight.size()[0]])?;
    let mut flat = x.f_view([-1, weight.size()[1]])?;
    let sum = if own { flat.f_addmm_(&y, weight)? } else { flat.f_addmm(&y, weight)? };
    sum.f_view(size.as_slice())
}
