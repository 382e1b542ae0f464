//! Settling: two readings of one place, and which of them the audio says.
//!
//! A transcript is a guess about many words at once, and its language model may talk a recogniser into a word
//! that nobody said, or out of one that was. So what is in doubt is put as a question with two answers: a few
//! heard words with what is *written* between them, and the same with what was *heard*. A recogniser scores
//! both against the same audio. All that they share weighs the same on both sides, so their difference is about
//! the doubtful words alone.
//!
//! Invariant: only an answer moves a difference. What was not asked, or is answered by too little, stays what
//! it was and says so.

use std::ops::Range;

use narrator_core::{HeardWord, Hearing};
use serde::{Deserialize, Serialize};

use super::sort::{is_slight, written};
use super::{Audit, BookWord, Difference, Discrepancy};
use crate::sound::{is_rare, unlike_texts};

/// Heard words on each side of the place. Six are two seconds: enough for a recogniser to find its way in.
const FRAME_WORDS: u32 = 6;
/// Audio beside the frame, so that its outer words are whole.
const EDGE_MS: u32 = 160;
/// Audio that is scored at once ends here: recognisers take thirty seconds.
const LONGEST_MS: u32 = 25_000;
/// Nobody speaks a word in less, over a frame. Audio that has no room for what is written needs no question.
const WORD_MS: u32 = 90;
/// Where words are really said, leaving them out of the reading costs more than this; where they are not, putting
/// them in gains less than the next, however well they suit the sentence. Of 80 words cut out of good speech by
/// hand the likeliest gained 1.9; left in, the unlikeliest 5.8.
const THERE_NATS: f32 = 4.0;
const NOT_THERE_NATS: f32 = 2.5;
/// One listener is enough where it is sure by twice as much.
const PLAINLY_NATS: f32 = 8.0;
/// What a recogniser writes for a name or a rare word that it hears right suits it better by up to this.
const MISSPELT_NATS: f32 = 5.0;
/// Nothing that sounds like what is written is that much worse than what was heard.
const SOMETHING_ELSE_NATS: f32 = 10.0;

/// Two texts nearer than this may be one, written in two ways: `chanced` and chance, `than` and then.
const SPELLING_UNLIKE: f32 = 0.25;

/// More words than these that were heard too many are not asked about when the audio has room for them: a reader
/// of the text skips a passage at little cost, so that scores tell nothing, and nobody mishears silence as a sentence.
const MOST_TOO_MANY: usize = 3;

/// One place, read in several ways.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Indices into [`Audit::discrepancies`]: those that have no right word between them.
    pub about: Range<u32>,
    pub start_ms: u32,
    pub end_ms: u32,
    /// The frame with the book's words in it, with what was heard, and with neither; each once.
    pub readings: Vec<String>,
}

/// What one listener makes of a place, in nats.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Opinion {
    /// By how much it prefers what is written to what was heard.
    pub to_heard: f32,
    /// By how much it prefers what is written to nothing in its place.
    pub to_nothing: f32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settled {
    /// The audio says what is written.
    Cleared,
    /// It says what was heard.
    Confirmed,
    /// It may be either.
    Open,
}

impl Question {
    /// A listener's opinion from its scores of the readings; none when it could not score them.
    pub fn opinion(&self, readings: &[Hearing]) -> Option<Opinion> {
        let mut sums = readings.iter().map(|hearing| {
            let words = hearing.scored.iter().map(|word| word.log_prob);
            (!hearing.scored.is_empty()).then(|| words.sum::<f32>()).filter(|sum| sum.is_finite())
        });
        let written = sums.next()??;
        let others: Vec<f32> = sums.collect::<Option<_>>()?;
        let (&first, &last) = (others.first()?, others.last()?);
        Some(Opinion { to_heard: written - first, to_nothing: written - last })
    }
}

