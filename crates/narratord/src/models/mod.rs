//! Models on disk: what they are, which bytes they consist of, whose voices they have.
//!
//! A model is a folder. One with a `manifest.json` says what it is; a published Qwen3-TTS checkpoint folder
//! says so by its `config.json` and is given a manifest in memory here, so that the rest of the program knows
//! one kind of model. Either way the same bytes have the same hash: a book begun with `--model DIR` goes on
//! after `narratord models import DIR`.
//!
//! No tensor is touched here. What only a tensor library can find wrong with a checkpoint, the worker finds
//! when it loads it.

mod checkpoint;
mod find;
pub mod fingerprint;
mod import;
mod language;
mod model;
mod settle;

pub use checkpoint::{Kind, QWEN3_TTS};
pub use find::{Found, STARTER, Wanted, choose, find, installed, rank};
pub use import::{check_model_name, import};
pub use language::{is_open, primary};
pub use model::{Model, Speaker, VoiceAt};
pub use settle::settle;
