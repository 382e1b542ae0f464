//! Questions: a doubtful place of the audio, cut out with a few words around it, and how it may be read.

use std::ops::Range;

use narrator_core::HeardWord;
use serde::{Deserialize, Serialize};

use super::sort::{heard_text, is_slight, written};
use super::{Audit, BookWord, Difference, Discrepancy};

/// Heard words on each side of the place. Six are two seconds: enough for a recogniser to find its way in.
const FRAME_WORDS: u32 = 6;
/// Audio beside the frame, so that its outer words are whole.
const EDGE_MS: u32 = 160;
/// Audio that is scored at once ends here: recognisers take thirty seconds.
const LONGEST_MS: u32 = 25_000;
/// Nobody speaks a word in less, over a frame. Audio that has no room for what is written needs no question.
const WORD_MS: u32 = 90;
/// More words than these that were heard too many are not asked about when the audio has room for them: a reader
/// of the text skips a passage at little cost, so that scores tell nothing, and nobody mishears silence as a sentence.
const MOST_TOO_MANY: usize = 3;

/// Differences that touch are asked about one by one too, up to so many: more of them are other text.
const MOST_PARTS: usize = 6;

/// One place, read in several ways.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Indices into [`Audit::discrepancies`]: those that have no right word between them.
    pub about: Range<u32>,
    pub start_ms: u32,
    pub end_ms: u32,
    /// The frame with the book's words in it, and the readings that it is held against; each once. All are scored
    /// against the audio, and against silence: that tells what the words alone make of the place.
    pub readings: Vec<String>,
    /// With all that was heard in place of the book's words, and with neither.
    pub rivals: Rivals,
    /// Of each difference by itself, all others being as they are written; none where there are too many.
    pub own: Vec<Rivals>,
    /// Of each difference, the bytes of its words in the first reading.
    pub parts: Vec<Range<u32>>,
    /// Whether a transcript of the place is of use: of a word that was written down once, another tells nothing.
    pub to_write_down: bool,
    /// Nothing but small words, which are never counted: one listener's scores tell whether to list them.
    pub is_slight: bool,
}

/// The readings that what is written is held against.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rivals {
    /// The one with what was heard;
    pub heard: u32,
    /// and the one with nothing.
    pub nothing: u32,
}

impl Audit {
    /// What should be asked, in order of the audio: every difference that a recogniser may have made.
    pub fn questions(&self, book: &[BookWord], heard: &[HeardWord]) -> Vec<Question> {
        let groups = groups(&self.discrepancies).into_iter();
        let mut questions: Vec<Question> =
            groups.filter_map(|about| question(about, &self.discrepancies, book, heard)).collect();
        questions.sort_by_key(|it| (it.start_ms, it.about.start));
        questions
    }
}

/// Differences that touch, together: of `Netherfield House` heard as `another fieldhouse`, the one is no frame
/// for the other. What is moved was found elsewhere and needs no question, no more than what the samples tell; what is
/// repeated stands for itself.
fn groups(all: &[Discrepancy]) -> Vec<Range<u32>> {
    let mut groups: Vec<Range<u32>> = Vec::new();
    let is_asked = |it: &Discrepancy| it.kind != Difference::Moved && !it.breaks_off;
    for (at, it) in all.iter().enumerate().filter(|(_, it)| is_asked(it)) {
        let at = at as u32;
        let joins = |last: &Discrepancy| {
            !says_elsewhere(last)
                && !says_elsewhere(it)
                && !last.guessed
                && !it.guessed
                && last.words.end == it.words.start
                && last.heard_words.end == it.heard_words.start
        };
        match groups.last_mut() {
            Some(group) if group.end == at && joins(&all[at as usize - 1]) => group.end = at + 1,
            _ => groups.push(at..at + 1),
        }
    }
    groups
}

/// Whether the words of a difference are of another place of the book, whose passage is said again here.
fn says_elsewhere(it: &Discrepancy) -> bool {
    it.kind == Difference::Repeated && !it.words.is_empty()
}

