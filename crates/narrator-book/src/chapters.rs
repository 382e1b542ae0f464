//! Chapters out of the flow: where each begins, and what it is called.
//!
//! Invariant: whatever the starts are (missing, doubled, out of order, in the middle of a paragraph), the
//! chapters hold every token of the flow exactly once and in order. Starts decide divisions only.

use narrator_core::{Block, BlockKind, Chapter, DocId};

use crate::flow::{BlockStart, Flow, join};

/// A chapter as the table of contents, a heading or a chapter line announces it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Start {
    /// Token index.
    pub(crate) at: usize,
    pub(crate) title: String,
    /// How deep in the contents, from 1.
    pub(crate) depth: usize,
}

/// Tokens before an anchor that still belong to what it marks: a number before a linked title.
const ANCHOR_LEEWAY: usize = 3;

/// Contents entries deeper than two levels are sections: they make chapters of their own when they hold
/// this many words on average, about three minutes of speech. Manuals have hundreds of shorter ones.
const SECTION_WORDS: usize = 400;

/// Cuts the flow into chapters at `starts`. `book_title` names what comes before the first of them.
pub(crate) fn cut(mut flow: Flow, starts: Vec<Start>, book_title: &str) -> Vec<Chapter> {
    let mut settled: Vec<Start> = Vec::with_capacity(starts.len());
    for mut start in starts {
        start.at = settle(&mut flow, start.at, &start.title);
        settled.push(start);
    }
    settled.sort_by_key(|start| start.at);
    let mut merged = merge_same_place(settled);
    merged.retain(|start| start.at < flow.tokens.len());
    if merged.first().is_none_or(|first| first.at > 0) {
        let end = merged.first().map_or(flow.tokens.len(), |first| first.at);
        let title = first_heading(&flow, 0, end).unwrap_or_else(|| book_title.to_owned());
        merged.insert(0, Start { at: 0, title, depth: 1 });
    }
    let mut merged = merge_silent(&flow, merged);
    for index in 0..merged.len() {
        let end = merged.get(index + 1).map_or(flow.tokens.len(), |next| next.at);
        if merged[index].title.is_empty() {
            merged[index].title = first_heading(&flow, merged[index].at, end)
                .unwrap_or_else(|| format!("{book_title} {}", index + 1));
        }
        promote_title(&mut flow, &merged[index]);
    }
    chapters_at(flow, &merged)
}

/// Moves a start to where a chapter can begin: to the edge of its block, before the heading that names it,
/// and before anything unspoken in front of it. A block is parted only when an anchor stands well inside.
fn settle(flow: &mut Flow, at: usize, title: &str) -> usize {
    let Some(mut block) = flow.block_of(at).filter(|_| at < flow.tokens.len()) else { return at };
    let first = flow.blocks[block].first;
    let heading = matches!(flow.blocks[block].kind, BlockKind::Heading(_));
    if at > first && !heading && at - first > ANCHOR_LEEWAY && flow.spoken_between(first, at) {
        let kind = flow.blocks[block].kind;
        flow.blocks.insert(block + 1, BlockStart { first: at, kind });
        return at;
    }
    while block > 0 {
        let (before, here) = (&flow.blocks[block - 1], &flow.blocks[block]);
        let same_document = flow.tokens[before.first].span.doc == flow.tokens[here.first].span.doc;
        let silent = !flow.spoken_between(before.first, here.first);
        let names_it =
            matches!(before.kind, BlockKind::Heading(_)) && same_title(&flow.block_text(block - 1), title);
        if !(same_document && (silent || names_it)) {
            break;
        }
        block -= 1;
    }
    flow.blocks[block].first
}

/// One start per place. A part and its first chapter at one place share the title; otherwise the last
/// wins, since the ones before it announced pages without text.
fn merge_same_place(settled: Vec<Start>) -> Vec<Start> {
    let mut merged: Vec<Start> = Vec::with_capacity(settled.len());
    for start in settled {
        match merged.last_mut().filter(|last| last.at == start.at) {
            Some(last) if start.depth > last.depth => {
                last.title = joined_title(&last.title, &start.title);
                last.depth = start.depth;
            }
            Some(last) if start.title.is_empty() || same_title(&last.title, &start.title) => {
                last.depth = start.depth;
            }
            Some(last) => *last = start,
            None => merged.push(start),
        }
    }
    merged
}

/// Chapters without a spoken word join the one after them, or the one before at the end.
fn merge_silent(flow: &Flow, starts: Vec<Start>) -> Vec<Start> {
    let mut kept: Vec<Start> = Vec::with_capacity(starts.len());
    let mut pending: Option<usize> = None;
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(flow.tokens.len(), |next| next.at);
        if flow.spoken_between(start.at, end) {
            kept.push(Start { at: pending.take().unwrap_or(start.at), ..start.clone() });
        } else if kept.is_empty() {
            pending.get_or_insert(start.at);
        }
    }
    if kept.is_empty() { starts.into_iter().take(1).collect() } else { kept }
}

pub(crate) fn joined_title(outer: &str, inner: &str) -> String {
    if outer.is_empty() || same_title(outer, inner) {
        return inner.to_owned();
    }
    if inner.is_empty() {
        return outer.to_owned();
    }
    let separator = if outer.ends_with([':', '.', '!', '?', '—', '–']) { " " } else { ": " };
    format!("{outer}{separator}{inner}")
}

