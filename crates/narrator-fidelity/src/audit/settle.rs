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
use super::question::{Question, Rivals, has_only_slight_words};
use super::sort::is_slight;
use super::{Audit, Difference, Discrepancy};
use crate::slight::is_cry;
use crate::verdict::Complaint;
use crate::words::{fold, is_closing};

/// A small word at the end of a sentence is gone where leaving it out gains so much. Of those cut off with the tail of a
/// segment three gained 12 and more; a good novel was never heard without one to gain anything.
const CUT_NATS: f32 = 10.0;
/// One listener is enough where what is written is so much better than nothing, for each difference, and hardly worse
/// than what was heard. At 6 a word that was cut out is (`believe`), and one that was replaced (`told`), of 120;
const PLAINLY_NATS: f32 = 8.0;
const HARDLY_NATS: f32 = 3.0;
/// or so much better, when so much of it is what the audio says.
const CLEARLY_NATS: f32 = 6.0;
const CLEAR_EVIDENCE_NATS: f32 = 10.0;
/// Whatever the scores are, the audio has to say so much for it ([`Opinion::sound`]).
const PLAIN_SOUND_NATS: f32 = 6.0;
/// Of a word that was heard as it is written, more is wanted: the words alone may speak for it by nine;
const PLAINLY_GUESSED_NATS: f32 = 10.0;
/// or evidence, of which a word that is not there has none.
const GUESSED_EVIDENCE_NATS: f32 = 4.0;

/// How much heavier what the audio says for the word that was heard weighs than what it says against silence: see
/// decision 10.
const CONTRAST: f32 = 1.5;

/// What came of a question.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    pub about: Range<u32>,
    /// One for each listener who could score the readings: of all differences together,
    pub opinions: Vec<Opinion>,
    /// and of each difference by itself; none where there are too many for that.
    pub own: Vec<Vec<Opinion>>,
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
    /// By how much it would prefer it to nothing if it heard silence: what the words alone make of the place. Absent
    /// where it could not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<f32>,
    /// By how much it would then prefer it to what was heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_prior: Option<f32>,
}

impl Opinion {
    /// What the audio itself says for what is written, and against nothing in its place.
    pub(super) fn evidence(&self) -> Option<f32> {
        self.prior.map(|prior| self.to_nothing - prior)
    }

    /// The same, less for all that the audio itself says for what was heard instead: two spellings of a name sound
    /// alike, and a word that was put in another's place sounds like itself.
    pub(super) fn sound(&self) -> Option<f32> {
        let over_heard = self.to_heard - self.heard_prior?;
        Some(self.evidence()? + CONTRAST * over_heard.min(0.0))
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
    /// with a transcript, and then one of silence for each.
    pub fn answer(&self, testimonies: &[Vec<Hearing>]) -> Answer {
        let scores: Vec<Scores> =
            testimonies.iter().filter_map(|it| Scores::of(it, self.readings.len())).collect();
        let of = |rivals: &Rivals| scores.iter().map(|it| it.opinion(*rivals)).collect();
        let firsts: Vec<&Hearing> = testimonies.iter().filter_map(|it| it.first()).collect();
        Answer {
            about: self.about.clone(),
            opinions: of(&self.rivals),
            own: self.own.iter().map(of).collect(),
            missing: retold(&self.readings[0], &self.parts, &firsts),
        }
    }
}

/// One listener's log-probabilities of all readings.
#[derive(Debug)]
struct Scores {
    aloud: Vec<f32>,
    /// If it heard silence; none where it could not tell.
    silent: Option<Vec<f32>>,
}

impl Scores {
    /// None when one of the readings could not be scored.
    fn of(hearings: &[Hearing], readings: usize) -> Option<Self> {
        let sums = |hearings: &[Hearing]| -> Option<Vec<f32>> {
            let sum = |hearing: &Hearing| {
                let words = hearing.scored.iter().map(|word| word.log_prob);
                (!hearing.scored.is_empty()).then(|| words.sum::<f32>()).filter(|sum| sum.is_finite())
            };
            hearings.iter().map(sum).collect()
        };
        let (aloud, silent) = hearings.split_at_checked(readings)?;
        Some(Self { aloud: sums(aloud)?, silent: sums(silent).filter(|it| it.len() == readings) })
    }

    fn opinion(&self, rivals: Rivals) -> Opinion {
        let over = |scores: &[f32], rival: u32| scores[0] - scores[rival as usize];
        let prior = |rival: u32| self.silent.as_deref().map(|scores| over(scores, rival));
        Opinion {
            to_heard: over(&self.aloud, rivals.heard),
            to_nothing: over(&self.aloud, rivals.nothing),
            prior: prior(rivals.nothing),
            heard_prior: prior(rivals.heard),
        }
    }
}

impl Audit {
    /// Whether a question needs no other listener: whoever was asked plainly hears what is written. What is to be
    /// counted as lost is asked of everybody.
    pub fn is_answered(&self, answer: &Answer) -> bool {
        let about = answer.about.start as usize..answer.about.end as usize;
        let guessed = self.discrepancies[about.clone()].iter().all(|it| it.guessed);
        if self.discrepancies[about.clone()].iter().all(has_only_slight_words) {
            return !answer.opinions.is_empty();
        }
        let each = about.len() as f32;
        let says = |it: &Opinion, nats: f32| it.evidence().is_some_and(|evidence| evidence >= nats);
        let plainly_guessed =
            |it: &Opinion| it.to_nothing >= PLAINLY_GUESSED_NATS || says(it, GUESSED_EVIDENCE_NATS);
        let plainly_doubted = |it: &Opinion| {
            let clearly = it.to_nothing >= CLEARLY_NATS * each && says(it, CLEAR_EVIDENCE_NATS);
            it.to_heard >= -HARDLY_NATS && (it.to_nothing >= PLAINLY_NATS * each || clearly)
        };
        let plain = |it: &Opinion| if guessed { plainly_guessed(it) } else { plainly_doubted(it) };
        let sounds = |(own, it): (&Vec<Opinion>, &Discrepancy)| {
            let sounds = |it: &Opinion| it.sound().is_none_or(|nats| nats >= PLAIN_SOUND_NATS);
            guessed || it.written.split_whitespace().all(is_slight) || own.iter().all(sounds)
        };
        answer.own.iter().zip(&self.discrepancies[about.clone()]).all(sounds)
            && !answer.opinions.is_empty()
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
                let own = answer.own.get(part).map_or(&[][..], Vec::as_slice);
                if !is_alone {
                    it.own_opinions = own.to_vec();
                }
                // What is plainly heard needs no transcript.
                let missing = answer.missing.as_deref().filter(|_| !is_answered);
                let settled = decide(it, is_alone, (&answer.opinions, own), missing, part);
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
    let is_more_than_slight =
        it.sure || !it.written.split_whitespace().all(is_slight) || is_cut_at_the_end(it);
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

/// Whether a word is gone that nobody swallows: the last before a full stop, or a mark like it, is said at length, however
/// small it is. An initial ends nothing, and recognisers leave cries out.
fn is_cut_at_the_end(it: &Discrepancy) -> bool {
    let bare = it.written.trim_end_matches(is_closing);
    let ends =
        bare.ends_with(['.', '!', '?', '…', ':', ';']) && fold(bare).chars().count() > 1 && !is_cry(bare);
    let gone = |opinion: &Opinion| opinion.to_nothing <= -CUT_NATS;
    it.kind == Difference::Lost && ends && !it.opinions.is_empty() && it.opinions.iter().all(gone)
}

#[cfg(test)]
mod tests;
