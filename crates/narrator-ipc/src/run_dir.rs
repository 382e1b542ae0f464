//! Where sockets live.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{IpcError, os};

/// `<pid>-<32 hex digits>`, with room for the largest pid.
const NAME_BYTES: usize = 10 + 1 + 32;

/// A directory that only this user can enter. It stays when narratord ends, empty; what dead processes
/// left in it is swept when it is opened.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// The given directory, made if it is not there, or the first usable of `$XDG_RUNTIME_DIR/narratord`
    /// and `narratord-<uid>` in the system's temporary folder.
    pub fn open(given: Option<&Path>) -> Result<Self, IpcError> {
        let candidates = given.map_or_else(os::default_run_dirs, |dir| vec![dir.to_owned()]);
        let mut first_error = None;
        for path in candidates {
            match os::prepare_run_dir(&path, NAME_BYTES) {
                Ok(()) => {
                    os::sweep(&path);
                    return Ok(Self { path });
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| IpcError::RunDir {
            path: PathBuf::new(),
            why: "the system names no place for it".into(),
        }))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A name that nobody can guess and nobody has used.
    pub(crate) fn fresh_address(&self) -> OsString {
        let random: u128 = rand::random();
        os::address(&self.path, &format!("{}-{random:032x}", std::process::id()))
    }
}
