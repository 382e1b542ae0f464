//! Books as manuscripts: EPUB 2 and 3, plain text, Markdown and single-file HTML.
//!
//! [`read()`] gives the [`Manuscript`](narrator_core::Manuscript) of a file: chapters, blocks, and every word
//! of every document in reading order as a token with its place in the source. What is not to be spoken is
//! there too, under the rule that skips it, so the ledger can account for all of it.
//!
//! ```text
//!  bytes ─▶ format ─▶ container ─▶ rbook: spine, contents, metadata
//!              │                     │
//!              │                     ▼
//!              ├─▶ html ──▶ markup ─▶ page ─▶ flow ─▶ chapters ─▶ Manuscript
//!              ├─▶ markdown ─────────────────▶ │
//!              └─▶ plain: layout, chapter_lines ┘
//! ```
//!
//! Invariants, each with a test over arbitrary input:
//! - every character outside of markup that is not white space is in exactly one token, in order;
//! - a token's span, markup removed and references resolved, is its text;
//! - no bytes make this crate panic, recurse without bound or expand without bound: they make a
//!   manuscript or a [`BookError`] that says what is wrong, where, and what to do.
//!
//! Decided here, and why where it is done: reading order is the spine with its non-linear documents in
//! place (`epub`); pictures' alternative texts are not spoken and style sheets are not read (`rules`);
//! listings are not spoken and verse is (`rules`); notes are spoken where they stand, their marks are not;
//! contents entries below the second level make chapters when they are long (`chapters`).
//!
//! Not done here: sentences, normalisation and the choice of what a person wants to hear
//! (narrator-script); PDF, Kindle and word processor formats, which lose reading order or need a converter.

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
