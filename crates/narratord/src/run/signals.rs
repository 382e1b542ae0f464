//! SIGINT and SIGTERM: the first drains, the second stops now.
//!
//! They are caught by a thread of their own from the moment that there is something to end in order, so that
//! none is lost between two stages of a run, and the assembly, one long call, hears of them as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// What was asked for, by whom.
#[derive(Clone, Debug)]
pub struct Signals {
    by_person: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
    /// How many have come.
    times: watch::Receiver<u32>,
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
    /// Catches signals from now until the process ends.
    ///
    /// Where the thread cannot be started, a signal ends the process at once, as it would have before: all
    /// that counts is written by rename or by record, so nothing half-made is left under its name.
    pub fn catch() -> Self {
        Self::catch_and(|_| ())
    }

    /// Catches signals, and calls `tell` for each with whether it came from a person.
    pub fn catch_and(mut tell: impl FnMut(bool) + Send + 'static) -> Self {
        let (sender, times) = watch::channel(0);
        let signals = Self { by_person: Arc::default(), asked: Arc::default(), times };
        let caught = signals.clone();
        let (ready, begun) = std::sync::mpsc::channel();
        let watch = move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            runtime.block_on(async {
                let Ok(mut next) = Next::new() else { return };
                let _ = ready.send(());
                while let Some(person) = next.signal().await {
                    caught.by_person.fetch_or(person, Ordering::Relaxed);
                    caught.asked.store(true, Ordering::Relaxed);
                    sender.send_modify(|times| *times += 1);
                    tell(person);
                }
            });
        };
        if std::thread::Builder::new().name("signals".into()).spawn(watch).is_ok() {
            // From here on none is lost; an error means that the thread has given up.
            let _ = begun.recv();
        }
        signals
    }

    /// Whether one of them came from a person (SIGINT), not from the machine (SIGTERM).
    pub fn by_person(&self) -> bool {
        self.by_person.load(Ordering::Relaxed)
    }

    /// Set as soon as one has come.
    pub fn asked(&self) -> &AtomicBool {
        &self.asked
    }

    /// Reports each, those that came before as well.
    pub async fn report(mut self, mut to: impl FnMut(Asked)) {
        let mut told = 0;
        loop {
            let times = *self.times.borrow_and_update();
            while told < times {
                to(if told == 0 { Asked::Drain } else { Asked::StopNow });
                told += 1;
            }
            if self.times.changed().await.is_err() {
                return;
            }
        }
    }
}

/// The next signal.
struct Next {
    interrupt: Interrupt,
    terminate: Terminate,
}

impl Next {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: interrupt()?, terminate: terminate()? })
    }

    /// Whether it came from a person; nothing when there will be no more.
    async fn signal(&mut self) -> Option<bool> {
        tokio::select! {
            caught = self.interrupt.recv() => caught.map(|()| true),
            caught = self.terminate.recv() => caught.map(|()| false),
        }
    }
}

#[cfg(unix)]
use self::unix::{Interrupt, Terminate, interrupt, terminate};
#[cfg(windows)]
use self::windows::{Interrupt, Terminate, interrupt, terminate};

#[cfg(unix)]
mod unix {
    pub use tokio::signal::unix::{Signal as Interrupt, Signal as Terminate};
    use tokio::signal::unix::{SignalKind, signal};

    pub fn interrupt() -> std::io::Result<Interrupt> {
        signal(SignalKind::interrupt())
    }

    pub fn terminate() -> std::io::Result<Terminate> {
        signal(SignalKind::terminate())
    }
}

#[cfg(windows)]
mod windows {
    pub use tokio::signal::windows::{CtrlC as Interrupt, CtrlShutdown as Terminate};
    pub use tokio::signal::windows::{ctrl_c as interrupt, ctrl_shutdown as terminate};
}
