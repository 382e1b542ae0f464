//! What of our environment a worker gets to see.

use std::ffi::{OsStr, OsString};

/// Variables that a worker may need, by name.
const NAMES: &[&str] = &[
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "RUST_BACKTRACE",
    "RUST_LOG",
    // Without these no program starts on Windows.
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERPROFILE",
];

/// Families of variables: ours, and those of the compute libraries.
const PREFIXES: &[&str] = &["NARRATOR_", "OMP_", "MKL_", "KMP_", "CUDA_", "NVIDIA_"];

/// Whether a variable goes on to workers.
fn passes(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let upper = name.to_ascii_uppercase();
    NAMES.contains(&&*upper) || PREFIXES.iter().any(|prefix| upper.starts_with(prefix))
}

/// The part of this process's environment that workers inherit.
pub fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| passes(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_here() {
        for name in ["PATH", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "NARRATOR_SIM"] {
            assert!(passes(OsStr::new(name)), "{name}");
        }
        for name in ["SSH_AUTH_SOCK", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "LD_PRELOAD", "PATHS"] {
            assert!(!passes(OsStr::new(name)), "{name}");
        }
    }
}
