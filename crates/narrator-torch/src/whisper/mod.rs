//! Whisper, any published size, on libtorch: what was said in a take, when, and whether it is what the page says.
//!
//! # Map
//!
//! | module | is |
//! |---|---|
//! | `config`, `tokenizer` | the checkpoint's files, checked; text to ids and back |
//! | `resample`, `mel` | from samples at any rate to what the encoder hears |
//! | `pieces` | what of a window is computed; long audio is cut where it is quietest |
//! | `layers`, `encoder`, `decoder` | the networks, with a static cache and rows that are independent |
//! | `words` | words of a transcript, and of a text that should have been said |
//! | `score` | the first pass: forced scoring, and the draft of the transcript |
//! | `priors` | the same over silence, of the words that are asked for |
//! | `decode`, `beam` | the rest of the transcript, greedily or by beam search |
//! | `rules` | which tokens a transcript may have, and when it is not believed |
//! | `align` | when each word was heard |
//! | `limits` | how many windows a card hears at once |
//! | `listen`, `engine` | batches of pieces; the trait |
//!
//! # What it keeps to
//!
//! - The numbers are the reference's, the `PyPI` package transformers on the same weights. `docs/models.md` says
//!   what was compared, and how.
//! - A transcript is what greedy decoding writes, whether or not a text was expected.
//! - Nothing here judges a take: it reports what was heard and how sure that is.
//!
//! # What it leaves out
//!
//! Translation; voices told apart; text of an earlier window as context of the next one, which is how loops
//! spread through a book.

mod align;
mod beam;
mod config;
mod decode;
mod decoder;
mod encoder;
mod engine;
mod layers;
mod limits;
mod listen;
mod mel;
mod model;
mod pieces;
mod priors;
mod resample;
mod rules;
mod score;
mod tokenizer;
mod words;

#[cfg(test)]
mod parity;

pub(crate) use engine::load;
pub(crate) use model::weigh;

/// Name in the registry.
pub const ENGINE: &str = "whisper";
