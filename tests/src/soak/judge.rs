//! Stands between a program and its disk, and lets system calls fail.
//!
//! The program under test is the real one, unchanged: a seccomp filter, put on between fork and exec, sends
//! its fsync, rename and pwrite calls here before the kernel carries them out (`man 2
//! seccomp_unotify`). Each is let through, or answered with the error that is due. So an fsync fails as a
//! dying disk would fail it, in the middle of whatever the program was doing.
//!
//! Invariants:
//! - a call that is answered with an error has not happened;
//! - only the program itself is judged: workers inherit the filter, and all that they ask for is allowed;
//! - when the judge is gone the calls fail with `ENOSYS`; a judge outlives its program.
//!
//! Deliberately absent: short writes, since an answer cannot do half of a call. They come from
//! `RLIMIT_FSIZE`: see [`super::orchestrator`].

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use libc::{c_int, c_long, sock_filter};

/// How long the judge waits for a call before it looks whether it is still wanted, in milliseconds.
const LOOK_MS: c_int = 100;

/// Calls that can be made to fail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Call {
    /// `fsync` and `fdatasync`.
    Sync,
    Rename,
    /// `pwrite`: how the journal and the takes are written.
    Write,
}

impl Call {
    fn of(number: c_long) -> Option<Self> {
        let known = NUMBERS.iter().find(|(of, _)| *of == number);
        known.map(|(_, call)| *call)
    }
}

#[cfg(target_arch = "x86_64")]
const NUMBERS: &[(c_long, Call)] = &[
    (libc::SYS_fsync, Call::Sync),
    (libc::SYS_fdatasync, Call::Sync),
    (libc::SYS_rename, Call::Rename),
    (libc::SYS_renameat2, Call::Rename),
    (libc::SYS_pwrite64, Call::Write),
];
#[cfg(not(target_arch = "x86_64"))]
const NUMBERS: &[(c_long, Call)] = &[
    (libc::SYS_fsync, Call::Sync),
    (libc::SYS_fdatasync, Call::Sync),
    (libc::SYS_renameat2, Call::Rename),
    (libc::SYS_pwrite64, Call::Write),
];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// What is to fail, and what did.
#[derive(Debug, Default)]
struct Docket {
    program: u32,
    orders: Vec<Order>,
    /// Every write is refused for want of space.
    full: bool,
    answered: Vec<(Call, i32)>,
}

/// One failure to come.
#[derive(Clone, Copy, Debug)]
struct Order {
    call: Call,
    errno: i32,
    /// So many calls of the kind pass first.
    after: u32,
}

impl Docket {
    /// The error that a call is to be answered with.
    fn judge(&mut self, call: Call) -> Option<i32> {
        let due = self.orders.iter_mut().position(|order| {
            let due = order.call == call && order.after == 0;
            if order.call == call {
                order.after = order.after.saturating_sub(1);
            }
            due
        });
        let mut errno = due.map(|at| self.orders.swap_remove(at).errno);
        if errno.is_none() && self.full && call == Call::Write {
            errno = Some(libc::ENOSPC);
        }
        if let Some(errno) = errno {
            self.answered.push((call, errno));
        }
        errno
    }
}

