//! The job's structured events: one JSON object a line in `logs/narratord.jsonl`.
//!
//! Every line has `time` (RFC 3339, UTC), `level` and `event`, a stable name; the other fields depend on
//! the event. Invariant: logging never stands in the way. Lines go through a bounded queue to a thread
//! of their own; when the queue is full or the disk refuses them they are dropped, counted, and the
//! count is written as `log_lines_lost` once writing works again.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Lines that may wait for the disk before new ones are dropped: minutes of a busy run.
const QUEUE_LINES: usize = 8192;
/// A file is put aside at this size: small enough for any editor.
const ROTATE_BYTES: u64 = 16 << 20;
/// A file is put aside when its first line is this old, so that one night is one or two files, however
/// often the run was started again.
const ROTATE_AGE: Duration = Duration::from_hours(24);
/// Files put aside that are kept.
pub const KEPT_FILES: usize = 9;

/// What an event means to the operator: ERROR is data at risk or a person needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// A handle on the event log; clones write to the same file.
#[derive(Clone, Debug)]
pub struct EventLog {
    lines: SyncSender<String>,
    lost: Arc<AtomicU64>,
}

/// Keeps the writer thread; dropping it after the last [`EventLog`] waits until everything is written.
#[derive(Debug)]
pub struct EventWriter {
    thread: Option<JoinHandle<()>>,
}

impl Drop for EventWriter {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

/// Path of the live log in a job's log folder.
pub fn live_path(logs: &Path) -> PathBuf {
    logs.join("narratord.jsonl")
}

/// Path of the `n`-th file put aside, 1 the youngest.
pub fn rotated_path(logs: &Path, n: usize) -> PathBuf {
    logs.join(format!("narratord.{n}.jsonl"))
}

/// Opens the log of a job. It cannot fail: a log that cannot be written is tried again with every line.
pub fn open(logs: &Path) -> (EventLog, EventWriter) {
    let (sender, receiver) = mpsc::sync_channel(QUEUE_LINES);
    let lost = Arc::new(AtomicU64::new(0));
    let mut sink = Sink { logs: logs.to_path_buf(), file: None, lost: lost.clone() };
    let thread = std::thread::Builder::new().name("events".into()).spawn(move || sink.run(&receiver)).ok();
    (EventLog { lines: sender, lost }, EventWriter { thread })
}

impl EventLog {
    /// Writes an event that carries its own name in the field `event`.
    pub fn emit_named(&self, level: Level, event: &impl Serialize) {
        let mut fields = serde_json::to_value(event).unwrap_or(Value::Null);
        let name = fields.as_object_mut().and_then(|fields| fields.shift_remove("event"));
        self.emit(level, name.as_ref().and_then(Value::as_str).unwrap_or("event"), &fields);
    }

