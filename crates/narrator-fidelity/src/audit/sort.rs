//! From edits to discrepancies: which of them belong together, and which a recogniser could have made.

use std::ops::Range;

use narrator_core::HeardWord;

use super::{BookWord, Difference, Discrepancy};
use crate::align::{Edit, EditKind};
pub(super) use crate::slight::is_slight;

/// A stretch with at least so many words on both sides, none of them right, is other text.
const OTHER_TEXT_WORDS: u32 = 3;
/// Right words between two stretches of wrong ones that are there by chance.
const ISLAND: usize = 2;
/// How long those stretches are at least.
const SHORE: usize = 3;
/// A changed word that sounds less like the book than this was not misheard.
const MISHEARD_UNLIKE: f32 = 0.6;
/// In other text, a word that sounds less like the book than this is not said.
const NOT_SAID_UNLIKE: f32 = 0.4;

pub(super) fn discrepancies(book: &[BookWord], heard: &[HeardWord], edits: &[Edit]) -> Vec<Discrepancy> {
    let sorter = Sorter { book, heard };
    runs(edits).into_iter().flat_map(|run| sorter.of_run(&edits[run])).collect()
}

/// Stretches of edits that are not right, with the islands of chance in them.
fn runs(edits: &[Edit]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < edits.len() {
        if edits[at].kind.is_right() {
            at += 1;
            continue;
        }
        let length = edits[at..].iter().take_while(|edit| !edit.kind.is_right()).count();
        match runs.last_mut() {
            Some(last) if at - last.end <= ISLAND && last.len() >= SHORE && length >= SHORE => {
                last.end = at + length;
            }
            _ => runs.push(at..at + length),
        }
        at += length;
    }
    runs
}

struct Sorter<'a> {
    book: &'a [BookWord],
    heard: &'a [HeardWord],
}

impl Sorter<'_> {
    fn of_run(&self, run: &[Edit]) -> Vec<Discrepancy> {
        let words = run[0].text.start..run[run.len() - 1].text.end;
        let heard = run[0].heard.start..run[run.len() - 1].heard.end;
        let other_text = words.len() as u32 >= OTHER_TEXT_WORDS
            && heard.len() as u32 >= OTHER_TEXT_WORDS
            && run
                .iter()
                .any(|edit| matches!(edit.kind, EditKind::Changed { unlike } if unlike > NOT_SAID_UNLIKE))
            && run.iter().filter(|edit| edit.kind.is_right()).count() * 4 <= run.len();
        if other_text {
            let lost = words_where(run, |kind| match kind {
                EditKind::Lost => true,
                EditKind::Changed { unlike } => unlike > NOT_SAID_UNLIKE,
                _ => false,
            });
            return vec![self.discrepancy(Difference::Changed, true, run, lost)];
        }
        let class = |edit: &Edit| match edit.kind {
            EditKind::Lost => Some(Difference::Lost),
            EditKind::Added => Some(Difference::Added),
            EditKind::Repeated => Some(Difference::Repeated),
            EditKind::Changed { .. } => Some(Difference::Changed),
            EditKind::Right | EditKind::Same { .. } => None,
        };
        run.chunk_by(|one, other| class(one) == class(other))
            .filter_map(|piece| {
                let kind = class(&piece[0])?;
                Some(self.piece(kind, piece))
            })
            .collect()
    }

    fn piece(&self, kind: Difference, piece: &[Edit]) -> Discrepancy {
        let written = piece[0].text.start..piece[piece.len() - 1].text.end;
        let heard = piece[0].heard.start..piece[piece.len() - 1].heard.end;
        let (sure, lost) = match kind {
            Difference::Lost => {
                let slight = self.book.get(written.start as usize).is_some_and(|word| is_slight(&word.text));
                (written.len() > 1 || !slight, written.len() as u32)
            }
            Difference::Changed => {
                let unlike = piece.iter().map(|edit| match edit.kind {
                    EditKind::Changed { unlike } => unlike,
                    _ => 0.0,
                });
                let most = unlike.fold(0.0, f32::max);
                (most > MISHEARD_UNLIKE, if most > MISHEARD_UNLIKE { written.len() as u32 } else { 0 })
            }
            Difference::Added | Difference::Repeated | Difference::Moved => (heard.len() > 1, 0),
        };
        self.discrepancy(kind, sure, piece, lost)
    }

    fn discrepancy(&self, kind: Difference, sure: bool, run: &[Edit], lost: u32) -> Discrepancy {
        Discrepancy { sure, lost, ..discrepancy(self.book, self.heard, kind, run) }
    }
}

/// One difference of all these edits; whether it is sure, and what is lost by it, is for others to say.
pub(super) fn discrepancy(
    book: &[BookWord],
    heard: &[HeardWord],
    kind: Difference,
    run: &[Edit],
) -> Discrepancy {
    let words = run[0].text.start..run[run.len() - 1].text.end;
    let heard_words = run[0].heard.start..run[run.len() - 1].heard.end;
    let (tokens, span, chapter) = place(book, &words);
    Discrepancy {
        kind,
        sure: false,
        chapter,
        written: written(book, &words),
        heard: heard_text(heard, &heard_words),
        words,
        tokens,
        span,
        heard_words,
        start_ms: run[0].start_ms,
        end_ms: run[run.len() - 1].end_ms.max(run[0].start_ms),
        lost: 0,
        breaks_off: false,
        guessed: false,
        settled: None,
        opinions: Vec::new(),
        own_opinions: Vec::new(),
    }
}

/// Words of the book in a run whose edit is of a kind.
fn words_where(run: &[Edit], is: impl Fn(EditKind) -> bool) -> u32 {
    let mut words: Vec<u32> =
        run.iter().filter(|edit| is(edit.kind)).flat_map(|edit| edit.text.clone()).collect();
    words.dedup();
    words.len() as u32
}

/// Where words of the book are; for an empty range, the word that stands there.
pub(super) fn place(book: &[BookWord], words: &Range<u32>) -> (Range<u32>, narrator_core::Span, u32) {
    let nothing = narrator_core::Span { doc: narrator_core::DocId(0), start: 0, end: 0 };
    let at = (words.start as usize).min(book.len().saturating_sub(1));
    let Some(first) = book.get(at) else { return (0..0, nothing, 0) };
    let last = if words.is_empty() { first } else { book.get(words.end as usize - 1).unwrap_or(first) };
    let span = if first.span.doc == last.span.doc { first.span.to(last.span) } else { first.span };
    (first.tokens.start..last.tokens.end, span, first.chapter)
}

pub(super) fn written(book: &[BookWord], words: &Range<u32>) -> String {
    let words = book.get(words.start as usize..words.end as usize).unwrap_or_default();
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

pub(super) fn heard_text(heard: &[HeardWord], words: &Range<u32>) -> String {
    let words = heard.get(words.start as usize..words.end as usize).unwrap_or_default();
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}
