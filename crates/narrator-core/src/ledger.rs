//! The ledger: the fate of every source token.
//!
//! Invariant, checked by [`Ledger::check`] on every run: the entries cover the manuscript's tokens from
//! the first to the last, each exactly once, in order, and spoken entries name segments in rising order.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::SegmentId;
use crate::manuscript::{Manuscript, Span};

/// Why a token is not spoken. The list is closed: text cannot be dropped for a reason without a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipRule {
    /// `<script>` and `<template>`.
    Script,
    /// `<style>`.
    Style,
    /// The document's `<head>`: its title is not part of the text.
    Head,
    /// A navigation document or element: the table of contents, landmarks, page list.
    Navigation,
    /// A printed page's number or marker.
    PageBreak,
    /// `hidden`, `aria-hidden="true"`, `display: none`.
    Hidden,
    /// The superscript or bracket that calls a note.
    NoteReference,
    /// Ruby pronunciation beside the base text.
    Ruby,
    /// Program text, formulas and media fallbacks that cannot be read aloud.
    NotText,
    /// Nothing in it can be pronounced: rules, bullets, ornaments.
    NoSpeech,
    /// Markup of the source format itself: list bullets, heading marks, code fences, link targets.
    Markup,
    /// The person asked for other chapters only (`--chapters`).
    NotSelected,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Spoken(SegmentId),
    Skipped(SkipRule),
}

/// A run of tokens that share one fate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Token indices in manuscript order.
    pub tokens: Range<u32>,
    /// From the first token's start to the last one's end.
    pub span: Span,
    #[serde(flatten)]
    pub fate: Fate,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ledger {
    pub entries: Vec<LedgerEntry>,
}

#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LedgerError {
    #[error("tokens {from}..{to} of the source have no fate in the ledger")]
    Gap { from: u32, to: u32 },
    #[error("token {at} of the source has two fates in the ledger")]
    Overlap { at: u32 },
    #[error("the ledger has {ledger} tokens, the source {source_tokens}")]
    Length { ledger: u32, source_tokens: u32 },
    #[error("segment {segment} at token {at} comes after segment {after}: the script is out of order")]
    Order { at: u32, segment: SegmentId, after: SegmentId },
    #[error("token {at} is skipped under {found:?} but the manuscript says {expected:?}")]
    Rule { at: u32, found: Fate, expected: Option<SkipRule> },
    #[error("entry at token {at} does not lie at its place in the source")]
    Place { at: u32 },
}

impl Ledger {
    /// Proves the invariant against the manuscript: every token once, in order, at its place, and no
    /// token that the manuscript speaks is skipped except by a selection of chapters or because nothing
    /// in it can be pronounced.
    pub fn check(&self, manuscript: &Manuscript) -> Result<(), LedgerError> {
        let tokens: Vec<_> = manuscript.tokens().collect();
        let mut next = 0_u32;
        let mut last_segment = SegmentId(0);
        for entry in &self.entries {
            let Range { start, end } = entry.tokens.clone();
            if start < next || end <= start {
                return Err(LedgerError::Overlap { at: start });
            }
            if start > next {
                return Err(LedgerError::Gap { from: next, to: start });
            }
            let Some(run) = tokens.get(start as usize..end as usize) else {
                return Err(LedgerError::Length { ledger: end, source_tokens: tokens.len() as u32 });
            };
            if run[0].span.doc != run[run.len() - 1].span.doc
                || entry.span != run[0].span.to(run[run.len() - 1].span)
            {
                return Err(LedgerError::Place { at: start });
            }
            for (offset, token) in run.iter().enumerate() {
                let agrees = match (entry.fate, token.skip) {
                    (Fate::Spoken(_) | Fate::Skipped(SkipRule::NotSelected | SkipRule::NoSpeech), None)
                    | (Fate::Skipped(SkipRule::NotSelected), Some(_)) => true,
                    (Fate::Skipped(rule), Some(named)) => rule == named,
                    _ => false,
                };
                if !agrees {
                    let at = start + offset as u32;
                    return Err(LedgerError::Rule { at, found: entry.fate, expected: token.skip });
                }
            }
            if let Fate::Spoken(segment) = entry.fate {
                if segment < last_segment {
                    return Err(LedgerError::Order { at: start, segment, after: last_segment });
                }
                last_segment = segment;
            }
            next = end;
        }
        if next as usize != tokens.len() {
            return Err(LedgerError::Gap { from: next, to: tokens.len() as u32 });
        }
        Ok(())
    }

    /// Tokens spoken, and tokens skipped under each rule.
    pub fn counts(&self) -> (u32, std::collections::BTreeMap<SkipRule, u32>) {
        let mut spoken = 0;
        let mut skipped = std::collections::BTreeMap::new();
        for entry in &self.entries {
            let n = entry.tokens.end - entry.tokens.start;
            match entry.fate {
                Fate::Spoken(_) => spoken += n,
                Fate::Skipped(rule) => *skipped.entry(rule).or_default() += n,
            }
        }
        (spoken, skipped)
    }
}
