//! HTML and XHTML as html5ever's tokenizer sees them, with the byte range that each character and tag has
//! in the source.
//!
//! The tokenizer does not say where it is. It takes its input from a queue that its owner can look into,
//! so at each token the read position is the source's length less what is left in the queue. That position
//! is exact after a tag, a comment and a character reference, which end where reading stopped. It may be
//! ahead after plain text, because the tokenizer looks ahead; plain text however stands in the source as
//! it is (but for line ends), so it is matched there from where the token before ended. The two rules
//! together give exact ranges; the tests hold them against arbitrary input.
//!
//! No tree is built: a tree builder moves text (out of tables, for one), and reading order must stay the
//! source's order.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// How `<br/>` and the like are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Syntax {
    /// A slash at a tag's end closes the element.
    Xhtml,
    /// Such a slash means nothing but for elements that are void anyway.
    Html,
}

/// Receives a document from its first to its last byte, in order.
pub(crate) trait Handler {
    /// A start tag; `empty` when it is its own end.
    fn start(&mut self, tag: &Element<'_>, empty: bool);
    fn end(&mut self, name: &str);
    /// One character of text, and the range of source bytes that stands for it.
    fn character(&mut self, c: char, start: usize, end: usize);
}

/// A start tag's name and attributes, namespace prefixes of the name removed.
#[derive(Debug)]
pub(crate) struct Element<'a> {
    pub(crate) name: &'a str,
    tag: &'a Tag,
}

impl Element<'_> {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|a| &*a.value)
    }

    /// Whether the attribute's space-separated words include one of `words`.
    pub(crate) fn has_word(&self, attribute: &str, words: &[&str]) -> bool {
        self.attribute(attribute).is_some_and(|value| {
            value.split_ascii_whitespace().any(|w| words.iter().any(|word| w.eq_ignore_ascii_case(word)))
        })
    }

    pub(crate) fn is_empty_by_slash(&self) -> bool {
        self.tag.self_closing
    }
}

/// Elements that HTML knows to have no content.
pub(crate) fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "basefont"
            | "br"
            | "col"
            | "embed"
            | "frame"
            | "hr"
            | "img"
            | "input"
            | "keygen"
            | "link"
            | "meta"
            | "param"
            | "source"
            | "track"
            | "wbr"
    )
}

/// Walks `source`; the ranges given to the handler are `base` higher than those in `source`.
pub(crate) fn walk(source: &str, base: usize, syntax: Syntax, handler: &mut impl Handler) {
    let skipped = prologue_end(source);
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(&source[skipped..]));
    // A character reference that the end of input cuts off is resolved from a queue of the tokenizer's
    // own; the line end keeps that from happening. It is white space and lies outside the source.
    queue.push_back(StrTendril::from_slice("\n"));
    let state = State { at: skipped, cdata: false, raw: false, last_reference: None };
    let sink = Sink { source, base, syntax, queue: &queue, inner: RefCell::new((state, handler)) };
    let tokenizer = Tokenizer::new(sink, TokenizerOpts { discard_bom: false, ..TokenizerOpts::default() });
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
}

/// End of what an HTML tokenizer would mistake for text: a byte order mark, and a document type with an
/// internal subset (`<!DOCTYPE html [ … ]>`), whose entities are not expanded.
fn prologue_end(source: &str) -> usize {
    let bom = source.len() - source.trim_start_matches('\u{feff}').len();
    let head = source.get(bom..).unwrap_or_default();
    let Some(doctype) = find_ignoring_case(head, "<!doctype") else { return bom };
    let declares_text = head[..doctype].split('<').skip(1).any(|tag| !tag.starts_with(['?', '!']));
    let rest = &head[doctype..];
    let (Some(open), Some(close)) = (rest.find('['), rest.find('>')) else { return bom };
    if declares_text || open > close {
        return bom;
    }
    let Some(subset) = rest[open..].find(']') else { return bom };
    match rest[open + subset..].find('>') {
        Some(end) => bom + doctype + open + subset + end + 1,
        None => bom,
    }
}

