//! The verdict on a take: accept it, speak it again, or ask a second listener first.
//!
//! It must not lie in either direction. A word of the text that nobody heard refuses the take, always: no
//! deletions are allowed, and the first and the last word must have been heard themselves. A word that one
//! listener missed and another heard is there, unless the audio says no more for it than silence does. What no recogniser can know is not held against the take:
//! the spelling of a name, one homophone for another, a transcript that cannot be trusted.
//!
//! ```text
//!  findings in the samples ──────────────────────────────▶ retry
//!  no trusted transcript ──▶ second opinion ──▶ still none ▶ retry
//!  every word heard ─────────────────────────────────────▶ accept
//!  a doubt ────────────────▶ second opinion ──▶ one heard it ▶ accept
//!                                          └──▶ neither did ─▶ retry
//! ```
//!
//! The verdict is one JSON object: which word, at what time, for what reason. It does not know what was
//! tried before; [`crate::ladder`] does.

mod complaint;
mod evidence;
mod judge;
mod scored;
mod unsaid;

pub use complaint::{Complaint, Fault, Pardon};
pub use evidence::{Evidence, Listener};
pub use judge::judge;

use narrator_core::SegmentId;
use serde::{Deserialize, Serialize};

use crate::slight::is_cry;
use crate::times::WordTime;
use crate::trust::Distrust;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    Accept,
    /// Not by what this listener heard alone: ask another.
    SecondOpinion,
    /// Speak it again.
    Retry,
    /// Nothing that the ladder has helped; the best take is kept and marked.
    Quarantine,
}

/// What the checks say of a take.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Verdict {
    pub decision: Decision,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<SegmentId>,
    /// What speaks against the take, in order of time. With [`Decision::SecondOpinion`], what is doubted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub complaints: Vec<Complaint>,
    /// What differs from the text and is not held against the take, and why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pardoned: Vec<Complaint>,
    /// Transcripts that were not believed, by the model that made them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub distrusted: Vec<(String, Distrust)>,
    /// Words of the text, and how many of them were heard.
    pub words: u32,
    pub heard: u32,
    /// Where each word of the text is in the take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<WordTime>,
}

impl Verdict {
    /// What is wrong with the take, for choosing among takes: words lost count most.
    pub fn faults(&self) -> u32 {
        self.complaints.iter().map(|complaint| complaint.fault.weight()).sum()
    }

    /// Whether all that speaks against the take are small words inside it and cries anywhere, lost, put in, or taken for another that
    /// sounds like them, words that differ by no more than one sound: `liked to`, said as people say it, has no d; and guessed words.
    pub fn doubts_small_words_only(&self) -> bool {
        let inside = |word: u32| 0 < word && word + 1 < self.words;
        let is_small =
            |it: &Complaint| (it.word.is_some_and(inside) || is_cry(&it.written)) && it.is_slight();
        !self.complaints.is_empty() && self.complaints.iter().all(is_small)
    }

    /// The same findings when the ladder has no rung left.
    #[must_use]
    pub fn quarantined(self) -> Self {
        Self { decision: Decision::Quarantine, ..self }
    }

    /// One sentence for a person: the first complaint, and how many more there are.
    pub fn summary(&self) -> String {
        let Some(first) = self.complaints.first() else {
            return match self.distrusted.first() {
                Some((model, why)) => format!("the transcript of {model} cannot be trusted ({why:?})"),
                None => format!("all {} words were heard", self.words),
            };
        };
        match self.complaints.len() - 1 {
            0 => first.to_string(),
            more => format!("{first}, and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubting(fault: Fault, word: u32, written: &str, heard: &str) -> bool {
        let (written, heard) = (written.to_owned(), heard.to_owned());
        let complaint =
            Complaint { fault, written, word: Some(word), heard, start_ms: 0, end_ms: 0, pardon: None };
        let verdict = Verdict {
            decision: Decision::Retry,
            segment: None,
            complaints: vec![complaint],
            pardoned: Vec::new(),
            distrusted: Vec::new(),
            words: 9,
            heard: 8,
            times: Vec::new(),
        };
        verdict.doubts_small_words_only()
    }

    #[test]
    fn a_small_word_inside_is_a_small_doubt() {
        assert!(doubting(Fault::WordLost, 4, "and", ""));
        assert!(doubting(Fault::WordChanged { unlike: 0.43 }, 4, "this", "the"));
        assert!(doubting(Fault::WordAdded, 4, "", "to"));
        assert!(doubting(Fault::WordChanged { unlike: 0.175 }, 4, "liked", "like"));
        assert!(doubting(Fault::WordGuessed, 4, "garden", ""), "everybody writes it, take after take");
        assert!(doubting(Fault::WordLost, 0, "\"Oh!", ""), "a cry may be the first word");
    }

    #[test]
    fn everything_else_is_not() {
        assert!(!doubting(Fault::WordLost, 0, "and", ""), "the first word must be heard");
        assert!(!doubting(Fault::WordLost, 8, "it", ""), "the last one too");
        assert!(!doubting(Fault::WordLost, 4, "not", ""));
        assert!(!doubting(Fault::WordChanged { unlike: 0.175 }, 4, "can't", "can"), "a denial is no final t");
        assert!(!doubting(Fault::WordChanged { unlike: 0.14 }, 4, "sixteen", "sixty"));
        assert!(!doubting(Fault::WordLost, 4, "garden", ""));
        assert!(
            !doubting(Fault::WordGuessed, 4, "never", "") && !doubting(Fault::WordGuessed, 0, "garden", "")
        );
        assert!(!doubting(Fault::WordChanged { unlike: 0.5 }, 4, "he", "she"));
        assert!(!doubting(Fault::WordChanged { unlike: 0.2 }, 4, "in", "inn"));
        assert!(!doubting(Fault::WordChanged { unlike: 0.3 }, 4, "requited", "repeated"));
        assert!(!doubting(Fault::WordRepeated, 4, "", "to"));
    }
}
