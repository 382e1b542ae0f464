//! The flow: tokens and blocks of a book in reading order, as the readers of each format write them.
//!
//! A reader pushes characters with their place in the source, says where white space and blocks end, and
//! names anchors. Tokens form here and nowhere else, so the promise that every character between white
//! space is in exactly one token is kept in one place.

use std::collections::HashMap;

use narrator_core::{BlockKind, DocId, SkipRule, Span, Token};

use crate::chapters::same_title;
use crate::words::begins_token;

/// Where a block begins: at this token, until the next block does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BlockStart {
    pub(crate) first: usize,
    pub(crate) kind: BlockKind,
}

/// A token in the making.
#[derive(Debug)]
struct Word {
    token: Token,
    length: usize,
}

#[derive(Debug)]
struct Anchor {
    doc: DocId,
    id: String,
    at: usize,
}

/// A finished flow: what chapters are cut from.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    pub(crate) tokens: Vec<Token>,
    /// Rising, none empty once finished.
    pub(crate) blocks: Vec<BlockStart>,
    /// First token of each document, by [`DocId`].
    pub(crate) documents: Vec<usize>,
    /// Token that follows an anchor.
    pub(crate) anchors: HashMap<(DocId, String), usize>,
}

#[derive(Debug)]
pub(crate) struct FlowWriter {
    flow: Flow,
    /// Places never fall from one to the next.
    anchors: Vec<Anchor>,
    word: Option<Word>,
    kind: BlockKind,
    /// The next token begins a block.
    fresh: bool,
    space_since_any: bool,
    space_since_spoken: bool,
}

impl FlowWriter {
    pub(crate) fn new() -> Self {
        Self {
            flow: Flow::default(),
            anchors: Vec::new(),
            word: None,
            kind: BlockKind::Paragraph,
            fresh: true,
            space_since_any: true,
            space_since_spoken: true,
        }
    }

    /// Begins the next document.
    pub(crate) fn document(&mut self) -> DocId {
        self.block(BlockKind::Paragraph);
        self.flow.documents.push(self.flow.tokens.len());
        DocId((self.flow.documents.len() - 1) as u16)
    }

    /// Adds a visible or hidden character and the bytes of the source that stand for it.
    pub(crate) fn character(&mut self, c: char, start: usize, end: usize, skip: Option<SkipRule>) {
        if c == '\0' {
            return;
        }
        if c.is_whitespace() {
            self.end_word();
            self.space_since_any = true;
            self.space_since_spoken |= skip.is_none();
            return;
        }
        if let Some(word) = &mut self.word {
            if word.token.skip == skip && !begins_token(&word.token.text, word.length, c) {
                word.token.text.push(c);
                word.token.span.end = end as u32;
                word.length += 1;
                return;
            }
            self.end_word();
        }
        let space_before = if skip.is_none() { self.space_since_spoken } else { self.space_since_any };
        let doc = DocId(self.flow.documents.len().saturating_sub(1) as u16);
        let span = Span { doc, start: start as u32, end: end as u32 };
        self.word = Some(Word { token: Token { text: c.into(), span, space_before, skip }, length: 1 });
    }

    pub(crate) fn space(&mut self) {
        self.end_word();
        self.space_since_any = true;
        self.space_since_spoken = true;
    }

    /// Ends a token where markup, not white space, divides.
    pub(crate) fn end_word(&mut self) {
        let Some(Word { token, .. }) = self.word.take() else { return };
        if self.fresh {
            self.flow.blocks.push(BlockStart { first: self.flow.tokens.len(), kind: self.kind });
            self.fresh = false;
        }
        self.space_since_any = false;
        if token.skip.is_none() {
            self.space_since_spoken = false;
        }
        self.flow.tokens.push(token);
    }

    /// Ends the block that is open, if it has anything in it; what follows is of `kind`.
    pub(crate) fn block(&mut self, kind: BlockKind) {
        self.space();
        self.fresh = true;
        self.kind = kind;
    }

