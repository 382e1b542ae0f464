//! `narratord logs`: a job's events, filtered, followed over rotation.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::cli::LogsArgs;
use crate::error::Failure;
use crate::events::{KEPT_FILES, Level, live_path, rotated_path};
use crate::exit::Exit;
use crate::job::JobDir;
use crate::output;

/// How often a followed log is looked at.
const POLL: Duration = Duration::from_millis(200);

pub fn logs(args: &LogsArgs) -> Result<Exit, Failure> {
    let job = JobDir::find(args.job.job.as_deref())?;
    let mut reader = LogReader::open(&job.logs());
    let filter = Filter { segment: args.segment, slot: args.slot, level: args.level };
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    let mut silent = true;
    loop {
        while let Some(line) = reader.next_line() {
            silent = false;
            let Some(shown) = show(&line, &filter, args.json) else { continue };
            if writeln!(stdout, "{shown}").is_err() {
                // A closed pipe means that nobody reads any more.
                return Ok(Exit::Done);
            }
        }
        if stdout.flush().is_err() || !args.follow {
            if silent {
                output::note(format_args!("{} has no events yet.", job.root.display()));
            }
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
///
/// Where to go on is looked up when a file has ended and not before, by the place that the open file has
/// then; and once more after the next one was opened, because files may have moved in between.
struct LogReader {
    logs: PathBuf,
    current: Option<BufReader<File>>,
    /// The file to go on with when the current one, which is put aside, has nothing more.
    next: Option<File>,
    partial: Vec<u8>,
}

impl LogReader {
    fn open(logs: &Path) -> Self {
        Self { logs: logs.to_path_buf(), current: None, next: None, partial: Vec::new() }
    }

    /// The next whole line, or `None` when there is none yet.
    fn next_line(&mut self) -> Option<String> {
        loop {
            if let Some(reader) = &mut self.current
                && reader.read_until(b'\n', &mut self.partial).is_ok_and(|n| n > 0)
            {
                if self.partial.ends_with(b"\n") {
                    return Some(self.take_partial());
                }
                continue;
            }
            // Only when a look after the rotation brought nothing more is the file read to its end.
            let Some(next) = self.next.take() else {
                self.next = Some(self.next_file()?);
                continue;
            };
            self.current = Some(BufReader::new(next));
            if !self.partial.is_empty() {
                return Some(self.take_partial());
            }
        }
    }

    fn take_partial(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.partial)).trim_end().to_string()
    }

    /// The file behind the open one, when that is no longer the live one; at first the oldest.
    fn next_file(&self) -> Option<File> {
        loop {
            let place = self.place();
            let path = match place {
                Place::Live => return None,
                Place::Aside(1) => live_path(&self.logs),
                Place::Aside(n) => rotated_path(&self.logs, n - 1),
                Place::None => self.oldest(),
            };
            // The live file is missing for a moment while it is put aside.
            let next = File::open(&path).ok()?;
            if self.place() == place && (place != Place::None || self.oldest() == path) {
                return Some(next);
            }
        }
    }

    /// Where the open file is by now.
    fn place(&self) -> Place {
        let Some(open) = self.current.as_ref().map(BufReader::get_ref) else { return Place::None };
        // In the middle of a rotation nothing is live, and what was is still the last.
        if same_file(open, &live_path(&self.logs)) == Some(true) {
            return Place::Live;
        }
        let aside = |n: &usize| same_file(open, &rotated_path(&self.logs, *n)) == Some(true);
        (1..=KEPT_FILES).find(aside).map_or(Place::None, Place::Aside)
    }

    fn oldest(&self) -> PathBuf {
        let aside = (1..=KEPT_FILES).rev().map(|n| rotated_path(&self.logs, n));
        aside.into_iter().find(|path| path.exists()).unwrap_or_else(|| live_path(&self.logs))
    }
}

/// A file's place among the files of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Live,
    /// Put aside, 1 the youngest.
    Aside(usize),
    /// Deleted since, or never opened.
    None,
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
    fn a_reader_that_is_far_behind_goes_on_with_what_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path();
        append(&live_path(logs), "a\n");
        let mut reader = LogReader::open(logs);
        assert_eq!(lines(&mut reader), ["a"]);
        // Its file was put aside, grew by a last line, and is deleted; a torn line ends the next.
        append(&live_path(logs), "last\n");
        std::fs::rename(live_path(logs), rotated_path(logs, KEPT_FILES)).unwrap();
        std::fs::remove_file(rotated_path(logs, KEPT_FILES)).unwrap();
        append(&rotated_path(logs, 2), "b\ntor");
        append(&rotated_path(logs, 1), "c\n");
        append(&live_path(logs), "d\ne\n");
        assert_eq!(lines(&mut reader), ["last", "b", "tor", "c", "d", "e"]);
        // In the middle of a rotation nothing is live: that is no end.
        std::fs::rename(rotated_path(logs, 2), rotated_path(logs, 3)).unwrap();
        std::fs::rename(rotated_path(logs, 1), rotated_path(logs, 2)).unwrap();
        std::fs::rename(live_path(logs), rotated_path(logs, 1)).unwrap();
        assert_eq!(lines(&mut reader), [""; 0]);
        append(&live_path(logs), "f\n");
        assert_eq!(lines(&mut reader), ["f"]);
    }

    /// A reader and a writer that rotates all the time, at once.
    #[test]
    fn nothing_is_lost_or_doubled_whenever_the_writer_rotates() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().to_path_buf();
        let count = 4000;
        let writer = std::thread::spawn({
            let logs = logs.clone();
            move || {
                for n in 0..count {
                    append(&live_path(&logs), &format!("{n}\n"));
                    // Never more than the reader may be behind.
                    if n % 500 == 499 {
                        for place in (1..KEPT_FILES).rev() {
                            let _ =
                                std::fs::rename(rotated_path(&logs, place), rotated_path(&logs, place + 1));
                        }
                        std::fs::rename(live_path(&logs), rotated_path(&logs, 1)).unwrap();
                    }
                }
                append(&live_path(&logs), "end\n");
            }
        });
        let mut reader = LogReader::open(&logs);
        let mut read = Vec::new();
        while read.last().is_none_or(|line| line != "end") {
            read.extend(reader.next_line());
        }
        writer.join().unwrap();
        let written: Vec<String> = (0..count).map(|n| n.to_string()).chain(["end".into()]).collect();
        assert_eq!(read, written);
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
