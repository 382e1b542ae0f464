//! The ladder of repairs: what to try when a take is refused.
//!
//! ```text
//!  first take ▶ [second opinion] ▶ new seed ▶ calmer sampling ▶ join a short sentence to the next
//!             ▶ split at sentences ▶ split at clauses ▶ merge with a neighbour
//!             ▶ another reference of the voice ▶ [doubted] ▶ quarantine
//! ```
//!
//! A rung is skipped when it cannot help: a voice that does not vary has no second seed to try, one
//! sentence cannot be split at sentences, only a text too short to be spoken alone is merged. A fault that
//! two takes in a row have at the same word is the text's, not the seed's, and goes straight to a rung that
//! changes the text. Every step comes with its reason, for the journal.
//!
//! A small word that is doubted in every take, however it was made, is doubted for the recognisers' reasons: a voice
//! that really dropped `and` would not drop it each time. The best take is accepted then, and the doubt is kept.
//!
//! Invariant: every history ends. No rung is given more often than its limit, and behind the last stands
//! quarantine. The functions are pure; who speaks, and when, is the run loop's business.

mod cut;
mod merge;

use serde::{Deserialize, Serialize};

pub use cut::{Cut, cut, joined};
pub use merge::own_part;

use crate::verdict::{Decision, Verdict};
use crate::words::text_words;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    FirstTake,
    /// The same take, heard by another recogniser.
    SecondOpinion,
    NewSeed,
    /// Lower temperature, stronger repetition penalty.
    CalmerSampling,
    /// With a comma behind a sentence of a word or two, so that it is said in one breath with the next.
    JoinSentence,
    /// Sentence by sentence, joined again.
    SplitSentence,
    SplitClause,
    /// Spoken together with the segment before or after it.
    MergeNeighbour,
    /// Another reference clip, or another mode of cloning, of the same voice.
    OtherReference,
    /// The best take is accepted: only small words are in doubt, in take after take.
    Doubted,
    /// The best take is kept and marked.
    Quarantine,
}

impl Rung {
    /// Whether it makes a new take.
    pub fn speaks(self) -> bool {
        !matches!(self, Self::SecondOpinion | Self::Doubted | Self::Quarantine)
    }
}

/// What can be tried at all, with this voice and these models.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abilities {
    /// Whether another seed gives another take.
    pub seeded: bool,
    /// Whether the engine samples, and can be told to do so calmly.
    pub calmer: bool,
    /// Whether there is a second recogniser.
    pub second_listener: bool,
    /// Whether a segment of the same voice and chapter stands before or after this one.
    pub neighbour: bool,
    /// Further reference clips and modes of the voice.
    pub other_references: u32,
}

/// A rung that was tried, and what came of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Attempt {
    pub rung: Rung,
    pub verdict: Verdict,
}

/// What to do next, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    pub rung: Rung,
    pub reason: String,
}

/// Two more takes tell chance from fault; the field's programs stop at one to three.
const NEW_SEEDS: usize = 2;
/// Texts up to here run on or break off when spoken alone (Qwen3-TTS issues 68 and 4576 tell of two
/// characters).
const SHORT_WORDS: usize = 4;
/// As many takes, each with other random numbers, make it unlikely that a small word is missing by chance.
const DOUBTED_TAKES: usize = 2;
/// A clause is worth speaking alone from this many words on.
const CLAUSE_WORDS: usize = 3;

/// The next rung for a segment; none when its last take was accepted. An empty history asks for the first
/// take.
pub fn next_rung(text: &str, history: &[Attempt], can: &Abilities) -> Option<Step> {
    let step = |rung, reason: String| Some(Step { rung, reason });
    let Some(last) = history.last() else {
        return step(Rung::FirstTake, "nothing was spoken yet".to_owned());
    };
    match last.verdict.decision {
        Decision::Accept => return None,
        Decision::Quarantine => return step(Rung::Quarantine, last.verdict.summary()),
        Decision::SecondOpinion if can.second_listener && last.rung != Rung::SecondOpinion => {
            return step(Rung::SecondOpinion, last.verdict.summary());
        }
        Decision::SecondOpinion | Decision::Retry => {}
    }
    let used = |rung| history.iter().filter(|attempt| attempt.rung == rung).count();
    let why = last.verdict.summary();
    let same = is_systematic(history);
    let words = text_words(text).len();

    if can.seeded && !same && used(Rung::NewSeed) < NEW_SEEDS {
        return step(Rung::NewSeed, why);
    }
    if can.calmer && used(Rung::CalmerSampling) == 0 {
        return step(Rung::CalmerSampling, if same { format!("in two takes alike, {why}") } else { why });
    }
    let doubted = |word| last.verdict.complaints.iter().any(|complaint| complaint.word == Some(word));
    if used(Rung::JoinSentence) == 0 && joined(text, doubted).is_some() {
        return step(Rung::JoinSentence, format!("as a sentence of its own it fails: {why}"));
    }
    if used(Rung::SplitSentence) == 0 && cut(text, Cut::Sentence, CLAUSE_WORDS).len() > 1 {
        return step(Rung::SplitSentence, format!("whole it fails: {why}"));
    }
    if used(Rung::SplitClause) == 0 && cut(text, Cut::Clause, CLAUSE_WORDS).len() > 1 {
        let how = if used(Rung::SplitSentence) > 0 { "by sentences" } else { "whole" };
        return step(Rung::SplitClause, format!("{how} it fails: {why}"));
    }
    if can.neighbour && words <= SHORT_WORDS && used(Rung::MergeNeighbour) == 0 {
        return step(Rung::MergeNeighbour, format!("too short to be spoken alone: {why}"));
    }
    if used(Rung::OtherReference) < can.other_references as usize {
        return step(Rung::OtherReference, why);
    }
    let (takes, verdicts) = (takes(history), || history.iter().map(|attempt| &attempt.verdict));
    let best = best_take(verdicts()).and_then(|at| verdicts().nth(at));
    if takes >= DOUBTED_TAKES && best.is_some_and(Verdict::doubts_small_words_only) {
        return step(Rung::Doubted, format!("in the best of {takes} takes, {why}"));
    }
    step(Rung::Quarantine, format!("after {takes} takes, {why}"))
}

fn takes(history: &[Attempt]) -> usize {
    history.iter().filter(|attempt| attempt.rung.speaks()).count()
}

/// Whether the last two takes complain of the same word in the same way.
fn is_systematic(history: &[Attempt]) -> bool {
    // A second opinion judges the take before it again and stands for it.
    let mut takes: Vec<&Verdict> = Vec::new();
    for attempt in history {
        if !attempt.rung.speaks() {
            takes.pop();
        }
        takes.push(&attempt.verdict);
    }
    let [.., one, other] = takes.as_slice() else { return false };
    one.complaints.iter().any(|complaint| {
        let kind = std::mem::discriminant(&complaint.fault);
        complaint.word.is_some()
            && other
                .complaints
                .iter()
                .any(|it| it.word == complaint.word && std::mem::discriminant(&it.fault) == kind)
    })
}

/// Index of the best take: the one with the fewest faults, the earliest of equals. Length plays no part:
/// the shortest take is the one that lost the most.
pub fn best_take<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Option<usize> {
    let rank = |verdict: &Verdict| match verdict.decision {
        Decision::Accept => 0,
        Decision::SecondOpinion => 1,
        Decision::Retry | Decision::Quarantine => 2,
    };
    verdicts
        .into_iter()
        .enumerate()
        .min_by_key(|(at, verdict)| (verdict.faults(), rank(verdict), *at))
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests;
