//! Qwen3-TTS, 12 Hz, on libtorch.
//!
//! # What it is
//!
//! A text-to-speech model in three networks. The *talker*, a language model of 0.6 or 1.7 billion parameters,
//! reads a prompt of text and voice and then says, twelve and a half times a second, the first of sixteen
//! codes. The *code predictor*, five layers, fills in the other fifteen. The *codec* turns frames of sixteen
//! codes into 1,920 samples each. Three kinds of checkpoint differ in where the voice comes from: a name
//! ([`ModelKind::CustomVoice`]), a description ([`ModelKind::VoiceDesign`]), or a clip
//! ([`ModelKind::Base`]), whose two encoders are here too.
//!
//! # Map
//!
//! | module | is |
//! |---|---|
//! | `config` | the checkpoint's configuration files, checked |
//! | `source` | tensors by name: mapped safetensors, or forged numbers |
//! | `ops`, `stack` | arithmetic; decoder layers with their static cache |
//! | `tokenizer`, `prompt` | text to ids to the rows that the talker reads |
//! | `talker` | talker and code predictor |
//! | `sampling` | from logits to a code |
//! | `batch` | rows that speak together, a frame a step, as the host chooses or as fixed work |
//! | `engine`, `loading`, `limits` | the checkpoint as a synthesizer; what it is given on which device |
//! | `codec` | codes to samples, chunk by chunk and exactly; samples to codes |
//! | `speaker`, `voice` | a clip as a vector; a cloned voice and its file |
//! | `model` | a whole checkpoint in memory |
//! | `forge` | checkpoints of random numbers, for tests and measurements |
//!
//! # What it keeps to
//!
//! - The numbers are the reference's: the `PyPI` package qwen-tts 0.1.1 on torch 2.11. Goldens in
//!   `tests/data/qwen3` come from it; `docs/qwen3-tts.md` says how any checkpoint is compared.
//! - A row says the same alone and in a batch, whoever joins and leaves.
//! - Text in a book is spoken, never obeyed.
//!
//! # What it leaves out
//!
//! Feeding text while speaking, which makes long passages hurry; the 25 Hz codec, whose weights were never
//! published; the reference's chunked decoding, an approximation of what is exact here.

mod batch;
mod bench;
mod cast;
mod codec;
mod config;
mod dump;
mod engine;
mod forge;
mod limits;
mod loading;
mod model;
pub(crate) mod ops;
mod prompt;
mod sampling;
pub(crate) mod source;
mod speaker;
mod stack;
mod talker;
mod tokenizer;
mod voice;

pub use bench::{BenchPlan, BenchReport, bench};
pub use codec::CodecState;
pub use config::{GenerationConfig, ModelConfig, ModelKind, SamplingConfig};
pub use dump::{Dump, DumpRequest, Plane};
pub use engine::{ENGINE, Qwen3Engine};
pub use forge::{ForgePlan, ForgeSize, forged_configs, write_checkpoint};
pub(crate) use loading::weigh;
pub use loading::{is_checkpoint, load};
pub use model::{Manner, Numbers, Qwen3Tts};
pub use prompt::{Utterance, Voice, language_name};
pub use tokenizer::TextTokenizer;
pub use voice::{CloneContext, ClonePrompt};