fn question(
    about: Range<u32>,
    all: &[Discrepancy],
    book: &[BookWord],
    heard: &[HeardWord],
) -> Option<Question> {
    let group = &all[about.start as usize..about.end as usize];
    let (first, last) = (group.first()?, group.last()?);
    let place = first.heard_words.start..last.heard_words.end;
    let too_many = |it: &Discrepancy| {
        matches!(it.kind, Difference::Added | Difference::Repeated)
            && it.heard_words.len() > MOST_TOO_MANY
            && it.end_ms.saturating_sub(it.start_ms) >= WORD_MS * it.heard_words.len() as u32
    };
    if group.iter().any(too_many) {
        return None;
    }
    let before = place.start.saturating_sub(FRAME_WORDS)..place.start;
    let after = place.end..(place.end + FRAME_WORDS).min(heard.len() as u32);
    // Without words behind it the shorter reading is always the likelier: nothing must be heard in its place.
    let last_after = heard.get(after.clone().last()? as usize)?;
    let start_ms = heard.get(before.start as usize)?.start_ms.saturating_sub(EDGE_MS);
    let end_ms = last_after.end_ms + EDGE_MS;
    // Words that are said again are not words that are missing.
    let own = if says_elsewhere(first) { 0..0 } else { first.words.start..last.words.end };
    let frame = aloud(&heard_text(heard, &before));
    let parts = parts(group, if frame.is_empty() { 0 } else { frame.len() + 1 });
    let length_ms = end_ms.saturating_sub(start_ms);
    let words = (own.len() + before.len() + after.len()) as u32;
    if length_ms > LONGEST_MS || words * WORD_MS > length_ms {
        return None;
    }
    let behind = aloud(&heard_text(heard, &after));
    let framed = |middle: &str| {
        let parts = [frame.clone(), aloud(middle), behind.clone()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let mut readings = vec![framed(&written(book, &own))];
    let mut read = |middle: &str| {
        let reading = framed(middle);
        let known = readings.iter().position(|known| *known == reading);
        known.unwrap_or_else(|| {
            readings.push(reading);
            readings.len() - 1
        }) as u32
    };
    let rivals = if first.guessed {
        let nothing = read("");
        Rivals { heard: nothing, nothing }
    } else {
        Rivals { heard: read(&heard_text(heard, &place)), nothing: read("") }
    };
    let own = match group.len() {
        1 => vec![rivals],
        2..=MOST_PARTS => {
            let with = |at: usize, other: &str| {
                let parts = group.iter().map(own_words).enumerate();
                let parts = parts.map(|(part, words)| if part == at { other } else { words });
                parts.collect::<Vec<_>>().join(" ")
            };
            let rivals = group.iter().enumerate();
            rivals
                .map(|(at, it)| Rivals { heard: read(&with(at, &it.heard)), nothing: read(&with(at, "")) })
                .collect()
        }
        _ => Vec::new(),
    };
    let is_slight = group.iter().all(has_only_slight_words);
    let to_write_down = !first.guessed && !is_slight;
    Some(Question { about, start_ms, end_ms, readings, rivals, own, parts, to_write_down, is_slight })
}

/// Whether a difference is about small words alone, on both sides, and not about so many that they count: nothing that
/// is made of it will be sure.
pub(super) fn has_only_slight_words(it: &Discrepancy) -> bool {
    !it.sure && [&it.written, &it.heard].into_iter().flat_map(|text| text.split_whitespace()).all(is_slight)
}

/// What the book has in place of a difference.
fn own_words(it: &Discrepancy) -> &str {
    if it.words.is_empty() || says_elsewhere(it) { "" } else { &it.written }
}

/// Of each difference, the bytes of its words behind so many others.
fn parts(group: &[Discrepancy], mut at: usize) -> Vec<Range<u32>> {
    let part = |it: &Discrepancy| {
        let length = aloud(own_words(it)).len();
        let part = at as u32..(at + length) as u32;
        at += if length > 0 { length + 1 } else { 0 };
        part
    };
    group.iter().map(part).collect()
}

/// As one would write what is said: a recogniser expects `arm in arm`, and scores `arm-in-arm` as if it were another
/// word.
fn aloud(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '-' | '‐' | '–' | '—'));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
