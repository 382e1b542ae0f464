//! A GPU: opened when it is asked for, and asked how much memory it has.
//!
//! The program links libtorch's CPU library alone; [`open`] brings the CUDA library in before anything else of
//! libtorch hears of CUDA. Without a GPU nothing here does anything.

use std::rc::Rc;

use narrator_engine::{EngineError, EngineErrorKind};
use torch_shim::{Session, ShimErrorKind};

use crate::manner::Device;

/// Memory of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceMemory {
    /// What nobody uses.
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// The most that this process has held in tensors and kept for them.
    pub peak_bytes: u64,
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
    Some(DeviceMemory {
        free_bytes: memory.free_bytes,
        total_bytes: memory.total_bytes,
        peak_bytes: torch_shim::held(index).map_or(0, |held| held.peak_reserved_bytes),
    })
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
