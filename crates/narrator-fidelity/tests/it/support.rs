//! Made-up texts and made-up transcripts.

use narrator_core::{DocId, HeardWord, Hearing, Span};
use narrator_fidelity::BookWord;
use proptest::prelude::*;

/// Words that are spelled and sound unlike each other.
pub const WORDS: &[&str] = &[
    "garden", "river", "window", "mother", "seven", "yellow", "carpet", "village", "thunder", "button",
    "money", "pocket", "silver", "basket", "question", "journey", "hammer", "winter", "lantern", "sister",
    "castle", "orange", "feather", "doctor", "kitchen", "monkey", "blanket", "engine", "forest", "history",
    "island", "jacket", "kingdom", "ladder", "market", "number", "office", "paper", "quarrel", "rabbit",
    "shadow", "temple", "umbrella", "velvet", "whisper", "youth", "zebra", "bridge", "church", "dream",
    "eagle", "flute", "grape", "horse", "joke", "knife", "lemon", "mouth", "night", "ocean", "piano",
    "queen", "rope", "smoke", "train", "voice", "wheel", "bread", "cloud", "drum",
];

/// Words of the text's making that are in none of it.
pub const STRANGERS: &[&str] =
    &["philosophy", "buckets", "explained", "ugly", "thirsty", "amphibian", "choosing", "vague"];

/// Indices into [`WORDS`], of which none comes again within four words.
pub fn text(words: std::ops::Range<usize>) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..WORDS.len(), words).prop_map(|mut row| {
        for at in 0..row.len() {
            while row[at.saturating_sub(4)..at].contains(&row[at]) {
                row[at] = (row[at] + 1) % WORDS.len();
            }
        }
        row
    })
}

/// Words as heard, 300 ms each.
pub fn heard<S: AsRef<str>>(words: &[S]) -> Vec<HeardWord> {
    words
        .iter()
        .enumerate()
        .map(|(at, word)| HeardWord {
            text: word.as_ref().to_owned(),
            start_ms: at as u32 * 300,
            end_ms: at as u32 * 300 + 250,
            log_prob: -0.1,
        })
        .collect()
}

pub fn hearing(text: &str) -> Hearing {
    let words: Vec<&str> = text.split_whitespace().collect();
    let words = heard(&words);
    let audio_ms = words.len() as u32 * 300 + 100;
    Hearing {
        model: "made up".into(),
        words,
        mean_log_prob: -0.3,
        compression_ratio: 1.3,
        audio_ms,
        ..Hearing::default()
    }
}

/// A book of one chapter; each word is a token, ten bytes long.
pub fn book<S: AsRef<str>>(words: &[S]) -> Vec<BookWord> {
    words
        .iter()
        .enumerate()
        .map(|(at, word)| {
            let at = at as u32;
            BookWord {
                text: word.as_ref().to_owned(),
                chapter: 0,
                tokens: at..at + 1,
                span: Span { doc: DocId(0), start: at * 10, end: at * 10 + 9 },
            }
        })
        .collect()
}