/// The judge of one program.
#[derive(Debug)]
pub struct Judge {
    docket: Arc<Mutex<Docket>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Judge {
    /// Takes the listener that the program sent over `socket` and begins; `None` where it sent none.
    pub fn over(program: u32, socket: &OwnedFd) -> io::Result<Self> {
        let listener = receive(socket)?;
        let docket = Arc::new(Mutex::new(Docket { program, ..Docket::default() }));
        let over = Arc::new(AtomicBool::new(false));
        let (of, done) = (Arc::clone(&docket), Arc::clone(&over));
        let thread =
            std::thread::Builder::new().name("judge".into()).spawn(move || sit(&listener, &of, &done))?;
        Ok(Self { docket, over, thread: Some(thread) })
    }

    fn docket(&self) -> MutexGuard<'_, Docket> {
        self.docket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call fail once, after so many of its kind.
    pub fn order(&self, call: Call, errno: i32, after: u32) {
        self.docket().orders.push(Order { call, errno, after });
    }

    /// Fills the disk, or makes room.
    pub fn full(&self, full: bool) {
        self.docket().full = full;
    }

    /// Calls that were answered with an error, in order, since this was last asked.
    pub fn answered(&self) -> Vec<(Call, i32)> {
        std::mem::take(&mut self.docket().answered)
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn sit(listener: &OwnedFd, docket: &Mutex<Docket>, over: &AtomicBool) {
    let fd = listener.as_raw_fd();
    while !over.load(Ordering::Relaxed) {
        let mut waiting = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, which lives until the call returns.
        let ready = unsafe { libc::poll(&raw mut waiting, 1, LOOK_MS) };
        if ready <= 0 {
            continue;
        }
        if waiting.revents & libc::POLLIN == 0 {
            // Nobody is left who could ask.
            return;
        }
        // SAFETY: an all-zero notification is what the kernel wants to be given.
        let mut asked: libc::seccomp_notif = unsafe { zeroed() };
        // SAFETY: the kernel writes one notification there.
        if unsafe { libc::ioctl(fd, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked) } != 0 {
            // The asker died, or a signal came between.
            continue;
        }
        let call = Call::of(asked.data.nr.into());
        let errno = call
            .filter(|_| is_thread_of(asked.pid, docket))
            .and_then(|call| docket.lock().unwrap_or_else(PoisonError::into_inner).judge(call));
        let mut answer = libc::seccomp_notif_resp { id: asked.id, val: 0, error: 0, flags: 0 };
        match errno {
            Some(errno) => answer.error = -errno,
            None => answer.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        }
        // An asker that died meanwhile needs no answer.
        // SAFETY: the kernel reads one answer there.
        unsafe { libc::ioctl(fd, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
    }
}

fn is_thread_of(thread: u32, docket: &Mutex<Docket>) -> bool {
    let program = docket.lock().unwrap_or_else(PoisonError::into_inner).program;
    thread == program || std::path::Path::new(&format!("/proc/{program}/task/{thread}")).exists()
}

/// The filter: the judged calls are asked about, all others are free.
pub(super) fn filter() -> Vec<sock_filter> {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const SYSCALL_AT: u32 = 0;
    const ARCHITECTURE_AT: u32 = 4;
    let step = |code, k, jt, jf| sock_filter { code, jt, jf, k };
    let count = NUMBERS.len() as u8;
    let mut filter = vec![
        step(LOAD_WORD, ARCHITECTURE_AT, 0, 0),
        // Another architecture's numbers mean other calls: all the way to the first return.
        step(JUMP_IF_EQUAL, ARCHITECTURE, 0, count + 1),
        step(LOAD_WORD, SYSCALL_AT, 0, 0),
    ];
    for (at, (number, _)) in NUMBERS.iter().enumerate() {
        // Over the rest of the comparisons and the first return.
        filter.push(step(JUMP_IF_EQUAL, *number as u32, count - at as u8, 0));
    }
    filter.push(step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0));
    filter.push(step(RETURN, libc::SECCOMP_RET_USER_NOTIF, 0, 0));
    filter
}

/// Puts the filter on this process and sends its listener over `socket`. For the time between fork and
/// exec: makes system calls and nothing else.
pub(super) fn submit(filter: &[sock_filter], socket: RawFd) -> io::Result<()> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: PR_SET_NO_NEW_PRIVS takes numbers only.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
    // SAFETY: the program and its steps live until the call returns; the kernel copies them.
    let listener = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
    if listener < 0 {
        return Err(io::Error::last_os_error());
    }
    // The listener closes itself on exec.
    send(socket, listener as RawFd)
}

/// Room for the control message that carries one descriptor, aligned as such a message must be.
#[repr(align(8))]
struct Control([u8; 64]);

/// A message of one byte, with room for a descriptor beside it.
fn with_message<T>(act: impl FnOnce(&mut libc::msghdr) -> T) -> T {
    let (mut byte, mut control) = ([0_u8; 1], Control([0; 64]));
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: an all-zero msghdr is a valid empty one.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: CMSG_SPACE computes with its argument and touches nothing.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<c_int>() as u32) } as _;
    act(&mut message)
}

fn send(socket: RawFd, descriptor: RawFd) -> io::Result<()> {
    with_message(|message| {
        // SAFETY: the message has room for one control header and one descriptor, which is what is written.
        let sent = unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<c_int>() as u32) as _;
            libc::CMSG_DATA(header).cast::<c_int>().write_unaligned(descriptor);
            libc::sendmsg(socket, message, 0)
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    })
}

fn receive(socket: &OwnedFd) -> io::Result<OwnedFd> {
    with_message(|message| {
        // SAFETY: the message's buffers live until the call returns.
        let got = unsafe { libc::recvmsg(socket.as_raw_fd(), message, libc::MSG_CMSG_CLOEXEC) };
        // SAFETY: the header, where there is one, lies in the control buffer that recvmsg filled.
        let header = unsafe { libc::CMSG_FIRSTHDR(message) };
        if got <= 0 || header.is_null() {
            return Err(io::Error::other("the program sent no listener"));
        }
        // SAFETY: as above; what came is one descriptor, which is ours from now on.
        Ok(unsafe { OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<c_int>().read_unaligned()) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_due_after_so_many_calls_of_its_kind_and_once() {
        let mut docket = Docket::default();
        docket.orders.push(Order { call: Call::Sync, errno: libc::EIO, after: 1 });
        assert_eq!(docket.judge(Call::Sync), None);
        assert_eq!(docket.judge(Call::Rename), None);
        assert_eq!(docket.judge(Call::Sync), Some(libc::EIO));
        assert_eq!(docket.judge(Call::Sync), None);
        docket.full = true;
        assert_eq!(docket.judge(Call::Write), Some(libc::ENOSPC));
        assert_eq!(docket.judge(Call::Sync), None);
        assert_eq!(docket.answered, [(Call::Sync, libc::EIO), (Call::Write, libc::ENOSPC)]);
    }
}
