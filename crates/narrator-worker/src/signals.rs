//! Which signals a serving worker leaves to the orchestrator.

/// Ignores SIGINT and SIGTERM. Whoever interrupts a night's work means the orchestrator, which then
/// drains; a worker that died of the same Ctrl-C would take its segment with it. SIGABRT, SIGKILL and the
/// end of the pipe still end it.
#[cfg(unix)]
pub fn leave_to_orchestrator() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: SIG_IGN runs no code of ours; called before any thread is started.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

#[cfg(not(unix))]
pub fn leave_to_orchestrator() {}
