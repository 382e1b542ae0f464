//! The pipe between narratord and a worker: names, listener, connection, handshake.
//!
//! This is the one crate that names interprocess. One listener and one connection a worker:
//!
//! ```text
//!  narratord                                          narrator-worker
//!  RunDir::open ─▶ Listener::bind ── Invitation ──▶   (environment of the child)
//!  accept_worker ◀───────────────── Hello ─────────   join
//!                ───────── Welcome or Refuse ─────▶
//!  Connection    ◀──────────── frames ────────────▶   Connection
//! ```
//!
//! Invariants:
//! - a name is fresh, 128 random bits inside a directory that only this user can enter, and is unlinked as
//!   soon as the handshake is over, whatever its end;
//! - nobody but the child gets further than its credentials, on systems that tell them;
//! - a connection holds at most one frame each way, whatever the peer sends;
//! - sending and receiving can be cancelled at any await without a frame cut in two.
//!
//! What this crate deliberately does not do: spawn, supervise, retry, or decide what a fault costs. It
//! never splits a stream into halves (deprecated in interprocess since dropping a half shuts nothing), and
//! it never relies on flush or shutdown (no-ops for pipes on Windows): the end of a conversation is a
//! message, [`narrator_proto::FromWorker::Goodbye`].

mod connection;
mod error;
mod handshake;
mod invitation;
#[cfg_attr(unix, path = "os/unix.rs")]
#[cfg_attr(windows, path = "os/windows.rs")]
mod os;
mod run_dir;
mod transport;

pub use connection::Connection;
pub use error::{HandshakeError, IpcError, JoinError};
pub use handshake::{Terms, accept_worker, join};
pub use invitation::{ENV_NONCE, ENV_SOCKET, Invitation};
pub use run_dir::RunDir;
pub use transport::Listener;
