//! How far a pull is, for the person who waits.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// Between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Bytes done of bytes in all: a live line on a terminal, a line every ten seconds elsewhere.
#[derive(Debug)]
pub struct Meter {
    total: u64,
    done: u64,
    /// Done before this run.
    before: u64,
    started: Instant,
    told: Instant,
    bar: Option<ProgressBar>,
}

impl Meter {
    pub fn new(total: u64, before: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(4));
            let template =
                "{prefix:.dim}\n  [{bar:40}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━━╌"));
            }
            bar.set_position(before);
            bar.reset_eta();
            bar
        });
        Self { total, done: before, before, started: Instant::now(), told: Instant::now(), bar }
    }

    pub fn file(&self, name: &str) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(name.to_string());
        }
    }

    pub fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        self.show();
    }

    /// What was fetched proved to be nothing.
    pub fn take_back(&mut self, bytes: u64) {
        self.done = self.done.saturating_sub(bytes);
        self.before = self.before.min(self.done);
        self.show();
    }

    fn show(&mut self) {
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        } else if self.told.elapsed() >= PLAIN_EVERY {
            self.told = Instant::now();
            output::note(self.line());
        }
    }

    fn line(&self) -> String {
        let speed = (self.done - self.before) as f64 / self.started.elapsed().as_secs_f64().max(1e-3) / 1e6;
        let [done, total] = [self.done, self.total].map(|bytes| bytes as f64 / 1e9);
        format!("{done:.2} of {total:.2} GB, {speed:.1} MB/s")
    }

    /// A line that stays.
    pub fn say(&self, line: impl std::fmt::Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| output::note(line)),
            None => output::note(line),
        }
    }

    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
