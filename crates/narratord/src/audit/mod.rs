//! The audit of a finished audiobook: the file itself, decoded and heard from the first second to the last,
//! against the book's text.
//!
//! ```text
//!  files ─▶ windows ─▶ first recogniser ─▶ words and times ─┐
//!  book ─▶ words that must be heard ────────────────────────┴▶ differences
//!  differences ─▶ both recognisers again: what is written or what was heard? ─▶ settled
//! ```
//!
//! It believes neither the takes nor their verdicts. What it compares is all in `narrator-fidelity`; this is
//! the hearing around it.

mod excerpts;
mod hear;
mod listen;
mod outcome;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;

use narrator_audio::Ffmpeg;
use narrator_core::{Hearing, Ledger, Manuscript, Script};
use narrator_fidelity::audit::{Answer, Audit, Difference, Question, audit, book_words, skipped};
use narrator_pool::PoolEvent;

use crate::error::Failure;
use crate::respelt::Respellings;
use crate::run::check::hearers::{Hearer, Hearers, SEARCH_BEAMS, primary};
use excerpts::{Excerpt, cut_out};
use hear::{Stretch, hear};
use listen::{Listened, listen, listen_again};
pub use outcome::{Outcome, Place, clock, tell, tell_ledger};

/// Of so many words one may be asked about. A good book has one doubt in a hundred, and as many words again that were
/// heard without confidence; one that has more has more wrong with it than the last of them would tell, and asking must
/// end some time.
const WORDS_A_QUESTION: u32 = 30;
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
    pub progress: &'a mut dyn FnMut(Progress),
}

/// How far an audit is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Progress {
    /// Seconds of audio heard, of nobody knows how many.
    Hearing(f64),
    /// So much of the questions about so many places is answered, 0 to 1.
    Asking { places: usize, part: f64 },
}

/// Hears the audio and holds it against the book.
pub fn run(subject: &Subject<'_>, means: &mut Means<'_>) -> Result<Outcome, Failure> {
    let language = primary(&subject.manuscript.metadata.language);
    let Listened { mut words, breaks_ms, voice, audio_ms, unheard } = listen(subject, means, &language)?;
    let left_out = skipped(&words, &voice, audio_ms as u32);
    listen_again(subject, means, &language, &left_out, &mut words)?;
    let book = book_words(subject.manuscript, Some(subject.script), Some(subject.ledger));
    let respellings = Respellings::of(&subject.script.segments);
    // The book's words are as the lexicon has them, so what was heard is too, in questions as well.
    let words = respellings.words(&words);
    let mut found = audit(&book, &words, &breaks_ms);
    let (questions, unasked) = chosen(&found, found.questions(&book, &words));
    let mut heard: Vec<Testimonies> = vec![Vec::new(); questions.len()];
    let (first, second) = (means.hearers.first.clone(), means.hearers.second.clone());
    let answer = |(question, heard): (&Question, &Testimonies)| question.answer(heard);
    let all: Vec<usize> = (0..questions.len()).collect();
    ask(subject, means, &language, (&first, 1), &questions, &all, &mut heard)?;
    if let Some(second) = second {
        // The first one's work is done.
        let second = second.alone(first.on_cpu);
        let answers = questions.iter().zip(&heard).map(answer).enumerate();
        let left: Vec<usize> = answers.filter(|(_, it)| !found.is_answered(it)).map(|(at, _)| at).collect();
        ask(subject, means, &language, (&second, SEARCH_BEAMS), &questions, &left, &mut heard)?;
    }
    let answers: Vec<Answer> = questions.iter().zip(&heard).map(answer).collect();
    found.settle(&answers);
    Ok(Outcome::new(subject.manuscript, found, audio_ms, unheard, unasked))
}

/// What is asked about, in order of the audio, and how much is not: what may be lost, added or said twice goes
/// before what is only changed, and what was heard as it is written comes last.
fn chosen(found: &Audit, questions: Vec<Question>) -> (Vec<Question>, u32) {
    let most = (found.words_in_book / WORDS_A_QUESTION).max(QUESTIONS_AT_LEAST) as usize;
    let is_urgent = |question: &Question| {
        let about = question.about.start as usize..question.about.end as usize;
        found.discrepancies[about].iter().any(|it| it.kind != Difference::Changed || it.lost > 0)
    };
    let is_guessed = |question: &Question| found.discrepancies[question.about.start as usize].guessed;
    let (guessed, doubts): (Vec<Question>, Vec<Question>) = questions.into_iter().partition(is_guessed);
    let (mut asked, other): (Vec<Question>, Vec<Question>) = doubts.into_iter().partition(is_urgent);
    asked.extend(other);
    let unasked = asked.len().saturating_sub(most) as u32;
    asked.extend(guessed);
    asked.truncate(most);
    asked.sort_by_key(|it| (it.start_ms, it.about.start));
    (asked, unasked)
}

/// What was heard of one question: of each listener a hearing for each reading, and one of silence for each.
type Testimonies = Vec<Vec<Hearing>>;

/// Adds what a listener hears of the questions `asked`, which it writes down with so many hypotheses at once. Who cannot
/// hear a place says nothing about it.
fn ask(
    subject: &Subject<'_>,
    means: &mut Means<'_>,
    language: &str,
    (listener, beams): (&Hearer, u16),
    questions: &[Question],
    asked: &[usize],
    heard: &mut [Testimonies],
) -> Result<(), Failure> {
    if asked.is_empty() {
        return Ok(());
    }
    let excerpts: Vec<Excerpt> = asked.iter().map(|&at| Excerpt::of(&questions[at], beams)).collect();
    let counts: Vec<usize> = excerpts.iter().map(|excerpt| excerpt.asked.len()).collect();
    let (ffmpeg, files) = (means.ffmpeg.clone(), subject.files.to_vec());
    let produce = move |sender: &SyncSender<Stretch>| cut_out(&ffmpeg, &files, &excerpts, sender);
    let (places, of) = (asked.len(), counts.iter().sum::<usize>());
    let progress = &mut *means.progress;
    let seen = |count: usize| progress(Progress::Asking { places, part: count as f64 / of.max(1) as f64 });
    let config = (means.pool)(listener)?;
    let mut hearings = hear(config, language.to_owned(), means.stop, means.told, seen, produce)?.into_iter();
    for (&at, count) in asked.iter().zip(counts) {
        heard[at].extend(hearings.by_ref().take(count).collect::<Option<Vec<Hearing>>>());
    }
    Ok(())
}
