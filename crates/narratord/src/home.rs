//! Where narratord keeps what it needs: models, voices, ffmpeg and the worker program.

use std::path::{Path, PathBuf};

use crate::error::Failure;
use crate::exit::Exit;

/// The folder of models and helper programs.
///
/// `NARRATOR_HOME` when set; else the nearest `.deps` above the program (a checkout that `scripts/setup`
/// made ready); else `narratord` in the user's data folder.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
    /// The user's own folders for data and for what can be made again.
    data: PathBuf,
    cache: PathBuf,
}

impl Home {
    pub fn find() -> Self {
        let root = std::env::var_os("NARRATOR_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::current_exe().ok().and_then(|exe| deps_above(&exe)))
            .unwrap_or_else(|| data_home().join("narratord"));
        Self { root, data: data_home().join("narratord"), cache: cache_home().join("narratord") }
    }

    /// A home in a folder of its own.
    #[cfg(test)]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf(), data: root.join("data"), cache: root.join("cache") }
    }

    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// The user's own voices: theirs, not a checkout's.
    pub fn voices(&self) -> PathBuf {
        self.data.join("voices")
    }

    /// What is remembered of the hashes of files.
    pub fn hashes(&self) -> PathBuf {
        self.cache.join("hashes.json")
    }

    /// Where set-up puts ffmpeg when the system has none.
    pub fn ffmpeg(&self) -> PathBuf {
        self.root.join("bin").join(executable("ffmpeg"))
    }
}

/// The worker program: the setting, `NARRATOR_WORKER`, or the one beside this program.
pub fn worker_program(setting: Option<&Path>) -> Result<PathBuf, Failure> {
    let beside = || {
        let exe = std::env::current_exe().ok()?;
        Some(exe.parent()?.join(executable("narrator-worker")))
    };
    let program = setting
        .map(Path::to_path_buf)
        .or_else(|| std::env::var_os("NARRATOR_WORKER").map(PathBuf::from))
        .or_else(beside)
        .unwrap_or_else(|| PathBuf::from("narrator-worker"));
    if program.is_file() {
        return Ok(program);
    }
    Err(Failure::new(Exit::Missing, format!("there is no worker program at {}", program.display()))
        .hint("build it with `scripts/narrate`, or `cargo build --release -p narrator-worker`"))
}

fn deps_above(exe: &Path) -> Option<PathBuf> {
    exe.ancestors().map(|dir| dir.join(".deps")).find(|deps| deps.join("models").is_dir())
}

fn data_home() -> PathBuf {
    std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")))
        .or_else(|| std::env::var_os("LOCALAPPDATA").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("."))
}

fn cache_home() -> PathBuf {
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .or_else(|| std::env::var_os("LOCALAPPDATA").map(PathBuf::from))
        .unwrap_or_else(std::env::temp_dir)
}

fn executable(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}
