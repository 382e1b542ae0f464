//! What a repository holds at one commit.

use std::time::Duration;

use hf_hub::{Repo, RepoType};
use serde::Deserialize;

use super::access::Access;
use crate::error::Failure;
use crate::exit::Exit;

/// A listing is small and comes at once, or something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);

/// A file as the hub lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remote {
    pub path: String,
    pub bytes: u64,
    pub hash: Hash,
    pub url: String,
}

/// What a file must hash to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hash {
    /// Of a large file: SHA-256 of its content.
    Sha256(String),
    /// Of a small one: SHA-1 as git counts a blob.
    GitBlob(String),
}

impl Hash {
    pub fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::GitBlob(hex) => hex,
        }
    }
}

/// A repository at one commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    pub repository: String,
    pub commit: String,
    pub license: String,
    pub files: Vec<Remote>,
}

#[derive(Deserialize)]
struct Info {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
    #[serde(default, rename = "cardData")]
    card: Option<Card>,
}

#[derive(Deserialize)]
struct Card {
    #[serde(default)]
    license: Option<String>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default, rename = "blobId")]
    blob: Option<String>,
    #[serde(default)]
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

/// Asks what `repository` holds at `revision`, a branch, a tag or a commit.
pub fn list(access: &Access, repository: &str, revision: &str) -> Result<Listing, Failure> {
    let api = access.api()?;
    let at =
        |revision: &str| api.repo(Repo::with_revision(repository.into(), RepoType::Model, revision.into()));
    let what =
        if revision == "main" { repository.to_string() } else { format!("{repository} at {revision}") };
    let asked = at(revision)
        .info_request()
        .query("blobs", "true")
        .config()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .build()
        .call();
    let mut answer = asked.map_err(|error| {
        Failure::new(Exit::Missing, format!("{} cannot be reached", access.endpoint))
            .because(error)
            .hint("is there a network? HF_ENDPOINT, --endpoint or hub.endpoint name another hub")
    })?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(access.refused(status, &what));
    }
    let info: Info = answer.body_mut().read_json().map_err(|error| {
        Failure::new(Exit::Missing, format!("{} does not answer as a hub does", access.endpoint))
            .because(error)
    })?;
    let pinned = at(&info.sha);
    let mut files = Vec::new();
    for sibling in info.siblings.into_iter().filter(|sibling| wanted(&sibling.rfilename)) {
        let path = sibling.rfilename;
        let unlisted = || {
            Failure::new(Exit::Missing, format!("{} lists {path} without its size and hash", access.endpoint))
        };
        let (bytes, hash) = match (sibling.lfs, sibling.size, sibling.blob) {
            (Some(lfs), _, _) => (lfs.size, Hash::Sha256(lfs.sha256)),
            (None, Some(size), Some(blob)) => (size, Hash::GitBlob(blob)),
            _ => return Err(unlisted()),
        };
        if !hash.hex().bytes().all(|byte| byte.is_ascii_hexdigit()) || hash.hex().len() < 40 {
            return Err(unlisted());
        }
        files.push(Remote { url: pinned.url(&path), path, bytes, hash });
    }
    if !files.iter().any(|file| file.path == "config.json") {
        return Err(Failure::new(Exit::BadSettings, format!("{what} holds no model: it has no config.json")));
    }
    let license = info.card.and_then(|card| card.license).map_or("NOASSERTION".into(), |name| spdx(&name));
    Ok(Listing { repository: repository.into(), commit: info.sha, license, files })
}

/// Files of a model: configuration, vocabulary, weights, and what tells people of it. Nothing hidden, and no
/// name that could leave the folder.
fn wanted(path: &str) -> bool {
    const ENDINGS: [&str; 4] = ["json", "txt", "safetensors", "md"];
    let plain = |part: &str| {
        let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !part.is_empty() && !part.starts_with('.') && part.chars().all(inside)
    };
    let named = path.rsplit_once('.').is_some_and(|(_, end)| ENDINGS.contains(&end)) || path == "LICENSE";
    named && path.split('/').all(plain) && path.split('/').count() <= 3
}

/// The hub's names of licences are SPDX in lower case; the usual ones, as SPDX writes them.
fn spdx(name: &str) -> String {
    match name {
        "apache-2.0" => "Apache-2.0".into(),
        "mit" => "MIT".into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_files_are_wanted_and_nothing_that_leaves_its_folder() {
        for path in
            ["config.json", "speech_tokenizer/model.safetensors", "merges.txt", "README.md", "LICENSE"]
        {
            assert!(wanted(path), "{path}");
        }
        for path in [
            ".gitattributes",
            "../config.json",
            "a/../b.json",
            "/etc/x.json",
            "a b.json",
            "x.bin",
            "a//b.json",
        ] {
            assert!(!wanted(path), "{path}");
        }
    }
}
