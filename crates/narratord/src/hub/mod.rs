//! Models from the Hugging Face hub.
//!
//! ```text
//!  name ─▶ listing at one commit ─▶ room? ─▶ each file: .part, resumed, hashed ─▶ folder in place
//! ```
//!
//! The crate hf-hub says how the hub is asked: the endpoint, the token, a repository's addresses, its listing.
//! The bytes are fetched here (`transfer`), because that crate neither verifies what it gets nor notices a
//! connection that went quiet, and sends the token on to whatever host a download is redirected to:
//! `docs/decisions/0006-models-from-the-hub.md`.
//!
//! What holds:
//! - a model appears whole, every file verified by the hash that the hub lists, or not at all;
//! - what was fetched is kept when a connection, the program or the machine stops, and is gone on from;
//! - the token is sent to the endpoint's host alone, and is written nowhere.

mod access;
mod listing;
mod meter;
mod names;
mod pull;
mod transfer;

pub use access::Access;
pub use names::{PUBLISHED, Published};
pub use pull::pull;
