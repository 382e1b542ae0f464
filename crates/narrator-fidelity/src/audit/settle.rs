//! Settling: what one listener was not sure of, heard again by another over a short window.

use std::ops::Range;

use narrator_core::Hearing;
use serde::{Deserialize, Serialize};

use super::sort::is_slight;
use super::{Audit, BookWord, Difference, Discrepancy};
use crate::align::{EditKind, align};
use crate::trust::distrust;

/// Words of the book on each side that are heard with the ones in doubt, so that the window has a frame.
const AROUND_WORDS: u32 = 8;
/// The shortest window on each side of the place.
const AROUND_MS: u32 = 2500;
/// A changed word that a second listener hears as this like was misheard by the first.
const LIKE: f32 = 0.3;

/// What to listen to again.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Window {
    /// Index into [`Audit::discrepancies`].
    pub discrepancy: u32,
    pub start_ms: u32,
    pub end_ms: u32,
    /// Words of the book that should be heard there.
    pub words: Range<u32>,
    pub text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settled {
    /// The second listener heard what is written.
    Cleared,
    /// It did not either.
    Confirmed,
    /// Its transcript cannot be trusted, or does not reach around the place.
    Open,
}

impl Audit {
    /// What another listener should hear again: each discrepancy short enough that a recogniser may have
    /// made it.
    pub fn windows(&self, book: &[BookWord], longest_words: u32) -> Vec<Window> {
        let short = |it: &Discrepancy| {
            it.words.len().max(it.heard_words.len()) as u32 <= longest_words && it.kind != Difference::Moved
        };
        let window = |(index, it): (usize, &Discrepancy)| {
            let all = 0..book.len() as u32;
            let words =
                it.words.start.saturating_sub(AROUND_WORDS)..(it.words.end + AROUND_WORDS).min(all.end);
            let texts = book[words.start as usize..words.end as usize].iter().map(|word| word.text.as_str());
            Window {
                discrepancy: index as u32,
                start_ms: it.start_ms.saturating_sub(AROUND_MS),
                end_ms: it.end_ms + AROUND_MS,
                text: texts.collect::<Vec<_>>().join(" "),
                words,
            }
        };
        self.discrepancies.iter().enumerate().filter(|(_, it)| short(it)).map(window).collect()
    }

    /// Takes what another listener heard in windows of [`Audit::windows`]. Cleared discrepancies are put
    /// aside, confirmed ones become sure.
    pub fn settle(&mut self, heard: &[(Window, Hearing)]) -> Vec<Settled> {
        let settled: Vec<Settled> = heard
            .iter()
            .map(|(window, hearing)| match self.discrepancies.get(window.discrepancy as usize) {
                Some(it) => judge(it, window, hearing),
                None => Settled::Open,
            })
            .collect();
        let mut clear = vec![false; self.discrepancies.len()];
        for ((window, _), settled) in heard.iter().zip(&settled) {
            let Some(it) = self.discrepancies.get_mut(window.discrepancy as usize) else { continue };
            match settled {
                Settled::Cleared => clear[window.discrepancy as usize] = true,
                Settled::Confirmed if it.kind == Difference::Changed && it.lost == 0 => {
                    it.sure = it.sure || it.words.len() > 1;
                }
                // A slight word that neither listener heard may be swallowed; it stays a doubt.
                Settled::Confirmed => it.sure = it.sure || !is_slight(&it.written),
                Settled::Open => {}
            }
        }
        for (it, clear) in std::mem::take(&mut self.discrepancies).into_iter().zip(clear) {
            if clear {
                self.words_found += it.lost;
                self.cleared.push(it);
            } else {
                self.discrepancies.push(it);
            }
        }
        settled
    }
}

fn judge(it: &Discrepancy, window: &Window, hearing: &Hearing) -> Settled {
    let alignment = align(&window.text, &hearing.words);
    // The window's text was joined from words that each have something to say.
    let words = it.words.start - window.words.start..it.words.end - window.words.start;
    let touches = |range: &Range<u32>| {
        if words.is_empty() {
            range.start <= words.start && words.start <= range.end
        } else {
            range.start < words.end && words.start < range.end
        }
    };
    let right = |edit: &&crate::align::Edit| edit.kind.is_right();
    let before = alignment.edits.iter().filter(right).any(|edit| edit.text.end <= words.start);
    let after = alignment.edits.iter().filter(right).any(|edit| edit.text.start >= words.end);
    let framed = (before || words.start == 0) && (after || words.end as usize == alignment.words.len());
    if distrust(hearing, &window.text).is_some() || !framed {
        return Settled::Open;
    }
    let wrong = match it.kind {
        Difference::Lost | Difference::Moved => alignment.edits.iter().any(|edit| {
            matches!(edit.kind, EditKind::Lost | EditKind::Changed { .. }) && touches(&edit.text)
        }),
        Difference::Changed => alignment.edits.iter().any(|edit| match edit.kind {
            EditKind::Lost => touches(&edit.text),
            EditKind::Changed { unlike } => unlike > LIKE && touches(&edit.text),
            _ => false,
        }),
        Difference::Added | Difference::Repeated => alignment.edits.iter().any(|edit| {
            matches!(edit.kind, EditKind::Added | EditKind::Repeated)
                && edit.text.start + 2 >= words.start
                && edit.text.start <= words.end + 2
        }),
    };
    if wrong { Settled::Confirmed } else { Settled::Cleared }
}
