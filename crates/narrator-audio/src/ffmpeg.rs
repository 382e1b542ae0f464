//! ffmpeg as a child process: found, started, fed, watched.
//!
//! Everything that starts a process in this crate is here. A child is killed when its handle is dropped,
//! its stderr is read to the end by a thread of its own so that it can never block on it, and the last
//! of what it said becomes part of the error. It runs in a process group of its own: an interrupt typed
//! at the terminal is for narratord, which stops in order, and must not end the encoder first.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use crate::error::AudioError;
use crate::format::Format;

/// Bytes of stderr that are kept; the cause is at its end.
const KEPT_STDERR: usize = 2000;

/// A found ffmpeg.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ffmpeg {
    program: PathBuf,
}

impl Ffmpeg {
    /// Looks at the environment variable `NARRATOR_FFMPEG`, then along `PATH`, then at `candidates`,
    /// such as the copy that set-up brings.
    pub fn find(candidates: &[PathBuf]) -> Result<Self, AudioError> {
        let (named, path) = (std::env::var_os("NARRATOR_FFMPEG"), std::env::var_os("PATH"));
        let named = named.filter(|name| !name.is_empty());
        find_among(named.as_deref(), path.as_deref(), candidates)
            .map_err(|looked| AudioError::NoFfmpeg { format: "this format", looked })
    }

    /// Takes `program` for ffmpeg without looking further.
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What it says its version is.
    pub fn version(&self) -> Result<String, AudioError> {
        let said = self.ask(&["-hide_banner", "-version"], "telling its version")?;
        Ok(said.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// Fails when it cannot write `format`, so that this is known before a night's work and not after.
    pub fn check(&self, format: Format) -> Result<(), AudioError> {
        let Some(encoder) = encoder_name(format) else { return Ok(()) };
        let said = self.ask(&["-hide_banner", "-v", "error", "-encoders"], "listing its encoders")?;
        let listed = said.lines().any(|line| line.split_whitespace().nth(1) == Some(encoder));
        if listed {
            return Ok(());
        }
        Err(AudioError::NoEncoder { program: self.program.clone(), encoder: encoder.to_owned() })
    }

    /// Whether it can decode the image at `path`.
    pub(crate) fn reads_image(&self, path: &Path) -> bool {
        let args = ["-hide_banner", "-nostdin", "-v", "error", "-xerror", "-i"].map(OsString::from);
        let rest = ["-frames:v", "1", "-f", "null", "-"].map(OsString::from);
        let args = args.into_iter().chain([file_url(path)]).chain(rest);
        self.start(args, Stdio::null(), Stdio::null()).and_then(|run| run.finish("reading a cover")).is_ok()
    }

    fn ask(&self, args: &[&str], action: &str) -> Result<String, AudioError> {
        let mut run = self.start(args.iter().map(OsString::from), Stdio::null(), Stdio::piped())?;
        let mut said = String::new();
        if let Some(mut stdout) = run.stdout.take() {
            // What is not text has no place in an answer; the exit status tells of other trouble.
            let _ = stdout.read_to_string(&mut said);
        }
        run.finish(action)?;
        Ok(said)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place of this crate that starts a process")]
    pub(crate) fn start(
        &self,
        args: impl IntoIterator<Item = OsString>,
        stdin: Stdio,
        stdout: Stdio,
    ) -> Result<Run, AudioError> {
        let mut command = Command::new(&self.program);
        command.args(args).stdin(stdin).stdout(stdout).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|source| AudioError::Unstartable { program: self.program.clone(), source })?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let said = child.stderr.take().map(|stderr| thread::spawn(move || last_words(stderr)));
        Ok(Run { program: self.program.clone(), child, stdin, stdout, said })
    }
}

/// The encoder that writes a format.
pub(crate) const fn encoder_name(format: Format) -> Option<&'static str> {
    match format {
        Format::M4b => Some("aac"),
        Format::Mp3 => Some("libmp3lame"),
        Format::Opus => Some("libopus"),
        Format::Flac => Some("flac"),
        Format::Wav => None,
    }
}

/// A path as ffmpeg must be given it: no name can look like an option or another protocol.
pub(crate) fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

fn find_among(named: Option<&OsStr>, path: Option<&OsStr>, candidates: &[PathBuf]) -> Result<Ffmpeg, String> {
    let name = format!("ffmpeg{}", std::env::consts::EXE_SUFFIX);
    if let Some(named) = named {
        // A name that was given and is wrong is a mistake to be told, not to be worked around.
        let program = PathBuf::from(named);
        return if program.is_file() {
            Ok(Ffmpeg { program })
        } else {
            Err(format!("NARRATOR_FFMPEG, which says {}", program.display()))
        };
    }
    let on_path = path.into_iter().flat_map(std::env::split_paths).map(|dir| dir.join(&name));
    if let Some(program) = on_path.chain(candidates.iter().cloned()).find(|path| path.is_file()) {
        return Ok(Ffmpeg { program });
    }
    let mut looked = "NARRATOR_FFMPEG, PATH".to_owned();
    for candidate in candidates {
        looked = format!("{looked}, {}", candidate.display());
    }
    Err(looked)
}

/// The end of what a child says, without its repetitions of file names and addresses.
fn last_words(stderr: impl Read) -> String {
    let mut kept = String::new();
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    while let Ok(1..) = reader.by_ref().take(64 * 1024).read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !text.is_empty() {
            kept.push_str(if kept.is_empty() { "" } else { "; " });
            kept.push_str(text);
        }
        if kept.len() > 2 * KEPT_STDERR {
            let from = (kept.len() - KEPT_STDERR..kept.len()).find(|&at| kept.is_char_boundary(at));
            kept.drain(..from.unwrap_or(0));
        }
        line.clear();
    }
    kept
}

