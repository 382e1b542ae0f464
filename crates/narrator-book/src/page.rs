//! One HTML or XHTML document into the flow: a stack of open elements, each with what it means for what
//! is inside it.
//!
//! Documents need not be well formed. Paragraphs, list items, rows and cells close each other as HTML has
//! them do; an end tag without a start tag means nothing; an end tag of an inline element never closes a
//! block around it. Nothing here can drop text: it decides blocks and rules only.

use narrator_core::{BlockKind, SkipRule};

use crate::flow::FlowWriter;
use crate::markup::{Element, Handler, Syntax, walk};
use crate::rules::{self, Suspicion};

/// Elements deeper than this take their parent's meaning: browsers stop nesting at the same depth.
const DEEPEST: usize = 512;

/// Writes the document into the flow. `skip` is the rule for all of it, if there is one.
pub(crate) fn write_page(
    source: &str,
    base: usize,
    syntax: Syntax,
    skip: Option<SkipRule>,
    flow: &mut FlowWriter,
) {
    let root = Open {
        name: String::new(),
        skip,
        kind: BlockKind::Paragraph,
        listing: false,
        preformatted: false,
        row: false,
        block: true,
        link: false,
        suspicion: None,
        mark: 0,
        linked: 0,
    };
    let mut page = Page { flow, stack: vec![root], overflow: 0, linked: 0, breaks: 0, cell_break: false };
    page.flow.block(BlockKind::Paragraph);
    walk(source, base, syntax, &mut page);
    page.close_to(1);
    page.flow.block(BlockKind::Paragraph);
}

/// An open element and what it means.
#[derive(Debug)]
struct Open {
    name: String,
    skip: Option<SkipRule>,
    kind: BlockKind,
    /// Program text: its `<pre>` is not spoken.
    listing: bool,
    /// Line ends are kept.
    preformatted: bool,
    /// In a table's row.
    row: bool,
    block: bool,
    link: bool,
    suspicion: Option<Suspicion>,
    /// Token index at its start.
    mark: usize,
    /// Linked tokens before its start.
    linked: usize,
}

struct Page<'a> {
    flow: &'a mut FlowWriter,
    stack: Vec<Open>,
    /// Elements open beyond [`DEEPEST`].
    overflow: usize,
    /// Tokens inside links so far.
    linked: usize,
    /// `<br>` since the last text.
    breaks: u8,
    /// A block ended inside this cell: the next text in the cell begins a block.
    cell_break: bool,
}

impl Page<'_> {
    fn top(&self) -> &Open {
        // The root is never popped.
        &self.stack[self.stack.len() - 1]
    }

    fn begin_block(&mut self) {
        let (kind, row) = (self.top().kind, self.top().row);
        if row && !self.flow.is_fresh() {
            // Cells are read on as one row; a second paragraph in a cell is a block of its own.
            self.flow.space();
        } else {
            self.flow.block(kind);
        }
    }

    fn end_block(&mut self, was_row_content: bool) {
        if was_row_content {
            self.flow.space();
            self.cell_break = true;
        } else {
            self.flow.block(self.top().kind);
        }
    }

    /// Closes elements until `depth` are left.
    fn close_to(&mut self, depth: usize) {
        while self.stack.len() > depth.max(1) {
            let Some(open) = self.stack.pop() else { return };
            self.close(&open);
        }
    }

    fn close(&mut self, open: &Open) {
        if open.link {
            self.linked += self.flow.mark().saturating_sub(open.mark);
        }
        if let Some(suspicion) = open.suspicion {
            self.flow.end_word();
            let in_link = self.stack.iter().any(|open| open.link);
            let all = self.flow.mark().saturating_sub(open.mark);
            let linked = if in_link { all } else { self.linked.saturating_sub(open.linked) };
            match rules::verdict(suspicion, self.flow.since(open.mark), linked) {
                Some(rule) => self.flow.skip_since(open.mark, rule),
                None if !open.block => self.rejoin(open.mark),
                None => {}
            }
        }
        if open.block {
            self.end_block(open.row && open.name != "tr" && !matches!(open.kind, BlockKind::Heading(_)));
        }
    }

    /// An innocent suspect parts no word, unless another one that is still open begins where it did.
    fn rejoin(&mut self, mark: usize) {
        if self.stack.iter().any(|open| open.suspicion.is_some() && open.mark == mark) {
            return;
        }
        if self.flow.rejoin(mark) {
            for open in self.stack.iter_mut().filter(|open| open.mark > mark) {
                open.mark -= 1;
            }
        }
    }

    /// What HTML leaves out: the end tags that a start tag implies.
    fn close_implied(&mut self, name: &str) {
        let (closes, within): (&[&str], &[&str]) = match name {
            "li" => (&["li"], &["ul", "ol", "menu", "dir"]),
            "dt" | "dd" => (&["dt", "dd"], &["dl"]),
            "tr" => (&["tr"], &["table"]),
            "td" | "th" => (&["td", "th"], &["tr", "table"]),
            "tbody" | "thead" | "tfoot" => (&["tbody", "thead", "tfoot", "tr", "caption"], &["table"]),
            "rt" | "rp" => (&["rt", "rp"], &["ruby"]),
            "option" | "optgroup" => (&["option"], &["select"]),
            "body" => (&["head"], &[]),
            _ => (&[], &[]),
        };
        let open = self.stack.iter().rposition(|open| closes.contains(&open.name.as_str()));
        let scope = self.stack.iter().rposition(|open| within.contains(&open.name.as_str())).unwrap_or(0);
        if let Some(depth) = open.filter(|depth| *depth > scope) {
            self.close_to(depth);
        }
        if rules::is_block(name) {
            if self.top().name == "p" {
                self.close_to(self.stack.len() - 1);
            }
            let in_head = matches!(name, "title" | "style" | "script" | "head" | "html");
            if let Some(head) = self.stack.iter().rposition(|open| open.name == "head").filter(|_| !in_head) {
                self.close_to(head);
            }
        }
    }

    /// How a new element is meant, inside what is open.
    fn opened(&self, tag: &Element<'_>) -> Open {
        let parent = self.top();
        // What is skipped has no paragraphs: it must not part the one around it.
        let block = rules::is_block(tag.name) && parent.skip.is_none();
        let listing = parent.listing || rules::is_listing(tag);
        let listed = listing && (tag.name == "pre" || parent.preformatted)
            || (matches!(tag.name, "code" | "samp") && parent.name == "pre");
        let kind = match (rules::block_kind(tag), parent.kind) {
            (Some(kind @ BlockKind::Heading(_)), _) => kind,
            // A note's lists and quotations stay notes; a row's cells stay its own.
            (Some(_), BlockKind::Note) => BlockKind::Note,
            (Some(kind), _) => kind,
            (None, parent) => parent,
        };
        let row = tag.name == "tr" || (parent.row && tag.name != "table");
        Open {
            name: tag.name.to_owned(),
            skip: parent.skip.or_else(|| rules::skip_rule(tag)).or(listed.then_some(SkipRule::NotText)),
            kind,
            listing,
            preformatted: parent.preformatted || tag.name == "pre",
            row,
            block,
            link: tag.name == "a" && tag.attribute("href").is_some(),
            suspicion: rules::suspicion(tag).filter(|_| parent.skip.is_none()),
            mark: self.flow.mark(),
            linked: self.linked,
        }
    }

    fn line_break(&mut self) {
        self.breaks = self.breaks.saturating_add(1);
        let Open { kind, row, skip, .. } = *self.top();
        if skip.is_none() && (kind == BlockKind::Verse || (self.breaks >= 2 && !row)) {
            self.flow.block(kind);
        } else {
            self.flow.space();
        }
    }
}

