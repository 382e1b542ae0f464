//! The book as words that have to be heard, taken from the manuscript itself.
//!
//! The script is not trusted: which words must be heard comes from the manuscript's tokens alone, so that a
//! segment that fell out of the script is missed all the same. The script only helps to say *how* a token
//! is read (`£3.5m`): its replacements are used where they put the same tokens into other words, and
//! ignored where they would make them disappear. Of the ledger, only the person's own choice of chapters
//! is believed.

use std::collections::BTreeMap;
use std::ops::Range;

use narrator_core::{Fate, Ledger, Manuscript, Replacement, Script, SkipRule, Span, Token};
use serde::{Deserialize, Serialize};

use crate::words::text_words;

/// A word of the book that must be heard.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BookWord {
    /// As it is said.
    pub text: String,
    /// Index of its chapter.
    pub chapter: u32,
    /// Tokens of the manuscript that it comes from.
    pub tokens: Range<u32>,
    pub span: Span,
}

/// A replacement that reaches over more tokens than the longest date or number is no reading of them.
const MAX_REPLACED_TOKENS: u32 = 12;

/// Every word that must be heard, in order.
pub fn book_words(
    manuscript: &Manuscript,
    script: Option<&Script>,
    ledger: Option<&Ledger>,
) -> Vec<BookWord> {
    let chosen = chosen(ledger);
    let replaced = replacements(script);
    let mut words = Vec::new();
    let mut index = 0_u32;
    for (chapter, content) in manuscript.chapters.iter().enumerate() {
        let tokens: Vec<&Token> = content.blocks.iter().flat_map(|block| &block.tokens).collect();
        let first = index;
        index += tokens.len() as u32;
        let mut at = 0;
        while at < tokens.len() {
            let token = first + at as u32;
            let run = replaced.get(&token).filter(|run| run.range.end <= index);
            let range = run.map_or(token..token + 1, |run| run.range.clone());
            let own: Vec<&Token> = tokens[at..at + (range.end - range.start) as usize]
                .iter()
                .enumerate()
                .filter(|(offset, it)| it.skip.is_none() && chosen(token + *offset as u32))
                .map(|(_, it)| *it)
                .collect();
            at += (range.end - range.start) as usize;
            let (Some(first), Some(last)) = (own.first(), own.last()) else { continue };
            let page = joined(&own);
            let said = run.and_then(|run| said(&page, &run.replacements)).unwrap_or(page);
            let span = if first.span.doc == last.span.doc { first.span.to(last.span) } else { first.span };
            let of_page =
                |word: String| BookWord { text: word, chapter: chapter as u32, tokens: range.clone(), span };
            words.extend(text_words(&said).into_iter().map(|word| of_page(word.text)));
        }
    }
    words
}

/// Whether the person wanted token `n` spoken.
fn chosen(ledger: Option<&Ledger>) -> impl Fn(u32) -> bool {
    let not: Vec<Range<u32>> = ledger
        .iter()
        .flat_map(|ledger| &ledger.entries)
        .filter(|entry| entry.fate == Fate::Skipped(SkipRule::NotSelected))
        .map(|entry| entry.tokens.clone())
        .collect();
    move |token| {
        let after = not.partition_point(|range| range.end <= token);
        not.get(after).is_none_or(|range| token < range.start)
    }
}

/// Replacements that share tokens, together.
struct Run<'a> {
    range: Range<u32>,
    replacements: Vec<&'a Replacement>,
}

fn replacements(script: Option<&Script>) -> BTreeMap<u32, Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for replacement in script.iter().flat_map(|script| &script.segments).flat_map(|segment| &segment.replaced)
    {
        let range = &replacement.tokens;
        match runs.last_mut() {
            Some(run) if range.start < run.range.end && range.start >= run.range.start => {
                run.range.end = run.range.end.max(range.end);
                run.replacements.push(replacement);
            }
            _ => runs.push(Run { range: range.clone(), replacements: vec![replacement] }),
        }
    }
    runs.into_iter()
        .filter(|run| !run.range.is_empty() && run.range.end - run.range.start <= MAX_REPLACED_TOKENS)
        .map(|run| (run.range.start, run))
        .collect()
}

fn joined(tokens: &[&Token]) -> String {
    let mut text = String::new();
    for (at, token) in tokens.iter().enumerate() {
        if at > 0 && token.space_before {
            text.push(' ');
        }
        text.push_str(&token.text);
    }
    text
}

/// The page with its replacements; none when they are not of this page or would silence it.
fn said(page: &str, replacements: &[&Replacement]) -> Option<String> {
    let mut said = String::with_capacity(page.len());
    let mut rest = page;
    // What replaces nothing is a mark for the voice, such as the stop behind a heading.
    for replacement in replacements.iter().filter(|replacement| !replacement.source.is_empty()) {
        let at = rest.find(&replacement.source)?;
        said.push_str(&rest[..at]);
        said.push_str(&replacement.spoken);
        rest = &rest[at + replacement.source.len()..];
        let audible = |text: &str| text.chars().any(char::is_alphanumeric);
        if audible(&replacement.source) && !audible(&replacement.spoken) {
            return None;
        }
    }
    said.push_str(rest);
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_replaces_nothing_changes_no_word() {
        let replacement = |source: &str, spoken: &str| Replacement {
            rule: "test".into(),
            tokens: 0..2,
            source: source.into(),
            spoken: spoken.into(),
            at: 0..1,
        };
        let (stop, year) = (replacement("", "."), replacement("1847", "eighteen forty-seven"));
        assert_eq!(said("In 1847", &[&year, &stop]).as_deref(), Some("In eighteen forty-seven"));
        assert_eq!(said("Marrowhythe", &[&stop]).as_deref(), Some("Marrowhythe"));
        assert_eq!(said("Marrowhythe", &[&replacement("Marrowhythe", "")]), None);
    }
}
