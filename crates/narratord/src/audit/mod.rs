//! The audit of a finished audiobook: the file itself, decoded and heard from the first second to the last,
//! against the book's text.
//!
//! ```text
//!  files ─▶ windows ─▶ first recogniser ─▶ words and times ─┐
//!  book ─▶ words that must be heard ────────────────────────┴▶ differences
//!  differences ─▶ second recogniser: what is written or what was heard? ─▶ settled
//! ```
//!
//! It believes neither the takes nor their verdicts. What it compares is all in `narrator-fidelity`; this is
//! the hearing around it.

mod hear;
mod outcome;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;

use narrator_audio::{AudioError, Ffmpeg, LISTENING_RATE, Windows};
use narrator_core::{HeardWord, Hearing, Ledger, Manuscript, Script};
use narrator_fidelity::audit::{Audit, Difference, Opinion, Question, audit, book_words};
use narrator_pool::PoolEvent;

use crate::error::Failure;
use crate::respelt::Respellings;
use crate::run::check::hearers::{Hearer, Hearers, primary};
use hear::{Stretch, hear};
use outcome::Unheard;
pub use outcome::{Outcome, Place, clock, tell, tell_ledger};

/// Of so many words one may be asked about. A good book has one doubt in two hundred; one that has four times as
/// many has more wrong with it than the last of them would tell, and asking must end some time.
const WORDS_A_QUESTION: u32 = 50;
/// However short the book is.
const QUESTIONS_AT_LEAST: u32 = 400;

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
    // The book's words are as the lexicon has them, so what was heard is too, in questions as well.
    let words = respellings.words(&words);
    let mut found = audit(&book, &words);
    let (questions, unasked) = chosen(&found, found.questions(&book, &words));
    let mut answers: Answers = questions.iter().map(|it| (it.about.clone(), Vec::new())).collect();
    let first = means.hearers.first.clone();
    ask(subject, means, &language, &first, &questions, &mut answers)?;
    if let Some(second) = means.hearers.second.clone() {
        let doubted = |(question, (_, opinions)): (Question, &(_, Vec<Opinion>))| {
            (!found.is_answered(&question, opinions)).then_some(question)
        };
        let questions: Vec<Question> = questions.into_iter().zip(&answers).filter_map(doubted).collect();
        ask(subject, means, &language, &second, &questions, &mut answers)?;
    }
    found.settle(&answers);
    Ok(Outcome::new(subject.manuscript, found, audio_ms, unheard, unasked))
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
            let stretch = Stretch { pcm: window.pcm.into(), rate: LISTENING_RATE, expected: None };
            // Nobody listens any more when the run ends early.
            if places.send(place).is_err() || sender.send(stretch).is_err() {
                return Ok(());
            }
        }
        Ok(())
    };
    let config = (means.pool)(&means.hearers.first)?;
    let seconds = |count: usize| count as f64 * 27.0;
    let progress = &mut *means.progress;
    let seen = |count: usize| progress("hearing the audiobook", seconds(count));
    let hearings = hear(config, language.to_owned(), means.stop, means.told, seen, produce)?;
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

/// What is asked about, in order of the audio, and how much is not: what may be lost, added or said twice goes
/// before what is only changed.
fn chosen(found: &Audit, questions: Vec<Question>) -> (Vec<Question>, u32) {
    let most = (found.words_in_book / WORDS_A_QUESTION).max(QUESTIONS_AT_LEAST) as usize;
    let is_urgent = |question: &Question| {
        let about = question.about.start as usize..question.about.end as usize;
        found.discrepancies[about].iter().any(|it| it.kind != Difference::Changed || it.lost > 0)
    };
    let (mut asked, other): (Vec<Question>, Vec<Question>) = questions.into_iter().partition(is_urgent);
    asked.extend(other);
    let unasked = asked.len().saturating_sub(most) as u32;
    asked.truncate(most);
    asked.sort_by_key(|it| (it.start_ms, it.about.start));
    (asked, unasked)
}

/// Differences, and what each listener makes of them.
type Answers = Vec<(Range<u32>, Vec<Opinion>)>;

/// Adds a listener's opinion to the answers to its questions. Who cannot hear a place has none.
fn ask(
    subject: &Subject<'_>,
    means: &mut Means<'_>,
    language: &str,
    listener: &Hearer,
    questions: &[Question],
    answers: &mut Answers,
) -> Result<(), Failure> {
    if questions.is_empty() {
        return Ok(());
    }
    let (ffmpeg, files, wanted) = (means.ffmpeg.clone(), subject.files.to_vec(), questions.to_vec());
    let produce = move |sender: &SyncSender<Stretch>| cut_out(&ffmpeg, &files, &wanted, sender);
    let of = questions.len();
    let progress = &mut *means.progress;
    let seen = |count: usize| progress(&format!("asking again about {of} places"), count as f64 * 5.0);
    let config = (means.pool)(listener)?;
    let hearings = hear(config, language.to_owned(), means.stop, means.told, seen, produce)?;
    let (mut hearings, mut answers) = (hearings.into_iter(), answers.iter_mut());
    for question in questions {
        let scored: Vec<Option<Hearing>> = hearings.by_ref().take(question.readings.len()).collect();
        let scored: Option<Vec<Hearing>> = scored.into_iter().collect();
        let answer = answers.find(|(about, _)| *about == question.about);
        if let (Some((_, opinions)), Some(scored)) = (answer, scored) {
            opinions.extend(question.opinion(&scored));
        }
    }
    Ok(())
}

/// Cuts the places in question, which are in order of their beginnings, out of the running audio, and sends
/// each once for every reading of it.
fn cut_out(
    ffmpeg: &Ffmpeg,
    files: &[PathBuf],
    wanted: &[Question],
    sender: &SyncSender<Stretch>,
) -> Result<(), AudioError> {
    let sample = |ms: u32| u64::from(ms) * u64::from(LISTENING_RATE) / 1000;
    let mut windows = Windows::of(ffmpeg, files);
    // What may still be wanted, and where in the audio it begins.
    let (mut held, mut base, mut ended) = (Vec::new(), 0_u64, false);
    for question in wanted {
        let (from, to) = (sample(question.start_ms), sample(question.end_ms));
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
        let pcm: Arc<[f32]> = pcm.into();
        for reading in &question.readings {
            let (pcm, expected) = (Arc::clone(&pcm), Some(reading.clone()));
            if sender.send(Stretch { pcm, rate: LISTENING_RATE, expected }).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
