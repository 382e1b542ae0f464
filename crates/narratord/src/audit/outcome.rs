//! What an audit came to, as `verify` and the report tell it.

use narrator_core::Manuscript;
use narrator_fidelity::audit::{Audit, Difference, Discrepancy};
use serde::{Deserialize, Serialize};

use crate::output;

/// A stretch that no recogniser could hear.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unheard {
    pub start_ms: u64,
    pub end_ms: u64,
}

/// One difference, with its place in words.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Place {
    #[serde(flatten)]
    pub difference: Discrepancy,
    pub chapter_title: String,
    /// The source document inside the book, and where in it.
    pub document: String,
}

/// The whole audit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub words_in_book: u32,
    pub words_heard: u32,
    pub words_lost: u32,
    pub audio_s: f64,
    /// What is surely different.
    pub differences: Vec<Place>,
    /// What a recogniser may have misheard, and nobody could settle.
    pub unsure: Vec<Place>,
    /// Doubts that a second look cleared.
    pub cleared: u32,
    /// Which they were, and by what opinions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared_places: Vec<Place>,
    /// Doubts that nobody was asked about, because there were too many; they are counted as the first recogniser
    /// heard them.
    pub unasked: u32,
    pub unheard: Vec<Unheard>,
    /// What is wrong with the ledger, if anything is: it was checked against the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
    /// The sentence for the morning.
    pub sentence: String,
}

impl Outcome {
    pub(super) fn new(
        manuscript: &Manuscript,
        audit: Audit,
        audio_ms: u64,
        unheard: Vec<Unheard>,
        unasked: u32,
    ) -> Self {
        let (words_lost, sentence) = (audit.words_lost(), audit.summary());
        let place = |difference: Discrepancy| Place {
            chapter_title: manuscript
                .chapters
                .get(difference.chapter as usize)
                .map_or_else(String::new, |chapter| chapter.title.clone()),
            document: manuscript
                .documents
                .get(usize::from(difference.span.doc.0))
                .map_or_else(String::new, |document| document.path.clone()),
            difference,
        };
        let (sure, unsure): (Vec<Discrepancy>, Vec<Discrepancy>) =
            audit.discrepancies.into_iter().partition(|it| it.sure);
        Self {
            words_in_book: audit.words_in_book,
            words_heard: audit.words_heard,
            words_lost,
            audio_s: audio_ms as f64 / 1000.0,
            differences: sure.into_iter().map(&place).collect(),
            unsure: unsure.into_iter().map(&place).collect(),
            cleared: audit.cleared.len() as u32,
            cleared_places: audit.cleared.into_iter().map(place).collect(),
            unasked,
            unheard,
            ledger: None,
            sentence,
        }
    }

    /// Whether nothing is lost: no word of the audio's, and no token of the ledger's.
    pub fn is_whole(&self) -> bool {
        self.words_lost == 0 && self.ledger.is_none() && self.unheard.is_empty()
    }
}

impl Place {
    /// One line for people.
    pub fn line(&self) -> String {
        let Discrepancy { kind, start_ms, written, heard, span, breaks_off, .. } = &self.difference;
        let what = match kind {
            _ if *breaks_off => format!("the voice breaks off at “{}”", brief(written)),
            Difference::Lost => format!("lost: “{}”", brief(written)),
            Difference::Added => format!("added: “{}”", brief(heard)),
            Difference::Changed => format!("“{}” is said as “{}”", brief(written), brief(heard)),
            Difference::Moved => format!("moved: “{}”", brief(written)),
            Difference::Repeated => format!("said again: “{}”", brief(heard)),
        };
        format!(
            "at {} in “{}”: {what} ({}, byte {})",
            clock(*start_ms),
            self.chapter_title,
            self.document,
            span.start
        )
    }
}

/// `1:02:03` of milliseconds.
pub fn clock(ms: u32) -> String {
    let seconds = ms / 1000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A sentence is enough to know a passage by.
fn brief(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Tells a person what was found; the sentence is the caller's.
pub fn tell(outcome: &Outcome) {
    const MOST: usize = 40;
    for place in outcome.differences.iter().take(MOST) {
        output::note(place.line());
    }
    if outcome.differences.len() > MOST {
        output::note(format_args!("… and {} more: --json lists them", outcome.differences.len() - MOST));
    }
    for stretch in &outcome.unheard {
        output::note(format_args!(
            "not heard: {} to {}, where every recogniser failed",
            clock(stretch.start_ms as u32),
            clock(stretch.end_ms as u32)
        ));
    }
    if let Some(ledger) = &outcome.ledger {
        tell_ledger(ledger);
    }
    if outcome.unasked > 0 {
        output::note(format_args!(
            "{} more places were in doubt than are asked about; they are counted as they were heard first",
            output::count(outcome.unasked.into())
        ));
    }
    if !outcome.unsure.is_empty() {
        output::note(format_args!(
            "{} places may be recognisers' mistakes and are not counted; {} more were cleared by a second look",
            output::count(outcome.unsure.len() as u64),
            output::count(outcome.cleared.into())
        ));
    }
}

/// Tells a person what script or ledger lack.
pub fn tell_ledger(fault: &str) {
    output::note(format_args!("script and ledger do not account for the book: {fault}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_long_passages_are_for_people() {
        assert_eq!(clock(3_723_400), "1:02:03");
        assert_eq!(brief("short"), "short");
        assert_eq!(brief(&"ü".repeat(130)).chars().count(), 121);
    }
}
