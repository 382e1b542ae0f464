//! The tests' own tools: a scripted worker, a bench for the pool, eyes for processes.
//!
//! The promises are in `it/`, one file each.

pub mod bench;
pub mod processes;
pub mod program;
pub mod sim;
