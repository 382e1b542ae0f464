//! A model folder's `manifest.json`: what the model is, and exactly which bytes it consists of.
//!
//! Set-up (or an import) writes it beside the weights; `docs/models.md` describes the format. The folder's
//! `sha256` goes into every content key as the model's hash, so a changed model re-renders what it spoke.
//! Reading one checks that every listed file is there with its size; it does not hash gigabytes again,
//! that is set-up's part.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{EngineError, EngineErrorKind, VoiceInfo};

/// The file's name inside a model folder.
pub const MANIFEST_FILE: &str = "manifest.json";

/// One file of a model.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Relative to the model folder, with `/` between its parts.
    pub path: String,
    pub bytes: u64,
    /// Hex.
    pub sha256: String,
}

/// What a model folder holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub name: String,
    /// The engine that runs it, by its name in the registry.
    pub engine: String,
    /// Where the weights came from: a package and its version, or a repository and its revision.
    pub source: String,
    /// SPDX expression.
    pub license: String,
    /// The voices that it speaks with, the default first; none for a model that listens, and none for one
    /// whose voices are in its own configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voices: Vec<VoiceInfo>,
    pub files: Vec<ManifestFile>,
    /// SHA-256 (hex) over the files' `sha256  path` lines, in the order of their paths.
    pub sha256: String,
}

impl Manifest {
    /// Reads the manifest of the model in `model_dir` and checks that its files are there, whole.
    pub fn read(model_dir: &Path) -> Result<Self, EngineError> {
        let path = model_dir.join(MANIFEST_FILE);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            bad_model(format!(
                "cannot read {}: {error}; run scripts/setup, or give the folder of an imported model",
                path.display()
            ))
        })?;
        let manifest: Self = serde_json::from_str(&text).map_err(|error| {
            bad_model(format!("{} is not a model manifest: {error}; run scripts/setup again", path.display()))
        })?;
        for file in &manifest.files {
            manifest.check_file(model_dir, file)?;
        }
        Ok(manifest)
    }

    fn check_file(&self, model_dir: &Path, file: &ManifestFile) -> Result<(), EngineError> {
        let path = model_dir.join(&file.path);
        match std::fs::metadata(&path) {
            Err(error) => Err(bad_model(format!(
                "model `{}` is incomplete: {}: {error}; run scripts/setup again",
                self.name,
                path.display()
            ))),
            Ok(found) if found.len() != file.bytes => Err(bad_model(format!(
                "model `{}` is damaged: {} has {} bytes instead of {}; run scripts/setup again",
                self.name,
                path.display(),
                found.len(),
                file.bytes
            ))),
            Ok(_) => Ok(()),
        }
    }
}

fn bad_model(message: String) -> EngineError {
    EngineError::new(EngineErrorKind::BadModel, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(bytes: u64) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("weights"), b"12345").expect("a file");
        let manifest = Manifest {
            name: "m".into(),
            engine: "e".into(),
            source: "here 1".into(),
            license: "MIT".into(),
            voices: Vec::new(),
            files: vec![ManifestFile { path: "weights".into(), bytes, sha256: "00".into() }],
            sha256: "00".into(),
        };
        let json = serde_json::to_string(&manifest).expect("json");
        std::fs::write(dir.path().join(MANIFEST_FILE), json).expect("a file");
        dir
    }

    #[test]
    fn a_whole_folder_is_read() {
        assert_eq!(Manifest::read(folder(5).path()).expect("a manifest").engine, "e");
    }

    #[test]
    fn a_short_file_is_named_with_both_sizes() {
        let error = Manifest::read(folder(6).path()).expect_err("too short");
        assert_eq!(error.kind(), EngineErrorKind::BadModel);
        assert!(error.to_string().contains("has 5 bytes instead of 6"), "{error}");
    }

    #[test]
    fn a_folder_without_a_manifest_says_what_to_do() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let error = Manifest::read(dir.path()).expect_err("no manifest");
        assert!(error.to_string().contains("run scripts/setup"), "{error}");
    }
}