/// A running ffmpeg.
#[derive(Debug)]
pub(crate) struct Run {
    program: PathBuf,
    child: Child,
    stdin: Option<ChildStdin>,
    pub stdout: Option<ChildStdout>,
    said: Option<JoinHandle<String>>,
}

impl Run {
    /// Feeds its stdin. When it does not take the bytes, ask [`Self::finish`] why.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Closes its stdin, waits for its end and judges it.
    pub fn finish(mut self, action: &str) -> Result<(), AudioError> {
        drop(self.stdin.take());
        drop(self.stdout.take());
        let status = self.child.wait();
        let said = self.said.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(judge(&self.program, action, how_it_ended(status), said)),
            Err(source) => Err(judge(&self.program, action, source.to_string(), said)),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // After `finish` both are no-ops on a process that is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn how_it_ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return match signal {
            9 => "it was killed (signal 9), perhaps for want of memory".to_owned(),
            // SIGXFSZ on every Unix that narratord runs on.
            25 => "File too large (signal 25)".to_owned(),
            other => format!("it was ended by signal {other}"),
        };
    }
    status.code().map_or_else(|| "it ended without a status".to_owned(), |code| format!("exit status {code}"))
}

/// Turns an unhappy end into the error that says what to do about it.
fn judge(program: &Path, action: &str, how: String, said: String) -> AudioError {
    let program = program.to_owned();
    if let Some((_, rest)) = said.split_once("Unknown encoder '") {
        let encoder = rest.split('\'').next().unwrap_or_default().to_owned();
        return AudioError::NoEncoder { program, encoder };
    }
    let disk = |kind: io::ErrorKind| AudioError::Disk {
        action: "write",
        path: program.clone(),
        source: kind.into(),
    };
    if said.contains("No space left on device") || said.contains("Disk quota exceeded") {
        return disk(io::ErrorKind::StorageFull);
    }
    if said.contains("File too large") || how.contains("File too large") {
        return disk(io::ErrorKind::FileTooLarge);
    }
    AudioError::Encoder { program, action: action.to_owned(), how, said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AudioErrorKind;

    #[test]
    fn the_environment_comes_first_then_the_path_then_the_candidates() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join(format!("ffmpeg{}", std::env::consts::EXE_SUFFIX));
        std::fs::write(&program, "").unwrap();
        let found = Ok(Ffmpeg::at(&program));
        assert_eq!(find_among(Some(program.as_os_str()), None, &[]), found);
        assert_eq!(find_among(None, Some(dir.path().as_os_str()), &[]), found);
        assert_eq!(find_among(None, None, std::slice::from_ref(&program)), found);
        let looked = find_among(Some(OsStr::new("/no/such")), Some(dir.path().as_os_str()), &[]);
        assert_eq!(looked, Err("NARRATOR_FFMPEG, which says /no/such".into()));
        let looked = find_among(None, None, &["a/ffmpeg".into()]);
        assert_eq!(looked, Err("NARRATOR_FFMPEG, PATH, a/ffmpeg".into()));
    }

    #[test]
    fn unhappy_ends_are_sorted_by_what_can_be_done() {
        let judged = |said: &str| judge(Path::new("ffmpeg"), "encoding", "exit status 1".into(), said.into());
        assert_eq!(judged("x: No space left on device").kind(), AudioErrorKind::Disk);
        assert_eq!(judged("[out] Unknown encoder 'libopus'").kind(), AudioErrorKind::MissingProgram);
        assert_eq!(judged("boom").to_string(), "ffmpeg stopped while encoding: exit status 1; it said: boom");
    }

    #[test]
    fn only_the_end_of_a_long_speech_is_kept() {
        let speech = "é repeated complaint\n".repeat(10_000) + "the cause\n";
        let kept = last_words(speech.as_bytes());
        assert!(kept.ends_with("; the cause") && kept.len() < 3 * KEPT_STDERR);
    }
}
