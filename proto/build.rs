//! Computes the build id: what two processes compare before they trust each other's frames.
//!
//! It is a hash of the protocol's own sources and manifest under the workspace's version, and of nothing
//! else. So the two binaries of one cargo invocation agree, so does a rebuild of one of them for a reason
//! outside this crate (a fix in a model, another revision of the tree), and any edit that could move a
//! byte on the pipe sets them apart.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let version = env::var("CARGO_PKG_VERSION")?;
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=Cargo.toml");
    println!("cargo::rustc-env=NARRATOR_BUILD_ID={version}-{}", digest(Path::new(&root), &version)?);
    Ok(())
}

fn digest(root: &Path, version: &str) -> Result<String, Box<dyn Error>> {
    let mut files = vec![root.join("Cargo.toml")];
    for entry in fs::read_dir(root.join("src"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    let mut hasher = blake3::Hasher::new_derive_key("narrator build id v1");
    hasher.update(version.as_bytes());
    for file in files {
        // The bare name, so that the id does not depend on where the tree lies.
        let name = file.file_name().unwrap_or_default().as_encoded_bytes();
        // Line ends as git keeps them, so that a checkout on Windows gives the same id.
        let text = fs::read_to_string(&file)?.replace("\r\n", "\n");
        for part in [name, text.as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
    }
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}
