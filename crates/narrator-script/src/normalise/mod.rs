//! The normaliser: what the page shows, put into words.
//!
//! A rule looks at the block's text as a row of lexemes (words, numbers, marks) and claims a stretch of it
//! for the words it says instead. Each claim is an [`Edit`] and keeps the stretch it replaced, so the
//! page can always be restored from the script; no stretch is claimed twice, and an edit that would
//! silence a letter or a digit is refused here, whatever rule asked for it.
//!
//! Order: the person's lexicon first, then what holds in every language (marks that no voice can say),
//! then the language's own rules. Only English has some so far; text in any other language goes through
//! as it is, its digits left to the engine.

pub(crate) mod english;
pub(crate) mod lexeme;
mod universal;

use std::ops::Range;

use narrator_core::BlockKind;

use crate::lexicon::Lexicon;
use crate::sentences::primary_subtag;
use crate::source::{Source, is_pronounceable};
use lexeme::{Kind, Lexeme, lexemes};

/// A stretch of the block's text and what is spoken for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Edit {
    /// Bytes of [`Source::text`]; empty for an edit that only adds.
    pub(crate) range: Range<usize>,
    pub(crate) spoken: String,
    pub(crate) rule: &'static str,
}

/// What a rule sees: the whole block.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) source: &'a Source,
    pub(crate) lexemes: &'a [Lexeme<'a>],
    pub(crate) kind: BlockKind,
    /// Byte offsets at which a sentence ends, in rising order; the block's end is one of them.
    pub(crate) sentence_ends: &'a [usize],
    /// Whether the block has several words and no small letter.
    pub(crate) all_capitals: bool,
}

impl<'a> View<'a> {
    pub(crate) fn word(&self, at: usize) -> Option<&'a str> {
        self.lexemes.get(at).filter(|it| it.kind == Kind::Word).map(|it| it.text)
    }

    pub(crate) fn digits(&self, at: usize) -> Option<&'a str> {
        self.lexemes.get(at).filter(|it| it.kind == Kind::Digits).map(|it| it.text)
    }

    pub(crate) fn mark(&self, at: usize) -> Option<char> {
        self.lexemes.get(at).filter(|it| it.kind == Kind::Mark).and_then(|it| it.text.chars().next())
    }

    pub(crate) fn is_mark(&self, at: usize, mark: char) -> bool {
        self.mark(at) == Some(mark)
    }

    pub(crate) fn is_space(&self, at: usize) -> bool {
        self.lexemes.get(at).is_some_and(|it| it.kind == Kind::Space)
    }

    /// Whether lexeme `at` is a word or a number, and so would run together with another.
    pub(crate) fn is_wordlike(&self, at: Option<usize>) -> bool {
        at.and_then(|at| self.lexemes.get(at)).is_some_and(|it| matches!(it.kind, Kind::Word | Kind::Digits))
    }

    /// The word before `at` with one space between.
    pub(crate) fn word_before(&self, at: usize) -> Option<&'a str> {
        let space = at.checked_sub(1).filter(|&space| self.is_space(space))?;
        space.checked_sub(1).and_then(|word| self.word(word))
    }

    /// The word after `at` with one space between.
    pub(crate) fn word_after(&self, at: usize) -> Option<&'a str> {
        if self.is_space(at + 1) { self.word(at + 2) } else { None }
    }

    /// Whether a sentence ends with lexeme `at`, closing marks after it left aside.
    pub(crate) fn ends_sentence(&self, at: usize) -> bool {
        let Some(lexeme) = self.lexemes.get(at) else { return true };
        let text = &self.source.text;
        let rest = &text[lexeme.end()..];
        let marks = rest.find(|c: char| c.is_alphanumeric() || c.is_whitespace()).unwrap_or(rest.len());
        let next = self.sentence_ends.partition_point(|&end| end < lexeme.end());
        self.sentence_ends.get(next).is_none_or(|&end| end <= lexeme.end() + marks)
    }

    /// Whether nothing but marks stands before lexeme `at` in its block.
    pub(crate) fn begins_block(&self, at: usize) -> bool {
        !self.lexemes[..at].iter().any(|it| matches!(it.kind, Kind::Word | Kind::Digits))
    }

    /// Whether byte `offset` is where a token begins or ends.
    pub(crate) fn is_token_edge(&self, offset: usize) -> bool {
        let token = &self.source.tokens[self.source.token_at(offset)];
        token.range.start == offset || token.range.end <= offset
    }
}

/// What a rule claims: lexemes from the one it was asked about, and the words for them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Claim {
    pub(crate) lexemes: usize,
    pub(crate) spoken: String,
    pub(crate) rule: &'static str,
}

impl Claim {
    pub(crate) fn new(lexemes: usize, spoken: impl Into<String>, rule: &'static str) -> Self {
        Self { lexemes, spoken: spoken.into(), rule }
    }
}

/// The edits of a block, in order and apart from each other.
pub(crate) fn edits(
    source: &Source,
    starts: &[usize],
    kind: BlockKind,
    language: &str,
    lexicon: &Lexicon,
) -> Vec<Edit> {
    let lexemes = lexemes(&source.text);
    let mut sentence_ends: Vec<usize> =
        starts.iter().map(|&start| source.tokens[start - 1].range.end).collect();
    sentence_ends.push(source.text.len());
    let words = lexemes.iter().filter(|it| it.kind == Kind::Word).count();
    let all_capitals = words > 1 && !source.text.contains(char::is_lowercase);
    let view = View { source, lexemes: &lexemes, kind, sentence_ends: &sentence_ends, all_capitals };
    let english = english::English::for_language(language);

    let mut edits = Vec::new();
    let mut at = 0;
    while at < lexemes.len() {
        let claim = lexicon
            .claim(&view, at)
            .or_else(|| universal::claim(&view, at))
            .or_else(|| english.as_ref().and_then(|english| english.claim(&view, at)));
        let Some(claim) = claim else {
            at += 1;
            continue;
        };
        let end = (at + claim.lexemes.max(1)).min(lexemes.len());
        let range = lexemes[at].start..lexemes[end - 1].end();
        let replaced = &source.text[range.clone()];
        if is_pronounceable(replaced) && !is_pronounceable(&claim.spoken) {
            at += 1;
            continue;
        }
        if replaced != claim.spoken {
            edits.push(Edit { range, spoken: claim.spoken, rule: claim.rule });
        }
        at = end;
    }
    edits.extend(universal::final_stop(&view, primary_subtag(language)));
    edits
}

/// Whether `word`, a token's text, cannot end a sentence before `after`: it is short for something that
/// always has more behind it.
pub(crate) fn wants_more(language: &str, word: &str, after: &str) -> bool {
    primary_subtag(language) == "en" && english::wants_more(word, after)
}
