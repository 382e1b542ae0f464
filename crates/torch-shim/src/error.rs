//! What can be wrong with a GPU, from the outside in.

use std::ffi::{CStr, c_char};

use thiserror::Error;

/// What to look at first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShimErrorKind {
    /// The machine has no driver for CUDA.
    NoDriver,
    /// libtorch's CUDA library, or one that it needs, does not load.
    NoLibrary,
    /// `libnarrator_cuda.so` was not built, not found, or belongs to another build.
    NotBuilt,
    /// libtorch or CUDA said so.
    Torch,
}

/// An error with a lower-case fragment that says what is missing or what failed.
#[derive(Clone, Debug, Error)]
#[error("{message}")]
pub struct ShimError {
    kind: ShimErrorKind,
    message: String,
}

impl ShimError {
    pub(crate) fn new(kind: ShimErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub fn kind(&self) -> ShimErrorKind {
        self.kind
    }
}

/// The result of a C++ function: 0 is success, and otherwise `text` has what was thrown.
pub(crate) fn checked(status: i32, text: unsafe extern "C" fn() -> *const c_char) -> Result<(), ShimError> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: the function has no arguments and returns a text of this thread that ends with a zero and is
    // valid until this thread's next failure.
    let said = unsafe { text() };
    let said = if said.is_null() {
        "nothing".into()
    } else {
        // SAFETY: as above; it is copied before anything else is called.
        unsafe { CStr::from_ptr(said) }.to_string_lossy()
    };
    // A C++ backtrace follows the first line; it belongs in nobody's message.
    Err(ShimError::new(ShimErrorKind::Torch, said.lines().next().unwrap_or_default()))
}
