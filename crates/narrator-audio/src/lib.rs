//! From takes to the finished audiobook.
mod error;
pub mod flac;
pub use error::{AudioError, AudioErrorKind};
