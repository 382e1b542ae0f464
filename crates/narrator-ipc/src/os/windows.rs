//! Windows: named pipes, which live in a namespace of their own and need no directory.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use interprocess::local_socket::{GenericNamespaced, Name, PeerCreds, prelude::*};

use crate::IpcError;

/// All instances of the pipe are busy: the listener is between two accepts.
const ERROR_PIPE_BUSY: i32 = 231;

pub fn default_run_dirs() -> Vec<PathBuf> {
    vec![PathBuf::new()]
}

pub fn prepare_run_dir(_dir: &Path, _name_bytes: usize) -> Result<(), IpcError> {
    Ok(())
}

pub fn sweep(_dir: &Path) {}

pub fn address(_dir: &Path, name: &str) -> OsString {
    format!("narratord-{name}").into()
}

pub fn to_name(address: &OsStr) -> io::Result<Name<'_>> {
    address.to_ns_name::<GenericNamespaced>()
}

pub fn same_user_pid(creds: &PeerCreds) -> io::Result<Option<u32>> {
    Ok(creds.pid())
}

pub fn is_busy(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_PIPE_BUSY)
}
