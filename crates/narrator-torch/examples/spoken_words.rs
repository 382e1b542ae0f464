//! When the starter voice says each word, by its own account; nothing is spoken.
//!
//! ```text
//! cargo run --release -p narrator-torch --example spoken_words -- MODEL_DIR < TEXTS
//! ```
//!
//! A text a line in, as a JSON string; an object a line out: `words` (`[phonemes, start_ms, end_ms]` each) and
//! `audio_ms`.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::error::Error;
use std::io::BufRead;
use std::path::Path;

use narrator_torch::{SpokenWord, StarterTimes};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let model = std::env::args().nth(1).ok_or("usage: spoken_words MODEL_DIR < TEXTS")?;
    let voice = StarterTimes::load(Path::new(&model))?;
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let (words, audio_ms) = voice.of(&text)?;
        let words: Vec<_> =
            words.iter().map(|SpokenWord { phonemes, at }| json!([phonemes, at.start, at.end])).collect();
        println!("{}", json!({ "words": words, "audio_ms": audio_ms }));
    }
    Ok(())
}
