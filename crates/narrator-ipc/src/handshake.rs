//! Who may speak: both ends of the handshake.
//!
//! The orchestrator judges each peer by what the system says of it before it reads a byte:
//!
//! | peer | treatment |
//! |---|---|
//! | another user, or a pid that is not the child's | dropped unread; the wait goes on |
//! | the child | its first word decides: welcome, or refused with a reason |
//! | nobody knows (systems that tell no pid) | as the child once it gives the nonce, else dropped |
//!
//! So a stranger can neither take the child's place nor make it late, and what is wrong with the child
//! is told at once.

use std::time::Duration;

use narrator_proto::{
    BUILD_ID, FrameError, FromWorker, Hello, Message, MessageError, Nonce, ProtocolVersion, Refusal,
    ToWorker, Welcome,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::transport::{Stream, same_user_pid};
use crate::{Connection, HandshakeError, Invitation, IpcError, JoinError, Listener};

/// Peers that may be listened to at once while the child is awaited; the rest is dropped.
const MAX_CANDIDATES: usize = 16;
/// How long a peer that is not known to be the child may be silent.
const STRANGER_PATIENCE: Duration = Duration::from_secs(2);
/// How long a refusal may take to be delivered before the pipe is closed anyway.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(1);

/// What the orchestrator expects of a worker and tells it.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub child_pid: u32,
    /// How long connecting and saying hello may take.
    pub within: Duration,
    /// Take a worker of another build: for people who debug, never by itself.
    pub allow_build_skew: bool,
    pub welcome: Welcome,
}

impl Terms {
    /// Ten seconds (promise S2), the same build, and the default welcome.
    pub fn for_child(child_pid: u32) -> Self {
        let within = Duration::from_secs(10);
        Self { child_pid, within, allow_build_skew: false, welcome: Welcome::default() }
    }
}

/// Waits for the child, checks its hello and welcomes it. The listener's name is gone afterwards,
/// whatever the end.
pub async fn accept_worker(listener: Listener, terms: Terms) -> Result<(Connection, Hello), HandshakeError> {
    let within = terms.within;
    timeout(within, await_child(&listener, terms)).await.unwrap_or(Err(HandshakeError::Silent { within }))
}

/// Connects as the invitation says, says hello, and waits for the welcome.
pub async fn join(
    invitation: &Invitation,
    engines: Vec<String>,
    within: Duration,
) -> Result<(Connection, Welcome), JoinError> {
    let deadline = Instant::now() + within;
    let conversation = async {
        let connection = Connection::open(invitation, deadline).await.map_err(|error| match error {
            IpcError::Io(error) => JoinError::Unreachable(error),
            other => other.into(),
        })?;
        connection.send(&FromWorker::Hello(Hello::of_this_process(invitation.nonce(), engines))).await?;
        match connection.recv().await? {
            None => Err(JoinError::Gone),
            Some(ToWorker::Welcome(welcome)) => Ok((connection, welcome)),
            Some(ToWorker::Refuse(refusal)) => Err(JoinError::Refused(refusal)),
            Some(other) => Err(JoinError::OutOfTurn { found: name_of(&other) }),
        }
    };
    timeout(within, conversation).await.unwrap_or(Err(JoinError::Silent { within }))
}

/// Why one connection was not welcomed.
enum Rejected {
    /// Known not to be the child, or never proved to be: the wait goes on.
    Stranger,
    Child(HandshakeError),
}

type Heard = Result<(Connection, Hello), Rejected>;

async fn await_child(listener: &Listener, terms: Terms) -> Result<(Connection, Hello), HandshakeError> {
    let nonce = listener.invitation().nonce();
    let mut candidates = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(stream) => consider(stream, nonce, terms, &mut candidates),
                Err(error) => return Err(IpcError::Io(error).into()),
            },
            Some(heard) = candidates.join_next() => match heard.unwrap_or(Err(Rejected::Stranger)) {
                Ok(welcomed) => return Ok(welcomed),
                Err(Rejected::Child(error)) => return Err(error),
                Err(Rejected::Stranger) => warn!(event = "handshake_stranger", "a peer left without a proof"),
            },
        }
    }
}

