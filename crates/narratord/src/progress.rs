//! How far a run is, for the person at the terminal, for a log, and for `narratord status`.
//!
//! [`Tally`] is plain arithmetic over what has happened; [`Display`] shows it: a live line on a terminal,
//! one line every ten seconds elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::audit::Progress;
use crate::output;

/// Between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// What is done and what is left.
#[derive(Clone, Debug)]
pub struct Tally {
    segments: u32,
    done: u32,
    /// Done before this run began.
    resumed: u32,
    quarantined: u32,
    retries: u32,
    /// Spoken and not yet heard; none when nobody listens.
    unheard: Option<u32>,
    characters_left: u64,
    /// Spoken in this run alone, and heard where somebody listens: what the speed is computed from.
    characters_spoken: u64,
    seconds_spoken: f64,
    seconds_resumed: f64,
    chapter: String,
}

/// A tally at one moment: the fields of the event `progress` and of `narratord status`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    pub chapter: String,
    pub segments: u32,
    pub done: u32,
    pub quarantined: u32,
    pub retries: u32,
    /// Takes that wait to be heard; absent when nobody listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard: Option<u32>,
    /// Seconds of audio that exist.
    pub audio_s: f64,
    /// Audio made in this run over the time it took; absent before the first take.
    pub speed: Option<f64>,
    /// Seconds until all is spoken, and heard where somebody listens, at this run's speed.
    pub eta_s: Option<f64>,
    pub elapsed_s: f64,
}

impl Tally {
    pub fn new(segments: u32, characters: u64) -> Self {
        Self {
            segments,
            done: 0,
            resumed: 0,
            quarantined: 0,
            retries: 0,
            unheard: None,
            characters_left: characters,
            characters_spoken: 0,
            seconds_spoken: 0.0,
            seconds_resumed: 0.0,
            chapter: String::new(),
        }
    }

    /// A segment that an earlier run made.
    pub fn resumed(&mut self, characters: u64, seconds: f64) {
        self.done += 1;
        self.resumed += 1;
        self.characters_left = self.characters_left.saturating_sub(characters);
        self.seconds_resumed += seconds;
    }

    pub fn spoken(&mut self, characters: u64, seconds: f64) {
        self.done += 1;
        self.characters_left = self.characters_left.saturating_sub(characters);
        self.characters_spoken += characters;
        self.seconds_spoken += seconds;
    }

    pub fn quarantined(&mut self, characters: u64) {
        self.quarantined += 1;
        self.characters_left = self.characters_left.saturating_sub(characters);
    }

    /// So many takes wait to be heard now.
    pub fn waiting(&mut self, unheard: usize) {
        self.unheard = Some(unheard as u32);
    }

    pub fn retried(&mut self) {
        self.retries += 1;
    }

    pub fn in_chapter(&mut self, title: &str) {
        if self.chapter != title {
            self.chapter = title.to_string();
        }
    }

    pub fn at(&self, elapsed: Duration) -> Snapshot {
        let elapsed_s = elapsed.as_secs_f64();
        let moving = self.characters_spoken > 0 && elapsed_s > 0.0;
        let eta = || self.characters_left as f64 * elapsed_s / self.characters_spoken as f64;
        Snapshot {
            chapter: self.chapter.clone(),
            segments: self.segments,
            done: self.done,
            quarantined: self.quarantined,
            retries: self.retries,
            unheard: self.unheard,
            audio_s: self.seconds_resumed + self.seconds_spoken,
            speed: moving.then(|| self.seconds_spoken / elapsed_s),
            eta_s: moving.then(eta),
            elapsed_s,
        }
    }
}

impl Snapshot {
    /// [`Self::line`], behind the chapter that is being spoken.
    pub fn line_in_chapter(&self) -> String {
        if self.chapter.is_empty() { self.line() } else { format!("{}: {}", self.chapter, self.line()) }
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let mut line = format!(
            "{}/{} segments, {} of audio",
            output::count(self.done.into()),
            output::count(self.segments.into()),
            output::duration(self.audio_s)
        );
        if let Some(speed) = self.speed {
            line.push_str(&format!(", {} real time", times(speed)));
        }
        if let Some(unheard) = self.unheard.filter(|unheard| *unheard > 0) {
            line.push_str(&format!(", {} to be heard", output::count(unheard.into())));
        }
        if self.retries > 0 {
            line.push_str(&format!(", {} retried", self.retries));
        }
        if self.quarantined > 0 {
            line.push_str(&format!(", {} in quarantine", self.quarantined));
        }
        if let Some(eta) = self.eta_s.filter(|_| self.done < self.segments) {
            line.push_str(&format!(", {} left", output::duration(eta)));
        }
        line
    }
}

