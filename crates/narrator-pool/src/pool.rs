//! The pool as its user sees it: a configuration, a run, a way to stop it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use narrator_core::{Fault, SegmentId};
use narrator_ipc::RunDir;
use narrator_proto::Precision;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::machine::{Counters, Numbering, Stopped};
use crate::{DeviceProbe, PoolEvent, ResultSink, SegmentSource, SupervisionSettings, driver};

/// What a pool's workers do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Craft {
    #[default]
    Speaking,
    Listening,
}

/// Where a slot's workers live, and how much of that place is theirs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seat {
    /// `cpu`, `cuda:0` and so on.
    pub device: String,
    /// Of the device's memory; absent: what is free.
    pub device_bytes: Option<u64>,
    /// In addition to what all workers of the pool get.
    pub env: Vec<(OsString, OsString)>,
}

impl Seat {
    /// On a device that need not be shared.
    pub fn on(device: impl Into<String>) -> Self {
        Self { device: device.into(), device_bytes: None, env: Vec::new() }
    }
}

/// What workers are and where they work.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Names the run in every event.
    pub run: String,
    /// Names the pool in every event, where a run has several.
    pub crew: Option<&'static str>,
    pub craft: Craft,
    pub numbering: Numbering,
    /// The worker program and its arguments.
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// In addition to what workers inherit: see [`crate::spawn::inherited`].
    pub env: Vec<(OsString, OsString)>,
    /// Where the sockets are.
    pub run_dir: RunDir,
    /// A slot for each.
    pub seats: Vec<Seat>,
    pub model_dir: PathBuf,
    pub precision: Precision,
    /// Compute threads of a worker on a CPU.
    pub threads: Option<u16>,
    /// Rows at once at most; absent: what the engine takes.
    pub max_rows: Option<u32>,
    /// Take workers of another build.
    pub allow_build_skew: bool,
    pub settings: SupervisionSettings,
    /// Of the jitter of delays; never of a sound.
    pub seed: u64,
    /// Tells how much memory a device has free.
    pub probe: Option<Arc<dyn DeviceProbe>>,
}

/// How a run ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    pub stopped: Stopped,
    /// The segments that are out, with the last fault and what was said of it.
    pub quarantined: Vec<(SegmentId, Fault, String)>,
    pub counters: Counters,
}

/// The pool could not even begin.
#[derive(Debug, Error)]
pub enum PoolError {
    #[error("no device is given: name at least one, such as cpu")]
    NoDevices,
    #[error("the pool's own thread ended before its time")]
    Internal,
}

/// Orders to a running pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    Drain(String),
    StopNow(String),
}

/// Stops a pool. Clones steer the same pool; after its end they do nothing.
#[derive(Clone, Debug)]
pub struct Control {
    orders: mpsc::UnboundedSender<Order>,
}

impl Control {
    /// What runs may end, nothing new starts. `why` goes into the events.
    pub fn drain(&self, why: impl Into<String>) {
        let _ = self.orders.send(Order::Drain(why.into()));
    }

    /// Workers are stopped now, by the ladder; asked again, they are killed.
    pub fn stop_now(&self, why: impl Into<String>) {
        let _ = self.orders.send(Order::StopNow(why.into()));
    }
}

/// A pool of workers for one run.
#[derive(Debug)]
pub struct Pool {
    config: PoolConfig,
    control: Control,
    orders: mpsc::UnboundedReceiver<Order>,
}

impl Pool {
    pub fn new(config: PoolConfig) -> Self {
        let (sender, orders) = mpsc::unbounded_channel();
        Self { config, control: Control { orders: sender }, orders }
    }

    /// The handle that stops it.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Does what `source` lends and gives the results to `sink`, until nothing is left or nothing can go on.
    /// `observer` hears every decision, in order, and must not block. To be called inside a tokio
    /// runtime; when the future is dropped, the workers are killed.
    pub async fn run<S, R>(
        self,
        source: S,
        sink: R,
        observer: impl Fn(&PoolEvent) + Send,
    ) -> Result<Outcome, PoolError>
    where
        S: SegmentSource,
        R: ResultSink + 'static,
    {
        if self.config.seats.is_empty() {
            return Err(PoolError::NoDevices);
        }
        driver::run(self.config, source, sink, observer, self.orders).await
    }
}