    /// Writes one event. `fields` must serialise to an object; its keys follow `time`, `level`, `event`.
    pub fn emit(&self, level: Level, event: &str, fields: &impl Serialize) {
        let line = line(level, event, serde_json::to_value(fields).unwrap_or(Value::Null));
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.lines.try_send(line) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn line(level: Level, event: &str, fields: Value) -> String {
    let mut object = Map::new();
    object.insert("time".into(), now().into());
    object.insert("level".into(), serde_json::to_value(level).unwrap_or(Value::Null));
    object.insert("event".into(), event.into());
    match fields {
        Value::Object(fields) => object.extend(fields),
        Value::Null => {}
        other => {
            object.insert("value".into(), other);
        }
    }
    let mut line = Value::Object(object).to_string();
    line.push('\n');
    line
}

/// Now, RFC 3339 in UTC with milliseconds.
pub fn now() -> String {
    rfc3339(narrator_core::clock::unix_ms())
}

/// A wall-clock time as people read it, RFC 3339 in UTC.
pub fn rfc3339(unix_ms: u64) -> String {
    let time = jiff::Timestamp::from_millisecond(unix_ms as i64).unwrap_or_default();
    format!("{time:.3}")
}

/// The time of a log's first line.
fn first_time_ms(path: &Path) -> Option<u64> {
    let mut first = String::new();
    // Longer than any event: a file that is none of ours is not read whole.
    BufReader::new(File::open(path).ok()?).take(64 * 1024).read_line(&mut first).ok()?;
    let event: Value = serde_json::from_str(&first).ok()?;
    let time: jiff::Timestamp = event["time"].as_str()?.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

struct Sink {
    logs: PathBuf,
    file: Option<Open>,
    lost: Arc<AtomicU64>,
}

struct Open {
    file: File,
    bytes: u64,
    /// When its first line was written, on the wall clock: what a file is put aside for is for people. A
    /// clock that was set back only puts it off.
    since_ms: u64,
}

impl Open {
    fn is_full(&self) -> bool {
        let age_ms = narrator_core::clock::unix_ms().saturating_sub(self.since_ms);
        self.bytes >= ROTATE_BYTES || u128::from(age_ms) >= ROTATE_AGE.as_millis()
    }
}

impl Sink {
    fn run(&mut self, lines: &Receiver<String>) {
        while let Ok(mut text) = lines.recv() {
            let mut count = 1;
            while let Ok(more) = lines.try_recv() {
                text.push_str(&more);
                count += 1;
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                text.push_str(&line(Level::Warn, "log_lines_lost", serde_json::json!({ "lines": lost })));
            }
            if self.write(&text).is_err() {
                self.file = None;
                self.lost.fetch_add(lost + count, Ordering::Relaxed);
            }
        }
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        if self.file.is_none() {
            self.file = Some(self.open()?);
        }
        if self.file.as_ref().is_some_and(Open::is_full) {
            self.file = None;
            self.rotate()?;
        }
        let open = match &mut self.file {
            Some(open) => open,
            None => self.file.insert(self.open()?),
        };
        open.file.write_all(text.as_bytes())?;
        open.bytes += text.len() as u64;
        Ok(())
    }

    fn open(&self) -> std::io::Result<Open> {
        std::fs::create_dir_all(&self.logs)?;
        let path = live_path(&self.logs);
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let bytes = file.metadata()?.len();
        let since_ms = first_time_ms(&path).unwrap_or_else(narrator_core::clock::unix_ms);
        Ok(Open { file, bytes, since_ms })
    }

    fn rotate(&self) -> std::io::Result<()> {
        for n in (1..KEPT_FILES).rev() {
            let from = rotated_path(&self.logs, n);
            if from.exists() {
                std::fs::rename(from, rotated_path(&self.logs, n + 1))?;
            }
        }
        std::fs::rename(live_path(&self.logs), rotated_path(&self.logs, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(logs: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(live_path(logs)).expect("the log is there");
        text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }

    #[test]
    fn events_are_flat_json_lines_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let (log, writer) = open(dir.path());
        log.emit(Level::Info, "run_started", &serde_json::json!({ "segments": 3 }));
        log.emit(Level::Warn, "worker_died", &serde_json::json!({ "slot": 1 }));
        drop(log);
        drop(writer);
        let lines = written(dir.path());
        assert_eq!(lines[0]["event"], "run_started");
        assert_eq!(lines[0]["segments"], 3);
        assert_eq!(lines[1]["level"], "warn");
        assert!(lines[1]["time"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn a_log_that_cannot_be_written_loses_lines_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("file");
        std::fs::write(&blocked, "in the way").unwrap();
        let (log, writer) = open(&blocked);
        log.emit(Level::Info, "run_started", &());
        drop(log);
        drop(writer);
    }

    #[test]
    fn a_full_file_is_put_aside_under_the_next_number() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(rotated_path(dir.path(), 1), "older\n").unwrap();
        std::fs::write(live_path(dir.path()), "old\n").unwrap();
        let mut sink = Sink { logs: dir.path().into(), file: None, lost: Arc::default() };
        sink.write("a\n").unwrap();
        sink.file.as_mut().unwrap().bytes = ROTATE_BYTES;
        sink.write("b\n").unwrap();
        assert_eq!(std::fs::read_to_string(live_path(dir.path())).unwrap(), "b\n");
        assert_eq!(std::fs::read_to_string(rotated_path(dir.path(), 1)).unwrap(), "old\na\n");
        assert_eq!(std::fs::read_to_string(rotated_path(dir.path(), 2)).unwrap(), "older\n");
    }

    #[test]
    fn a_file_a_day_old_is_put_aside_though_the_run_is_young() {
        let dir = tempfile::tempdir().unwrap();
        let day_ms = ROTATE_AGE.as_millis() as u64;
        let now_ms = narrator_core::clock::unix_ms();
        let line = |age_ms| format!("{{\"time\":\"{}\"}}\n", rfc3339(now_ms - age_ms));
        let rotated = |first: String| {
            std::fs::write(live_path(dir.path()), &first).unwrap();
            let mut sink = Sink { logs: dir.path().into(), file: None, lost: Arc::default() };
            sink.write("new\n").unwrap();
            std::fs::read_to_string(live_path(dir.path())).unwrap() == "new\n"
        };
        assert!(rotated(line(day_ms + 1000)));
        assert!(std::fs::read_to_string(rotated_path(dir.path(), 1)).unwrap().contains("time"));
        assert!(!rotated(line(day_ms - 60_000)), "younger than a day");
        assert!(!rotated("torn".into()), "of unknown age: from now on");
        // Written before the clock was set back a day.
        assert!(!rotated(format!("{{\"time\":\"{}\"}}\n", rfc3339(now_ms + day_ms))));
    }

    #[test]
    fn times_read_as_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
    }
}
