//! A book in Markdown, by pulldown-cmark's events and their source ranges.
//!
//! Only text makes tokens: the characters of the markup (`#`, `*`, list bullets, link targets) are not
//! words and are in none. Program text and the words that stand for a picture are tokens that are skipped
//! as [`SkipRule::NotText`], a front matter block as [`SkipRule::Head`], and note references as
//! [`SkipRule::NoteReference`]. HTML inside goes through [`crate::page`].

use std::ops::Range;

use narrator_core::{BlockKind, Metadata, SkipRule};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, MetadataBlockKind, Options, Parser, Tag, TagEnd};

use crate::chapters::{self, Start};
use crate::flow::{Flow, FlowWriter};
use crate::markup::Syntax;
use crate::metadata;
use crate::page::write_page;

pub(crate) fn read(source: &str, name: &str, mut flow: FlowWriter) -> (Metadata, Vec<Start>, Flow) {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut writer =
        Writer { source, flow: &mut flow, kinds: Vec::new(), skips: Vec::new(), front: String::new() };
    let mut html: Option<Range<usize>> = None;
    for (event, range) in Parser::new_ext(source, options).into_offset_iter() {
        // Lines of HTML come one by one; those of a quotation have its marks between them.
        match (&event, &mut html) {
            (Event::Html(_), Some(open)) if open.end == range.start => open.end = range.end,
            (Event::Html(_), _) => {
                if let Some(open) = html.replace(range) {
                    writer.html(open);
                }
            }
            _ => {
                if let Some(open) = html.take() {
                    writer.html(open);
                }
                writer.event(event, range);
            }
        }
    }
    if let Some(open) = html.take() {
        writer.html(open);
    }
    let front = std::mem::take(&mut writer.front);
    let flow = flow.finish();
    let label = |name: &str| front_matter(&front, name);
    let heading = (0..flow.blocks.len())
        .find(|block| flow.blocks[*block].kind == BlockKind::Heading(1))
        .map(|block| flow.block_text(block));
    let authors = label("author").or_else(|| label("authors")).into_iter().collect();
    let title = label("title").or(heading.filter(|_| only_one_title(&flow)));
    let metadata = metadata::of_file(name, title, authors, label("lang").or_else(|| label("language")));
    let starts = chapters::starts_from_headings(&flow, &metadata.title);
    (metadata, starts, flow)
}

/// One heading of the first level is the book's title; several are its chapters.
fn only_one_title(flow: &Flow) -> bool {
    flow.blocks.iter().filter(|block| block.kind == BlockKind::Heading(1)).count() == 1
}

/// `title: "The Book"` in a front matter block. Lists and nested values are not read.
fn front_matter(front: &str, name: &str) -> Option<String> {
    front.lines().find_map(|line| {
        let (label, value) = line.split_once(':')?;
        let value = value.trim().trim_matches(['"', '\'']).trim();
        (label.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then(|| value.to_owned())
    })
}

struct Writer<'a> {
    source: &'a str,
    flow: &'a mut FlowWriter,
    /// Kinds of the containers that are open.
    kinds: Vec<BlockKind>,
    /// Rules of those that are skipped.
    skips: Vec<SkipRule>,
    front: String,
}

impl Writer<'_> {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => {
                if self.skips.last() == Some(&SkipRule::Head) {
                    self.front.push_str(&text);
                }
                self.text(&text, range, None);
            }
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.text(&text, range, None);
            }
            Event::FootnoteReference(label) => self.text(&label, range, Some(SkipRule::NoteReference)),
            Event::SoftBreak | Event::HardBreak => self.flow.space(),
            Event::Rule => self.flow.block(self.kind()),
            // Tags alone; the words between them come as text.
            Event::InlineHtml(_) | Event::Html(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn kind(&self) -> BlockKind {
        self.kinds.last().copied().unwrap_or(BlockKind::Paragraph)
    }

    fn start(&mut self, tag: &Tag<'_>) {
        let inner = match tag {
            Tag::Heading { level, .. } => Some(BlockKind::Heading(level_number(*level))),
            Tag::BlockQuote(_) => Some(BlockKind::Quote),
            Tag::Item => Some(BlockKind::ListItem),
            Tag::FootnoteDefinition(_) => Some(BlockKind::Note),
            Tag::TableHead | Tag::TableRow => Some(BlockKind::TableRow),
            Tag::Paragraph
            | Tag::CodeBlock(_)
            | Tag::HtmlBlock
            | Tag::MetadataBlock(_)
            | Tag::Table(_)
            | Tag::List(_) => Some(self.kind()),
            _ => None,
        };
        if let Some(kind) = inner {
            self.kinds.push(kind);
            self.flow.block(kind);
        }
        match tag {
            Tag::CodeBlock(kind) => {
                // An indented block without a language is as often a poem or a letter as a program.
                let program = matches!(kind, CodeBlockKind::Fenced(_));
                self.skips.extend(program.then_some(SkipRule::NotText));
                if !program {
                    self.kinds.push(BlockKind::Verse);
                    self.flow.block(BlockKind::Verse);
                }
            }
            Tag::Image { .. } => {
                self.flow.end_word();
                self.skips.push(SkipRule::NotText);
            }
            Tag::MetadataBlock(MetadataBlockKind::YamlStyle | MetadataBlockKind::PlusesStyle) => {
                self.skips.push(SkipRule::Head);
            }
            Tag::TableCell => self.flow.space(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Image | TagEnd::MetadataBlock(_) => {
                self.skips.pop();
            }
            TagEnd::CodeBlock => {
                if self.skips.last() == Some(&SkipRule::NotText) {
                    self.skips.pop();
                } else {
                    self.kinds.pop();
                }
            }
            TagEnd::TableCell => self.flow.space(),
            _ => {}
        }
        let block = matches!(
            tag,
            TagEnd::Heading(_)
                | TagEnd::BlockQuote(_)
                | TagEnd::Item
                | TagEnd::FootnoteDefinition
                | TagEnd::TableHead
                | TagEnd::TableRow
                | TagEnd::Paragraph
                | TagEnd::CodeBlock
                | TagEnd::HtmlBlock
                | TagEnd::MetadataBlock(_)
                | TagEnd::Table
                | TagEnd::List(_)
        );
        if block {
            self.kinds.pop();
            self.flow.block(self.kind());
        }
    }

    /// Text that stands in the source as it is, or that a reference or an escape stands for.
    fn text(&mut self, text: &str, range: Range<usize>, rule: Option<SkipRule>) {
        let skip = self.skips.first().copied().or(rule);
        if rule.is_some() {
            self.flow.end_word();
        }
        let slice = self.source.get(range.clone()).unwrap_or_default();
        let offset = slice.find(text);
        let verse = self.kind() == BlockKind::Verse && skip.is_none();
        for (at, c) in text.char_indices() {
            if verse && c == '\n' {
                self.flow.block(BlockKind::Verse);
                continue;
            }
            match offset {
                Some(offset) => {
                    let start = range.start + offset + at;
                    self.flow.character(c, start, start + c.len_utf8(), skip);
                }
                None => self.flow.character(c, range.start, range.end, skip),
            }
        }
        if rule.is_some() {
            self.flow.end_word();
        }
    }

    fn html(&mut self, range: Range<usize>) {
        if let Some(source) = self.source.get(range.clone()) {
            write_page(source, range.start, Syntax::Html, self.skips.first().copied(), self.flow);
            self.flow.block(self.kind());
        }
    }
}

fn level_number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}
