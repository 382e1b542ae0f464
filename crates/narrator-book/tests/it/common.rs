//! Books made for tests, and an independent way to their text.

use std::io::{Cursor, Read, Write};
use std::path::PathBuf;

use narrator_core::Manuscript;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

pub fn sample() -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/sample");
    std::fs::read(folder.join("the-bell-at-marrowhythe.epub")).expect("the sample is in the tree")
}

/// A zip of these entries, deflated.
pub fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, data) in entries {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file(*name, options).expect("an entry begins");
        writer.write_all(data).expect("an entry is written");
    }
    writer.finish().expect("a zip ends").into_inner()
}

/// An EPUB under construction: documents in spine order, and what else a test needs.
#[derive(Default)]
pub struct Book {
    documents: Vec<(String, String)>,
    extra: Vec<(String, Vec<u8>)>,
    manifest: String,
    spine: String,
    metadata: String,
    nav: Option<String>,
    ncx: Option<String>,
}

pub const CONTAINER: &str = r#"<?xml version="1.0"?><container version="1.0"
    xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
    <rootfile full-path="OEBPS/p.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"#;

pub fn page(body: &str) -> String {
    format!(
        "<?xml version='1.0' encoding='utf-8'?>\n<!DOCTYPE html>\n<html xmlns='http://www.w3.org/1999/xhtml' \
         xmlns:epub='http://www.idpf.org/2007/ops'><head><title>T</title></head><body>{body}</body></html>"
    )
}

impl Book {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a spine document with this body.
    pub fn body(self, name: &str, body: &str) -> Self {
        self.document(name, &page(body))
    }

    pub fn document(mut self, name: &str, source: &str) -> Self {
        self.documents.push((name.to_owned(), source.to_owned()));
        self
    }

    pub fn extra(mut self, path: &str, bytes: &[u8]) -> Self {
        self.extra.push((path.to_owned(), bytes.to_owned()));
        self
    }

    pub fn manifest(mut self, items: &str) -> Self {
        self.manifest.push_str(items);
        self
    }

    pub fn spine(mut self, items: &str) -> Self {
        self.spine.push_str(items);
        self
    }

    pub fn metadata(mut self, entries: &str) -> Self {
        self.metadata.push_str(entries);
        self
    }

    /// An EPUB 3 contents list.
    pub fn nav(mut self, list: &str) -> Self {
        self.nav = Some(page(&format!("<nav epub:type='toc'><h1>Contents</h1><ol>{list}</ol></nav>")));
        self
    }

    /// An EPUB 2 contents list.
    pub fn ncx(mut self, points: &str) -> Self {
        self.ncx = Some(format!(
            "<ncx xmlns='http://www.daisy.org/z3986/2005/ncx/' version='2005-1'><docTitle><text>B</text></docTitle>\
             <navMap>{points}</navMap></ncx>"
        ));
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut items = self.manifest.clone();
        let mut refs = String::new();
        for (index, (name, _)) in self.documents.iter().enumerate() {
            items.extend([format!("<item id='d{index}' href='{name}' media-type='application/xhtml+xml'/>")]);
            refs.extend([format!("<itemref idref='d{index}'/>")]);
        }
        if self.nav.is_some() {
            items.push_str(
                "<item id='nav' href='nav.xhtml' media-type='application/xhtml+xml' properties='nav'/>",
            );
        }
        if self.ncx.is_some() {
            items.push_str("<item id='ncx' href='toc.ncx' media-type='application/x-dtbncx+xml'/>");
        }
        let toc = if self.ncx.is_some() { " toc='ncx'" } else { "" };
        let package = format!(
            "<?xml version='1.0'?><package xmlns='http://www.idpf.org/2007/opf' version='3.0' unique-identifier='i'>\
             <metadata xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:opf='http://www.idpf.org/2007/opf'>\
             <dc:identifier id='i'>x</dc:identifier>{}</metadata>\
             <manifest>{items}</manifest><spine{toc}>{refs}{}</spine></package>",
            if self.metadata.is_empty() {
                "<dc:title>The Book</dc:title><dc:language>en</dc:language>"
            } else {
                &self.metadata
            },
            self.spine,
        );
        let mut entries: Vec<(String, Vec<u8>)> = vec![
            ("mimetype".into(), b"application/epub+zip".to_vec()),
            ("META-INF/container.xml".into(), CONTAINER.into()),
            ("OEBPS/p.opf".into(), package.into()),
        ];
        entries.extend(self.nav.iter().map(|nav| ("OEBPS/nav.xhtml".to_owned(), nav.clone().into_bytes())));
        entries.extend(self.ncx.iter().map(|ncx| ("OEBPS/toc.ncx".to_owned(), ncx.clone().into_bytes())));
        entries.extend(
            self.documents
                .iter()
                .map(|(name, source)| (format!("OEBPS/{name}"), source.clone().into_bytes())),
        );
        entries.extend(self.extra.iter().cloned());
        let entries: Vec<(&str, &[u8])> =
            entries.iter().map(|(name, data)| (name.as_str(), data.as_slice())).collect();
        zip_of(&entries)
    }

