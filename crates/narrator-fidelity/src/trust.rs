//! Whether a transcript can be believed at all.
//!
//! A recogniser that hears nothing invents: a phrase over and over, or what stood under a thousand videos.
//! Such a transcript says nothing of the take, neither for nor against it. It is never a reason to speak a
//! segment again; it is a reason to ask somebody else.

use narrator_core::Hearing;
use serde::{Deserialize, Serialize};

use crate::words::fold;

/// Why a transcript is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distrust {
    /// It says itself that there is no speech.
    NoSpeech,
    /// It says one phrase over and over.
    Loop,
    /// It says what recognisers make up over silence and music.
    Boilerplate,
    /// It is sure of nothing that it says.
    LowLogProb,
    /// It only settled on something after its own tests had failed at every lower temperature.
    Unsettled,
}

/// Whisper's own limits (openai/whisper, `transcribe`: `no_speech_threshold` 0.6, `logprob_threshold` −1,
/// `compression_ratio_threshold` 2.4), which decide there whether a decoding is tried again.
const NO_SPEECH: f32 = 0.6;
const LOG_PROB: f32 = -1.0;
const COMPRESSION: f32 = 2.4;
/// Decodings this hot are guesses; Whisper's last fallbacks are 0.8 and 1.
const HOT: f32 = 0.79;
/// A phrase said this often in a row is a loop, unless the text says it too.
const LOOP_ROUNDS: usize = 4;
const LOOP_PHRASE: usize = 8;

/// What recognisers trained on subtitles say when they hear nothing.
const BOILERPLATE: &[&str] = &[
    "thanks for watching",
    "thank you for watching",
    "thank you so much for watching",
    "please subscribe",
    "like and subscribe",
    "subscribe to my channel",
    "subscribe to the channel",
    "see you in the next video",
    "see you next time",
    "subtitles by",
    "subtitles made by",
    "captions by",
    "captioned by",
    "transcribed by",
    "transcription by",
    "amara.org",
    "copyright",
    "all rights reserved",
    "www.",
    "for more information visit",
    "bye bye",
];

/// Why this transcript of a take of `text` is not believed; none if it is.
pub fn distrust(hearing: &Hearing, text: &str) -> Option<Distrust> {
    let heard = words(&hearing.text());
    let page = words(text);
    if heard.is_empty() || (hearing.no_speech_prob > NO_SPEECH && hearing.mean_log_prob < LOG_PROB) {
        return Some(Distrust::NoSpeech);
    }
    if loops(&heard) && !loops(&page) {
        return Some(Distrust::Loop);
    }
    if hearing.compression_ratio > COMPRESSION && heard.len() > page.len() + page.len() / 2 + 8 {
        return Some(Distrust::Loop);
    }
    // The page may have it in letters, and these by their names: `double-u double-u double-u`.
    let (said, written) = (format!(" {} ", heard.join(" ")), page.concat().replace("doubleu", "w"));
    let invented = |phrase: &str| {
        let phrase = words(phrase);
        said.contains(&format!(" {} ", phrase.join(" "))) && !written.contains(&phrase.concat())
    };
    if BOILERPLATE.iter().any(|phrase| invented(phrase)) {
        return Some(Distrust::Boilerplate);
    }
    if hearing.mean_log_prob < LOG_PROB {
        return Some(Distrust::LowLogProb);
    }
    (hearing.temperature > HOT).then_some(Distrust::Unsettled)
}

fn words(text: &str) -> Vec<String> {
    let split = text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’'));
    split.map(fold).filter(|word| !word.is_empty()).collect()
}

/// Whether some phrase is said [`LOOP_ROUNDS`] times in a row.
fn loops(words: &[String]) -> bool {
    (1..=LOOP_PHRASE).any(|length| {
        let rounds = length * LOOP_ROUNDS;
        words.len() >= rounds
            && words
                .windows(rounds)
                .any(|window| window.iter().skip(length).eq(window.iter().take(rounds - length)))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use narrator_core::HeardWord;

    use super::*;

    pub(crate) fn hearing(text: &str) -> Hearing {
        let words: Vec<HeardWord> = text
            .split_whitespace()
            .enumerate()
            .map(|(at, word)| HeardWord {
                text: word.into(),
                start_ms: at as u32 * 300,
                end_ms: at as u32 * 300 + 250,
                log_prob: -0.1,
            })
            .collect();
        let audio_ms = words.len() as u32 * 300 + 200;
        Hearing { words, mean_log_prob: -0.3, compression_ratio: 1.2, audio_ms, ..Hearing::default() }
    }

    #[test]
    fn an_honest_transcript_is_believed_even_when_it_is_wrong() {
        assert_eq!(distrust(&hearing("He went home."), "She stayed there."), None);
        assert_eq!(distrust(&hearing("no, no, no, no, no!"), "No, no, no, no, no!"), None);
    }

    #[test]
    fn inventions_are_not_believed() {
        let text = "She walked into the garden.";
        let of = |text: &str| hearing(text);
        assert_eq!(distrust(&of(""), text), Some(Distrust::NoSpeech));
        let quiet = Hearing { no_speech_prob: 0.9, mean_log_prob: -1.2, ..of("You") };
        assert_eq!(distrust(&quiet, text), Some(Distrust::NoSpeech));
        let looped = of("She walked into the She walked into the She walked into the She walked into the");
        assert_eq!(distrust(&looped, text), Some(Distrust::Loop));
        let video = of("She walked into the garden. Thanks for watching!");
        assert_eq!(distrust(&video, text), Some(Distrust::Boilerplate));
        assert_eq!(distrust(&video, "She walked into the garden. “Thanks for watching!”"), None);
        let unsure = Hearing { mean_log_prob: -1.4, ..of("She walked") };
        assert_eq!(distrust(&unsure, text), Some(Distrust::LowLogProb));
        let hot = Hearing { temperature: 1.0, ..of("She walked") };
        assert_eq!(distrust(&hot, text), Some(Distrust::Unsettled));
    }

    #[test]
    fn what_the_page_says_itself_is_not_made_up() {
        for (text, said) in [
            ("Look into /usr/doc/copyright.", "Look into slash user slash doc slash copyright."),
            ("It is at w w w dot example dot org.", "It is at www.example.org."),
            ("At double-u double-u double-u dot example dot org.", "At www.example.org."),
        ] {
            assert_eq!(distrust(&hearing(said), text), None, "{text:?} heard as {said:?}");
        }
        assert_eq!(distrust(&hearing("Copyright by nobody."), "The end."), Some(Distrust::Boilerplate));
    }
}
