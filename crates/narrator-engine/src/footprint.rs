//! What a model takes of a card's memory, as its engine reckons it before anything is loaded.
//!
//! Whoever has several processes on one card plans with these three figures and gives each a budget; the engine
//! takes its rows within the budget. The figures are of one process, everything counted.

use serde::{Deserialize, Serialize};

/// What a process takes of a card before its first tensor: the driver's context, libtorch's kernels and the
/// workspaces of the matrix library. Others report 300 to 500 MB on cards of every size; no allocator counts it.
pub const DRIVER_BYTES: u64 = 512 << 20;

/// Bytes of a card for one process of a model. Invariant: `least <= good <= most`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Footprint {
    /// With less it cannot work: its weights and one row.
    pub least_bytes: u64,
    /// With as many rows as make a card worth having. Nobody should have less for another's sake.
    pub good_bytes: u64,
    /// More is of no use to it.
    pub most_bytes: u64,
}
