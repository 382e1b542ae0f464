//! The manuscript: a book as chapters, blocks and tokens, each token with its place in the source.
//!
//! Invariant: every visible or hidden word of every document in reading order is a token here, exactly
//! once. What is not to be spoken stays in the manuscript and carries the rule that skips it, so that
//! nothing can leave the book without a name.

use serde::{Deserialize, Serialize};

use crate::ledger::SkipRule;

/// Which source document of the book (an EPUB has many, a text file is one), by index into
/// [`Manuscript::documents`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DocId(pub u16);

/// A half-open byte range `start..end` of a source document, counted in the document's own bytes after
/// decoding to UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Span {
    pub doc: DocId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The smallest span holding both; both must lie in one document.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        debug_assert_eq!(self.doc, last.doc, "a span lies in one document");
        Self { doc: self.doc, start: self.start.min(last.start), end: self.end.max(last.end) }
    }
}

/// A piece of text between white space; long runs are further broken after dashes and ellipses, and
/// between ideographs, so that a token is never longer than what can be spoken in one breath.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    pub text: String,
    pub span: Span,
    /// Whether white space (or a block's start) stands between it and the token before it; for a spoken
    /// token, the spoken token before it, so that the spoken ones can be joined without the others.
    pub space_before: bool,
    /// The rule under which it is not spoken.
    pub skip: Option<SkipRule>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// A heading of level 1 to 6.
    Heading(u8),
    Paragraph,
    Quote,
    ListItem,
    /// One line of verse or other preformatted text; its end is a short pause, and the lines of a stanza
    /// follow each other as blocks of this kind.
    Verse,
    TableRow,
    Caption,
    Note,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Block {
    pub kind: BlockKind,
    /// Never empty; all of one document.
    pub tokens: Vec<Token>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Chapter {
    /// As the table of contents or the heading gives it; never empty.
    pub title: String,
    pub blocks: Vec<Block>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Document {
    /// Path inside the container, or the file's own name.
    pub path: String,
    pub bytes: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Metadata {
    pub title: String,
    pub authors: Vec<String>,
    /// BCP 47, `en` when the book does not say.
    pub language: String,
    pub publisher: Option<String>,
    pub series: Option<String>,
    pub series_index: Option<String>,
}

/// A cover image as it stands in the book.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cover {
    /// `image/jpeg` or `image/png`.
    pub media_type: String,
    pub bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manuscript {
    pub metadata: Metadata,
    pub cover: Option<Cover>,
    pub documents: Vec<Document>,
    pub chapters: Vec<Chapter>,
}

impl Manuscript {
    /// Every token in reading order, spoken or not. A token's place in this sequence is its index in the
    /// ledger and in [`crate::Segment::tokens`].
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.chapters.iter().flat_map(|chapter| &chapter.blocks).flat_map(|block| &block.tokens)
    }

    /// Tokens that are to be spoken.
    pub fn spoken_tokens(&self) -> usize {
        self.tokens().filter(|token| token.skip.is_none()).count()
    }
}
