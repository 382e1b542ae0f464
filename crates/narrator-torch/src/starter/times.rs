//! When the voice says what, by its own account: what word times of a recogniser can be measured against, and
//! where a take can be cut exactly.
//!
//! The voice decides how long each phoneme lasts before there is any sound, so these times are not found in the
//! audio but are what it was made from.

use std::ops::Range;
use std::path::Path;

use narrator_engine::{EngineError, Manifest};

use super::engine::Starter;
use super::phonemes::is_audible;
use super::prosody::STEP_MS;
use crate::manner::LoadOptions;

/// A word as it is spoken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpokenWord {
    pub phonemes: String,
    /// From its first phoneme to its last, in milliseconds.
    pub at: Range<u32>,
}

/// The starter voice, for its times alone.
pub struct StarterTimes(Starter);

impl std::fmt::Debug for StarterTimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StarterTimes").finish_non_exhaustive()
    }
}

impl StarterTimes {
    /// Loads the voice from its folder.
    pub fn load(model_dir: &Path) -> Result<Self, EngineError> {
        let manifest = Manifest::read(model_dir)?;
        super::load(model_dir, &manifest, &LoadOptions::default(), &mut |_, _| {}).map(Self)
    }

    /// The words of a take of `text` at speed 1, and how long it is.
    pub fn of(&self, text: &str) -> Result<(Vec<SpokenWord>, u32), EngineError> {
        let (mut words, mut from_ms) = (Vec::new(), 0);
        for (phonemes, steps) in self.0.timed(text)? {
            words.extend(words_of(&phonemes, &steps, from_ms));
            from_ms += steps.len() as u32 * STEP_MS;
        }
        Ok((words, from_ms))
    }
}

/// The words of an utterance whose `steps` name a phoneme each, the pad before the first counted.
fn words_of(phonemes: &str, steps: &[i64], from_ms: u32) -> Vec<SpokenWord> {
    let letters: Vec<char> = phonemes.chars().collect();
    let parts = letters.iter().enumerate().collect::<Vec<_>>();
    parts
        .split(|(_, letter)| !is_audible(&letter.to_string()) && !matches!(letter, 'ˈ' | 'ˌ' | 'ː'))
        .filter_map(|word| {
            let (first, last) = (word.first()?.0 as i64 + 1, word.last()?.0 as i64 + 1);
            let begin = steps.iter().position(|&step| step >= first)? as u32;
            let end = steps.iter().rposition(|&step| step <= last)? as u32 + 1;
            let phonemes = word.iter().map(|(_, letter)| **letter).collect();
            Some(SpokenWord { phonemes, at: from_ms + begin * STEP_MS..from_ms + end * STEP_MS })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_steps_of_their_phonemes() {
        // A pad, `hˈi`, a space, `ɡˈO`, a full stop, a pad.
        let steps = [0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 7, 8, 8, 9];
        let words = words_of("hˈi ɡˈO.", &steps, 100);
        let found: Vec<(&str, Range<u32>)> =
            words.iter().map(|word| (word.phonemes.as_str(), word.at.clone())).collect();
        assert_eq!(found, [("hˈi", 150..250), ("ɡˈO", 275..375)]);
    }
}
