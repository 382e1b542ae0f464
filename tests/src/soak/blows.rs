//! What befalls a run from outside, and how often.

use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::judge::{Call, Judge};
use super::orchestrator::{End, Orchestrator, move_times, tear};
use super::stage::Stage;
use super::tally::Tally;
use crate::processes::signal;

/// How long a limit on file sizes waits for a write that it cuts.
const SHORT_WRITE_WAITS: Duration = Duration::from_secs(3);

/// How many times the mean time between blows the next run has to itself: the book is to be finished.
const HEAD_START: u32 = 4;

/// One thing that happens to a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Blow {
    KillWorker,
    AbortWorker,
    StopWorker,
    KillOrchestrator,
    AbortOrchestrator,
    Drain,
    StopNow,
    Suspend,
    FillDisk,
    ShortWrite,
    FailedSync,
    FailedWrite,
    FailedRename,
    InterruptedWrite,
}

/// What this machine lets a soak do.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// Fail single system calls.
    pub judge: bool,
    /// Mount a small disk.
    pub mount: bool,
    /// Give a process another clock.
    pub shift: bool,
}

/// Blows and their weights.
const BLOWS: &[(Blow, u32)] = &[
    (Blow::KillWorker, 16),
    (Blow::AbortWorker, 10),
    (Blow::StopWorker, 4),
    (Blow::KillOrchestrator, 4),
    (Blow::AbortOrchestrator, 2),
    (Blow::Drain, 2),
    (Blow::StopNow, 2),
    (Blow::Suspend, 2),
    (Blow::FillDisk, 4),
    (Blow::ShortWrite, 3),
    (Blow::FailedSync, 4),
    (Blow::FailedWrite, 3),
    (Blow::FailedRename, 3),
    (Blow::InterruptedWrite, 12),
];

/// Deals blows to one orchestrator after another.
#[derive(Debug)]
pub struct Blows<'a> {
    stage: &'a Stage,
    means: Means,
    dice: &'a mut ChaCha8Rng,
    pub tally: &'a mut Tally,
    /// Mean time between two.
    pace: Duration,
    next: Instant,
    /// The disk is full until then.
    full_until: Option<Instant>,
    /// Files are limited until then.
    limited_until: Option<Instant>,
    /// Signals that the present orchestrator was sent and may end with.
    pub sent: Vec<i32>,
}

impl<'a> Blows<'a> {
    pub fn new(
        stage: &'a Stage,
        means: Means,
        pace: Duration,
        dice: &'a mut ChaCha8Rng,
        tally: &'a mut Tally,
    ) -> Self {
        let next = Instant::now() + pace;
        Self {
            stage,
            means,
            dice,
            tally,
            pace,
            next,
            full_until: None,
            limited_until: None,
            sent: Vec::new(),
        }
    }

    /// Deals what is due, and takes back what has lasted.
    pub fn deal(&mut self, to: &Orchestrator) -> io::Result<()> {
        let now = Instant::now();
        if self.full_until.is_some_and(|until| now >= until) {
            self.make_room(Some(to))?;
        }
        if self.limited_until.is_some_and(|until| now >= until) {
            self.limited_until = None;
            to.limit_file_size(None);
        }
        self.count_answers(to);
        if now < self.next {
            return Ok(());
        }
        let mean = self.pace.as_secs_f64();
        let wait = -mean * (1.0 - self.dice.random_range(0.0..1.0_f64)).ln();
        self.next = now + Duration::from_secs_f64(wait.min(mean * 5.0));
        let all: u32 = BLOWS.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.dice.random_range(0..all);
        for (blow, weight) in BLOWS {
            if drawn < *weight {
                return self.strike(*blow, to);
            }
            drawn -= weight;
        }
        Ok(())
    }

    fn strike(&mut self, blow: Blow, to: &Orchestrator) -> io::Result<()> {
        match blow {
            Blow::KillWorker => self.hit_worker(to, libc::SIGKILL, "worker killed"),
            Blow::AbortWorker => self.hit_worker(to, libc::SIGABRT, "worker aborted"),
            Blow::StopWorker => self.hit_worker(to, libc::SIGSTOP, "worker stopped"),
            Blow::KillOrchestrator => self.hit(to, libc::SIGKILL, "orchestrator killed"),
            Blow::AbortOrchestrator => self.hit(to, libc::SIGABRT, "orchestrator aborted"),
            Blow::Drain => self.hit(to, libc::SIGTERM, "orchestrator asked to stop"),
            Blow::StopNow => {
                self.hit(to, libc::SIGTERM, "orchestrator asked to stop");
                std::thread::sleep(Duration::from_millis(30));
                self.hit(to, libc::SIGTERM, "orchestrator told to stop now");
            }
            Blow::Suspend => {
                let workers = to.freeze();
                std::thread::sleep(Duration::from_millis(self.dice.random_range(2_200..4_500)));
                to.thaw(&workers);
                self.tally.injected("machine suspended");
            }
            Blow::FillDisk => self.fill_disk(to)?,
            Blow::ShortWrite => self.cut_short(to),
            Blow::FailedSync => self.fail(to, Call::Sync, libc::EIO),
            Blow::FailedWrite => self.fail(to, Call::Write, libc::EIO),
            Blow::FailedRename => self.fail(to, Call::Rename, libc::EIO),
            Blow::InterruptedWrite => self.fail(to, Call::Write, libc::EINTR),
        }
        Ok(())
    }

    fn hit_worker(&mut self, of: &Orchestrator, by: i32, name: &str) {
        if let Some(pid) = of.workers().choose(self.dice)
            && signal(*pid, by)
        {
            self.tally.injected(name);
        }
    }

    fn hit(&mut self, orchestrator: &Orchestrator, by: i32, name: &str) {
        if signal(orchestrator.pid(), by) {
            self.sent.push(by);
            self.tally.injected(name);
        }
    }

