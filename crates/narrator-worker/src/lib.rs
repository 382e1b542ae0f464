//! The worker: the process that owns libtorch and one device, and that may die at any time.
//!
//! - `serve` is what narratord spawns: an IO thread speaks frames, the main thread owns the model
//!   ([`serve`]);
//! - `synth`, `transcribe` and `voices` are one engine call without an orchestrator, for debugging and parity checks;
//! - `clone` takes a voice from a clip for narratord, which never touches a tensor itself;
//! - `weigh` says what a model will take of a card, so that narratord can plan for all of its workers.
//!
//! What it deliberately does not do: retry, write durable files, decide what a fault costs, or outlive
//! the orchestrator. It holds no state that anybody would miss.

mod cli;
mod dump;
mod exit;
mod load;
mod logging;
mod memory;
pub mod serve;
mod signals;
mod synth;
mod transcribe;
mod voice;
mod wav;
mod weigh;

pub use cli::run;
pub use exit::Exit;
