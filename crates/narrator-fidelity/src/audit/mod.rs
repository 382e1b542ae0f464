//! The audit: the whole audio against the whole book.
//!
//! It is made from two things only, the book's words ([`book_words`]) and what a recogniser heard in the
//! finished file. Neither the script nor any verdict is believed: a segment that never entered the script
//! passes every check of segments and is found here.
//!
//! Anchors cut both sides into small gaps; the gaps are aligned with all costs of [`mod@crate::align`]; what is
//! not right is sorted into lost, added, changed, moved and repeated, each with its place in the book and
//! its time in the audio. A recogniser is wrong about one word in twenty, so what it could have misheard is
//! marked as not sure and can be [settled](Audit::settle) by scoring both readings of the place.
//!
//! Invariants: every word of the book is heard, changed or lost, and counted once; time is linear in the
//! book but for the gaps, memory too.

mod again;
mod anchors;
mod book;
mod breaks;
mod decide;
mod elsewhere;
mod guessed;
mod question;
mod settle;
mod skipped;
mod sort;
mod split;
mod whole;

use std::collections::HashMap;
use std::ops::Range;

use narrator_core::{HeardWord, Span};
use serde::{Deserialize, Serialize};

pub use book::{BookWord, book_words};
pub use question::{Question, Rivals};
pub use settle::{Answer, Opinion, Settled};
pub use skipped::skipped;

use crate::align::{Op, OpKind, Reason, align_atoms, edits_of, find_repeats, heard_atoms, slide};
use crate::words::{Atom, atoms};
use anchors::Block;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// In the book, not in the audio.
    Lost,
    /// In the audio, not in the book.
    Added,
    /// Something else is said.
    Changed,
    /// Said, but elsewhere.
    Moved,
    /// Said once more than written.
    Repeated,
}

/// One difference between book and audio.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Discrepancy {
    pub kind: Difference,
    /// Whether it is more than a recogniser gets wrong now and then.
    pub sure: bool,
    /// Index of the chapter.
    pub chapter: u32,
    /// Words of the book; for what was added, an empty range at its place. For what is repeated, the words
    /// that are said again.
    pub words: Range<u32>,
    /// Manuscript tokens of those words, or of the word that it stands before.
    pub tokens: Range<u32>,
    pub span: Span,
    pub heard_words: Range<u32>,
    /// In the audio: of what was heard, or the gap in which it is missing.
    pub start_ms: u32,
    pub end_ms: u32,
    pub written: String,
    pub heard: String,
    /// How many words of the book are not heard because of it.
    pub lost: u32,
    /// The voice breaks off here: of the last word its end is missing, whatever was heard.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub breaks_off: bool,
    /// It was heard as it is written, by a recogniser that was not sure of it: no difference unless it is confirmed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guessed: bool,
    /// What a second look came to; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
    /// What each listener of the second look made of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opinions: Vec<Opinion>,
    /// The same of this difference by itself, where others touch it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_opinions: Vec<Opinion>,
}

/// What the audit found.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Audit {
    /// Words in the book that have to be heard.
    pub words_in_book: u32,
    /// Words heard in the audio.
    pub words_heard: u32,
    /// Words of the book that were heard where they belong, or misheard there.
    pub words_found: u32,
    /// In order of their place in the book.
    pub discrepancies: Vec<Discrepancy>,
    /// What a second listener cleared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared: Vec<Discrepancy>,
}

impl Audit {
    /// Words of the book that are surely not in the audio.
    pub fn words_lost(&self) -> u32 {
        self.discrepancies.iter().filter(|it| it.sure).map(|it| it.lost).sum()
    }

    pub fn count(&self, kind: Difference) -> usize {
        self.discrepancies.iter().filter(|it| it.kind == kind).count()
    }

    /// Whether nothing of the book is surely lost, moved, or said twice, and nothing surely added or changed.
    pub fn is_clean(&self) -> bool {
        !self.discrepancies.iter().any(|it| it.sure)
    }

    /// The sentence for the morning.
    pub fn summary(&self) -> String {
        format!(
            "{} words in the book, {} words heard, {} words lost",
            self.words_in_book,
            self.words_heard,
            self.words_lost()
        )
    }
}