/// A paragraph that is the chapter's title word for word is its heading.
fn promote_title(flow: &mut Flow, start: &Start) {
    let Some(mut block) = flow.block_of(start.at) else { return };
    while block + 1 < flow.blocks.len() && !flow.block_tokens(block).iter().any(|token| token.skip.is_none())
    {
        block += 1;
    }
    if flow.blocks[block].kind == BlockKind::Paragraph && same_title(&flow.block_text(block), &start.title) {
        flow.blocks[block].kind = BlockKind::Heading(1);
    }
}

fn first_heading(flow: &Flow, from: usize, to: usize) -> Option<String> {
    (0..flow.blocks.len())
        .filter(|block| (from..to).contains(&flow.blocks[*block].first))
        .filter(|block| matches!(flow.blocks[*block].kind, BlockKind::Heading(_)))
        .map(|block| flow.block_text(block))
        .find(|title| !title.is_empty())
}

/// Equal but for case, spaces and punctuation.
pub(crate) fn same_title(one: &str, other: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let one = plain(one);
    !one.is_empty() && one == plain(other)
}

fn chapters_at(flow: Flow, starts: &[Start]) -> Vec<Chapter> {
    let Flow { tokens, blocks, .. } = flow;
    let total = tokens.len();
    let mut tokens = tokens.into_iter();
    let mut chapters: Vec<Chapter> = Vec::with_capacity(starts.len());
    let mut next = starts.iter().peekable();
    for (index, start) in blocks.iter().enumerate() {
        while let Some(chapter) = next.next_if(|chapter| chapter.at <= start.first) {
            chapters.push(Chapter { title: chapter.title.clone(), blocks: Vec::new() });
        }
        let end = blocks.get(index + 1).map_or(total, |block| block.first);
        let block = Block { kind: start.kind, tokens: tokens.by_ref().take(end - start.first).collect() };
        if let Some(chapter) = chapters.last_mut().filter(|_| !block.tokens.is_empty()) {
            chapter.blocks.push(block);
        }
    }
    chapters.retain(|chapter| !chapter.blocks.is_empty());
    chapters
}

/// Which contents entries make chapters: the two upper levels, entries that begin a document, and deeper
/// levels whose entries are long enough. `starts_document` is asked with the entry's token index.
pub(crate) fn chapter_entries(
    flow: &Flow,
    entries: Vec<Start>,
    starts_document: impl Fn(usize) -> bool,
) -> Vec<Start> {
    let deepest = entries.iter().map(|entry| entry.depth).max().unwrap_or(0);
    let mut allowed = 2;
    for level in 3..=deepest {
        let mut places: Vec<usize> = entries.iter().filter(|e| e.depth <= level).map(|e| e.at).collect();
        places.sort_unstable();
        let words: usize = places.last().map_or(0, |_| flow.tokens.len() - places[0]);
        if words / places.len().max(1) < SECTION_WORDS {
            break;
        }
        allowed = level;
    }
    entries.into_iter().filter(|entry| entry.depth <= allowed || starts_document(entry.at)).collect()
}

/// Chapters by headings, for books without contents: at the level that repeats, and above it. Headings
/// that follow each other without text between are one, and the book's own title is none beside another.
pub(crate) fn starts_from_headings(flow: &Flow, book_title: &str) -> Vec<Start> {
    let headings: Vec<(usize, u8)> = (0..flow.blocks.len())
        .filter_map(|block| match flow.blocks[block].kind {
            BlockKind::Heading(level) if !flow.block_text(block).is_empty() => Some((block, level)),
            _ => None,
        })
        .collect();
    let repeats = |level: u8| headings.iter().filter(|(_, l)| *l == level).count() > 1;
    let level = (1..=6).find(|level| repeats(*level)).unwrap_or(6);
    let mut starts: Vec<Start> = Vec::new();
    let mut last_block: Option<usize> = None;
    for (block, _) in headings.iter().filter(|(_, l)| *l <= level) {
        let title = flow.block_text(*block);
        let adjoining = last_block.is_some_and(|last| {
            !flow.spoken_between(
                flow.blocks[last].first + flow.block_tokens(last).len(),
                flow.blocks[*block].first,
            )
        });
        match starts.last_mut() {
            Some(start) if adjoining && same_title(&start.title, book_title) => start.title = title,
            Some(start) if adjoining => start.title = joined_title(&start.title, &title),
            _ => starts.push(Start { at: flow.blocks[*block].first, title, depth: 1 }),
        }
        last_block = Some(*block);
    }
    starts
}

/// Chapters by documents, for books with neither contents nor headings.
pub(crate) fn starts_from_documents(flow: &Flow, book_title: &str) -> Vec<Start> {
    let spoken: Vec<usize> = (0..flow.documents.len())
        .filter(|doc| {
            let end = flow.documents.get(doc + 1).copied().unwrap_or(flow.tokens.len());
            flow.spoken_between(flow.documents[*doc], end)
        })
        .collect();
    if spoken.len() < 2 {
        return Vec::new();
    }
    spoken
        .iter()
        .enumerate()
        .map(|(index, doc)| {
            let title = document_title(flow, *doc).filter(|title| !same_title(title, book_title));
            let title = title.unwrap_or_else(|| format!("{book_title} {}", index + 1));
            Start { at: flow.documents[*doc], title, depth: 1 }
        })
        .collect()
}

/// The `<title>` in a document's head.
fn document_title(flow: &Flow, doc: usize) -> Option<String> {
    let head = flow.tokens[flow.documents[doc]..].iter().take_while(|token| {
        token.span.doc == DocId(doc as u16) && token.skip == Some(narrator_core::SkipRule::Head)
    });
    let title = join(head);
    (!title.is_empty()).then_some(title)
}