impl Handler for Page<'_> {
    fn start(&mut self, tag: &Element<'_>, empty: bool) {
        self.close_implied(tag.name);
        let suspicious = rules::suspicion(tag).is_some();
        if suspicious {
            self.flow.end_word();
        }
        for id in
            [tag.attribute("id"), tag.attribute("name").filter(|_| tag.name == "a")].into_iter().flatten()
        {
            self.flow.anchor(id);
        }
        match tag.name {
            "br" => return self.line_break(),
            "td" | "th" => {
                self.flow.space();
                self.cell_break = false;
            }
            "wbr" => return,
            _ => {}
        }
        if empty {
            if rules::is_block(tag.name) && self.top().skip.is_none() {
                self.end_block(self.top().row && tag.name != "tr");
            } else if tag.name == "img" {
                self.flow.end_word();
            }
            return;
        }
        if self.overflow > 0 || self.stack.len() >= DEEPEST {
            self.overflow += 1;
            return;
        }
        let mut open = self.opened(tag);
        let block = open.block;
        if block {
            let breaks_row = open.row && matches!(open.kind, BlockKind::Heading(_));
            self.stack.push(open);
            if breaks_row {
                self.flow.block(self.top().kind);
            } else {
                self.begin_block();
            }
            let mark = self.flow.mark();
            if let Some(open) = self.stack.last_mut() {
                open.mark = mark;
            }
        } else {
            open.mark = self.flow.mark();
            self.stack.push(open);
        }
    }

    fn end(&mut self, name: &str) {
        if self.overflow > 0 {
            self.overflow -= 1;
            return;
        }
        let Some(depth) = self.stack.iter().rposition(|open| open.name == name).filter(|depth| *depth > 0)
        else {
            // `</p>` without a paragraph is an empty paragraph, and `</br>` a break.
            if name == "p" || name == "br" {
                self.flow.space();
            }
            return;
        };
        let inline = !self.stack[depth].block && !matches!(name, "td" | "th");
        if inline && self.stack[depth + 1..].iter().any(|open| open.block) {
            // `<i><p>…</i>`: the block goes on without it.
            let open = self.stack.remove(depth);
            self.close(&open);
        } else {
            self.close_to(depth);
        }
        if matches!(name, "td" | "th") {
            self.flow.space();
        }
    }

    fn character(&mut self, c: char, start: usize, end: usize) {
        let top = self.top();
        let (skip, preformatted, kind, row) = (top.skip, top.preformatted, top.kind, top.row);
        if c.is_whitespace() {
            if preformatted && c == '\n' && skip.is_none() {
                self.flow.block(kind);
                return;
            }
        } else {
            self.breaks = 0;
            if std::mem::take(&mut self.cell_break) && row {
                self.flow.block(kind);
            }
        }
        self.flow.character(c, start, end, skip);
    }
}
