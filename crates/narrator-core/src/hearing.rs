//! What a recogniser heard in a take: the evidence that verdicts and the audit are made from.
//!
//! Plain data that crosses every border on the way: the engine fills it in, the pipe carries it, the
//! checks judge it, the job keeps its word times. Nothing here decides anything.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A word as it was heard, and when.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct HeardWord {
    /// As the recogniser writes it, with its punctuation and without white space around it.
    pub text: String,
    /// From the beginning of the audio.
    pub start_ms: u32,
    pub end_ms: u32,
    /// Mean log-probability (natural logarithm) of the word's tokens.
    pub log_prob: f32,
}

/// A word of the text that should have been said, judged against the audio by forced scoring.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ScoredWord {
    /// Byte range in the text that was given.
    pub at: Range<u32>,
    pub start_ms: u32,
    pub end_ms: u32,
    /// Sum of the log-probabilities of its tokens, each after the right text before it.
    pub log_prob: f32,
    /// The same sum for the tokens that the recogniser would rather have heard at those places: never
    /// below `log_prob`, and equal where the text is what it hears.
    pub best_log_prob: f32,
    /// Tokens that the word has.
    pub tokens: u16,
    /// What it would rather have heard at the word's worst place; empty where it agrees.
    pub rather: String,
    /// The sum of `log_prob` if silence were heard: what the words before it alone make of it. Where it was asked for.
    pub prior: Option<f32>,
}

/// Which words of the expected text get a prior ([`ScoredWord::prior`]): each costs time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Priors {
    #[default]
    None,
    /// Words that the recogniser may have written because the sentence wants them.
    Guessable,
    /// All words that it is less than sure of.
    Unsure,
}

impl Priors {
    /// Whether the word's prior is wanted.
    pub fn want(self, word: &ScoredWord) -> bool {
        match self {
            Self::None => false,
            Self::Guessable => word.is_guessable(),
            Self::Unsure => word.is_unsure(),
        }
    }
}

impl ScoredWord {
    /// Above this a word is heard with confidence.
    pub const UNSURE_LOG_PROB: f32 = -0.35;
    /// Above this it is likely enough to have been heard,
    pub const LIKELY_LOG_PROB: f32 = -1.0;
    /// or above this, in less time than it takes to say.
    pub const SQUEEZED_LIKELY_LOG_PROB: f32 = -0.4;
    /// What is so many nats less likely than something else is not written, but that.
    const MOST_LOSS: f32 = 1.5;
    /// Shorter words, in letters, are said in passing.
    pub const SHORTEST: usize = 3;

    /// Whether the recogniser is less than sure of the word.
    pub fn is_unsure(&self) -> bool {
        self.log_prob < Self::UNSURE_LOG_PROB
    }

    /// Whether the recogniser may write the word and does not find it likely, long as it is.
    pub fn is_guessable(&self) -> bool {
        let squeezed = is_squeezed(self.at.len(), self.end_ms.saturating_sub(self.start_ms));
        let likely = if squeezed { Self::SQUEEZED_LIKELY_LOG_PROB } else { Self::LIKELY_LOG_PROB };
        let loss = self.best_log_prob - self.log_prob;
        self.at.len() >= Self::SHORTEST && self.log_prob < likely && loss <= Self::MOST_LOSS
    }
}

/// Whether so much time is less than a word of so many letters takes to say.
pub fn is_squeezed(letters: usize, length_ms: u32) -> bool {
    // Nobody says a letter in less, over a word: six letters take a quarter of a second.
    const LETTER_MS: usize = 45;
    (length_ms as usize) < LETTER_MS * letters
}

/// One piece of audio, heard once.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Hearing {
    /// Name of the model that heard it.
    pub model: String,
    pub words: Vec<HeardWord>,
    /// Mean log-probability of all tokens of the transcript.
    pub mean_log_prob: f32,
    /// Probability that there is no speech at all.
    pub no_speech_prob: f32,
    /// Length of the transcript over its length when compressed: a loop compresses well.
    pub compression_ratio: f32,
    /// Of the decoding that was kept: 0 is greedy, more means that greedy decoding failed its tests.
    pub temperature: f32,
    /// Length of the audio.
    pub audio_ms: u32,
    /// Every word of the expected text in order, where one was given; empty when it could not be scored.
    pub scored: Vec<ScoredWord>,
}

impl Hearing {
    /// The words, joined by spaces.
    pub fn text(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(letters: u32, length_ms: u32, log_prob: f32, loss: f32) -> ScoredWord {
        let (at, best_log_prob) = (0..letters, log_prob + loss);
        let rather = String::new();
        ScoredWord {
            at,
            start_ms: 0,
            end_ms: length_ms,
            log_prob,
            best_log_prob,
            tokens: 1,
            rather,
            prior: None,
        }
    }

    #[test]
    fn guessable_is_what_is_unlikely_and_would_be_written_all_the_same() {
        assert!(word(4, 300, -1.2, 0.0).is_guessable());
        assert!(!word(4, 300, -0.8, 0.0).is_guessable(), "likely enough");
        assert!(word(4, 90, -0.8, 0.0).is_guessable(), "and in too little time");
        assert!(!word(4, 300, -3.0, 2.0).is_guessable(), "something else is written");
        assert!(!word(2, 300, -3.0, 0.0).is_guessable(), "too short");
    }

    #[test]
    fn each_way_wants_what_the_one_before_it_wants() {
        let ways =
            |word: &ScoredWord| [Priors::None, Priors::Guessable, Priors::Unsure].map(|it| it.want(word));
        assert_eq!(ways(&word(4, 300, -1.2, 0.0)), [false, true, true]);
        assert_eq!(ways(&word(4, 300, -1.2, 4.0)), [false, false, true]);
        assert_eq!(ways(&word(4, 300, -0.1, 0.0)), [false, false, false]);
    }
}