/// Byte offset of ASCII `needle` in the first few kilobytes, where prologues are.
fn find_ignoring_case(haystack: &str, needle: &str) -> Option<usize> {
    let bytes = haystack.as_bytes();
    let head = &bytes[..bytes.len().min(8192)];
    head.windows(needle.len()).position(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

#[derive(Debug)]
struct State {
    /// Source bytes accounted for.
    at: usize,
    /// Inside `<![CDATA[`.
    cdata: bool,
    /// Inside `<script>` or `<style>`.
    raw: bool,
    /// Read position and range of the last character reference: some stand for two characters.
    last_reference: Option<(usize, usize, usize)>,
}

struct Sink<'a, H> {
    source: &'a str,
    base: usize,
    syntax: Syntax,
    queue: &'a BufferQueue,
    inner: RefCell<(State, &'a mut H)>,
}

impl<H: Handler> Sink<'_, H> {
    /// Bytes that the tokenizer has read: up to one more than the source has.
    fn read(&self) -> usize {
        let mut held = Vec::with_capacity(4);
        while let Some(buffer) = self.queue.pop_front() {
            held.push(buffer);
        }
        let left: usize = held.iter().map(|buffer| buffer.len()).sum();
        for buffer in held {
            self.queue.push_back(buffer);
        }
        (self.source.len() + 1).saturating_sub(left)
    }

    fn text(&self, text: &str) {
        // An empty CDATA section is announced as empty text.
        if text.is_empty() {
            return;
        }
        let mut inner = self.inner.borrow_mut();
        let (state, handler) = &mut *inner;
        let read = self.read();
        if let Some((_, start, end)) = state.last_reference.filter(|last| last.0 == read) {
            // The second character of a reference: nothing was read since the first.
            for c in text.chars() {
                handler.character(c, self.base + start, self.base + end);
            }
            return;
        }
        state.skip_silent(self.source);
        let referenced = !state.cdata && !state.raw && self.source[state.at..].starts_with('&');
        if referenced {
            let (start, end) = (state.at, read.clamp(state.at + 1, self.source.len()));
            state.at = end;
            state.last_reference = Some((read, start, end));
            for c in text.chars() {
                handler.character(c, self.base + start, self.base + end);
            }
            return;
        }
        for c in text.chars() {
            let Some(length) = matched(&self.source.as_bytes()[state.at..], c) else {
                // The line end that `walk` adds, or the tokenizer did something unforeseen: then the text
                // is kept with the widest range it can have come from.
                let (start, end) = (state.at, read.clamp(state.at, self.source.len()));
                if start < self.source.len() {
                    debug_assert!(false, "text {text:?} is not at byte {start} of the source");
                    handler.character(c, self.base + start, self.base + end);
                    state.at = end;
                }
                continue;
            };
            let start = state.at;
            state.at += length;
            handler.character(c, self.base + start, self.base + state.at);
        }
    }

    fn tag(&self, tag: &Tag) -> TokenSinkResult<()> {
        let mut inner = self.inner.borrow_mut();
        let (state, handler) = &mut *inner;
        state.at = self.read().min(self.source.len());
        state.cdata = false;
        state.raw = false;
        let name = local_name(&tag.name);
        match tag.kind {
            TagKind::StartTag => {
                let element = Element { name, tag };
                let empty = is_void(name) || (self.syntax == Syntax::Xhtml && element.is_empty_by_slash());
                handler.start(&element, empty);
                // `rawtext` for scripts too: the script states of HTML let a comment swallow the page.
                if matches!(name, "script" | "style") && !empty {
                    state.raw = true;
                    return TokenSinkResult::RawData(RawKind::Rawtext);
                }
            }
            TagKind::EndTag => handler.end(name),
        }
        TokenSinkResult::Continue
    }
}

impl State {
    /// Passes over what the tokenizer reads without a token: `</>` and the ends of a CDATA section.
    fn skip_silent(&mut self, source: &str) {
        if self.raw {
            return;
        }
        loop {
            let rest = &source.as_bytes()[self.at.min(source.len())..];
            if self.cdata && rest.starts_with(b"]]>") {
                self.cdata = false;
                self.at += 3;
            } else if !self.cdata && rest.starts_with(b"<![CDATA[") {
                self.cdata = true;
                self.at += 9;
            } else if !self.cdata && rest.starts_with(b"</>") {
                self.at += 3;
            } else {
                return;
            }
        }
    }
}

/// How many bytes at the start of `source` are `c`, line ends being one character.
fn matched(source: &[u8], c: char) -> Option<usize> {
    if c == '\n' && source.first() == Some(&b'\r') {
        return Some(if source.get(1) == Some(&b'\n') { 2 } else { 1 });
    }
    // The raw text states put a replacement character for a NUL.
    if c == char::REPLACEMENT_CHARACTER && source.first() == Some(&0) {
        return Some(1);
    }
    let mut buffer = [0; 4];
    let encoded = c.encode_utf8(&mut buffer).as_bytes();
    source.starts_with(encoded).then_some(encoded.len())
}

/// A tag's name without its namespace prefix.
fn local_name(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

impl<H: Handler> TokenSink for Sink<'_, H> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::CharacterTokens(text) => self.text(&text),
            Token::NullCharacterToken => self.text("\0"),
            Token::TagToken(tag) => return self.tag(&tag),
            Token::CommentToken(_) | Token::DoctypeToken(_) => {
                let read = self.read().min(self.source.len());
                let state = &mut self.inner.borrow_mut().0;
                state.at = read;
                state.cdata = false;
            }
            Token::EOFToken | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }

    /// CDATA sections are text here, in whatever document: as a comment they would be lost.
    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
