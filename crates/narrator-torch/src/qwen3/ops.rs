//! The few operations that every part of the model is made of.
//!
//! Each is written so that its rounding is the reference's: the same operations of libtorch in the same
//! kinds and order. In float32 the results are equal to the last bit or to one unit in it.

use tch::{Device, Kind, TchError, Tensor};

/// The result of tensor arithmetic; callers say with `doing` what it was for.
pub(crate) type Torch<T = Tensor> = Result<T, TchError>;

/// No tensor, where tch wants one of a type.
pub(crate) const NONE: Option<&Tensor> = None;

/// `x · Wᵀ`, without a bias.
pub(crate) fn linear(x: &Tensor, weight: &Tensor) -> Torch {
    x.f_linear(weight, NONE)
}

/// Root-mean-square norm over the last axis: the variance in float32, the result back in the kind of `x`,
/// and only then the weight.
pub(crate) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Torch {
    let kind = x.f_kind()?;
    let wide = x.f_to_kind(Kind::Float)?;
    let variance = wide.f_square()?.f_mean_dim(-1, true, None)?;
    let scale = variance.f_add_scalar(eps)?.f_rsqrt()?;
    (wide.f_mul(&scale)?).f_to_kind(kind)?.f_mul(weight)
}

/// Cosines and sines of a rotary embedding for positions 0, 1, …: both `[positions, dim]`, the halves
/// repeated.
#[derive(Debug)]
pub(crate) struct Rope {
    pub(crate) cos: Tensor,
    pub(crate) sin: Tensor,
    /// `sin` with its first half negated, for turning with the halves swapped.
    signed: Tensor,
}

impl Rope {
    /// Angles in float32, results in `kind`, as the reference has it.
    pub(crate) fn new(dim: i64, theta: f64, positions: i64, kind: Kind, device: Device) -> Torch<Self> {
        let at = Tensor::f_arange(positions, (Kind::Float, device))?;
        Self::of(&at.f_unsqueeze(1)?, &Self::frequencies(dim, theta, device)?, kind)
    }

    /// Turns per position of each pair, `[dim / 2]`, float32.
    pub(crate) fn frequencies(dim: i64, theta: f64, device: Device) -> Torch {
        let exponents =
            Tensor::f_arange_start_step(0, dim, 2, (Kind::Float, Device::Cpu))?.f_div_scalar(dim)?;
        Tensor::f_pow_scalar(theta, &exponents)?.f_reciprocal()?.f_to_device(device)
    }

    /// Angles of positions `at` `[…, 1]`, float32.
    pub(crate) fn of(at: &Tensor, frequencies: &Tensor, kind: Kind) -> Torch<Self> {
        let angles = at.f_mul(frequencies)?;
        let (cos, sin) = (angles.f_cos()?.f_to_kind(kind)?, angles.f_sin()?.f_to_kind(kind)?);
        let twice = |half: &Tensor| Tensor::f_cat(&[half, half], -1);
        Ok(Self { cos: twice(&cos)?, sin: twice(&sin)?, signed: Tensor::f_cat(&[&sin.f_neg()?, &sin], -1)? })
    }

    /// The rows for `length` positions from `start`.
    pub(crate) fn narrow(&self, start: i64, length: i64) -> Torch<Self> {
        self.each(|angles| angles.f_narrow(0, start, length))
    }

    /// The rows for any positions: `index` is `[n]`, int64.
    pub(crate) fn at(&self, index: &Tensor) -> Torch<Self> {
        self.each(|angles| angles.f_index_select(0, index))
    }

    /// The same angles, with an axis of one put in at `axis` for heads or time.
    pub(crate) fn unsqueeze(&self, axis: i64) -> Torch<Self> {
        self.each(|angles| angles.f_unsqueeze(axis))
    }

    fn each(&self, change: impl Fn(&Tensor) -> Torch) -> Torch<Self> {
        Ok(Self { cos: change(&self.cos)?, sin: change(&self.sin)?, signed: change(&self.signed)? })
    }

    /// Rotates `x` `[…, dim]`; the angles must broadcast to it. The second half of the last axis is the
    /// imaginary part of the first.
    pub(crate) fn rotate(&self, x: &Tensor) -> Torch {
        let half = x.size().last().copied().unwrap_or(0) / 2;
        let turned = Tensor::f_cat(&[x.f_narrow(-1, half, half)?.f_neg()?, x.f_narrow(-1, 0, half)?], -1)?;
        x.f_mul(&self.cos)?.f_add(&turned.f_mul(&self.sin)?)
    }

    /// The same in three operations instead of six; the last rounds once where the above does twice.
    pub(crate) fn rotate_at_once(&self, x: &Tensor) -> Torch {
        let half = x.size().last().copied().unwrap_or(0) / 2;
        let mut turned = x.f_mul(&self.cos)?;
        turned.f_addcmul_(&x.f_roll([half], [-1])?, &self.signed)
    }
}

/// Scaled dot-product attention of `q` `[batch, heads, n, dim]` over `k` and `v`, which may have fewer heads: each
/// then serves as many of `q` that stand one after the other.
pub(crate) fn attention(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>, causal: bool) -> Torch {
    let group = q.size()[1] / k.size()[1];
    let (k, v) = (repeat_heads(k, group)?, repeat_heads(v, group)?);
    Tensor::f_scaled_dot_product_attention(q, &k, &v, mask, 0.0, causal, None, false)
}

/// A gated feed-forward network with `SiLU`.
pub(crate) fn feed_forward(x: &Tensor, gate: &Tensor, up: &Tensor, down: &Tensor) -> Torch {
    linear(&linear(x, gate)?.f_silu()?.f_mul(&linear(x, up)?)?, down)
}

/// Repeats every head of `x` `[batch, heads, n, dim]` `times` times, one after the other.
fn repeat_heads(x: &Tensor, times: i64) -> Torch {
    if times == 1 {
        return Ok(x.shallow_clone());
    }
    let size = x.size();
    let (batch, heads, n, dim) = (size[0], size[1], size[2], size[3]);
    x.f_unsqueeze(2)?.f_expand([batch, heads, times, n, dim], false)?.f_reshape([
        batch,
        heads * times,
        n,
        dim,
    ])
}

/// Values of an int64 or float32 tensor, in order.
pub(crate) fn to_floats(tensor: &Tensor) -> Torch<Vec<f32>> {
    let flat = tensor.f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut values = vec![0_f32; flat.numel()];
    flat.f_copy_data(&mut values, flat.numel())?;
    Ok(values)
}

/// Values of an integer tensor, in order.
pub(crate) fn to_ints(tensor: &Tensor) -> Torch<Vec<i64>> {
    let flat = tensor.f_to_kind(Kind::Int64)?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut values = vec![0_i64; flat.numel()];
    flat.f_copy_data(&mut values, flat.numel())?;
    Ok(values)
}
