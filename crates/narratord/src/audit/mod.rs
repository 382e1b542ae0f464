//! The audit of a finished audiobook: the file itself, decoded and heard from the first second to the last,
//! against the book's text.
//!
//! ```text
//!  files ─▶ windows ─▶ first recogniser ─▶ words and times ─┐
//!  book ─▶ words that must be heard ────────────────────────┴▶ differences
//!                 what is not sure ─▶ second recogniser, over short windows ─▶ settled
//! ```
//!
//! It believes neither the takes nor their verdicts. What it compares is all in `narrator-fidelity`; this is
//! the hearing around it.

mod hear;
mod outcome;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;

use narrator_audio::{AudioError, Ffmpeg, LISTENING_RATE, Windows};
use narrator_core::{HeardWord, Ledger, Manuscript, Script};
use narrator_fidelity::audit::{Audit, Difference, Window, audit, book_words};
use narrator_pool::PoolEvent;

use crate::error::Failure;
use crate::respelt::Respellings;
use crate::run::check::hearers::{Hearer, Hearers, primary};
use hear::{Manner, Stretch, hear};
use outcome::Unheard;
pub use outcome::{Outcome, Place, clock, tell, tell_ledger};

/// Differences longer than this were not misheard: nobody is asked again about a lost sentence.
const DOUBTED_WORDS: u32 = 6;
/// Doubts that are settled at most, the graver kinds first: a book of a day has some hundred, and a second
/// recogniser that is asked for an hour serves nobody.
const MOST_DOUBTS: usize = 800;
/// Hypotheses of the second recogniser.
const SECOND_BEAMS: u16 = 5;

/// What is audited.
#[derive(Debug)]
pub struct Subject<'a> {
    pub manuscript: &'a Manuscript,
    /// How tokens are read, where a script says so.
    pub script: &'a Script,
    /// Which chapters were wanted: no more of it is believed.
    pub ledger: &'a Ledger,
    /// The audio, one file after the other.
    pub files: &'a [PathBuf],
}

/// Who hears it, and who is told how far it is.
pub struct Means<'a> {
    pub ffmpeg: &'a Ffmpeg,
    pub hearers: &'a Hearers,
    /// A pool of one recogniser.
    pub pool: &'a dyn Fn(&Hearer) -> Result<narrator_pool::PoolConfig, Failure>,
    pub stop: &'a AtomicBool,
    pub told: &'a (dyn Fn(&PoolEvent) + Send + Sync),
    /// Stage, and seconds of audio heard.
    pub progress: &'a mut dyn FnMut(&str, f64),
}

/// Hears the audio and holds it against the book.
pub fn run(subject: &Subject<'_>, means: &mut Means<'_>) -> Result<Outcome, Failure> {
    let language = primary(&subject.manuscript.metadata.language);
    let (words, audio_ms, unheard) = listen(subject, means, &language)?;
    let book = book_words(subject.manuscript, Some(subject.script), Some(subject.ledger));
    let respellings = Respellings::of(&subject.script.segments);
    let mut found = audit(&book, &respellings.words(&words));
    if let Some(second) = &means.hearers.second {
        let doubts = doubts(&found, found.windows(&book, DOUBTED_WORDS));
        if !doubts.is_empty() {
            let heard = listen_again(subject, means, &second.clone(), &language, doubts)?;
            let heard: Vec<_> =
                heard.into_iter().map(|(window, it)| (window, respellings.hearing(&it))).collect();
            found.settle(&heard);
        }
    }
    Ok(Outcome::new(subject.manuscript, found, audio_ms, unheard))
}

