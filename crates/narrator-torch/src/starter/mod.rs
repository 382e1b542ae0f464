//! The starter voice: a 6-million-parameter English voice for the first run on any machine.
//!
//! The weights and the design of the networks are those of the Python package hibari-tts 0.2.1 (Apache-2.0);
//! this is a port of what its ONNX graphs and its signal processing compute, on libtorch.
//!
//! ```text
//!  text ─▶ sentences ─▶ phonemes ─▶ ids ─┬▶ prosody: durations ─▶ F0, energy ─┐
//!         (text.rs)   (phonemes.rs,      │                                     ▼
//!                      spelling.rs)      └▶ acoustic: text ─────────────▶ decoder ─▶ spectra
//!                                                                                      │
//!                              samples ◀─ vocoder: pulses from F0 + noise, inverse STFT ┘
//! ```
//!
//! Invariants: a row's samples depend on its text, speed and seed alone (its noise comes from its own `ChaCha`
//! stream, and no operation mixes rows); text without a single phoneme is refused, never spoken as silence;
//! every sentence is at most [`text::MAX_PHONEMES`] long, the length the voice was trained on.
//!
//! Matrices stay int8 and their inputs are rounded to 8 bits, as the package's own run time does it
//! ([`layers::Arithmetic`]). This is for speed, and because without that rounding the log spectra move by up
//! to 1 and durations by whole frames, so it would be a slightly other voice. With `Precision::Float32` the
//! matrices are dequantised instead; then the port can be held against onnxruntime to the last few digits,
//! while with rounding not even onnxruntime agrees with itself (`docs/models.md`).
//!
//! Deliberately not here: other voices of the package, which are downloads from places that set-up does not
//! use; the package's own reading of numbers, dates and units, which is the script's normaliser's work; the
//! GPU, which has nothing to gain from so small a model.

mod acoustic;
mod config;
mod engine;
mod layers;
mod noise;
#[cfg(test)]
mod parity;
mod phonemes;
mod prosody;
mod spelling;
mod text;
mod text_encoder;
mod times;
mod vocoder;
mod voice;

pub(crate) use engine::load;
pub use times::{SpokenWord, StarterTimes};

/// The engine's name in the registry.
pub(crate) const ENGINE: &str = "starter";
