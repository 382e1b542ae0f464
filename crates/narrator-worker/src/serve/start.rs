//! The beginning and the end of serving.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use narrator_engine::EngineError;
use narrator_ipc::{Invitation, JoinError, join};
use narrator_proto::{FromWorker, ToWorker};
use tokio::runtime;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::compute::{self, Ending, Loaded, Order};
use super::io::{COMMANDS, IoEnd, converse};
use super::last_words;
use super::outbox::{Outbox, Outgoing};
use super::pulse::Pulse;
use crate::exit::Exit;

/// Connecting, hello and welcome: promise S2's ten seconds.
const JOIN_PATIENCE: Duration = Duration::from_secs(10);
/// How long the last frame may take.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(5);
const IO_THREAD: &str = "narrator-io";

/// Joins the orchestrator that spawned this process, and works for it until the end.
pub fn serve<L>(engines: &[&str], loader: L) -> Exit
where
    L: FnOnce(&Order, &mut dyn FnMut(u64, u64)) -> Result<Loaded, EngineError>,
{
    let engines = engines.iter().map(|&name| name.to_owned()).collect();
    let (outbox, outgoing) = Outbox::new();
    last_words::install(outbox.clone(), IO_THREAD);
    let (commands, orders) = channel(COMMANDS);
    let pulse = Arc::new(Pulse::default());
    let (joined, join_result) = sync_channel(1);
    let io = Io { engines, commands, outgoing, pulse: Arc::clone(&pulse), joined };
    if let Err(error) = thread::Builder::new().name(IO_THREAD.into()).spawn(|| io.run()) {
        tracing::error!(event = "worker.thread_failed", %error);
        return Exit::Unavailable;
    }
    match join_result.recv() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(event = "worker.join_failed", %error);
            return exit_of_join(&error);
        }
        Err(_) => return Exit::Stopped,
    }
    let ending = compute::run(loader, orders, &outbox, &pulse);
    tracing::info!(event = "worker.ending", ?ending);
    match ending {
        Ending::Drained => {
            outbox.last_words(&FromWorker::Goodbye, GOODBYE_PATIENCE);
            Exit::Done
        }
        Ending::Orphaned => Exit::Stopped,
        Ending::Fatal(fatal) => {
            let exit = fatal.kind.into();
            outbox.last_words(&FromWorker::Fatal(fatal), GOODBYE_PATIENCE);
            exit
        }
    }
}

fn exit_of_join(error: &JoinError) -> Exit {
    match error {
        JoinError::NotInvited { .. } | JoinError::BadInvitation { .. } => Exit::Usage,
        JoinError::Refused(_) | JoinError::OutOfTurn { .. } => Exit::Config,
        JoinError::Ipc(error) if error.is_protocol() => Exit::Config,
        _ => Exit::Stopped,
    }
}

/// What the IO thread takes with it.
struct Io {
    engines: Vec<String>,
    commands: Sender<ToWorker>,
    outgoing: Receiver<Outgoing>,
    pulse: Arc<Pulse>,
    joined: SyncSender<Result<(), JoinError>>,
}

impl Io {
    fn run(self) {
        let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return self.not_joined(JoinError::Unreachable(error)),
        };
        runtime.block_on(self.talk());
    }

    async fn talk(self) {
        let invited = match Invitation::from_env() {
            Ok(invitation) => join(&invitation, self.engines.clone(), JOIN_PATIENCE).await,
            Err(error) => Err(error),
        };
        let (connection, welcome) = match invited {
            Ok(joined) => joined,
            Err(error) => return self.not_joined(error),
        };
        // The main thread waits for this; when it is gone the process is ending.
        let _ = self.joined.send(Ok(()));
        let end = converse(connection, welcome, self.commands, self.outgoing, self.pulse).await;
        if end != IoEnd::Finished {
            outlive(Duration::from_millis(welcome.orphan_grace_ms.into())).await;
        }
    }

    fn not_joined(self, error: JoinError) {
        let _ = self.joined.send(Err(error));
    }
}

/// The pipe is gone, and with it the reason to be. Compute has been told by the end of its commands; when
/// it is stuck in a kernel or an allocator it does not listen, and the process must end all the same.
async fn outlive(grace: Duration) {
    tokio::time::sleep(grace).await;
    tracing::error!(event = "worker.orphaned", "compute did not end with the pipe");
    std::process::abort();
}
