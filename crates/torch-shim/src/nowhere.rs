//! Part B where it is not built for: everything is an error, and nothing can be made.

use std::convert::Infallible;
use std::time::Duration;

use thiserror::Error;

use crate::error::{ShimError, ShimErrorKind};
use crate::memory::Memory;

fn nowhere() -> ShimError {
    ShimError::new(ShimErrorKind::NotBuilt, "CUDA is opened on Linux alone; use the device cpu")
}

/// Always an error.
pub fn open_cuda(_device: u16) -> Result<Memory, ShimError> {
    Err(nowhere())
}

/// A device and a stream of it: never here.
#[derive(Debug)]
pub struct Session(Infallible);

impl Session {
    pub fn enter(_device: u16) -> Result<Self, ShimError> {
        Err(nowhere())
    }

    pub fn capability(&self) -> Result<(i32, i32), ShimError> {
        match self.0 {}
    }

    pub fn synchronize(&self) -> Result<(), ShimError> {
        match self.0 {}
    }

    pub fn record<E>(&self, _work: impl FnOnce() -> Result<(), E>) -> Result<Graph, RecordError<E>> {
        match self.0 {}
    }

    pub fn mark(&self) -> Result<Mark, ShimError> {
        match self.0 {}
    }
}

/// Why nothing was recorded.
#[derive(Debug, Error)]
pub enum RecordError<E> {
    #[error("{0}")]
    Work(E),
    #[error(transparent)]
    Recording(ShimError),
}

/// Recorded work: never here.
#[derive(Debug)]
pub struct Graph(Infallible);

impl Graph {
    pub fn replay(&self) -> Result<(), ShimError> {
        match self.0 {}
    }
}

/// A point in a stream's time: never here.
#[derive(Debug)]
pub struct Mark(Infallible);

impl Mark {
    pub fn wait(&self) -> Result<(), ShimError> {
        match self.0 {}
    }

    pub fn until(&self, _later: &Self) -> Result<Duration, ShimError> {
        match self.0 {}
    }
}
