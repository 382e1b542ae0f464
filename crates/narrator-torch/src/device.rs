//! A GPU: opened when it is asked for, and asked how much memory it has.
//!
//! The program links libtorch's CPU library alone; [`open`] brings the CUDA library in before anything else of
//! libtorch hears of CUDA. Without a GPU nothing here does anything.

use std::rc::Rc;

use narrator_engine::{DRIVER_BYTES, EngineError, EngineErrorKind};
use torch_shim::{Session, ShimErrorKind};

use crate::manner::Device;

/// Memory of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceMemory {
    /// What nobody uses.
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// What this process holds in tensors and keeps for them.
    pub held_bytes: u64,
    /// The most that this process has held in tensors and kept for them.
    pub peak_bytes: u64,
}

/// A card, as far as it decides how a model is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Card {
    pub total_bytes: u64,
    pub multiplies_bfloat16: bool,
}

/// Makes `device` usable in this process; says what is missing where it is not.
pub(crate) fn open(device: Device) -> Result<(), EngineError> {
    match device {
        Device::Cpu => Ok(()),
        Device::Cuda(index) => torch_shim::open_cuda(index).map(drop).map_err(|error| {
            let kind = match error.kind() {
                // Another process would find the same.
                ShimErrorKind::NoDriver | ShimErrorKind::NoLibrary | ShimErrorKind::NotBuilt => {
                    EngineErrorKind::BadModel
                }
                ShimErrorKind::Torch => EngineErrorKind::DeviceFault,
            };
            EngineError::new(kind, format!("device {device}: {error}"))
        }),
    }
}

/// A stream of the GPU's own for this thread, with which work can be recorded. Without one, which is said in
/// a warning, everything runs as well and slower.
pub(crate) fn session(device: Device) -> Option<Rc<Session>> {
    let Device::Cuda(index) = device else { return None };
    match Session::enter(index) {
        Ok(session) => Some(Rc::new(session)),
        Err(error) => {
            tracing::warn!(event = "torch.graphs_off", %device, %error, "speaking without CUDA graphs, which is slower");
            None
        }
    }
}

/// Whether the card multiplies bfloat16 itself: those since 2020 do. Unknown is yes, as nearly all are.
pub(crate) fn multiplies_bfloat16(session: Option<&Session>) -> bool {
    session.and_then(|session| session.capability().ok()).is_none_or(|(major, _)| major >= 8)
}

/// How much memory `device` has; none for the CPU, and where the device does not say.
pub fn device_memory(device: Device) -> Option<DeviceMemory> {
    let Device::Cuda(index) = device else { return None };
    let memory = torch_shim::memory(index).ok()?;
    let held = torch_shim::held(index).unwrap_or_default();
    Some(DeviceMemory {
        free_bytes: memory.free_bytes,
        total_bytes: memory.total_bytes,
        held_bytes: held.reserved_bytes,
        peak_bytes: held.peak_reserved_bytes,
    })
}

/// What this process may still take: what nobody has, and never more than is left of its budget. Free memory
/// alone is no measure on a shared card: what a neighbour will need in an hour is free now.
pub(crate) fn room(memory: DeviceMemory, budget_bytes: Option<u64>) -> u64 {
    let taken = memory.held_bytes + DRIVER_BYTES;
    budget_bytes.map_or(memory.free_bytes, |budget| memory.free_bytes.min(budget.saturating_sub(taken)))
}

/// Gives memory that no tensor uses back to the device, after it ran out: what is kept for tensors of one
/// size is of no use to those of another.
pub(crate) fn give_memory_back(device: Device) {
    if let Device::Cuda(_) = device
        && let Err(error) = torch_shim::empty_cache()
    {
        tracing::warn!(event = "torch.cache_kept", %device, %error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_needs_no_opening_and_has_no_memory_of_its_own() {
        open(Device::Cpu).expect("open");
        assert!(session(Device::Cpu).is_none());
        assert_eq!(device_memory(Device::Cpu), None);
        give_memory_back(Device::Cpu);
        assert!(multiplies_bfloat16(None));
    }

    #[test]
    fn a_budget_bounds_what_is_free_and_counts_what_is_held() {
        let memory = |free_bytes, held_bytes| DeviceMemory {
            free_bytes,
            total_bytes: 24 << 30,
            held_bytes,
            peak_bytes: 0,
        };
        assert_eq!(room(memory(20 << 30, 4 << 30), None), 20 << 30);
        assert_eq!(room(memory(20 << 30, 4 << 30), Some((10 << 30) + DRIVER_BYTES)), 6 << 30);
        assert_eq!(room(memory(5 << 30, 4 << 30), Some((10 << 30) + DRIVER_BYTES)), 5 << 30);
        assert_eq!(room(memory(20 << 30, 4 << 30), Some(4 << 30)), 0);
    }

    #[test]
    fn a_gpu_that_is_not_there_is_an_error_and_the_process_lives() {
        let device = Device::Cuda(0);
        if let Err(error) = open(device) {
            assert_eq!(error.kind(), EngineErrorKind::BadModel, "{error}");
            assert!(error.to_string().starts_with("device cuda:0: "), "{error}");
            assert!(session(device).is_none());
            assert_eq!(device_memory(device), None);
            give_memory_back(device);
        }
    }
}
