//! The alignment: what was said against what should have been, as a list of edits.
//!
//! A dynamic programme over atoms ([`crate::words`]) finds the cheapest way from the one to the other. Its
//! moves are more than equal, replaced, lost and put in: a row of atoms may stand for another row when they
//! say the same in another way (figures, contractions, compounds) or sound the same. Each such move is an
//! [`EditKind::Same`] with its reason, so that nothing is forgiven without a name.
//!
//! Invariants: the edits cover every word of the text and every heard word, in order on both sides; only
//! the text's words can be [`EditKind::Lost`] and only heard ones [`EditKind::Added`].
//!
//! It does not judge. A misheard name is [`EditKind::Changed`] here; whether that is held against the take
//! is the verdict's business.

mod edits;
mod moves;
mod signs;
mod slide;
mod table;

use std::borrow::Cow;
use std::ops::Range;

use narrator_core::HeardWord;
use serde::{Deserialize, Serialize};

pub(crate) use edits::{edits as edits_of, find_repeats};
pub(crate) use slide::slide;
pub(crate) use table::{Op, OpKind, align_atoms};

use crate::words::{Atom, TextWord, atoms, text_words};

/// Why two different rows of letters are the same words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// British, American, old spellings.
    Spelling,
    /// Figures against words.
    Numeral,
    /// Split or joined.
    Compound,
    /// `it's`, `it is`.
    Contraction,
    /// `Mr.`, `mister`.
    Abbreviation,
    /// Another word that sounds the same.
    Homophone,
    /// A sign inside a word, and its name: `/`, `slash`.
    Sign,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "edit")]
pub enum EditKind {
    /// Heard as written.
    Right,
    /// Heard, written otherwise.
    Same { reason: Reason },
    /// Something else was heard. `unlike` is how differently it sounds, from 0 to 1.
    Changed { unlike: f32 },
    /// Not heard.
    Lost,
    /// Heard, not written.
    Added,
    /// Heard once more than written: the words just before or after it, again.
    Repeated,
}

impl EditKind {
    /// Whether the text was heard here.
    pub fn is_right(self) -> bool {
        matches!(self, Self::Right | Self::Same { .. })
    }
}

/// One step from the text to what was heard.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Edit {
    #[serde(flatten)]
    pub kind: EditKind,
    /// Words of the text; empty for what was added.
    pub text: Range<u32>,
    /// Heard words; empty for what was lost.
    pub heard: Range<u32>,
    /// Of the heard words; for lost ones, the gap in which they should have been.
    pub start_ms: u32,
    pub end_ms: u32,
}

/// A text and what was heard of it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Alignment {
    pub words: Vec<TextWord>,
    pub edits: Vec<Edit>,
}

impl Alignment {
    /// The text of an edit's words, as written.
    pub fn written(&self, edit: &Edit) -> String {
        let words = self.words.get(edit.text.start as usize..edit.text.end as usize).unwrap_or_default();
        words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// For each word of the text, whether it was heard.
    pub fn heard_words(&self) -> Vec<bool> {
        let mut heard = vec![false; self.words.len()];
        // A word in several edits was heard only when all of it was.
        for edit in self.edits.iter().filter(|edit| edit.kind.is_right()) {
            heard[edit.text.start as usize..edit.text.end as usize].fill(true);
        }
        for edit in self.edits.iter().filter(|edit| !edit.kind.is_right()) {
            heard[edit.text.start as usize..edit.text.end as usize].fill(false);
        }
        heard
    }
}

/// Aligns the text of a segment with the words heard in its take.
pub fn align(text: &str, heard: &[HeardWord]) -> Alignment {
    let words = text_words(text);
    let written = atoms(words.iter().map(|word| word.text.as_str()));
    let said = heard_atoms(heard);
    let mut ops = align_atoms(&written, &said);
    slide(&mut ops, &written, &said);
    let mut edits = edits::edits(&ops, &written, &said, heard);
    find_repeats(&mut edits, &ops, &written, &said);
    signs::find_signs(&mut edits, &words, heard);
    Alignment { words, edits }
}

/// Atoms of heard words; marks by themselves have none. Recognisers break `4,000` before the comma: its
/// parts are one number again.
pub(crate) fn heard_atoms(heard: &[HeardWord]) -> Vec<Atom> {
    let mut texts: Vec<Cow<'_, str>> = Vec::with_capacity(heard.len());
    let mut number = None;
    for (index, word) in heard.iter().enumerate() {
        let group =
            word.text.strip_prefix(',').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if let Some(first) = number.filter(|_| group) {
            let joined = format!("{}{}", texts[first], word.text);
            texts[first] = joined.into();
            texts.push("".into());
        } else {
            texts.push(word.text.as_str().into());
            number = word.text.ends_with(|c: char| c.is_ascii_digit()).then_some(index);
        }
    }
    let mut atoms = atoms(texts.iter().map(AsRef::as_ref));
    for atom in &mut atoms {
        // The empty words behind it are part of it.
        let parts = texts[atom.last_word as usize + 1..].iter().take_while(|text| text.is_empty()).count();
        if atom.folded.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '$' | '£' | '€')) {
            atom.last_word += parts as u32;
        }
    }
    atoms
}
