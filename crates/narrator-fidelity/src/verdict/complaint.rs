//! One thing that speaks against a take: which word, at what time, for what reason.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::scored::{is_short, phonemes_apart};
use crate::signal::Finding;
use crate::slight::{is_exact, is_slight};

/// Small words further apart are not taken for each other: `he` and `she`.
const LIKE: f32 = 0.5;
/// In phonemes: a vowel, a final d, an s for a z beside it, and no more.
pub(super) const ONE_SOUND: f32 = 1.15;

/// What is wrong.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fault")]
pub enum Fault {
    /// A word of the text was not heard.
    WordLost,
    /// A word of the text was written down, and the audio does not say it: the sentence made it likely.
    WordGuessed,
    /// Another word was heard in its place.
    WordChanged { unlike: f32 },
    /// Words were heard that the text does not have.
    WordAdded,
    /// Words were heard twice.
    WordRepeated,
    /// No transcript of the take could be trusted.
    Unheard,
    /// The samples themselves are wrong.
    Signal { finding: Finding },
}

impl Fault {
    /// How much worse it makes a take than another, in words lost. A lost word is worse than any other
    /// fault of one word: what is misheard or doubled is at least there.
    pub fn weight(&self) -> u32 {
        match self {
            Self::WordLost | Self::WordGuessed => 3,
            Self::WordChanged { .. } | Self::Signal { .. } => 2,
            Self::WordAdded | Self::WordRepeated => 1,
            Self::Unheard => 5,
        }
    }
}

/// Why a difference is not held against the take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pardon {
    /// Another listener heard what is written.
    OtherListener,
    /// Another listener did not hear what was added.
    HeardOnce,
    /// The recogniser, asked for the written word, finds it there.
    Scored,
    /// A name or rare word that was heard as something that sounds like it.
    RareWord,
    /// It sounds nearly the same, and the listeners do not agree on another word.
    SoundsAlike,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Complaint {
    #[serde(flatten)]
    pub fault: Fault,
    /// As written; empty for what was added.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub written: String,
    /// Index of the first word of the text that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<u32>,
    /// As heard; empty for what was lost.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub heard: String,
    /// In the take.
    pub start_ms: u32,
    pub end_ms: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pardon: Option<Pardon>,
}

impl Complaint {
    pub(super) fn of_signal(finding: &Finding) -> Self {
        Self {
            fault: Fault::Signal { finding: finding.clone() },
            written: String::new(),
            word: None,
            heard: String::new(),
            start_ms: finding.start_ms,
            end_ms: finding.end_ms,
            pardon: None,
        }
    }

    /// Whether it is about small words, lost, put in, or taken for another that sounds like them, or about a word that
    /// differs by no more than one sound: `liked to`, said as people say it, has no d; or about a word that everybody writes
    /// though the audio hardly says it. A denial or a number is never slight.
    pub fn is_slight(&self) -> bool {
        if is_exact(&self.written, &self.heard) {
            return false;
        }
        let small = |text: &str| text.split_whitespace().all(is_slight);
        let small_words = small(&self.written) && small(&self.heard);
        match self.fault {
            Fault::WordLost | Fault::WordAdded => small_words,
            Fault::WordChanged { unlike } => {
                let apart = phonemes_apart(&self.written, &self.heard, unlike);
                (small_words && unlike < LIKE) || (!is_short(&self.written) && apart <= ONE_SOUND)
            }
            Fault::WordGuessed => true,
            Fault::WordRepeated | Fault::Unheard | Fault::Signal { .. } => false,
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, written, heard, start_ms, .. } = self;
        let at = format!("at {}.{:01} s", start_ms / 1000, start_ms % 1000 / 100);
        match fault {
            Fault::WordLost => write!(f, "`{written}` was not heard {at}"),
            Fault::WordGuessed => write!(f, "`{written}` was guessed {at}, and not heard"),
            Fault::WordChanged { .. } => write!(f, "`{written}` was heard as `{heard}` {at}"),
            Fault::WordAdded => write!(f, "`{heard}` was heard {at} and is not in the text"),
            Fault::WordRepeated => write!(f, "`{heard}` was heard twice {at}"),
            Fault::Unheard => write!(f, "no transcript of the take could be trusted"),
            Fault::Signal { finding } => write!(f, "{finding}"),
        }
    }
}
