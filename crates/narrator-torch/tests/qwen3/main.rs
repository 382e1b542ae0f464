//! Qwen3-TTS over tiny forged checkpoints: parity with the reference, the engine's rows, and files.

mod engine;
mod files;
mod parity;
mod support;
