//! What it costs to hold a whole transcript against a whole book: time, and memory where the system tells it.
//!
//! ```text
//! cargo run --release -p narrator-fidelity --example audit_cost -- BOOK.txt [ERRORS_PER_THOUSAND]
//! ```
//!
//! The transcript is the book's own words with so many of a thousand lost, added or replaced by others of the
//! book, by a fixed row of random numbers.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::error::Error;
use std::time::Instant;

use narrator_core::{DocId, HeardWord, Span};
use narrator_fidelity::audit::{BookWord, audit};

/// Knuth's linear congruential generator; its upper bits are good enough to damage a transcript.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: audit_cost BOOK.txt [ERRORS_PER_THOUSAND]")?;
    let errors: usize = arguments.next().map_or(Ok(50), |errors| errors.parse())?;
    let text = std::fs::read_to_string(path)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let book: Vec<BookWord> = words.iter().enumerate().map(|(at, word)| written(at as u32, word)).collect();
    let (mut chance, mut said, mut made) = (Chance(1), Vec::with_capacity(words.len()), 0);
    for &word in &words {
        if chance.below(1000) >= errors {
            said.push(word);
            continue;
        }
        made += 1;
        let other = words[chance.below(words.len())];
        match chance.below(4) {
            0 => {}
            1 => said.extend([word, other]),
            _ => said.push(other),
        }
    }
    let heard: Vec<HeardWord> = said.iter().enumerate().map(|(at, word)| spoken(at as u32, word)).collect();
    let before = peak_memory_kb();
    let begun = Instant::now();
    let found = audit(&book, &heard, &[]);
    let took = begun.elapsed();
    println!("{} words in the book, {} heard, {made} errors put in", found.words_in_book, found.words_heard);
    println!("{} differences found in {:.2} s", found.discrepancies.len(), took.as_secs_f64());
    if let (Some(before), Some(after)) = (before, peak_memory_kb()) {
        println!("peak memory {} MB, {} MB of them for the audit", after >> 10, (after - before) >> 10);
    }
    Ok(())
}

fn written(at: u32, word: &str) -> BookWord {
    let span = Span { doc: DocId(0), start: at * 6, end: at * 6 + 5 };
    BookWord { text: word.to_owned(), chapter: 0, tokens: at..at + 1, span }
}

fn spoken(at: u32, word: &str) -> HeardWord {
    HeardWord { text: word.to_owned(), start_ms: at * 300, end_ms: at * 300 + 250, log_prob: -0.1 }
}

/// Linux tells it in `/proc/self/status`.
fn peak_memory_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
