//! The rough ends of a process: signals, stray processes, sudden death.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::Birthplace;

/// Makes SIGABRT a signal like any other that is ignored.
pub(super) fn survive_abort() {
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(libc::SIGABRT, libc::SIG_IGN) };
}

/// Ends as a failed assertion of a C++ library does.
pub(super) fn abort() -> ! {
    let _ = writeln!(std::io::stderr(), "terminate called after throwing an instance of 'c10::Error'");
    std::process::abort()
}

pub(super) fn signal_self(signal: libc::c_int) {
    crate::processes::signal(std::process::id(), signal);
}

#[expect(clippy::exit, reason = "a misdeed is an exit in the middle of everything")]
pub(super) fn exit(code: i32) -> ! {
    std::process::exit(code)
}

/// Starts a process outside the group that holds every socket of this one, for some seconds.
#[expect(clippy::disallowed_methods, reason = "a grandchild is what this is about")]
pub(super) fn leave_a_grandchild(place: &Birthplace, birth: u64) {
    for entry in std::fs::read_dir("/proc/self/fd").into_iter().flatten().filter_map(Result::ok) {
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        let socket = target.to_string_lossy().starts_with("socket:");
        let descriptor: Option<i32> = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(descriptor) = descriptor.filter(|_| socket) {
            // SAFETY: F_SETFD on a descriptor of this process touches no memory.
            unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) };
        }
    }
    let child = Command::new("sleep")
        .arg("20")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    if let Ok(child) = child {
        place.record_of(birth, child.id(), "grandchild", "");
    }
}

/// Ends the connection to a named socket under the feet of whoever uses it.
pub(super) fn close_pipe() {
    for entry in std::fs::read_dir("/proc/self/fd").into_iter().flatten().filter_map(Result::ok) {
        let descriptor: Option<i32> = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(descriptor) = descriptor
            && has_named_peer(descriptor)
        {
            // Shut down and not closed: the number stays taken, so that nothing else gets it.
            // SAFETY: shutdown on a descriptor of this process touches no memory.
            unsafe { libc::shutdown(descriptor, libc::SHUT_RDWR) };
        }
    }
}

/// The runtime has sockets of its own, between nameless ends.
fn has_named_peer(descriptor: i32) -> bool {
    // SAFETY: an all-zero sockaddr_un is a valid one.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: getpeername writes at most `length` bytes to `address`, which has as many.
    let known = unsafe { libc::getpeername(descriptor, (&raw mut address).cast(), &raw mut length) };
    known == 0 && length as usize > size_of::<libc::sa_family_t>()
}
