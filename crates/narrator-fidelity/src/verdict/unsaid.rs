//! Words that a recogniser writes, or is forgiven for, and that the audio does not say.
//!
//! A recogniser reads as well as it hears: of `did you ever hear Darcy` it writes the fourth word though nobody says it.
//! How likely it finds a word over the take, less how likely over silence, is what the audio says for it
//! ([`narrator_core::ScoredWord::prior`]). A word that is hardly likelier than over silence was not said, whatever was written down.

use narrator_core::{Hearing, ScoredWord};

use super::Listener;
use super::scored::{own, place};
use crate::slight::is_slight;
use crate::sound::is_rare;
use crate::times::is_squeezed;
use crate::words::TextWord;

/// Of a word that is there the audio says at least a nat for each letter, up to so many.
const MOST_NATS: f32 = 6.5;
/// A name or a rare word is spelt in as many ways as there are recognisers, and scored by none of them: less will do.
const RARE_NATS: f32 = 3.0;
/// Whoever finds a word likelier than this has little to complain of: of what could be said at all there was nothing
/// likelier, and low evidence is that of a word that is no surprise. All listeners together,
const LAST_LIKELY_LOG_PROB: f32 = -1.3;
/// and the first alone, which may be more doubtful, with so much more evidence: what it doubts is asked of another.
const FIRST_LIKELY_LOG_PROB: f32 = ScoredWord::LIKELY_LOG_PROB;
const FIRST_NATS: f32 = 0.5;
/// A word that was written down in less time than it takes to say is doubted sooner, whoever is asked.
const SQUEEZED_LIKELY_LOG_PROB: f32 = ScoredWord::SQUEEZED_LIKELY_LOG_PROB;
const SQUEEZED_NATS: f32 = 2.0;
/// What stands beside words and is not said.
const PUNCTUATION: &str = ".,;:!?…'’‘\"“”«»()—–-_";

/// Whether those who listened are unsure of a word and find too little of it in the audio, though so many of them wrote it.
/// What the first alone finds too little of is to be asked of another, who may be easier to convince.
pub(super) fn is_unsaid(
    words: &[TextWord],
    index: usize,
    heard: &[&Hearing],
    writers: usize,
    listener: Listener,
) -> bool {
    let word = &words[index];
    let letters = word.text.chars().filter(|c| c.is_alphabetic()).count();
    // Figures and what is spelt out are heard in other words.
    let is_figure = word.text.chars().any(char::is_numeric);
    if letters < ScoredWord::SHORTEST || is_slight(&word.text) || is_figure || is_behind_a_sign(words, index)
    {
        return false;
    }
    let (likelihood, evidence): (Vec<f32>, Vec<Option<f32>>) =
        heard.iter().map(|hearing| find(word, hearing)).unzip();
    let evidence: Vec<f32> = evidence.into_iter().flatten().collect();
    if likelihood.iter().any(|&log_prob| log_prob >= ScoredWord::UNSURE_LOG_PROB) || evidence.is_empty() {
        return false;
    }
    let mean = |of: &[f32]| of.iter().sum::<f32>() / of.len() as f32;
    let most = if is_rare(&word.text) { RARE_NATS } else { MOST_NATS };
    let has_time = |hearing: &&Hearing| {
        let time = place(word, hearing).map(|(start_ms, end_ms)| end_ms.saturating_sub(start_ms));
        !time.is_some_and(|length_ms| is_squeezed(&word.text, length_ms))
    };
    let with_time = heard.iter().filter(|hearing| has_time(hearing)).count();
    let squeezed = writers > 0 && with_time == 0;
    // What everybody writes in the time that it takes may be scored badly for what is written before it.
    if listener == Listener::Last && writers == heard.len() && with_time == heard.len() {
        return false;
    }
    let (likely, more) = match (listener, squeezed) {
        (Listener::First, false) => (FIRST_LIKELY_LOG_PROB, FIRST_NATS),
        (Listener::First, true) => (SQUEEZED_LIKELY_LOG_PROB, SQUEEZED_NATS),
        (Listener::Last, false) => (LAST_LIKELY_LOG_PROB, 0.0),
        (Listener::Last, true) => (LAST_LIKELY_LOG_PROB, SQUEEZED_NATS),
    };
    mean(&likelihood) < likely && mean(&evidence) < (letters as f32).min(most) + more
}

/// Whether a sign or a figure is written before the word: recognisers write `plus` for it, and score what follows as if it
/// were said in the place of that.
fn is_behind_a_sign(words: &[TextWord], index: usize) -> bool {
    let before = index.checked_sub(1).and_then(|at| words.get(at));
    let is_sign = |c: char| !c.is_alphabetic() && !PUNCTUATION.contains(c);
    before.is_some_and(|word| word.text.contains(is_sign))
}

/// How likely a listener finds a word, and what the audio says for it, in nats, where that was asked.
fn find(word: &TextWord, hearing: &Hearing) -> (f32, Option<f32>) {
    own(word, hearing).fold((0.0, Some(0.0)), |(log_prob, evidence), it| {
        let own = it.prior.map(|prior| it.log_prob - prior);
        (log_prob + it.log_prob, evidence.zip(own).map(|(one, other)| one + other))
    })
}

#[cfg(test)]
mod tests {
    use narrator_core::ScoredWord;

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
        is_unsaid(&[word], 0, &heard.iter().collect::<Vec<_>>(), 1, listener)
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
