//! A book in a single HTML file.

use narrator_core::Metadata;

use crate::chapters::{self, Start};
use crate::flow::{Flow, FlowWriter};
use crate::markup::{Element, Handler, Syntax, walk};
use crate::metadata;
use crate::page::write_page;

pub(crate) fn read(source: &str, name: &str, mut flow: FlowWriter) -> (Metadata, Vec<Start>, Flow) {
    let syntax = if source.trim_start().starts_with("<?xml") { Syntax::Xhtml } else { Syntax::Html };
    write_page(source, 0, syntax, None, &mut flow);
    let flow = flow.finish();
    let mut about = About::default();
    walk(source, 0, syntax, &mut about);
    let title = Some(crate::epub::plain(&about.title)).filter(|title| !title.is_empty());
    let metadata = metadata::of_file(name, title, about.authors, about.language);
    let starts = chapters::starts_from_headings(&flow, &metadata.title);
    (metadata, starts, flow)
}

/// What the head says.
#[derive(Debug, Default)]
struct About {
    in_title: bool,
    titled: bool,
    title: String,
    authors: Vec<String>,
    language: Option<String>,
}

impl Handler for About {
    fn start(&mut self, tag: &Element<'_>, _empty: bool) {
        match tag.name {
            "html" => self.language = tag.attribute("lang").or(tag.attribute("xml:lang")).map(str::to_owned),
            "title" => self.in_title = !self.titled,
            "meta" if tag.has_word("name", &["author", "dc.creator"]) => {
                let author = crate::epub::plain(tag.attribute("content").unwrap_or_default());
                if !author.is_empty() && !self.authors.contains(&author) {
                    self.authors.push(author);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if name == "title" {
            self.titled |= self.in_title;
            self.in_title = false;
        }
    }

    fn character(&mut self, c: char, _start: usize, _end: usize) {
        if self.in_title {
            self.title.push(c);
        }
    }
}
