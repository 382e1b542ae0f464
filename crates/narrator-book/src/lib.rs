//! Books as manuscripts.
mod error;
mod flow;
mod markup;
mod words;
pub use error::{BookError, BookErrorKind};
