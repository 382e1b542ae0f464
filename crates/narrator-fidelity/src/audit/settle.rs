//! Settling: two readings of one place, and which of them the audio says.
//!
//! A transcript is a guess about many words at once, and its language model may talk a recogniser into a word
//! that nobody said, or out of one that was. So what is in doubt is put as a question with two answers: a few
//! heard words with what is *written* between them, and the same with what was *heard*. A recogniser scores
//! both against the same audio. All that they share weighs the same on both sides, so their difference is about
//! the doubtful words alone.
//!
//! Beside it the place is written down again, by itself, and judged as the gate judges a take ([`super::again`]).
//!
//! Invariant: only an answer moves a difference. What was not asked, or is answered by too little, stays what
//! it was and says so.

use std::ops::Range;

use narrator_core::Hearing;
use serde::{Deserialize, Serialize};

use super::again::retold;
use super::decide::decide;
use super::question::Question;
use super::sort::is_slight;
use super::{Audit, Difference, Discrepancy};
use crate::verdict::Complaint;

/// One listener is enough where what is written is so much better than nothing, for each difference, and hardly worse
/// than what was heard. At 6 a word that was cut out is (`believe`), and one that was replaced (`told`), of 120;
const PLAINLY_NATS: f32 = 8.0;
const HARDLY_NATS: f32 = 3.0;
/// or so much better, when so much of it is what the audio says.
const CLEARLY_NATS: f32 = 6.0;
const CLEAR_EVIDENCE_NATS: f32 = 10.0;
/// Of a word that was heard as it is written, more is wanted: the words alone may speak for it by nine;
const PLAINLY_GUESSED_NATS: f32 = 10.0;
/// or evidence, of which a word that is not there has none.
const GUESSED_EVIDENCE_NATS: f32 = 4.0;

/// What came of a question.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    pub about: Range<u32>,
    /// One for each listener who could score the readings.
    pub opinions: Vec<Opinion>,
    /// Of each difference, what the transcripts of the place hold against it; none where no listener wrote it down
    /// so that it can be believed.
    pub missing: Option<Vec<Vec<Complaint>>>,
}

/// What one listener makes of a place, in nats.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Opinion {
    /// By how much it prefers what is written to what was heard.
    pub to_heard: f32,
    /// By how much it prefers what is written to nothing in its place.
    pub to_nothing: f32,
    /// By how much it would if it heard silence: what the words around the place make of it. Absent where that was
    /// not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<f32>,
}

impl Opinion {
    /// What the audio itself says for what is written, and against nothing in its place.
    pub(super) fn evidence(&self) -> Option<f32> {
        self.prior.map(|prior| self.to_nothing - prior)
    }
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
    /// Everything that was heard, put together: for each listener one hearing for each reading, the first of them
    /// with a transcript, and then, if it was asked, for each text of the prior.
    pub fn answer(&self, testimonies: &[Vec<Hearing>]) -> Answer {
        let opinions: Vec<Opinion> = testimonies.iter().filter_map(|it| self.opinion(it)).collect();
        let firsts: Vec<&Hearing> = testimonies.iter().filter_map(|it| it.first()).collect();
        Answer {
            about: self.about.clone(),
            opinions,
            missing: retold(&self.readings[0], &self.parts, &firsts),
        }
    }

    /// A listener's opinion from its scores of the readings; none when it could not score them.
    pub fn opinion(&self, readings: &[Hearing]) -> Option<Opinion> {
        let mut sums = readings.iter().map(|hearing| {
            let words = hearing.scored.iter().map(|word| word.log_prob);
            (!hearing.scored.is_empty()).then(|| words.sum::<f32>()).filter(|sum| sum.is_finite())
        });
        let written = sums.next()??;
        let others: Vec<f32> =
            sums.by_ref().take(self.readings.len().saturating_sub(1)).collect::<Option<_>>()?;
        let (&first, &last) = (others.first()?, others.last()?);
        let prior = match [sums.next(), sums.next()] {
            [Some(written), Some(nothing)] => Some(written? - nothing?),
            _ => None,
        };
        Some(Opinion { to_heard: written - first, to_nothing: written - last, prior })
    }
}

