//! Where a soak plays: a folder of its own with a book, a job, and a home for everything that narratord
//! leaves anywhere, so that what is left can be found.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::bench::built;
use crate::program::{checkout, sample};
use crate::sim::{CALM, ENV_SCRIPT, ENV_STATE, SimScript};

/// Size of the small disk that is filled: what a run of 2,000 short segments asks for, twice.
const DISK_BYTES: u64 = 700 << 20;

/// Silence between two made-up paragraphs is not what is tested.
const SHORT_PAUSES: &str = "[script.pauses]\nparagraph_ms = 20\nchapter_ms = 20\n";

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Voice {
    /// The scripted worker, a made-up book.
    Sim,
    /// The real worker with the starter voice, the sample book.
    Starter,
}

/// One book's place.
#[derive(Debug)]
pub struct Stage {
    dir: Option<TempDir>,
    root: PathBuf,
    pub voice: Voice,
    slots: u16,
    script: Option<SimScript>,
    /// The job lies on a disk of its own.
    mounted: bool,
}

impl Stage {
    /// An empty stage below `within`, or in the system's temporary folder.
    pub fn new(within: Option<&Path>, voice: Voice, slots: u16) -> io::Result<Self> {
        // Short: a socket's path has a hundred bytes.
        let mut builder = tempfile::Builder::new();
        builder.prefix("nrs-");
        let dir = within.map_or_else(|| builder.tempdir(), |within| builder.tempdir_in(within))?;
        let root = dir.path().canonicalize()?;
        for folder in ["desk", "run", "tmp", "state", "config", "sim"] {
            std::fs::create_dir(root.join(folder))?;
        }
        Ok(Self { dir: Some(dir), root, voice, slots, script: None, mounted: false })
    }

    /// Puts the job on a small disk in memory. Needs the right to mount, and a mount namespace of one's own
    /// so that nothing of it outlives this process: see [`own_mounts`].
    pub fn mount(&mut self) -> io::Result<()> {
        let target = c_path(&self.desk())?;
        let options = c_text(&format!("size={DISK_BYTES},mode=700"))?;
        let kind = c"tmpfs".as_ptr();
        // SAFETY: four strings that end in zero and live until the call returns.
        let done = unsafe { libc::mount(kind, target.as_ptr(), kind, 0, options.as_ptr().cast()) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        self.mounted = true;
        Ok(())
    }

    /// Writes the made-up book: so many paragraphs, each a segment. Those in `poisoned` have [`POISON`] in
    /// them.
    pub fn write_book(&self, segments: usize, poisoned: &[usize]) -> io::Result<()> {
        let paragraph = |n: usize| {
            let what = if poisoned.contains(&n) { POISON } else { "nothing at all" };
            format!("Paragraph {n} of a made-up book, which says {what} to anybody who reads it.\n\n")
        };
        std::fs::write(self.made_up_book(), (1..=segments).map(paragraph).collect::<String>())?;
        std::fs::write(self.settings(), SHORT_PAUSES)
    }

    /// What the sim workers do.
    pub fn play(&mut self, script: SimScript) {
        self.script = Some(script);
    }

    /// No more misdeeds by chance.
    pub fn calm(&self) -> io::Result<()> {
        std::fs::write(self.births().join(CALM), "")
    }

    fn made_up_book(&self) -> PathBuf {
        self.root.join("book.txt")
    }

    fn settings(&self) -> PathBuf {
        self.root.join("settings.toml")
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of job and audiobook.
    pub fn desk(&self) -> PathBuf {
        self.root.join("desk")
    }

    pub fn job(&self) -> PathBuf {
        self.desk().join("book.narration")
    }

    pub fn audiobook(&self) -> PathBuf {
        self.desk().join("book.wav")
    }

    pub fn journal(&self) -> PathBuf {
        self.job().join(narrator_journal::JOURNAL_NAME)
    }

    /// Where sim workers sign in.
    pub fn births(&self) -> PathBuf {
        self.root.join("sim")
    }

    pub fn sockets(&self) -> PathBuf {
        self.root.join("run")
    }

    pub fn scratch(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// What narratord said to people.
    pub fn console(&self) -> PathBuf {
        self.root.join("console.log")
    }

    pub fn is_mounted(&self) -> bool {
        self.mounted
    }

    /// `narratord run` on this stage's book.
    pub fn narratord(&self) -> Command {
        let book = match self.voice {
            Voice::Sim => self.made_up_book(),
            Voice::Starter => sample(),
        };
        let mut command = self.command();
        command.arg("run").arg(book).arg("-o").arg(self.audiobook());
        if self.voice == Voice::Sim {
            command.arg("--config").arg(self.settings());
        }
        // Whatever better voice may have been added to the checkout.
        command.args(["--model", "starter-en", "--plain", "--check", "off"]);
        command.args(["--workers", &self.slots.to_string()]);
        command
    }

    /// `narratord`, with everything that it leaves anywhere on this stage.
    pub fn command(&self) -> Command {
        let mut command = Command::new(built("narratord"));
        command
            .current_dir(self.root())
            .env("NARRATOR_HOME", checkout().join(".deps"))
            .env("XDG_STATE_HOME", self.root.join("state"))
            .env("XDG_CONFIG_HOME", self.root.join("config"))
            .env("XDG_RUNTIME_DIR", self.sockets())
            .env("TMPDIR", self.scratch())
            .env(MARK, self.root());
        match self.voice {
            Voice::Sim => {
                let script = self.script.clone().unwrap_or_default();
                let script = serde_json::to_string(&script).expect("a script is JSON");
                command.env("NARRATOR_WORKER", built("narrator-sim-worker"));
                command.env(ENV_SCRIPT, script).env(ENV_STATE, self.births());
            }
            Voice::Starter => {
                command.env("NARRATOR_WORKER", built("narrator-worker"));
            }
        }
        command
    }

    /// Leaves the folder to whoever wants to look at it; its path. What lay on the small disk is copied, since
    /// that goes with this process.
    pub fn keep(&mut self) -> PathBuf {
        if self.mounted {
            let _ = copy_folder(&self.desk(), &self.root.join("desk-copied"));
        }
        if let Some(dir) = self.dir.take() {
            let _ = dir.keep();
        }
        self.root.clone()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.mounted
            && self.dir.is_some()
            && let Ok(target) = c_path(&self.desk())
        {
            // SAFETY: a string that ends in zero and lives until the call returns.
            unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
        }
    }
}

/// A word that stands in poisoned paragraphs only.
pub const POISON: &str = "arsenic";

/// In the environment of everything that a soak starts.
pub const MARK: &str = "NARRATOR_SOAK_STAGE";

/// Gives this process mounts of its own, which go with it however it ends; false where that is not allowed.
pub fn own_mounts() -> bool {
    // SAFETY: numbers, and strings that end in zero.
    unsafe {
        libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(
                std::ptr::null(),
                c"/".as_ptr(),
                std::ptr::null(),
                libc::MS_REC | libc::MS_PRIVATE,
                std::ptr::null(),
            ) == 0
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let (entry, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if entry.is_dir() {
            copy_folder(&entry, &target)?;
        } else {
            std::fs::copy(&entry, &target)?;
        }
    }
    Ok(())
}

fn c_text(text: &str) -> io::Result<std::ffi::CString> {
    std::ffi::CString::new(text).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn c_path(path: &Path) -> io::Result<std::ffi::CString> {
    c_text(path.to_str().ok_or(io::ErrorKind::InvalidInput)?)
}
