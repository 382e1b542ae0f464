//! Words of several parts, whole again.
//!
//! `arm-in-arm` is aligned part by part. When one part was heard as something else, the word was: what is asked
//! about it and told of it is the whole word, with all that was heard for it.

use narrator_core::HeardWord;

use super::BookWord;
use super::sort::{heard_text, written};
use crate::align::{Edit, EditKind};
use crate::sound::unlike_texts;

/// The edits, with those that share a word of the book made one where not all of them are right.
pub(super) fn words(edits: &[Edit], book: &[BookWord], heard: &[HeardWord]) -> Vec<Edit> {
    let mut whole: Vec<Edit> = Vec::with_capacity(edits.len());
    let mut at = 0;
    while at < edits.len() {
        let end = end_of_word(edits, at);
        let parts = &edits[at..end];
        at = end;
        if parts.len() == 1 || parts.iter().all(|edit| edit.kind.is_right()) {
            whole.extend_from_slice(parts);
        } else {
            whole.push(joined(parts, book, heard));
        }
    }
    whole
}

/// Behind the last edit that shares a word with the one at `at`, directly or by those between them.
fn end_of_word(edits: &[Edit], at: usize) -> usize {
    let mut reach = edits[at].text.end;
    let mut end = at + 1;
    if edits[at].text.is_empty() {
        return end;
    }
    for (next, edit) in edits.iter().enumerate().skip(at + 1) {
        match edit.text.is_empty() {
            true => (),
            false if edit.text.start < reach => {
                reach = reach.max(edit.text.end);
                end = next + 1;
            }
            false => break,
        }
    }
    end
}

fn joined(parts: &[Edit], book: &[BookWord], heard: &[HeardWord]) -> Edit {
    let (first, last) = (&parts[0], &parts[parts.len() - 1]);
    let text = first.text.start..last.text.end;
    let said = first.heard.start..last.heard.end;
    let kind = if said.is_empty() {
        EditKind::Lost
    } else {
        EditKind::Changed { unlike: unlike_texts(&written(book, &text), &heard_text(heard, &said)) }
    };
    Edit { kind, text, heard: said, start_ms: first.start_ms, end_ms: last.end_ms.max(first.start_ms) }
}

#[cfg(test)]
mod tests {
    use narrator_core::{DocId, Span};

    use crate::audit::{Difference, audit};

    use super::*;

    fn found(page: &str, said: &str) -> Vec<(Difference, String, String)> {
        let span = Span { doc: DocId(0), start: 0, end: 1 };
        let book: Vec<BookWord> = page
            .split_whitespace()
            .map(|word| BookWord { text: word.into(), chapter: 0, tokens: 0..1, span })
            .collect();
        let heard: Vec<HeardWord> = said
            .split_whitespace()
            .zip(0..)
            .map(|(word, at)| HeardWord {
                text: word.into(),
                start_ms: at * 300,
                end_ms: at * 300 + 250,
                log_prob: -0.1,
            })
            .collect();
        let told = |it: crate::Discrepancy| (it.kind, it.written, it.heard);
        audit(&book, &heard, &[]).discrepancies.into_iter().map(told).collect()
    }

    #[test]
    fn a_word_of_several_parts_is_changed_as_a_whole() {
        let page = "she walked arm-in-arm with her sister to the house";
        assert_eq!(
            found(page, "she walked arm and arm with her sister to the house"),
            [(Difference::Changed, "arm-in-arm".into(), "arm and arm".into())]
        );
        assert_eq!(found(page, &page.replace('-', " ")), []);
    }

    #[test]
    fn what_is_beside_it_stays_what_it_is() {
        let page = "the self-destined bride came to the house";
        assert_eq!(
            found(page, "the self-dustened bride game to the house"),
            [
                (Difference::Changed, "self-destined".into(), "self-dustened".into()),
                (Difference::Changed, "came".into(), "game".into()),
            ]
        );
    }
}