impl Audit {
    /// Whether a question needs no other listener: whoever was asked plainly hears what is written. What is to be
    /// counted as lost is asked of everybody.
    pub fn is_answered(&self, answer: &Answer) -> bool {
        let about = answer.about.start as usize..answer.about.end as usize;
        let guessed = self.discrepancies[about.clone()].iter().all(|it| it.guessed);
        let each = about.len() as f32;
        let says = |it: &Opinion, nats: f32| it.evidence().is_some_and(|evidence| evidence >= nats);
        let plainly_guessed =
            |it: &Opinion| it.to_nothing >= PLAINLY_GUESSED_NATS || says(it, GUESSED_EVIDENCE_NATS);
        let plainly_doubted = |it: &Opinion| {
            let clearly = it.to_nothing >= CLEARLY_NATS * each && says(it, CLEAR_EVIDENCE_NATS);
            it.to_heard >= -HARDLY_NATS && (it.to_nothing >= PLAINLY_NATS * each || clearly)
        };
        let plain = |it: &Opinion| if guessed { plainly_guessed(it) } else { plainly_doubted(it) };
        !answer.opinions.is_empty()
            && answer.opinions.iter().all(plain)
            && self.discrepancies[about]
                .iter()
                .all(|it| matches!(it.kind, Difference::Lost | Difference::Changed))
    }

    /// Takes the answers about differences, all at once: cleared ones are put aside, which gives the others other
    /// places. Confirmed ones become sure.
    pub fn settle(&mut self, answers: &[Answer]) {
        for answer in answers.iter().filter(|answer| !answer.opinions.is_empty()) {
            let is_answered = self.is_answered(answer);
            let is_alone = answer.about.len() == 1;
            for (part, at) in answer.about.clone().enumerate() {
                let it = &mut self.discrepancies[at as usize];
                it.opinions.clone_from(&answer.opinions);
                // What is plainly heard needs no transcript.
                let missing = answer.missing.as_deref().filter(|_| !is_answered);
                let settled = decide(it, is_alone, &answer.opinions, missing, part);
                it.settled = Some(settled);
                match settled {
                    Settled::Confirmed => confirm(it, missing.map_or(0, |parts| parts[part].len()) as u32),
                    // What may be either is not counted as lost, and is listed.
                    Settled::Open => it.sure = false,
                    Settled::Cleared => {}
                }
            }
        }
        // What was heard as it is written needs a reason to be a difference.
        self.discrepancies.retain(|it| !it.guessed || it.settled == Some(Settled::Confirmed));
        let is_cleared = |it: &Discrepancy| it.settled == Some(Settled::Cleared);
        let (cleared, left) = std::mem::take(&mut self.discrepancies).into_iter().partition(is_cleared);
        self.discrepancies = left;
        self.cleared.extend::<Vec<Discrepancy>>(cleared);
        let missing: u32 = self.discrepancies.iter().map(|it| it.lost).sum();
        self.words_found = self.words_in_book.saturating_sub(missing);
    }
}

/// The audio says something else than the book, in so many words as the transcripts tell.
fn confirm(it: &mut Discrepancy, missing: u32) {
    // A slight word that is swallowed is how people speak; a recogniser that does not hear it is right, and the
    // book is not the poorer. It stays a doubt.
    let is_more_than_slight = it.sure || !it.written.split_whitespace().all(is_slight);
    match it.kind {
        Difference::Lost => {
            it.sure = is_more_than_slight;
            it.lost = it.words.len() as u32;
        }
        Difference::Changed => {
            it.sure = is_more_than_slight;
            it.lost = match (missing, it.lost) {
                (0, 0) => it.words.len() as u32,
                (0, lost) => lost,
                (missing, _) => missing,
            };
        }
        Difference::Added | Difference::Repeated => {
            it.sure = it.sure || !it.heard.split_whitespace().all(is_slight);
        }
        Difference::Moved => it.sure = true,
    }
}

#[cfg(test)]
mod tests;
