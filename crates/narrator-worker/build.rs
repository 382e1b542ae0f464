//! Lets the worker find libtorch at run time: in `lib` beside the folder of an installed worker, else where
//! it was built against. tch's own run path reaches only tch's own programs, and torch-sys tells the place
//! only to those that depend on it directly.

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    let libraries = std::env::var("DEP_TCH_LIBTORCH_LIB")
        .map_err(|_| "torch-sys did not say where libtorch is: run scripts/setup, then build again")?;
    println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{libraries}");
    Ok(())
}
