//! C++ beside torch-sys: what tch has no call for.
//!
//! | part | is | built |
//! |---|---|---|
//! | A, [`memory`] | allocator statistics, free and total memory, emptying the cache | always, into this crate |
//! | B, `cuda` | a stream of our own, recorded CUDA graphs, marks in time | `libnarrator_cuda.so`, where the CUDA headers are |
//!
//! A program links libtorch's CPU library alone. Who wants a GPU calls [`open_cuda`] before anything else of
//! libtorch is asked about CUDA, as libtorch looks for its CUDA library once and remembers that there was
//! none; only then do the two parts work. On a machine without a GPU each of their functions is an error
//! whose text says what is missing.
//!
//! Invariants:
//! - every exception of C++ ends inside the C++ function that met it; nothing unwinds into Rust;
//! - a [`Session`] and what it makes stay on the thread that entered it.
//!
//! What it deliberately does not do: decide. How much memory is enough, and what to do without graphs, is
//! narrator-torch's to say.

#[cfg(unix)]
mod cuda;
#[cfg(not(unix))]
#[path = "nowhere.rs"]
mod cuda;
mod error;
mod memory;
#[cfg(unix)]
mod open;

pub use cuda::{Graph, Mark, RecordError, Session, open_cuda};
pub use error::{ShimError, ShimErrorKind};
pub use memory::{Held, Memory, empty_cache, held, memory, reset_peak, settle};
