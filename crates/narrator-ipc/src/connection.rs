//! Frames both ways over one stream.
//!
//! A [`Connection`] is shared in an `Arc`: one task receives while any number send. Both directions keep
//! their state in the connection, not in the futures, so that a cancelled call loses nothing: a frame
//! that was read in part is read on by the next `recv`, a frame that was written in part is completed by
//! the next `send`. Each direction holds at most one frame.

use std::io;
use std::ops::Range;

use narrator_proto::{Frame, FrameDecoder, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::transport::{self, Stream};
use crate::{Invitation, IpcError};

/// Read at once; a second of audio at 24 kHz takes two of them.
const READ_BYTES: usize = 64 * 1024;

/// One open pipe to a peer.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    incoming: Mutex<Incoming>,
    outgoing: Mutex<Outgoing>,
}

#[derive(Debug)]
struct Incoming {
    decoder: FrameDecoder,
    buffer: Box<[u8]>,
    unread: Range<usize>,
}

#[derive(Debug, Default)]
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Connection {
    pub(crate) fn new(stream: Stream) -> Self {
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        let incoming = Incoming { decoder: FrameDecoder::new(), buffer, unread: 0..0 };
        Self { stream, incoming: Mutex::new(incoming), outgoing: Mutex::default() }
    }

    /// Connects to where the invitation leads, and says nothing yet. Workers use [`crate::join`]; this is
    /// for peers that mean to misbehave.
    pub async fn open(invitation: &Invitation, deadline: Instant) -> Result<Self, IpcError> {
        Ok(Self::new(transport::connect(invitation.address(), deadline).await?))
    }

    /// Sends a message; waits while the peer does not read. Cancelled before its turn it is not sent,
    /// cancelled later it is sent whole by whatever is sent next.
    pub async fn send<M: Message>(&self, message: &M) -> Result<(), IpcError> {
        self.send_frame(&message.to_frame()?).await
    }

    /// As [`Self::send`], for a frame that is there already.
    pub async fn send_frame(&self, frame: &Frame) -> Result<(), IpcError> {
        let mut outgoing = self.outgoing.lock().await;
        outgoing.flush(&self.stream).await?;
        frame.encode_into(&mut outgoing.bytes);
        Ok(outgoing.flush(&self.stream).await?)
    }

    /// Writes bytes that need not be a frame: for peers that mean to misbehave.
    pub async fn send_raw(&self, bytes: &[u8]) -> Result<(), IpcError> {
        let mut outgoing = self.outgoing.lock().await;
        outgoing.flush(&self.stream).await?;
        outgoing.bytes.extend_from_slice(bytes);
        Ok(outgoing.flush(&self.stream).await?)
    }

    /// The next message; `None` when the peer closed the pipe between two frames. After an error that
    /// [`IpcError::is_protocol`] the stream has no place to go on from.
    pub async fn recv<M: Message>(&self) -> Result<Option<M>, IpcError> {
        let frame = self.recv_frame().await?;
        Ok(frame.map(|frame| M::from_frame(&frame)).transpose()?)
    }

    /// As [`Self::recv`], without looking into the frame.
    pub async fn recv_frame(&self) -> Result<Option<Frame>, IpcError> {
        let mut guard = self.incoming.lock().await;
        let Incoming { decoder, buffer, unread } = &mut *guard;
        loop {
            let mut input = &buffer[unread.clone()];
            let result = decoder.feed(&mut input);
            unread.start = unread.end - input.len();
            if let Some(frame) = result? {
                return Ok(Some(frame));
            }
            let read = match (&self.stream).read(buffer).await {
                Ok(read) => read,
                // A peer that died with bytes of ours unread, and a closed pipe on Windows.
                Err(error) if is_closed(&error) => 0,
                Err(error) => return Err(error.into()),
            };
            if read == 0 {
                decoder.finish()?;
                return Ok(None);
            }
            *unread = 0..read;
        }
    }
}

impl Outgoing {
    async fn flush(&mut self, mut stream: &Stream) -> io::Result<()> {
        while self.sent < self.bytes.len() {
            match stream.write(&self.bytes[self.sent..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => self.sent += written,
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Ok(())
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