    pub fn read(&self) -> Manuscript {
        narrator_book::read_bytes("book.epub", &self.bytes()).expect("the book is sound")
    }
}

/// Title and spoken text of each chapter.
pub fn outline(manuscript: &Manuscript) -> Vec<(String, String)> {
    manuscript
        .chapters
        .iter()
        .map(|chapter| {
            let tokens =
                chapter.blocks.iter().flat_map(|block| &block.tokens).filter(|token| token.skip.is_none());
            let text = tokens.fold(String::new(), |mut text, token| {
                if token.space_before && !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(&token.text);
                text
            });
            (chapter.title.clone(), text)
        })
        .collect()
}

/// The sources of the manuscript's documents, decoded, in its order.
pub fn sources(book: &[u8], manuscript: &Manuscript) -> Vec<String> {
    let mut archive = ZipArchive::new(Cursor::new(book)).expect("the book is a zip");
    let read = |document: &narrator_core::Document| {
        let mut bytes = Vec::new();
        archive
            .by_name(&document.path)
            .expect("the document is in it")
            .read_to_end(&mut bytes)
            .expect("it is whole");
        String::from_utf8(bytes).expect("tests write UTF-8")
    };
    manuscript.documents.iter().map(read).collect()
}

/// Text of markup the plain way: what is outside angle brackets, references resolved, no white space.
pub fn stripped(source: &str) -> String {
    let mut text = String::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("<!--") {
            rest = rest.split_once("-->").map_or("", |(_, after)| after);
        } else if c == '<' {
            rest = rest.split_once('>').map_or("", |(_, after)| after);
        } else if let Some((name, after)) = rest.strip_prefix('&').and_then(|r| r.split_once(';')) {
            text.push(resolved(name));
            rest = after;
        } else {
            text.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    text.retain(|c| !c.is_whitespace());
    text
}

fn resolved(name: &str) -> char {
    let number = name.strip_prefix("#x").map(|hex| u32::from_str_radix(hex, 16));
    let number = number.or_else(|| name.strip_prefix('#').map(str::parse));
    match (number, name) {
        (Some(number), _) => number.ok().and_then(char::from_u32).expect("a character"),
        (_, "amp") => '&',
        (_, "lt") => '<',
        (_, "gt") => '>',
        (_, "quot") => '"',
        (_, "apos") => '\'',
        (_, "mdash") => '—',
        (_, "hellip") => '…',
        (_, "eacute") => 'é',
        (_, "nbsp") => '\u{a0}',
        _ => panic!("the tests' own decoder does not know &{name};"),
    }
}

/// Checks what must hold of every manuscript of an EPUB: nothing lost, nothing doubled, every span exact.
pub fn check_conservation(book: &[u8], manuscript: &Manuscript) {
    let sources = sources(book, manuscript);
    let all: String = manuscript.tokens().map(|token| token.text.as_str()).collect();
    let expected: String = sources.iter().map(|source| stripped(source)).collect();
    assert_eq!(all, expected);
    let mut last = (0, 0);
    for token in manuscript.tokens() {
        let (doc, start, end) =
            (usize::from(token.span.doc.0), token.span.start as usize, token.span.end as usize);
        assert_eq!(stripped(&sources[doc][start..end]), token.text, "at {doc}:{start}..{end}");
        assert!((doc, start) >= last, "{token:?} is out of order");
        last = (doc, end);
    }
    for block in manuscript.chapters.iter().flat_map(|chapter| &chapter.blocks) {
        assert!(!block.tokens.is_empty());
        assert!(block.tokens.iter().all(|token| token.span.doc == block.tokens[0].span.doc));
    }
    assert!(
        manuscript.chapters.iter().all(|chapter| !chapter.title.is_empty() && !chapter.blocks.is_empty())
    );
}
