//! A panic's last words: the orchestrator hears what happened before the process is gone.

use std::panic::PanicHookInfo;
use std::time::Duration;

use narrator_proto::{Fatal, FatalKind, FromWorker};

use super::outbox::Outbox;

/// How long a dying process may hold on for its words to be read.
const PATIENCE: Duration = Duration::from_secs(1);

/// From now on a panic on any thread is reported and ends the process by SIGABRT, in every build profile:
/// a worker with a thread less must not go on.
pub fn install(outbox: Outbox, io_thread: &'static str) {
    std::panic::set_hook(Box::new(move |info| {
        let message = describe(info);
        tracing::error!(event = "worker.panicked", message);
        // The IO thread cannot wait for itself.
        if std::thread::current().name() != Some(io_thread) {
            let fatal = Fatal { kind: FatalKind::Panicked, message };
            outbox.last_words(&FromWorker::Fatal(fatal), PATIENCE);
        }
        std::process::abort();
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let what = info.payload_as_str().unwrap_or("a panic without words");
    match info.location() {
        Some(place) => super::guard::brief(&format!("{what} at {}:{}", place.file(), place.line())),
        None => super::guard::brief(what),
    }
}