/// Gaps with more cells than this have nothing in common: all of it is lost on the one side and added on
/// the other. A gap between anchors of a good book has tens.
const MAX_CELLS: usize = 60_000;

/// Holds what was heard in the whole audio against the whole book. `breaks_ms` are the moments in which the voice
/// breaks off ([`crate::signal::breaks`]).
pub fn audit(book: &[BookWord], heard: &[HeardWord], breaks_ms: &[u32]) -> Audit {
    let written = atoms(book.iter().map(|word| word.text.as_str()));
    let said = heard_atoms(heard);
    let ids = Ids::of(&written, &said);
    let mut ops = ops(&written, &said, &anchors::blocks(&ids.written, &ids.said));
    slide(&mut ops, &written, &said);
    let mut edits = edits_of(&ops, &written, &said, heard);
    find_repeats(&mut edits, &ops, &written, &said);
    let edits = whole::words(&edits, book, heard);
    let mut discrepancies = sort::discrepancies(book, heard, &edits);
    elsewhere::find(&mut discrepancies, book, heard);
    breaks::find(&mut discrepancies, book, heard, &edits, breaks_ms);
    guessed::find(&mut discrepancies, book, heard, &edits);
    discrepancies.sort_by_key(|it| (it.words.start, it.start_ms));
    let missing: u32 = discrepancies.iter().map(|it| it.lost).sum();
    let words_in_book = said_words(&written);
    Audit {
        words_in_book,
        words_heard: said_words(&said),
        words_found: words_in_book.saturating_sub(missing),
        discrepancies,
        cleared: Vec::new(),
    }
}

/// Words that have something to say.
fn said_words(atoms: &[Atom]) -> u32 {
    let mut last = None;
    let mut count = 0;
    for atom in atoms {
        if last != Some(atom.word) {
            count += 1 + atom.last_word - atom.word;
        }
        last = Some(atom.last_word);
    }
    count
}

/// Equal words have equal numbers.
struct Ids {
    written: Vec<u32>,
    said: Vec<u32>,
}

impl Ids {
    fn of(written: &[Atom], said: &[Atom]) -> Self {
        let mut known: HashMap<Box<str>, u32> = HashMap::new();
        let mut numbers = |atoms: &[Atom]| -> Vec<u32> {
            let mut number = |atom: &Atom| {
                let next = known.len() as u32;
                *known.entry(atom.canon.clone()).or_insert(next)
            };
            atoms.iter().map(&mut number).collect()
        };
        Self { written: numbers(written), said: numbers(said) }
    }
}

/// All moves: equal in the blocks, the cheapest in the gaps between them.
fn ops(written: &[Atom], said: &[Atom], blocks: &[Block]) -> Vec<Op> {
    let mut ops = Vec::with_capacity(written.len().max(said.len()));
    let (mut i, mut j) = (0, 0);
    for block in blocks {
        // A word at each edge goes to the gap, for what is written in two words there and heard as one.
        let edge = usize::from(block.length > 2);
        let first = if block.book == 0 && block.heard == 0 { 0 } else { edge };
        let (from_i, from_j) = (block.book + first, block.heard + first);
        let length = block.length - first - edge;
        gap(&written[i..from_i], &said[j..from_j], &mut ops);
        for offset in 0..length {
            let same = written[from_i + offset].folded == said[from_j + offset].folded;
            let kind = if same { OpKind::Right } else { OpKind::Same(Reason::Spelling) };
            ops.push(Op { kind, written: 1, said: 1 });
        }
        (i, j) = (from_i + length, from_j + length);
    }
    gap(&written[i..], &said[j..], &mut ops);
    ops
}

fn gap(written: &[Atom], said: &[Atom], ops: &mut Vec<Op>) {
    if written.is_empty() || said.is_empty() || written.len() * said.len() > MAX_CELLS {
        ops.extend(written.iter().map(|_| Op { kind: OpKind::Lost, written: 1, said: 0 }));
        ops.extend(said.iter().map(|_| Op { kind: OpKind::Added, written: 0, said: 1 }));
    } else {
        ops.extend(align_atoms(written, said));
    }
}
