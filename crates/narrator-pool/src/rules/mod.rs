//! The rules of supervision, each a small pure object or function that knows nothing of the others.
//!
//! Time comes in as a [`std::time::Duration`] since the start of the run, on the machine's own clock
//! ([`clock::WatchedClock`]); nothing here reads one.

pub mod admission;
pub mod backoff;
pub mod blame;
pub mod clock;
pub mod deadline;
pub mod growth;
pub mod rows;
pub mod take;
