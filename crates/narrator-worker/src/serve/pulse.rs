//! What compute did so far, for the beats: counters that the one thread moves and the other reads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use narrator_proto::{Beat, DeviceMemory};

/// Shared between the compute thread and the IO thread. Relaxed order will do: each counter stands for
/// itself.
#[derive(Debug, Default)]
pub struct Pulse {
    steps: AtomicU64,
    rows: AtomicU32,
    queued: AtomicU32,
    device_memory: Mutex<Option<DeviceMemory>>,
}

impl Pulse {
    /// Something was finished: a step, a piece of the weights, a stretch of samples.
    pub fn step(&self) {
        self.steps.fetch_add(1, Relaxed);
    }

    pub fn set_load(&self, rows: usize, queued: usize) {
        self.rows.store(rows as u32, Relaxed);
        self.queued.store(queued as u32, Relaxed);
    }

    pub fn set_device_memory(&self, memory: Option<DeviceMemory>) {
        // A poisoned lock means a panic, after which no beat matters.
        if let Ok(mut held) = self.device_memory.lock() {
            *held = memory;
        }
    }

    pub fn device_memory(&self) -> Option<DeviceMemory> {
        self.device_memory.lock().map_or(None, |held| *held)
    }

    pub fn beat(&self, resident_bytes: Option<u64>) -> Beat {
        Beat {
            steps: self.steps.load(Relaxed),
            rows: self.rows.load(Relaxed),
            queued: self.queued.load(Relaxed),
            resident_bytes,
            device_memory: self.device_memory(),
        }
    }
}