    /// Whether the open block has no token yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh && self.word.is_none()
    }

    /// Index that the next token to begin will have.
    pub(crate) fn mark(&self) -> usize {
        self.flow.tokens.len() + usize::from(self.word.is_some())
    }

    pub(crate) fn anchor(&mut self, id: &str) {
        let at = self.mark();
        let doc = DocId(self.flow.documents.len().saturating_sub(1) as u16);
        self.anchors.push(Anchor { doc, id: id.to_owned(), at });
    }

    /// Finished tokens from `mark` on.
    pub(crate) fn since(&self, mark: usize) -> &[Token] {
        self.flow.tokens.get(mark..).unwrap_or_default()
    }

    /// Gives the finished tokens from `mark` on a rule, where they have none.
    pub(crate) fn skip_since(&mut self, mark: usize, rule: SkipRule) {
        self.end_word();
        // White space inside what is skipped does not part the words around it: a page number may stand
        // in the middle of a word.
        self.space_since_spoken |= self.flow.tokens.get(mark).is_some_and(|first| first.space_before);
        for token in self.flow.tokens.iter_mut().skip(mark) {
            token.skip.get_or_insert(rule);
        }
    }

    /// Undoes [`FlowWriter::end_word`] at `mark`: the tokens on its two sides are one word after all, and
    /// the last token stays open for what follows. Says whether two tokens became one, so that places
    /// after `mark` moved down by one.
    pub(crate) fn rejoin(&mut self, mark: usize) -> bool {
        self.end_word();
        let joined = self.join_at(mark);
        if !self.space_since_any && !self.fresh {
            self.word = self.flow.tokens.pop().map(|token| {
                let length = token.text.chars().count();
                Word { token, length }
            });
        }
        joined
    }

    fn join_at(&mut self, mark: usize) -> bool {
        let tokens = &mut self.flow.tokens;
        let block_began = self.flow.blocks.last().is_none_or(|block| block.first >= mark);
        let Some((left, right)) =
            mark.checked_sub(1).and_then(|left| Some((tokens.get(left)?, tokens.get(mark)?)))
        else {
            return false;
        };
        let first = right.text.chars().next().unwrap_or(' ');
        let parted = right.space_before || left.skip != right.skip;
        if block_began || parted || begins_token(&left.text, left.text.chars().count(), first) {
            return false;
        }
        let right = tokens.remove(mark);
        tokens[mark - 1].text.push_str(&right.text);
        tokens[mark - 1].span.end = right.span.end;
        for anchor in self.anchors.iter_mut().rev().take_while(|anchor| anchor.at > mark) {
            anchor.at -= 1;
        }
        true
    }

    pub(crate) fn finish(mut self) -> Flow {
        self.space();
        let last = self.flow.tokens.len();
        for Anchor { doc, id, at } in self.anchors {
            self.flow.anchors.entry((doc, id)).or_insert(at.min(last));
        }
        self.flow
    }
}

impl Flow {
    /// The tokens of block `index`.
    pub(crate) fn block_tokens(&self, index: usize) -> &[Token] {
        let Some(block) = self.blocks.get(index) else { return &[] };
        let end = self.blocks.get(index + 1).map_or(self.tokens.len(), |next| next.first);
        &self.tokens[block.first..end]
    }

    /// The block that holds token `at`.
    pub(crate) fn block_of(&self, at: usize) -> Option<usize> {
        self.blocks.partition_point(|block| block.first <= at).checked_sub(1)
    }

    pub(crate) fn spoken_between(&self, from: usize, to: usize) -> bool {
        self.tokens[from..to].iter().any(|token| token.skip.is_none())
    }

    /// First token of the heading that reads `title`, among tokens `from..to`.
    pub(crate) fn heading_with_title(&self, title: &str, from: usize, to: usize) -> Option<usize> {
        (0..self.blocks.len())
            .filter(|block| (from..to).contains(&self.blocks[*block].first))
            .filter(|block| matches!(self.blocks[*block].kind, BlockKind::Heading(_)))
            .find(|block| same_title(&self.block_text(*block), title))
            .map(|block| self.blocks[block].first)
    }

    /// The spoken text of block `index`, as a title is written.
    pub(crate) fn block_text(&self, index: usize) -> String {
        join(self.block_tokens(index).iter().filter(|token| token.skip.is_none()))
    }
}

/// Tokens as running text.
pub(crate) fn join<'a>(tokens: impl Iterator<Item = &'a Token>) -> String {
    let mut text = String::new();
    for token in tokens {
        if token.space_before && !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&token.text);
    }
    text
}
