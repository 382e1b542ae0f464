//! The listener and the raw stream: what would change if interprocess did.

use std::ffi::OsStr;
use std::io;
use std::time::Duration;

use interprocess::local_socket::tokio::prelude::*;
use interprocess::local_socket::{ConnectOptions, ListenerOptions};
use narrator_proto::Nonce;
use tokio::time::{Instant, sleep};

use crate::{Invitation, IpcError, RunDir, os};

pub(crate) use interprocess::local_socket::tokio::Stream;

/// Pause between tries at a pipe whose listener is between two accepts.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Waits for one worker at a name of its own. Dropping it unlinks the name.
#[derive(Debug)]
pub struct Listener {
    inner: LocalSocketListener,
    invitation: Invitation,
}

impl Listener {
    /// Listens at a fresh name with a fresh nonce. To be called inside a tokio runtime.
    pub fn bind(run_dir: &RunDir) -> Result<Self, IpcError> {
        let address = run_dir.fresh_address();
        let nonce = Nonce::from_bytes(rand::random());
        let inner = os::to_name(&address)
            .and_then(|name| ListenerOptions::new().name(name).create_tokio())
            .map_err(|source| IpcError::Bind { name: address.display().to_string(), source })?;
        Ok(Self { inner, invitation: Invitation::new(address, nonce) })
    }

    /// What the child is to get.
    pub fn invitation(&self) -> &Invitation {
        &self.invitation
    }

    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        self.inner.accept().await
    }
}

/// Connects to a listener. On Windows a pipe may be busy for a moment, hence the deadline.
pub(crate) async fn connect(address: &OsStr, deadline: Instant) -> io::Result<Stream> {
    loop {
        match ConnectOptions::new().name(os::to_name(address)?).connect_tokio().await {
            Err(error) if os::is_busy(&error) && Instant::now() < deadline => sleep(BUSY_PAUSE).await,
            result => return result,
        }
    }
}

/// The peer's pid if the system tells it; an error if it is another user.
pub(crate) fn same_user_pid(stream: &Stream) -> io::Result<Option<u32>> {
    os::same_user_pid(&stream.peer_creds()?)
}
