//! Books as manuscripts.
mod chapters;
mod container;
mod encoding;
mod epub;
mod error;
mod flow;
mod format;
mod html;
mod markdown;
mod markup;
mod metadata;
mod page;
mod plain;
mod read;
mod rules;
mod words;

pub use error::{BookError, BookErrorKind};
pub use read::{read, read_bytes};
