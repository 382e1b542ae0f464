//! Words that a recogniser writes, or is forgiven for, and that the audio does not say.
//!
//! A recogniser reads as well as it hears: of `did you ever hear Darcy` it writes the fourth word though nobody says it.
//! How likely it finds a word over the take, less how likely over silence, is what the audio says for it
//! ([`ScoredWord::prior`]). A word that is hardly likelier than over silence was not said, whatever was written down.

use narrator_core::{Hearing, ScoredWord};

use super::Listener;
use super::scored::own;
use crate::slight::is_slight;
use crate::words::TextWord;

/// Of a word that is there the audio says at least a nat for each letter, up to so many. Of 110 words that were cut
/// out of takes of the starter voice the recognisers together had less for all but one (`jilt`, which neither wrote),
/// of as many that another was put in the place of all; of 4,600 words of good takes, no word of three letters or
/// more that was heard in its own spelling (nearest: `When` at 4.9, `paid` at 6.8).
const MOST_NATS: f32 = 6.0;
/// Two are asked where the first has less than so much beyond.
const NEAR_NATS: f32 = 2.0;
/// Shorter words are said in passing, and weigh nothing.
const SHORTEST: usize = 3;

/// Whether those who listened, being less than sure of a word, find too little of it in the audio. What the first alone
/// finds too little of is to be asked of another, who may be easier to convince.
pub(super) fn is_unsaid(word: &TextWord, heard: &[&Hearing], listener: Listener) -> bool {
    let letters = word.text.chars().filter(|c| c.is_alphabetic()).count();
    // Figures and what is spelt out are heard in other words.
    if letters < SHORTEST || is_slight(&word.text) || word.text.chars().any(char::is_numeric) {
        return false;
    }
    let near = if listener == Listener::First { NEAR_NATS } else { 0.0 };
    let evidence: Option<f32> = heard.iter().map(|hearing| evidence(word, hearing)).sum();
    evidence.is_some_and(|sum| sum < ((letters as f32).min(MOST_NATS) + near) * heard.len() as f32)
}

/// What the audio says for a word, in nats; none where the listener is sure of it, or could not tell.
fn evidence(word: &TextWord, hearing: &Hearing) -> Option<f32> {
    let mut own = own(word, hearing).peekable();
    own.peek()?;
    own.map(|it: &ScoredWord| Some(it.log_prob - it.prior?)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hearing(log_prob: f32, prior: Option<f32>) -> Hearing {
        let (best_log_prob, rather) = (log_prob, String::new());
        let word = ScoredWord {
            at: 0..4,
            start_ms: 0,
            end_ms: 90,
            log_prob,
            best_log_prob,
            tokens: 1,
            rather,
            prior,
        };
        Hearing { scored: vec![word], ..Hearing::default() }
    }

    fn unsaid(text: &str, heard: &[(f32, Option<f32>)], listener: Listener) -> bool {
        let word = TextWord { text: text.into(), at: 0..4 };
        let heard: Vec<Hearing> = heard.iter().map(|&(log_prob, prior)| hearing(log_prob, prior)).collect();
        is_unsaid(&word, &heard.iter().collect::<Vec<_>>(), listener)
    }

    #[test]
    fn what_is_as_likely_over_silence_is_not_said() {
        let both = [(-1.2, Some(-4.2)), (-2.7, Some(-3.9))];
        assert!(unsaid("hear", &both, Listener::Last));
        assert!(!unsaid("hear", &[(-0.8, Some(-12.0)), (-0.9, Some(-13.0))], Listener::Last));
        assert!(!unsaid("who", &both, Listener::Last), "a small word");
        assert!(!unsaid("1813", &both, Listener::Last) && !unsaid("ay", &both, Listener::Last));
    }

    #[test]
    fn one_who_is_sure_is_enough() {
        assert!(!unsaid("hear", &[(-1.2, Some(-4.2)), (-0.1, None)], Listener::Last));
        assert!(!unsaid("hear", &[], Listener::Last));
    }

    #[test]
    fn what_is_near_is_asked_of_another() {
        let near = [(-1.2, Some(-6.2))];
        assert!(unsaid("hear", &near, Listener::First) && !unsaid("hear", &near, Listener::Last));
    }
}
