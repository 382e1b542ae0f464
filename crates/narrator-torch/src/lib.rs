//! The models, on libtorch: the only crate that names `tch`.
//!
//! The rest of the workspace asks for a model folder and gets a trait object of `narrator-engine`
//! ([`load_synthesizer`], [`load_transcriber`]); which implementation that is, the folder's manifest says by name.
//!
//! What every module here keeps to:
//! - only the `f_` functions of tch, which return errors; the others panic. `tests/fallible.rs` looks
//!   for the common ones, and a shape that a damaged file can produce is an error, not a panic;
//! - one OS thread owns a model; everything runs under `no_grad`, whose state is per thread;
//! - weights are read from memory-mapped safetensors by name, with their shape checked (`weights.rs`);
//! - an error of libtorch has no kind of its own, so `error.rs` reads its text, in one place.

mod device;
mod error;
mod manner;
mod mel;
pub mod qwen3;
mod registry;
mod starter;
mod weights;
mod whisper;

pub use device::{Card, DeviceMemory, device_memory};
pub use manner::{Device, LoadOptions, Precision, set_threads};
pub use registry::{ENGINES, LISTENERS, load_synthesizer, load_transcriber, weigh};
pub use starter::{SpokenWord, StarterTimes};
