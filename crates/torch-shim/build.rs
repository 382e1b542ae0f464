//! Compiles the C++ beside this crate.
//!
//! Part A (`cpp/device.cpp`) always, into the crate. Part B (`cpp/graphs.cpp`) into `libnarrator_cuda.so`,
//! where the CUDA headers are: those of the packages nvidia-cuda-runtime and nvidia-cuda-crt, which
//! `scripts/setup --cuda` brings, or those of an installed CUDA. Nothing of CUDA is linked, so a machine without a GPU can
//! build it for one that has one. Where the headers are missing the crate says so at run time, not here: a
//! machine without a GPU needs none of it.

use std::path::{Path, PathBuf};

/// The library that part B becomes.
const LIBRARY: &str = "libnarrator_cuda.so";

/// Names a folder of CUDA headers to use before all others.
const HEADERS: &str = "NARRATOR_CUDA_INCLUDE";

fn main() -> Result<(), String> {
    for file in ["build.rs", "cpp/guard.h", "cpp/device.cpp", "cpp/graphs.cpp"] {
        println!("cargo::rerun-if-changed={file}");
    }
    let libraries = variable("DEP_TCH_LIBTORCH_LIB")
        .ok_or("torch-sys did not say where libtorch is: run scripts/setup, then build again")?;
    let libtorch = libraries.parent().unwrap_or(&libraries).to_owned();
    compiler(&libtorch).file("cpp/device.cpp").compile("narrator_shim");
    println!("cargo::rustc-link-search=native={}", libraries.display());
    println!("cargo::rustc-link-lib=dylib=torch_cpu");
    println!("cargo::rustc-link-lib=dylib=c10");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", libraries.display());
    match build_graphs(&libtorch) {
        Ok(path) => println!("cargo::rustc-env=NARRATOR_CUDA_BUILT={}", path.display()),
        Err(why) => println!("cargo::rustc-env=NARRATOR_CUDA_MISSING={why}"),
    }
    Ok(())
}

fn variable(name: &str) -> Option<PathBuf> {
    println!("cargo::rerun-if-env-changed={name}");
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn compiler(libtorch: &Path) -> cc::Build {
    let mut build = cc::Build::new();
    let include = libtorch.join("include");
    build.cpp(true).std("c++17").warnings(false).include(&include);
    build.include(include.join("torch/csrc/api/include")).define("_GLIBCXX_USE_CXX11_ABI", "1");
    build
}

/// Builds part B and puts it beside the programs, where they look for it; says in a line why not.
fn build_graphs(libtorch: &Path) -> Result<PathBuf, String> {
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os != "linux") {
        return Err("CUDA graphs are built on Linux alone".into());
    }
    let headers = cuda_headers(libtorch).ok_or(
        "the CUDA headers were not found when narratord was built; run scripts/setup --cuda and build again",
    )?;
    let out = variable("OUT_DIR").ok_or("cargo named no output folder")?;
    let built = out.join(LIBRARY);
    let tool = compiler(libtorch).include(&headers).get_compiler();
    let output = tool
        .to_command()
        .args(["-shared", "-O2", "-o"])
        .args([&built, Path::new("cpp/graphs.cpp")])
        .output()
        .map_err(|error| format!("the C++ compiler did not start: {error}"))?;
    if !output.status.success() {
        let log = out.join("narrator_cuda.log");
        let _ = std::fs::write(&log, &output.stderr);
        println!("cargo::warning={LIBRARY} was not built, its compiler's words are in {}", log.display());
        return Err(format!("its compilation failed with the headers in {}", headers.display()));
    }
    // OUT_DIR is <target>/<profile>/build/<crate>/out.
    if let Some(beside) = out.ancestors().nth(3) {
        let (new, place) = (beside.join(format!("{LIBRARY}.new")), beside.join(LIBRARY));
        std::fs::copy(&built, &new)
            .and_then(|_| std::fs::rename(&new, &place))
            .map_err(|error| format!("cannot write {}: {error}", place.display()))?;
    }
    Ok(built)
}

/// The first folder that holds what `graphs.cpp` includes.
fn cuda_headers(libtorch: &Path) -> Option<PathBuf> {
    let manifest = variable("CARGO_MANIFEST_DIR").unwrap_or_default();
    let candidates = [
        variable(HEADERS),
        Some(manifest.join("../../.deps/cuda/nvidia/cu13/include")),
        variable("CUDA_HOME").map(|home| home.join("include")),
        variable("CUDA_PATH").map(|home| home.join("include")),
        Some(PathBuf::from("/usr/local/cuda/include")),
        libtorch.canonicalize().ok().and_then(|real| Some(real.parent()?.join("nvidia/cu13/include"))),
    ];
    candidates.into_iter().flatten().find(|folder| {
        // The second comes with the compiler's package and not with the run-time's.
        let files = ["cuda_runtime_api.h", "crt/host_defines.h"];
        let found = files.iter().all(|file| folder.join(file).is_file());
        if found {
            // A file that is not there counts as changed at every build.
            println!("cargo::rerun-if-changed={}", folder.join(files[0]).display());
        }
        found
    })
}