    fn fail(&mut self, of: &Orchestrator, call: Call, errno: i32) {
        if let Some(judge) = of.judge() {
            judge.order(call, errno, self.dice.random_range(0..40));
        }
    }

    /// Counts the calls that were made to fail.
    pub fn count_answers(&mut self, of: &Orchestrator) {
        for (call, errno) in of.judge().map(Judge::answered).unwrap_or_default() {
            let name = match (call, errno) {
                // Every write to a full disk; the filling was counted.
                (_, libc::ENOSPC) => continue,
                (_, libc::EINTR) => "write interrupted",
                (Call::Sync, _) => "fsync failed",
                (Call::Rename, _) => "rename failed",
                (Call::Write, _) => "write failed",
            };
            self.tally.injected(name);
        }
    }

    fn fill_disk(&mut self, of: &Orchestrator) -> io::Result<()> {
        if self.full_until.is_some() {
            return Ok(());
        }
        if self.stage.is_mounted() {
            fill(&self.filler())?;
        } else if let Some(judge) = of.judge() {
            judge.full(true);
        } else {
            return Ok(());
        }
        self.full_until = Some(Instant::now() + Duration::from_millis(self.dice.random_range(500..7_000)));
        self.tally.injected("disk full");
        Ok(())
    }

    fn make_room(&mut self, of: Option<&Orchestrator>) -> io::Result<()> {
        self.full_until = None;
        if let Some(judge) = of.and_then(Orchestrator::judge) {
            judge.full(false);
        }
        match std::fs::remove_file(self.filler()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn filler(&self) -> PathBuf {
        self.stage.desk().join("filler")
    }

    /// The next append to the journal stops in the middle.
    fn cut_short(&mut self, of: &Orchestrator) {
        let Ok(journal) = std::fs::metadata(self.stage.journal()) else { return };
        // Before it speaks it writes the script, which is larger: that would be all that is ever cut.
        if of.workers().is_empty() {
            return;
        }
        let limit = journal.len() + self.dice.random_range(1..300);
        if self.limited_until.is_none() && of.limit_file_size(Some(limit)) {
            self.limited_until = Some(Instant::now() + SHORT_WRITE_WAITS);
        }
    }

    /// An orchestrator ended: what was only for it is over.
    pub fn ended(&mut self, orchestrator: &Orchestrator, end: End) -> io::Result<()> {
        self.count_answers(orchestrator);
        self.tally.ended(match end {
            End::Code(code) => format!("exit code {code}"),
            End::Signal(signal) => format!("signal {signal}"),
        });
        if self.limited_until.take().is_some() && end == End::Code(74) {
            self.tally.injected("write cut short");
        }
        if !self.stage.is_mounted() {
            self.full_until = None;
        }
        if self.full_until.is_some() && end == End::Code(74) {
            // It found no room to start in; whoever starts it again makes some.
            self.make_room(None)?;
        }
        self.sent.clear();
        self.next = Instant::now() + self.pace * HEAD_START;
        Ok(())
    }

    /// Nothing more happens; what still lasts is taken back.
    pub fn cease(&mut self, on: Option<&Orchestrator>) -> io::Result<()> {
        self.limited_until = None;
        if let Some(orchestrator) = on {
            orchestrator.limit_file_size(None);
            self.count_answers(orchestrator);
        }
        self.make_room(on)
    }

    /// What befalls a job while nobody works on it. Whether the next orchestrator has another clock.
    pub fn between(&mut self) -> io::Result<bool> {
        if self.dice.random_range(0..100) < 15 && self.stage.journal().exists() {
            let torn: Vec<u8> = (0..self.dice.random_range(1..120)).map(|_| self.dice.random()).collect();
            // On a full disk there is no room for it.
            if tear(&self.stage.journal(), &torn).is_ok() {
                self.tally.injected("journal's end torn");
            }
        }
        if self.dice.random_range(0..100) < 8
            && let Some(take) = any_take(&self.stage.job().join(narrator_journal::TAKES_NAME), self.dice)
        {
            std::fs::remove_file(take)?;
            self.tally.injected("take removed");
        }
        if self.dice.random_range(0..100) < 20 && self.stage.job().is_dir() {
            let days = self.dice.random_range(-400..400);
            move_times(&self.stage.job(), days * 24 * 3600)?;
            self.tally.injected("clock of the files moved by days");
        }
        let shifted = self.means.shift && self.dice.random_range(0..100) < 20;
        if shifted {
            self.tally.injected("monotone clock a year on");
        }
        Ok(shifted)
    }
}

/// Takes all the room on a file's disk.
fn fill(filler: &Path) -> io::Result<()> {
    let file = std::fs::File::create(filler)?;
    // SAFETY: an all-zero statvfs is a valid one, and the descriptor is open.
    let free = unsafe {
        let mut disk: libc::statvfs = std::mem::zeroed();
        if libc::fstatvfs(file.as_raw_fd(), &raw mut disk) != 0 {
            return Err(io::Error::last_os_error());
        }
        disk.f_bavail.saturating_mul(disk.f_frsize)
    };
    let (mut at, mut step) = (0_i64, free as i64);
    // Others write meanwhile: what is left is taken in ever smaller pieces.
    while step >= 4096 {
        // SAFETY: numbers and an open descriptor.
        if unsafe { libc::posix_fallocate(file.as_raw_fd(), at, step) } == 0 {
            at += step;
        } else {
            step /= 2;
        }
    }
    Ok(())
}

fn any_take(takes: &Path, dice: &mut ChaCha8Rng) -> Option<PathBuf> {
    let files = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let shard = files(takes).choose(dice)?.clone();
    files(&shard).choose(dice).cloned()
}
