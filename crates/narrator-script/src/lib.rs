//! From the manuscript to the script: what is spoken, in which stretches, with which pauses, and the
//! ledger that accounts for every word of the book.
//!
//! ```text
//!  block ─▶ Source ─▶ sentence starts ─▶ edits ─▶ units ─▶ pieces ─▶ segments ─▶ verify
//!           what is   sentencex, on       the      what     long      short
//!           spoken    token edges         rules    stays    sentences sentences
//!                                                  together broken    gathered
//! ```
//!
//! Invariants, proved by [`verify`] on every plan before it is given out, and by property tests:
//! - every token of the manuscript is spoken in one segment or skipped under a rule, in order;
//! - taking the replacements of a segment back gives the page, byte for byte;
//! - no rule silences a letter or a digit, and no segment is without sound;
//! - a segment lies in one block, and is longer than the maximum only if it is one single word;
//! - the same input gives the same plan.
//!
//! Deliberately not here: reading books, choosing who speaks (see `may_share_segment` in
//! `segment::gather` for the seam), phonemes, and anything that touches the disk but a given reader or
//! writer and the lexicon file.

mod error;
mod format;
mod lexicon;
mod normalise;
mod plan;
mod segment;
mod selection;
mod sentences;
mod source;
#[cfg(test)]
mod testing;
mod verify;

pub use error::{ErrorKind, ScriptError};
pub use format::{read_ledger, read_script, write_ledger, write_script};
pub use lexicon::Lexicon;
pub use plan::{Plan, plan};
pub use selection::ChapterSelection;
pub use verify::{verify, verify_keys};