impl Audit {
    /// What should be asked, in order of the audio: every difference that a recogniser may have made.
    pub fn questions(&self, book: &[BookWord], heard: &[HeardWord]) -> Vec<Question> {
        let groups = groups(&self.discrepancies).into_iter();
        let mut questions: Vec<Question> =
            groups.filter_map(|about| question(about, &self.discrepancies, book, heard)).collect();
        questions.sort_by_key(|it| (it.start_ms, it.about.start));
        questions
    }

    /// Whether a question needs no other listener: whoever was asked plainly hears what is written. What is to be
    /// counted as lost is asked of everybody.
    pub fn is_answered(&self, question: &Question, opinions: &[Opinion]) -> bool {
        let about = question.about.start as usize..question.about.end as usize;
        let plain = |it: &Opinion| it.to_nothing >= PLAINLY_NATS && it.to_heard >= 0.0;
        !opinions.is_empty()
            && opinions.iter().all(plain)
            && self.discrepancies[about]
                .iter()
                .all(|it| matches!(it.kind, Difference::Lost | Difference::Changed))
    }

    /// Takes the opinions of listeners about differences, all at once: cleared ones are put aside, which gives
    /// the others other places. Confirmed ones become sure.
    pub fn settle(&mut self, answers: &[(Range<u32>, Vec<Opinion>)]) {
        for (about, opinions) in answers.iter().filter(|(_, opinions)| !opinions.is_empty()) {
            let is_alone = about.len() == 1;
            for it in &mut self.discrepancies[about.start as usize..about.end as usize] {
                it.opinions.clone_from(opinions);
                let settled = settled(it, is_alone, opinions);
                it.settled = Some(settled);
                match settled {
                    Settled::Confirmed => confirm(it),
                    // What may be either is not counted as lost, and is listed.
                    Settled::Open => it.sure = false,
                    Settled::Cleared => {}
                }
            }
        }
        let is_cleared = |it: &Discrepancy| it.settled == Some(Settled::Cleared);
        let (cleared, left) = std::mem::take(&mut self.discrepancies).into_iter().partition(is_cleared);
        self.discrepancies = left;
        self.cleared.extend::<Vec<Discrepancy>>(cleared);
        let missing: u32 = self.discrepancies.iter().map(|it| it.lost).sum();
        self.words_found = self.words_in_book.saturating_sub(missing);
    }
}

/// What the listeners say together. Their evidence is averaged: one may be sure and the other at a loss.
fn settled(it: &Discrepancy, is_alone: bool, opinions: &[Opinion]) -> Settled {
    let mean = |of: fn(&Opinion) -> f32| opinions.iter().map(of).sum::<f32>() / opinions.len() as f32;
    let (to_heard, to_nothing) = (mean(|it| it.to_heard), mean(|it| it.to_nothing));
    let is_there = |nats: f32| match nats {
        nats if nats >= THERE_NATS => Some(true),
        nats if nats <= NOT_THERE_NATS => Some(false),
        _ => None,
    };
    if matches!(it.kind, Difference::Added | Difference::Repeated) {
        return match is_there(-to_heard) {
            Some(true) => Settled::Confirmed,
            Some(false) => Settled::Cleared,
            None => Settled::Open,
        };
    }
    // What sounds like what is written is one listener's spelling of it; what does not has to compete with it, as
    // has a word that is missing beside one that was heard otherwise.
    let competes = if it.kind == Difference::Lost { !is_alone } else { it.lost > 0 };
    match is_there(to_nothing) {
        // As good as what was heard, and hardly worse than nothing: it may be either.
        Some(false) if it.kind == Difference::Changed && to_heard.min(to_nothing) > -NOT_THERE_NATS => {
            Settled::Open
        }
        Some(false) if it.kind == Difference::Changed && it.lost == 0 && is_spelling(it) => Settled::Open,
        Some(false) => Settled::Confirmed,
        Some(true) if competes && to_heard <= -SOMETHING_ELSE_NATS => Settled::Confirmed,
        Some(true) if !competes || to_heard >= -MISSPELT_NATS => Settled::Cleared,
        _ => Settled::Open,
    }
}