/// `92×`, `1.4×`, `0.57×`.
fn times(speed: f64) -> String {
    match speed {
        s if s >= 10.0 => format!("{s:.0}×"),
        s if s >= 1.0 => format!("{s:.1}×"),
        s => format!("{s:.2}×"),
    }
}

/// Shows a run's progress on stderr.
#[derive(Debug)]
pub struct Display {
    started: Instant,
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
}

impl Display {
    /// A live display on a terminal, unless `plain`; lines elsewhere.
    pub fn new(plain: bool) -> Self {
        let live = !plain && std::io::stderr().is_terminal();
        Self { started: Instant::now(), bar: live.then(bar), last_line: None }
    }

    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Shows the tally, if it is time to.
    pub fn show(&mut self, tally: &Tally) {
        let now = tally.at(self.elapsed());
        if let Some(bar) = &self.bar {
            bar.set_length(u64::from(now.segments));
            bar.set_position(u64::from(now.done + now.quarantined));
            bar.set_prefix(now.chapter.clone());
            bar.set_message(now.line());
        } else if self.last_line.is_none_or(|at| at.elapsed() >= PLAIN_EVERY) {
            self.last_line = Some(Instant::now());
            output::note(now.line_in_chapter());
        }
    }

    /// A stage that is not speaking, such as encoding: a part done, from 0 to 1.
    pub fn stage(&mut self, name: &str, part: f64) {
        if let Some(bar) = &self.bar {
            bar.set_length(1000);
            bar.set_position((part.clamp(0.0, 1.0) * 1000.0) as u64);
            bar.set_prefix(name.to_string());
            bar.set_message(format!("{:.0} %", part * 100.0));
        } else if self.last_line.is_none_or(|at| at.elapsed() >= PLAIN_EVERY) {
            self.last_line = Some(Instant::now());
            output::note(format_args!("{name}: {:.0} %", part * 100.0));
        }
    }

    pub fn audit(&mut self, at: Progress) {
        match at {
            Progress::Hearing(seconds) => self.heard("hearing the audiobook", seconds),
            Progress::Asking { places, part } => {
                self.stage(&format!("asking again about {} places", output::count(places as u64)), part);
            }
        }
    }

    /// Hearing, whose end is not known: seconds of audio heard.
    fn heard(&mut self, name: &str, seconds: f64) {
        if let Some(bar) = &self.bar {
            bar.set_length(0);
            bar.set_prefix(name.to_string());
            bar.set_message(format!("{} heard", output::duration(seconds)));
        } else if self.last_line.is_none_or(|at| at.elapsed() >= PLAIN_EVERY) {
            self.last_line = Some(Instant::now());
            output::note(format_args!("{name}: {} heard", output::duration(seconds)));
        }
    }

    /// A line that stays.
    pub fn say(&self, line: impl std::fmt::Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| output::note(line)),
            None => output::note(line),
        }
    }

    /// Takes the live line away.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
    // The template is fixed text: if a future indicatif refuses it, its default style still serves.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:.dim}\n  [{bar:40}] {msg}") {
        bar.set_style(style.progress_chars("━━╌"));
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_and_eta_come_from_this_run_alone() {
        let mut tally = Tally::new(4, 400);
        tally.resumed(100, 8.0);
        tally.spoken(100, 8.0);
        tally.in_chapter("One");
        let now = tally.at(Duration::from_secs(2));
        assert_eq!((now.done, now.audio_s), (2, 16.0));
        assert_eq!(now.speed, Some(4.0));
        assert_eq!(now.eta_s, Some(4.0));
        insta::assert_snapshot!(now.line(), @"2/4 segments, 16s of audio, 4.0× real time, 4s left");
    }

    #[test]
    fn what_waits_to_be_heard_is_not_done_yet() {
        let mut tally = Tally::new(4, 400);
        tally.spoken(100, 8.0);
        tally.waiting(2);
        let now = tally.at(Duration::from_secs(2));
        insta::assert_snapshot!(now.line(), @"1/4 segments, 8s of audio, 4.0× real time, 2 to be heard, 6s left");
        tally.waiting(0);
        assert!(!tally.at(Duration::from_secs(2)).line().contains("heard"));
    }

    #[test]
    fn a_finished_tally_says_what_was_hard() {
        let mut tally = Tally::new(2, 20);
        tally.spoken(10, 1.0);
        tally.retried();
        tally.quarantined(10);
        let now = tally.at(Duration::from_secs(100));
        insta::assert_snapshot!(now.line(), @"1/2 segments, 1s of audio, 0.01× real time, 1 retried, 1 in quarantine, 0s left");
        assert_eq!(now.eta_s, Some(0.0));
    }
}
