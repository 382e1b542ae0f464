//! SIGINT and SIGTERM: the first drains, the second stops now.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What was asked for, by whom.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    by_person: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
}

/// A request to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Finish what is being spoken, then stop.
    Drain,
    /// Stop now.
    StopNow,
}

impl Signals {
    /// Whether the request came from a person (SIGINT), not from the machine (SIGTERM).
    pub fn by_person(&self) -> bool {
        self.by_person.load(Ordering::Relaxed)
    }

    /// Waits for signals for ever, and reports each.
    pub async fn report(self, mut to: impl FnMut(Asked)) {
        let Ok(mut terminate) = Terminate::new() else { return };
        loop {
            let person = tokio::select! {
                caught = tokio::signal::ctrl_c() => {
                    if caught.is_err() {
                        return;
                    }
                    true
                }
                () = terminate.recv() => false,
            };
            self.by_person.fetch_or(person, Ordering::Relaxed);
            let again = self.asked.swap(true, Ordering::Relaxed);
            to(if again { Asked::StopNow } else { Asked::Drain });
        }
    }

    /// A flag that is set when a signal comes, watched by a thread of its own: for the assembly, which is
    /// one long call.
    pub fn watch_for_end(&self) -> Arc<AtomicBool> {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        // Without the thread a signal ends the process at once: the audiobook is written by rename, so
        // nothing half-made is left under its name either way.
        self.clone().report_from_thread(move |_| flag.store(true, Ordering::Relaxed));
        stop
    }

    /// Reports signals for ever from a thread of its own, for callers that are no async code.
    pub fn report_from_thread(self, to: impl FnMut(Asked) + Send + 'static) {
        let watch = move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            runtime.block_on(self.report(to));
        };
        let _ = std::thread::Builder::new().name("signals".into()).spawn(watch);
    }
}

#[cfg(unix)]
struct Terminate(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Terminate {
    fn new() -> std::io::Result<Self> {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map(Self)
    }

    async fn recv(&mut self) {
        self.0.recv().await;
    }
}

#[cfg(windows)]
struct Terminate(tokio::signal::windows::CtrlShutdown);

#[cfg(windows)]
impl Terminate {
    fn new() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_shutdown().map(Self)
    }

    async fn recv(&mut self) {
        self.0.recv().await;
    }
}
