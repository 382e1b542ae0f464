//! What is left of sim workers for a test to look at: who was born, who said what.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A folder in which every process of a run signs in.
#[derive(Clone, Debug)]
pub struct Birthplace {
    dir: PathBuf,
}

/// One line of the record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Recorded {
    pub birth: u64,
    pub pid: u32,
    pub what: String,
    pub about: String,
}

impl Birthplace {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Signs this process in and returns the number of its birth.
    pub fn sign_in(&self) -> u64 {
        let mut birth = 1;
        while File::create_new(self.dir.join(format!("birth-{birth}"))).is_err() {
            birth += 1;
            assert!(birth < 1_000_000, "{} takes no more births", self.dir.display());
        }
        self.record(birth, "born", "");
        birth
    }

    /// Notes a deed: one line, in one write.
    pub fn record(&self, birth: u64, what: &str, about: &str) {
        self.record_of(birth, std::process::id(), what, about);
    }

    /// As [`Self::record`], of another process.
    pub fn record_of(&self, birth: u64, pid: u32, what: &str, about: &str) {
        let line = Recorded { birth, pid, what: what.into(), about: about.into() };
        let line = serde_json::to_string(&line).expect("a line") + "\n";
        let file = OpenOptions::new().append(true).create(true).open(self.dir.join("record.jsonl"));
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("recorded");
    }

    /// The record so far.
    pub fn read(&self) -> Vec<Recorded> {
        let text = fs::read_to_string(self.dir.join("record.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Every process that ever signed in, or was left behind by one.
    pub fn pids(&self) -> Vec<u32> {
        let lives = |line: &Recorded| matches!(line.what.as_str(), "born" | "grandchild");
        self.read().into_iter().filter(lives).map(|line| line.pid).collect()
    }

    /// Bytes of a device that living workers hold.
    pub fn held_bytes(&self, device: &str) -> u64 {
        let prefix = format!("holds-{}-", device.replace(':', "_"));
        let entries = fs::read_dir(&self.dir).into_iter().flatten().filter_map(Result::ok);
        entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let pid: u32 = name.strip_prefix(&prefix)?.parse().ok()?;
                let bytes: u64 = fs::read_to_string(entry.path()).ok()?.trim().parse().ok()?;
                crate::processes::is_alive(pid).then_some(bytes)
            })
            .sum()
    }

    /// Takes memory of a device until this process ends.
    pub fn hold(&self, device: &str, bytes: u64) {
        let name = format!("holds-{}-{}", device.replace(':', "_"), std::process::id());
        fs::write(self.dir.join(name), bytes.to_string()).expect("held");
    }
}
