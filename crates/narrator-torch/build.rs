//! Checks that the libtorch found is the one that `tch` was made for, and lets this crate's tests and
//! examples find it at run time.
//!
//! torch-sys checks a `build-version` file, which the libtorch inside the Python package does not have; its
//! `version.py` says the same. tch's own run path reaches only tch's own programs.

use std::path::{Path, PathBuf};

/// What tch 0.24.0 binds.
const LIBTORCH_VERSION: &str = "2.11.0";

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-env-changed=LIBTORCH_BYPASS_VERSION_CHECK");
    let libraries = std::env::var_os("DEP_TCH_LIBTORCH_LIB")
        .map(PathBuf::from)
        .ok_or("torch-sys did not say where libtorch is: run scripts/setup, then build again")?;
    if std::env::var_os("LIBTORCH_BYPASS_VERSION_CHECK").is_none() {
        check_version(libraries.parent().unwrap_or(&libraries))?;
    }
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", libraries.display());
    Ok(())
}

fn check_version(libtorch: &Path) -> Result<(), String> {
    let Some(found) =
        ["build-version", "version.py"].iter().find_map(|file| version_in(&libtorch.join(file)))
    else {
        return Err(format!(
            "{} holds no libtorch: unset LIBTORCH and run scripts/setup, or let it name the folder of libtorch \
             {LIBTORCH_VERSION}",
            libtorch.display()
        ));
    };
    let release = found.split('+').next().unwrap_or_default();
    if release == LIBTORCH_VERSION {
        Ok(())
    } else {
        Err(format!(
            "libtorch {LIBTORCH_VERSION} is needed and {} holds {found}: unset LIBTORCH and run scripts/setup, or \
             let it name the folder of another libtorch",
            libtorch.display()
        ))
    }
}

/// The version that a file states, as `2.11.0+cu130` or as `__version__ = '2.11.0+cu130'`.
fn version_in(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    // Only of a file that is there: cargo takes one that is missing for changed, at every build.
    println!("cargo::rerun-if-changed={}", path.display());
    let line = text.lines().find(|line| line.starts_with("__version__")).or_else(|| text.lines().next())?;
    let stated = line.rsplit('=').next()?.trim().trim_matches(['\'', '"']);
    stated.starts_with(|first: char| first.is_ascii_digit()).then(|| stated.to_owned())
}
