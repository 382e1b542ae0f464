//! What forced scoring says of a word: the arbiter between the page and the transcripts.
//!
//! A transcript that has another word condemns nobody by itself: a recogniser writes `one` for `want` where it
//! finds them nearly as likely. Made to say the text, it tells by how much it would rather have heard something
//! else, in nats a token: the margin. How much of it is forgiven depends on how the two words sound. Whoever says
//! `garden` is not heard as `window`, so there the margin must be all but nothing; `an` and `in` are told apart by
//! a vowel that nobody pronounces, so there a recogniser's taste for one of them proves little.

use narrator_core::{Hearing, ScoredWord};

use crate::sound;
use crate::words::{TextWord, atoms};

/// Margin within which the first recogniser finds the written word by itself. A choice: with it, a tenth of the
/// starter voice's takes ask for a second opinion.
const ALONE: f32 = 1.0;
/// How unlikely the word may be for that.
const ALONE_FLOOR: f32 = -3.0;
/// Margin when all were asked, of a word that was heard as one of the same sound, and what each phoneme takes
/// from it by which the two are apart. Most words of good takes that neither tiny.en nor base heard are within it
/// (`where` for were: 4.6 at 0.3 phonemes, `and` for an: 4.3 at 0.7, `one` for want: 2.8 to 3.4 at 1, `this` for his:
/// 1.4 at 1.4); of 160 words cut out or replaced by another all but one are beyond (`come` for coming: 2.6 at 1.6,
/// `art` for army: 1.4 at 1.6; within is `but` for a cut brought, 1.8 at 1).
const ALIKE: f32 = 7.5;
const APART: f32 = 4.0;
/// Phonemes of a long word: what is apart counts as if it had no more.
const LONG_SOUNDS: f32 = 5.0;
/// Of a word of so few letters at least, whatever it was heard as (`you` for he: 1.6): it is said weakly, and a
/// recogniser's taste decides.
const SHORT_LETTERS: usize = 3;
const SHORT: f32 = 2.0;
/// And of any word, lost ones too: it is all but the recogniser's own choice. Cut words begin at 0.7.
const LEAST: f32 = 0.5;
/// By so much the written word itself may be less likely than the limit of its margin.
const FLOOR: f32 = 1.0;
/// A rare word's own: recognisers cannot spell it. Rare words are mostly within 2, replaced ones at 7 and more.
const RARE: f32 = 5.5;
/// What stands on both sides of an addition must be found within this, for the addition to be made up.
const BESIDE: f32 = 2.0;

/// What one recogniser finds of a word, made to say the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score {
    /// Mean log-probability of its tokens.
    log_prob: f32,
    /// By how much a token the recogniser would rather have heard something else.
    pub(super) margin: f32,
}

impl Score {
    pub(super) fn of(word: &TextWord, hearing: &Hearing) -> Option<Self> {
        let (mut tokens, mut log_prob, mut best) = (0.0, 0.0, 0.0);
        for it in own(word, hearing) {
            tokens += f32::from(it.tokens);
            log_prob += it.log_prob;
            best += it.best_log_prob;
        }
        (tokens > 0.0).then(|| Self { log_prob: log_prob / tokens, margin: (best - log_prob) / tokens })
    }

    /// Whether one recogniser by itself finds the word.
    pub(super) fn finds_alone(self) -> bool {
        self.margin <= ALONE && self.log_prob >= ALONE_FLOOR
    }

    /// Whether the word is there although all heard something that sounds so many phonemes `apart`, or nothing.
    pub(super) fn finds(self, apart: Option<f32>, is_short: bool) -> bool {
        let least = if is_short && apart.is_some() { SHORT } else { LEAST };
        let limit = apart.map_or(0.0, |phonemes| ALIKE - APART * phonemes).max(least);
        self.margin <= limit && self.log_prob >= -limit - FLOOR
    }

    /// Whether not even a name or a rare word was said that may be written so.
    pub(super) fn rules_out(self) -> bool {
        self.margin > RARE
    }

    /// Whether nothing is missed here beside the word.
    pub(super) fn misses_nothing(self) -> bool {
        self.margin <= BESIDE
    }
}

/// Where forced scoring looked for a word: nearer than the gap in a transcript that lost many.
pub(super) fn place(word: &TextWord, hearing: &Hearing) -> Option<(u32, u32)> {
    let times = own(word, hearing).map(|it| (it.start_ms, it.end_ms));
    times.reduce(|one, next| (one.0.min(next.0), one.1.max(next.1)))
}

pub(super) fn own<'a>(word: &'a TextWord, hearing: &'a Hearing) -> impl Iterator<Item = &'a ScoredWord> {
    hearing.scored.iter().filter(|it| it.at.start < word.at.end && it.at.end > word.at.start)
}

/// Whether a word is one that is said weakly.
pub(super) fn is_short(word: &str) -> bool {
    word.chars().filter(|c| c.is_alphabetic()).count() <= SHORT_LETTERS
}

/// How many phonemes two texts differ by that are so `unlike`.
pub(super) fn phonemes_apart(written: &str, heard: &str, unlike: f32) -> f32 {
    unlike * sounds_in(written, heard)
}

/// How many phonemes two words differ by, as far as a score goes by it: one of eight proves less than one of five.
pub(super) fn weighed_apart(written: &str, heard: &str, unlike: f32) -> f32 {
    unlike * sounds_in(written, heard).min(LONG_SOUNDS)
}

/// Phonemes of the longer of two texts.
pub(super) fn sounds_in(written: &str, heard: &str) -> f32 {
    let length = |text: &str| sound::length(atoms([text]).iter().map(|atom| &*atom.folded));
    length(written).max(length(heard)) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn longer_words_are_further_apart() {
        assert!(phonemes_apart("an", "in", 0.35) < 1.0);
        assert!(phonemes_apart("configured", "confirmed", 0.35) > 2.5);
    }

    #[test]
    fn two_sounds_of_a_long_word_prove_less() {
        // `requited` heard as required is missed by 2.6 nats where it is said, and by 13 where the other is.
        let apart = Some(weighed_apart("requited", "required", 0.21));
        let score = |margin: f32| Score { log_prob: -margin, margin };
        assert!(score(2.6).finds(apart, false) && !score(13.0).finds(apart, false));
        assert!(!score(2.6).finds(Some(weighed_apart("coming", "come", 0.32)), false));
    }

    proptest! {
        #[test]
        fn nearer_sounds_and_smaller_margins_find_more(
            margin in 0.0_f32..12.0, log_prob in -15.0_f32..0.0, apart in 0.0_f32..6.0, less in 0.0_f32..1.0,
        ) {
            let score = Score { log_prob, margin };
            if score.finds(Some(apart), false) {
                let smaller = Score { log_prob, margin: margin * less };
                prop_assert!(score.finds(Some(apart * less), false) && smaller.finds(Some(apart), false));
            }
            if score.finds(None, false) {
                prop_assert!(score.finds(Some(apart), false) && margin <= LEAST);
            }
            // What is ruled out for a rare word is found only for what sounds all but the same.
            prop_assert!(!(score.rules_out() && score.finds(Some(0.5 + apart), true)));
        }
    }
}
