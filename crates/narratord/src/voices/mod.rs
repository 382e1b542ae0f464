//! The user's own voices: clips that were cloned, voices that were designed.
//!
//! A voice is a folder in the user's data: a clip, its words, and what the models made of it. The clip is the
//! voice; what a model makes of it is kept beside it under a key of both and can be made again.

mod create;
mod prompt;
mod store;

pub use create::{DESIGN_TEXT, NewVoice, add, check_free, design, remove};
pub use prompt::for_worker;
pub use store::{UserVoice, all, check_name};
