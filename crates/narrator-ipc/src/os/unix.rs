//! Unix: sockets are files in a directory that only this user can enter.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use interprocess::local_socket::{GenericFilePath, Name, PeerCreds, prelude::*};

use crate::IpcError;

/// `sun_path` holds 108 bytes on Linux and 104 on the BSDs and macOS, the closing zero among them.
const NAME_LIMIT_BYTES: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Where sockets may live, best first.
pub fn default_run_dirs() -> Vec<PathBuf> {
    let own = format!("narratord-{}", euid());
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let mut dirs: Vec<_> = runtime.map(|dir| dir.join("narratord")).into_iter().collect();
    dirs.extend([std::env::temp_dir().join(&own), Path::new("/tmp").join(&own)]);
    dirs
}

/// Creates the directory if need be and makes sure that it is a real directory, this user's, closed to
/// others, and short enough for names of `name_bytes`.
pub fn prepare_run_dir(dir: &Path, name_bytes: usize) -> Result<(), IpcError> {
    let refuse = |why: String| IpcError::RunDir { path: dir.to_owned(), why };
    let len = dir.as_os_str().len() + 1 + name_bytes;
    if len > NAME_LIMIT_BYTES {
        return Err(IpcError::NameTooLong { path: dir.to_owned(), len, limit: NAME_LIMIT_BYTES });
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refuse(error.to_string())),
        _ => {}
    }
    // Not `metadata`: a link would let somebody else choose the place.
    let meta = fs::symlink_metadata(dir).map_err(|error| refuse(error.to_string()))?;
    if !meta.is_dir() {
        return Err(refuse("it is not a directory".into()));
    }
    if meta.uid() != euid() {
        return Err(refuse("it belongs to another user".into()));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(refuse(format!("others can enter it (mode {:03o}); chmod 700 it", meta.mode() & 0o777)));
    }
    Ok(())
}

/// Removes sockets whose process is gone: what `kill -9` between bind and accept leaves. Names start
/// with their owner's pid; a pid that is in use again only delays the sweep.
pub fn sweep(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
        let owner = entry.file_name().to_str().and_then(owner_of);
        if socket && owner.is_some_and(|pid| !is_alive(pid)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn owner_of(name: &str) -> Option<libc::pid_t> {
    name.split_once('-')?.0.parse().ok().filter(|pid| *pid > 0)
}

fn is_alive(pid: libc::pid_t) -> bool {
    // SAFETY: signal 0 is sent to nobody; it only asks whether the process exists.
    let answer = unsafe { libc::kill(pid, 0) };
    answer == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// The address of a socket of this file name, as it travels in the environment.
pub fn address(dir: &Path, name: &str) -> std::ffi::OsString {
    dir.join(name).into_os_string()
}

pub fn to_name(address: &OsStr) -> io::Result<Name<'_>> {
    Path::new(address).to_fs_name::<GenericFilePath>()
}

/// The peer's pid if the system tells it, after making sure that it is the same user.
pub fn same_user_pid(creds: &PeerCreds) -> io::Result<Option<u32>> {
    if creds.euid().is_some_and(|peer| peer != euid()) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "peer is another user"));
    }
    Ok(creds.pid().and_then(|pid| u32::try_from(pid).ok()))
}

/// Whether a failed connect is worth another try.
pub fn is_busy(_error: &io::Error) -> bool {
    false
}

fn euid() -> u32 {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_run_directory_is_made_closed_to_others() {
        let temp = tempfile::tempdir().expect("a directory");
        let dir = temp.path().join("run");
        prepare_run_dir(&dir, 40).expect("made");
        assert_eq!(fs::metadata(&dir).expect("there").mode() & 0o777, 0o700);
        prepare_run_dir(&dir, 40).expect("and again");
    }

    #[test]
    fn an_open_a_linked_and_a_long_directory_are_refused() {
        let temp = tempfile::tempdir().expect("a directory");
        let open = temp.path().join("open");
        fs::create_dir(&open).expect("made");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).expect("opened");
        let told = prepare_run_dir(&open, 40).expect_err("refused").to_string();
        assert!(told.ends_with("others can enter it (mode 755); chmod 700 it"), "{told}");

        let link = temp.path().join("link");
        std::os::unix::fs::symlink(temp.path(), &link).expect("linked");
        let told = prepare_run_dir(&link, 40).expect_err("refused").to_string();
        assert!(told.ends_with("it is not a directory"), "{told}");

        let long = temp.path().join("x".repeat(100));
        assert!(matches!(prepare_run_dir(&long, 40), Err(IpcError::NameTooLong { .. })));
        assert!(!long.exists(), "nothing is made of a name that cannot be used");
    }

    #[test]
    fn the_sweep_takes_only_sockets_of_the_dead() {
        let temp = tempfile::tempdir().expect("a directory");
        // The largest pid that Linux gives out is 4194304.
        let names = ["4194999-dead".to_owned(), format!("{}-alive", std::process::id()), "other".into()];
        let paths = names.map(|name| temp.path().join(name));
        for path in &paths {
            drop(UnixListener::bind(path).expect("bound"));
        }
        let file = temp.path().join("4194999-file");
        fs::write(&file, "not a socket").expect("written");
        sweep(temp.path());
        assert_eq!(paths.each_ref().map(|path| path.exists()), [false, true, true]);
        assert!(file.exists());
    }
}
