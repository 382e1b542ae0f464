//! Books as manuscripts.
mod chapter_lines;
mod chapters;
mod container;
mod encoding;
mod epub;
mod error;
mod flow;
mod format;
mod html;
mod layout;
mod markdown;
mod markup;
mod metadata;
mod numerals;
mod page;
mod plain;
mod read;
mod rules;
mod words;

pub use error::{BookError, BookErrorKind};
pub use read::{read, read_bytes};
