//! Supervision of worker processes.

pub mod event;
pub mod machine;
pub mod rules;
mod settings;

pub use event::{Level, PoolEvent, Rung, What};
pub use settings::SupervisionSettings;
