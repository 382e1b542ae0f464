//! `narratord logs`: a job's events, filtered, followed over rotation.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::cli::LogsArgs;
use crate::error::Failure;
use crate::events::{KEPT_FILES, Level, live_path, rotated_path};
use crate::exit::Exit;
use crate::job::JobDir;

/// How often a followed log is looked at.
const POLL: Duration = Duration::from_millis(200);

pub fn logs(args: &LogsArgs) -> Result<Exit, Failure> {
    let job = JobDir::find(args.job.job.as_deref())?;
    let mut reader = LogReader::open(&job.logs());
    let filter = Filter { segment: args.segment, slot: args.slot, level: args.level };
    let mut stdout = std::io::stdout().lock();
    loop {
        while let Some(line) = reader.next_line() {
            let Some(shown) = show(&line, &filter, args.json) else { continue };
            if writeln!(stdout, "{shown}").and_then(|()| stdout.flush()).is_err() {
                return Ok(Exit::Done);
            }
        }
        if !args.follow {
            return Ok(Exit::Done);
        }
        std::thread::sleep(POLL);
    }
}

struct Filter {
    segment: Option<u32>,
    slot: Option<u16>,
    level: Level,
}

/// The line as it is to be printed; `None` when the filter leaves it out.
fn show(line: &str, filter: &Filter, json: bool) -> Option<String> {
    let Ok(Value::Object(event)) = serde_json::from_str::<Value>(line) else {
        // A torn line after a power cut: shown as it is, so that nothing is hidden.
        return (!line.is_empty()).then(|| line.to_string());
    };
    let level = event.get("level").and_then(|level| serde_json::from_value(level.clone()).ok());
    let number = |key: &str| event.get(key).and_then(Value::as_u64);
    let level = level.unwrap_or(Level::Info);
    if level < filter.level
        || filter.segment.is_some_and(|wanted| number("segment") != Some(u64::from(wanted)))
        || filter.slot.is_some_and(|wanted| number("slot") != Some(u64::from(wanted)))
    {
        return None;
    }
    if json {
        return Some(line.to_string());
    }
    let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
    let clock = text("time").split_once('T').map_or("", |(_, clock)| clock).trim_end_matches('Z');
    let mut shown = format!("{clock} {:<5} {}", text("level"), text("event"));
    for (key, value) in event.iter().filter(|(key, _)| !["time", "level", "event"].contains(&key.as_str())) {
        let value = match value {
            Value::String(text) if !text.contains(char::is_whitespace) && !text.is_empty() => text.clone(),
            other => other.to_string(),
        };
        shown.push_str(&format!(" {key}={value}"));
    }
    Some(shown)
}

/// Reads the files put aside, oldest first, then the live one, and goes on into the next file when the
/// live one is put aside under it.
struct LogReader {
    logs: PathBuf,
    /// Files still to be read, the next one last.
    waiting: Vec<PathBuf>,
    current: Option<BufReader<File>>,
    partial: String,
}

impl LogReader {
    fn open(logs: &Path) -> Self {
        let mut waiting = vec![live_path(logs)];
        waiting.extend((1..=KEPT_FILES).map(|n| rotated_path(logs, n)).filter(|path| path.exists()));
        Self { logs: logs.to_path_buf(), waiting, current: None, partial: String::new() }
    }

    /// The next whole line, or `None` when there is none yet.
    fn next_line(&mut self) -> Option<String> {
        loop {
            if self.current.is_none() {
                let file = File::open(self.waiting.last()?).ok()?;
                self.waiting.pop();
                self.current = Some(BufReader::new(file));
            }
            let reader = self.current.as_mut()?;
            if reader.read_line(&mut self.partial).is_ok_and(|n| n > 0) {
                if self.partial.ends_with('\n') {
                    return Some(std::mem::take(&mut self.partial).trim_end().to_string());
                }
                continue;
            }
            if !self.move_on() {
                return None;
            }
        }
    }

