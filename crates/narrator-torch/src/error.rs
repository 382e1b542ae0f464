//! From libtorch's errors to the kinds that the orchestrator decides by.
//!
//! `TchError` carries the C++ exception's text and nothing else, so the text is what there is to judge by.
//! The phrases below are those of libtorch 2.11.

use narrator_engine::{EngineError, EngineErrorKind};
use tch::TchError;

/// The allocators of the GPU and of the CPU say it differently.
const OUT_OF_MEMORY: [&str; 4] =
    ["out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "not enough memory"];

/// What can be done about a libtorch error with this text. After most CUDA errors (an illegal access, a
/// device-side assertion, a launch failure) the context is gone and every later call fails too, so of a text
/// that does not name memory nothing good is assumed: the process is replaced.
pub(crate) fn kind_of_torch_error(text: &str) -> EngineErrorKind {
    if OUT_OF_MEMORY.iter().any(|phrase| text.contains(phrase)) {
        EngineErrorKind::OutOfMemory
    } else {
        EngineErrorKind::DeviceFault
    }
}

/// Says what was being done when libtorch failed.
pub(crate) trait Doing<T> {
    /// `what` reads after "while": `.doing("loading the decoder")`.
    fn doing(self, what: &str) -> Result<T, EngineError>;
}

impl<T> Doing<T> for Result<T, TchError> {
    fn doing(self, what: &str) -> Result<T, EngineError> {
        self.map_err(|error| {
            let text = error.to_string();
            // A C++ backtrace follows the first line; it belongs in nobody's message.
            let first = text.lines().next().unwrap_or_default();
            EngineError::new(kind_of_torch_error(&text), format!("libtorch failed while {what}: {first}"))
        })
    }
}

pub(crate) fn bad_model(message: impl Into<String>) -> EngineError {
    EngineError::new(EngineErrorKind::BadModel, message)
}

pub(crate) fn bad_request(message: impl Into<String>) -> EngineError {
    EngineError::new(EngineErrorKind::BadRequest, message)
}

pub(crate) fn cancelled(message: impl Into<String>) -> EngineError {
    EngineError::new(EngineErrorKind::Cancelled, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_from_everything_else() {
        for text in [
            "CUDA out of memory. Tried to allocate 20.00 MiB",
            "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried",
        ] {
            assert_eq!(kind_of_torch_error(text), EngineErrorKind::OutOfMemory, "{text}");
        }
        for text in ["CUDA error: an illegal memory access was encountered", "something unheard of"] {
            assert_eq!(kind_of_torch_error(text), EngineErrorKind::DeviceFault, "{text}");
        }
    }

    #[test]
    fn a_message_keeps_the_first_line_and_says_what_was_done() {
        let error: Result<(), TchError> = Err(TchError::FileFormat("shape mismatch\n at frame 1\n".into()));
        let error = error.doing("decoding").expect_err("an error");
        assert_eq!(error.to_string(), "libtorch failed while decoding: invalid file format: shape mismatch");
    }
}