/// Drops a stranger, or listens to a peer that may be the child.
fn consider(stream: Stream, nonce: Nonce, terms: Terms, candidates: &mut JoinSet<Heard>) {
    let known = match same_user_pid(&stream) {
        Ok(Some(pid)) if pid == terms.child_pid => true,
        Ok(None) => false,
        Ok(Some(pid)) => {
            warn!(event = "handshake_stranger", pid, child = terms.child_pid, "another process connected");
            return;
        }
        Err(error) => {
            warn!(event = "handshake_stranger", %error, "a peer that cannot be known connected");
            return;
        }
    };
    if candidates.len() >= MAX_CANDIDATES {
        warn!(event = "handshake_crowded", limit = MAX_CANDIDATES, "too many peers at once");
        return;
    }
    let connection = Connection::new(stream);
    candidates.spawn(async move {
        if known {
            return hear(connection, nonce, terms).await.map_err(Rejected::Child);
        }
        let heard = timeout(STRANGER_PATIENCE, hear(connection, nonce, terms)).await;
        match heard {
            Ok(Ok(welcomed)) => Ok(welcomed),
            // The nonce was right, so that this is about the child.
            Ok(Err(error @ HandshakeError::Refused(Refusal::Build { .. } | Refusal::Pid { .. }))) => {
                Err(Rejected::Child(error))
            }
            _ => Err(Rejected::Stranger),
        }
    });
}

/// Listens to one peer's first frame and answers it.
async fn hear(
    connection: Connection,
    nonce: Nonce,
    terms: Terms,
) -> Result<(Connection, Hello), HandshakeError> {
    let verdict = match connection.recv_frame().await {
        Ok(None) => return Err(HandshakeError::Gone),
        // It died in the middle of its first word: that is no other kind of program.
        Err(IpcError::Message(MessageError::Frame(FrameError::Truncated { .. }))) => {
            return Err(HandshakeError::Gone);
        }
        Ok(Some(frame)) => match FromWorker::from_frame(&frame) {
            Ok(FromWorker::Hello(hello)) => judge(&hello, nonce, &terms).map(|()| hello),
            Ok(other) => {
                Err(Refusal::NotTheProtocol { why: format!("its first word was {}", name_of(&other)) })
            }
            Err(error) => Err(Refusal::NotTheProtocol { why: error.to_string() }),
        },
        Err(IpcError::Message(error)) => Err(Refusal::NotTheProtocol { why: error.to_string() }),
        Err(error) => return Err(error.into()),
    };
    match verdict {
        Ok(hello) => {
            connection.send(&ToWorker::Welcome(terms.welcome)).await?;
            Ok((connection, hello))
        }
        Err(refusal) => {
            // Told as a courtesy: the peer may be gone, or may not read.
            let answer = ToWorker::Refuse(refusal.clone());
            let _ = timeout(REFUSAL_PATIENCE, connection.send(&answer)).await;
            Err(HandshakeError::Refused(refusal))
        }
    }
}

/// Whether a hello is the child's. The protocol comes first, since with another major version the rest may
/// mean something else; then the nonce, since what follows is about whoever knows it.
fn judge(hello: &Hello, nonce: Nonce, terms: &Terms) -> Result<(), Refusal> {
    let ours = ProtocolVersion::CURRENT;
    if !ours.speaks_with(hello.protocol) {
        return Err(Refusal::Protocol { worker: hello.protocol, ours });
    }
    if hello.nonce != nonce {
        return Err(Refusal::Nonce);
    }
    if hello.pid != terms.child_pid {
        return Err(Refusal::Pid { claimed: hello.pid, child: terms.child_pid });
    }
    if hello.build != BUILD_ID && !terms.allow_build_skew {
        return Err(Refusal::build(&hello.build));
    }
    Ok(())
}

fn name_of(message: &impl Message) -> &'static str {
    message.to_frame().map_or("an impossible message", |frame| frame.kind().spec().name)
}