    /// At the end of a file: turns to the next, if this one will not grow any more.
    fn move_on(&mut self) -> bool {
        if self.waiting.is_empty() {
            let Some(reader) = self.current.as_ref() else { return false };
            let Some(behind) = files_behind(reader.get_ref(), &self.logs) else { return false };
            self.waiting = behind;
            // A last look: what was written between the last read and the rotation.
            if let Some(reader) = self.current.as_mut()
                && reader.stream_position().is_ok_and(|at| reader.seek(SeekFrom::Start(at)).is_ok())
                && reader.fill_buf().is_ok_and(|rest| !rest.is_empty())
            {
                self.waiting.clear();
                return true;
            }
        }
        self.current = None;
        true
    }
}

/// When `open` is no longer the live file: the files that follow it, the next one last.
fn files_behind(open: &File, logs: &Path) -> Option<Vec<PathBuf>> {
    if same_file(open, &live_path(logs)) != Some(false) {
        return None;
    }
    let place = (1..=KEPT_FILES).find(|n| same_file(open, &rotated_path(logs, *n)) == Some(true));
    let newer = place.unwrap_or(KEPT_FILES + 1) - 1;
    Some(std::iter::once(live_path(logs)).chain((1..=newer).map(|n| rotated_path(logs, n))).collect())
}

/// Whether the open file is the one at `path`; `None` when nothing is there.
#[cfg(unix)]
fn same_file(open: &File, path: &Path) -> Option<bool> {
    use std::os::unix::fs::MetadataExt;
    let there = std::fs::metadata(path).ok()?;
    let here = open.metadata().ok()?;
    Some((here.dev(), here.ino()) == (there.dev(), there.ino()))
}

/// Without file identities, a file that is shorter than what is open has replaced it.
#[cfg(not(unix))]
fn same_file(open: &File, path: &Path) -> Option<bool> {
    let there = std::fs::metadata(path).ok()?;
    Some(there.len() >= open.metadata().ok()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(reader: &mut LogReader) -> Vec<String> {
        std::iter::from_fn(|| reader.next_line()).collect()
    }

    fn append(path: &Path, text: &str) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_followed_log_is_read_once_and_whole_over_rotations() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path();
        append(&rotated_path(logs, 1), "a\n");
        append(&live_path(logs), "b\nc");
        let mut reader = LogReader::open(logs);
        assert_eq!(lines(&mut reader), ["a", "b"]);
        append(&live_path(logs), "c\n");
        assert_eq!(lines(&mut reader), ["cc"]);
        // Two rotations between two looks.
        append(&live_path(logs), "d\n");
        std::fs::rename(rotated_path(logs, 1), rotated_path(logs, 3)).unwrap();
        std::fs::rename(live_path(logs), rotated_path(logs, 2)).unwrap();
        append(&rotated_path(logs, 1), "e\n");
        append(&live_path(logs), "f\n");
        assert_eq!(lines(&mut reader), ["d", "e", "f"]);
        assert_eq!(lines(&mut reader), [""; 0]);
    }

    #[test]
    fn events_are_shown_on_one_readable_line_and_filtered() {
        let line = r#"{"time":"2026-01-02T03:04:05.678Z","level":"warn","event":"worker_died","slot":2,"why":"signal 9"}"#;
        let all = Filter { segment: None, slot: None, level: Level::Debug };
        assert_eq!(
            show(line, &all, false).unwrap(),
            "03:04:05.678 warn  worker_died slot=2 why=\"signal 9\""
        );
        assert_eq!(show(line, &all, true).unwrap(), line);
        assert_eq!(show(line, &Filter { slot: Some(1), ..all }, false), None);
        assert_eq!(show(line, &Filter { segment: Some(1), slot: None, level: Level::Debug }, false), None);
        assert_eq!(show(line, &Filter { segment: None, slot: None, level: Level::Error }, false), None);
    }
}
