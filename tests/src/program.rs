//! Running the real programs, as a person would, in a folder of their own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A checkout's root.
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the checkout is there")
}

/// The sample book.
pub fn sample() -> PathBuf {
    let folder = checkout().join("tests/fixtures/sample");
    let books = std::fs::read_dir(&folder).expect("the sample's folder").filter_map(Result::ok);
    let mut books = books.map(|entry| entry.path());
    books.find(|path| path.extension().is_some_and(|ending| ending == "epub")).expect("the sample is packed")
}

/// A path of the tests as an argument.
pub fn path_text(path: &Path) -> &str {
    path.to_str().expect("the tests' paths are UTF-8")
}

/// A program of this workspace, from the folder where this test was built.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test is a program");
    let folder = test.parent().and_then(Path::parent).expect("target/<profile>/deps/it-…");
    let program = folder.join(name);
    assert!(program.is_file(), "{} is not built: run `cargo build --workspace --bins`", program.display());
    program
}

/// The ffmpeg that the programs under test use.
pub fn ffmpeg() -> PathBuf {
    let brought = checkout().join(".deps/bin/ffmpeg");
    if brought.is_file() { brought } else { PathBuf::from("ffmpeg") }
}

/// Fills `home` with what `scripts/setup` brings, and nothing that a person may have added to it: a test that wants
/// the starter voice does not meet a better one.
fn settle_in(home: &Path) {
    let deps = checkout().join(".deps");
    std::fs::create_dir_all(home.join("models")).expect("a home");
    for name in ["bin", "models/starter-en", "models/whisper-tiny.en", "models/whisper-base"] {
        if deps.join(name).exists() {
            std::os::unix::fs::symlink(deps.join(name), home.join(name)).expect("linked");
        }
    }
}

/// A folder in which narratord is run, with a home, state and configuration of its own.
#[derive(Debug)]
pub struct Desk {
    dir: tempfile::TempDir,
    /// Elsewhere, as tests look at all that lies on the desk.
    home: tempfile::TempDir,
}

impl Desk {
    #[expect(clippy::new_without_default, reason = "making a desk touches the disk")]
    pub fn new() -> Self {
        let folder =
            || tempfile::Builder::new().prefix("narratord-test-").tempdir().expect("a temporary folder");
        let (dir, home) = (folder(), folder());
        settle_in(home.path());
        Self { dir, home }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `narratord` with `arguments`, not yet started. A run that says nothing of the checks is unchecked: most
    /// tests are about something else, and are not to hear a book for it.
    pub fn narratord(&self, arguments: &[&str]) -> Command {
        self.command("narratord", arguments)
    }

    /// As [`Self::narratord`], with another program of its command line.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program(name));
        let unsaid =
            arguments.first() == Some(&"run") && arguments.len() > 1 && !arguments.contains(&"--check");
        command
            .args(arguments)
            .args(if unsaid { &["--check", "off"][..] } else { &[] })
            .current_dir(self.dir.path())
            .env("NARRATOR_HOME", self.home.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("HF_HOME", self.path("hub"))
            .env_remove("HF_ENDPOINT")
            .env_remove("HF_TOKEN")
            .env_remove("NARRATOR_WORKER")
            .stdin(Stdio::null());
        command
    }

    /// Narrates `sample` into `output`; fails unless all of it is done.
    pub fn narrate(&self, output: &str) -> Ran {
        self.run(&["run", path_text(&sample()), "-o", output]).expect(0)
    }

    /// A file of this desk, whole.
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("the file is there")
    }

    /// Runs `narratord` to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran(self.narratord(arguments).output().expect("narratord starts"))
    }

    /// Starts `narratord` and leaves it running.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.narratord(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// The events of a job, as far as they are written.
    pub fn events(&self, job: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(job).join("logs/narratord.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until the job's events satisfy `enough`; panics after two minutes.
    pub fn wait_for(&self, job: &str, what: &str, enough: impl Fn(&[Value]) -> bool) {
        let start = Instant::now();
        while !enough(&self.events(job)) {
            assert!(start.elapsed() < Duration::from_mins(2), "{what} never came: {:#?}", self.events(job));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A program that has ended.
#[derive(Debug)]
pub struct Ran(pub Output);

impl Ran {
    pub fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// Fails, with everything that was said, unless it ended with `code`.
    #[expect(clippy::return_self_not_must_use, reason = "most callers want the check alone")]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "stdout:\n{}\nstderr:\n{}", self.stdout(), self.stderr());
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.0.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout()))
    }
}

/// A program that runs; it is killed when this goes.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
}

impl Running {
    #[expect(clippy::disallowed_methods, reason = "the program under test, killed when it goes out of scope")]
    pub fn start(command: &mut Command) -> Self {
        Self { child: Some(command.spawn().expect("the program starts")) }
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    pub fn wait(mut self) -> Ran {
        let child = self.child.take().expect("it runs until it is waited for");
        Ran(child.wait_with_output().expect("its end can be waited for"))
    }

    /// Kills it without a chance to clean up (SIGKILL), and waits for its end.
    pub fn kill(mut self) {
        let mut child = self.child.take().expect("it runs until it is killed");
        child.kill().expect("it can be killed");
        child.wait().expect("its end can be waited for");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended on its own.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
