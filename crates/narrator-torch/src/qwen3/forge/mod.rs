//! Checkpoints of random numbers, in the published layout.
//!
//! The published weights are not everywhere, but whether this code computes what the reference computes, and
//! how fast, does not depend on which numbers the weights are. A forged checkpoint has the published tensor
//! names, shapes and files, filled from a counter-based generator that needs nothing but a seed: any tensor
//! is made alone, alike on every machine. Parity tests forge tiny ones; the speed of the real dimensions is
//! measured on weights forged in place.
//!
//! # The numbers
//!
//! Tensor `name` with seed `s` starts from `FNV-1a(name) xor splitmix64(s)`. Element `i` takes the 64 bits
//! `splitmix64(start + i)` as four 16-bit integers; their sum, centred and scaled to unit variance, is near
//! normal. Matrices and convolutions are scaled by one over the root of their inputs, norms lie about 1,
//! scales about 0.3 and biases about 0, so that activations keep their size through any depth and choices
//! between codes are rarely close.

mod folder;
mod plan;

pub use folder::{ForgePlan, write_checkpoint};
pub(crate) use plan::Forge;
pub use plan::{ForgeSize, forged_configs};
