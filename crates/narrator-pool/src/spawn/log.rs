//! A worker's stderr and stdout as events.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use narrator_core::{Incarnation, SlotId};
use tracing::info;

/// Longer lines are cut here: somebody prints a tensor.
const LONGEST_LINE: u64 = 8 * 1024;

/// Reads a worker's log until its last writer is gone. The last line comes out at the end.
pub(super) fn carry(
    stream: impl Read + Send + 'static,
    slot: SlotId,
    incarnation: Incarnation,
    pid: u32,
) -> LastLine {
    let (sender, receiver) = sync_channel(1);
    let name = format!("worker-log-{incarnation}");
    // Without a thread the log is lost and nothing else.
    let _ = std::thread::Builder::new().name(name).stack_size(64 * 1024).spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut last = None;
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            match reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&bytes);
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            info!(event = "worker_log", slot = slot.0, incarnation = incarnation.0, pid, "{line}");
            last = Some(line.to_owned());
        }
        let _ = sender.send(last);
    });
    LastLine { receiver }
}

/// The last line of a log, once it ended.
pub(super) struct LastLine {
    receiver: Receiver<Option<String>>,
}

impl LastLine {
    /// Waits a little: a process that left its group may hold the log open for ever.
    pub fn wait(self) -> Option<String> {
        self.receiver.recv_timeout(Duration::from_millis(500)).ok().flatten()
    }
}
