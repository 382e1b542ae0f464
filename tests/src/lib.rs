//! The tests' own tools: a scripted worker, a bench for the pool, eyes for processes, the soak, a hub of models,
//! what runs are staged with.
//!
//! The promises are in `it/`, one file each.

pub mod bench;
pub mod checkpoints;
pub mod forget;
pub mod hub;
pub mod processes;
pub mod program;
pub mod sim;
pub mod sim_desk;
#[cfg(target_os = "linux")]
pub mod soak;
pub mod stage;
