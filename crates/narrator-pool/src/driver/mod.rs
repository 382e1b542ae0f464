//! The tokio driver: carries the machine's actions out and brings back what came of them.
//!
//! It holds no decisions. One task owns the machine and everything else feeds it:
//!
//! ```text
//!  a worker's reader ──bounded──▶ ┐
//!  processes, devices ──────────▶ │ the loop ─▶ Machine::step ─▶ actions ─▶ a worker's writer
//!  the sink's thread ───────────▶ │                                     ├─▶ the spawner's thread
//!  orders, ticks ───────────────▶ ┘                                     ├─▶ the sink's thread
//!                                                                       └─▶ source, observer
//! ```
//!
//! Nothing in the loop waits for a worker, the disk or a device. A worker that sends faster than it is
//! listened to waits in its own pipe; a sink that is slower than the workers makes the machine hold
//! dispatches back, by the bytes of audio that wait for it. While takes are on their way to the disk the
//! workers speak on.

mod run;
mod sink;
mod worker;

pub(crate) use run::run;