/// The whole audio, word by word.
fn listen(
    subject: &Subject<'_>,
    means: &mut Means<'_>,
    language: &str,
) -> Result<(Vec<HeardWord>, u64, Vec<Unheard>), Failure> {
    let (places, starts) = std::sync::mpsc::channel();
    let (ffmpeg, files) = (means.ffmpeg.clone(), subject.files.to_vec());
    let produce = move |sender: &SyncSender<Stretch>| -> Result<(), AudioError> {
        let mut windows = Windows::of(&ffmpeg, &files);
        while let Some(window) = windows.next_window()? {
            let length_ms = window.pcm.len() as u64 * 1000 / u64::from(LISTENING_RATE);
            let place = (window.start_ms(), length_ms);
            let stretch = Stretch { pcm: window.pcm, rate: LISTENING_RATE, expected: None };
            // Nobody listens any more when the run ends early.
            if places.send(place).is_err() || sender.send(stretch).is_err() {
                return Ok(());
            }
        }
        Ok(())
    };
    let config = (means.pool)(&means.hearers.first)?;
    let manner = Manner { language: language.to_owned(), beams: 1 };
    let seconds = |count: usize| count as f64 * 27.0;
    let progress = &mut *means.progress;
    let seen = |count: usize| progress("hearing the audiobook", seconds(count));
    let hearings = hear(config, manner, means.stop, means.told, seen, produce)?;
    let (mut words, mut unheard, mut audio_ms) = (Vec::new(), Vec::new(), 0);
    for ((start_ms, length_ms), hearing) in starts.into_iter().zip(hearings) {
        audio_ms = start_ms + length_ms;
        match hearing {
            Some(hearing) => words.extend(hearing.words.into_iter().map(|word| HeardWord {
                start_ms: word.start_ms + start_ms as u32,
                end_ms: word.end_ms + start_ms as u32,
                ..word
            })),
            None => unheard.push(Unheard { start_ms, end_ms: start_ms + length_ms }),
        }
    }
    Ok((words, audio_ms, unheard))
}

/// Which doubts are worth another opinion: what may be lost, added or repeated before what is only changed.
fn doubts(found: &Audit, windows: Vec<Window>) -> Vec<Window> {
    let grave = |window: &Window| {
        let it = &found.discrepancies[window.discrepancy as usize];
        it.kind != Difference::Changed || it.lost > 0
    };
    let (mut first, rest): (Vec<Window>, Vec<Window>) = windows.into_iter().partition(grave);
    first.extend(rest);
    first.truncate(MOST_DOUBTS);
    first.sort_by_key(|window| (window.start_ms, window.discrepancy));
    first
}

/// Short windows, heard by the second recogniser.
fn listen_again(
    subject: &Subject<'_>,
    means: &mut Means<'_>,
    second: &Hearer,
    language: &str,
    doubts: Vec<Window>,
) -> Result<Vec<(Window, narrator_core::Hearing)>, Failure> {
    let (ffmpeg, files) = (means.ffmpeg.clone(), subject.files.to_vec());
    let wanted = doubts.clone();
    let produce = move |sender: &SyncSender<Stretch>| cut_out(&ffmpeg, &files, &wanted, sender);
    let config = (means.pool)(second)?;
    let manner = Manner { language: language.to_owned(), beams: SECOND_BEAMS };
    let of = doubts.len();
    let progress = &mut *means.progress;
    let seen = |count: usize| progress(&format!("asking again about {of} places"), count as f64 * 7.0);
    let hearings = hear(config, manner, means.stop, means.told, seen, produce)?;
    Ok(doubts.into_iter().zip(hearings).filter_map(|(window, hearing)| Some((window, hearing?))).collect())
}

/// Cuts the wanted windows, which are in order of their beginnings, out of the running audio.
fn cut_out(
    ffmpeg: &Ffmpeg,
    files: &[PathBuf],
    wanted: &[Window],
    sender: &SyncSender<Stretch>,
) -> Result<(), AudioError> {
    let sample = |ms: u32| u64::from(ms) * u64::from(LISTENING_RATE) / 1000;
    let mut windows = Windows::of(ffmpeg, files);
    // What may still be wanted, and where in the audio it begins.
    let (mut held, mut base, mut ended) = (Vec::new(), 0_u64, false);
    for window in wanted {
        let (from, to) = (sample(window.start_ms), sample(window.end_ms));
        let before = from.saturating_sub(base).min(held.len() as u64);
        held.drain(..before as usize);
        base += before;
        while base + (held.len() as u64) < to && !ended {
            match windows.next_window()? {
                Some(piece) => held.extend(piece.pcm),
                None => ended = true,
            }
            let before = from.saturating_sub(base).min(held.len() as u64);
            held.drain(..before as usize);
            base += before;
        }
        let end = (to.saturating_sub(base) as usize).min(held.len());
        let mut pcm: Vec<f32> = held[..end].to_vec();
        if pcm.is_empty() {
            // Behind the end of the audio: a moment of silence is what is there.
            pcm.resize(LISTENING_RATE as usize / 10, 0.0);
        }
        let stretch = Stretch { pcm, rate: LISTENING_RATE, expected: Some(window.text.clone()) };
        if sender.send(stretch).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
