//! Part A: how much memory a GPU has, and how much of it this process holds.

use std::ffi::c_char;

use crate::ShimError;
use crate::error::checked;

/// Memory of a device, everybody's use counted.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    pub free_bytes: u64,
    pub total_bytes: u64,
}

/// What this process's allocator holds on a device. The driver's own part, some hundred megabytes a
/// process, is in none of these.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// In tensors.
    pub used_bytes: u64,
    /// Taken from the device: tensors and what is kept for the next ones.
    pub reserved_bytes: u64,
    /// The most that was ever taken, since [`reset_peak`].
    pub peak_reserved_bytes: u64,
    /// How often memory was refused for good.
    pub out_of_memory: u64,
}

unsafe extern "C" {
    fn narrator_shim_error() -> *const c_char;
    fn narrator_shim_memory(device: i32, memory: *mut Memory) -> i32;
    fn narrator_shim_held(device: i32, held: *mut Held) -> i32;
    fn narrator_shim_reset_peak(device: i32) -> i32;
    fn narrator_shim_empty_cache() -> i32;
    fn narrator_shim_settle() -> i32;
}

/// Free and total memory of CUDA device `device`.
pub fn memory(device: u16) -> Result<Memory, ShimError> {
    let mut memory = Memory::default();
    // SAFETY: the pointer is to a live struct of the layout that `device.cpp` declares.
    checked(unsafe { narrator_shim_memory(device.into(), &raw mut memory) }, narrator_shim_error)?;
    Ok(memory)
}

/// What this process holds on CUDA device `device`.
pub fn held(device: u16) -> Result<Held, ShimError> {
    let mut held = Held::default();
    // SAFETY: the pointer is to a live struct of the layout that `device.cpp` declares.
    checked(unsafe { narrator_shim_held(device.into(), &raw mut held) }, narrator_shim_error)?;
    Ok(held)
}

/// Peaks count from now on.
pub fn reset_peak(device: u16) -> Result<(), ShimError> {
    // SAFETY: a number is all it takes, and any number is checked on the other side.
    checked(unsafe { narrator_shim_reset_peak(device.into()) }, narrator_shim_error)
}

/// Gives memory that no tensor uses back to the device. Memory of recorded graphs stays theirs.
pub fn empty_cache() -> Result<(), ShimError> {
    // SAFETY: it takes nothing; the allocator has its own lock.
    checked(unsafe { narrator_shim_empty_cache() }, narrator_shim_error)
}

/// Sets libtorch up as everything here expects it: attention without cuDNN, float32 without shortcuts.
pub fn settle() -> Result<(), ShimError> {
    // SAFETY: it takes nothing and sets two flags of the process.
    checked(unsafe { narrator_shim_settle() }, narrator_shim_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ShimErrorKind;

    #[test]
    fn without_a_gpu_every_question_is_an_error_with_a_text() {
        if crate::open_cuda(0).is_ok() {
            return;
        }
        let answers = [memory(0).map(drop), held(0).map(drop), reset_peak(0), empty_cache()];
        for answer in answers {
            let error = answer.expect_err("there is no GPU");
            assert_eq!(error.kind(), ShimErrorKind::Torch);
            let text = error.to_string().to_lowercase();
            assert!(text.contains("cuda") && !text.contains('\n'), "{text}");
        }
        settle().expect("flags can always be set");
    }
}