/// Whether what was heard may be how a recogniser spells what is written: of two spellings of one sound it scores
/// its own far better, most of all of a name. Such a word was said, rightly or not; it is listed and not counted.
fn is_spelling(it: &Discrepancy) -> bool {
    is_rare(&it.written) || unlike_texts(&it.written, &it.heard) <= SPELLING_UNLIKE
}

/// The audio says something else than the book.
fn confirm(it: &mut Discrepancy) {
    // A slight word that is swallowed is how people speak; a recogniser that does not hear it is right, and the
    // book is not the poorer. It stays a doubt.
    let is_more_than_slight = it.sure || !it.written.split_whitespace().all(is_slight);
    match it.kind {
        Difference::Lost => it.sure = is_more_than_slight,
        Difference::Changed => {
            it.sure = is_more_than_slight;
            if it.lost == 0 {
                it.lost = it.words.len() as u32;
            }
        }
        Difference::Added | Difference::Repeated | Difference::Moved => it.sure = true,
    }
}

/// Differences that touch, together: of `Netherfield House` heard as `another fieldhouse`, the one is no frame
/// for the other. What is moved was found elsewhere and needs no question; what is repeated stands for itself.
fn groups(all: &[Discrepancy]) -> Vec<Range<u32>> {
    let mut groups: Vec<Range<u32>> = Vec::new();
    for (at, it) in all.iter().enumerate().filter(|(_, it)| it.kind != Difference::Moved) {
        let at = at as u32;
        let joins = |last: &Discrepancy| {
            last.kind != Difference::Repeated
                && it.kind != Difference::Repeated
                && last.words.end == it.words.start
                && last.heard_words.end == it.heard_words.start
        };
        match groups.last_mut() {
            Some(group) if group.end == at && joins(&all[at as usize - 1]) => group.end = at + 1,
            _ => groups.push(at..at + 1),
        }
    }
    groups
}

fn question(
    about: Range<u32>,
    all: &[Discrepancy],
    book: &[BookWord],
    heard: &[HeardWord],
) -> Option<Question> {
    let group = &all[about.start as usize..about.end as usize];
    let (first, last) = (group.first()?, group.last()?);
    let place = first.heard_words.start..last.heard_words.end;
    let too_many = |it: &Discrepancy| {
        matches!(it.kind, Difference::Added | Difference::Repeated)
            && it.heard_words.len() > MOST_TOO_MANY
            && it.end_ms.saturating_sub(it.start_ms) >= WORD_MS * it.heard_words.len() as u32
    };
    if group.iter().any(too_many) {
        return None;
    }
    let before = place.start.saturating_sub(FRAME_WORDS)..place.start;
    let after = place.end..(place.end + FRAME_WORDS).min(heard.len() as u32);
    // Without words behind it the shorter reading is always the likelier: nothing must be heard in its place.
    let last_after = heard.get(after.clone().last()? as usize)?;
    let start_ms = heard.get(before.start as usize)?.start_ms.saturating_sub(EDGE_MS);
    let end_ms = last_after.end_ms + EDGE_MS;
    // Words that are said again are not words that are missing.
    let own = if first.kind == Difference::Repeated { 0..0 } else { first.words.start..last.words.end };
    let length_ms = end_ms.saturating_sub(start_ms);
    let words = (own.len() + before.len() + after.len()) as u32;
    if length_ms > LONGEST_MS || words * WORD_MS > length_ms {
        return None;
    }
    let framed = |middle: &str| {
        let parts = [&texts(heard, &before), middle, &texts(heard, &after)];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let mut readings = vec![framed(&written(book, &own)), framed(&texts(heard, &place)), framed("")];
    if own.is_empty() || place.is_empty() {
        readings.pop();
    }
    Some(Question { about, start_ms, end_ms, readings })
}

fn texts(heard: &[HeardWord], words: &Range<u32>) -> String {
    let words = heard.get(words.start as usize..words.end as usize).unwrap_or_default();
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
