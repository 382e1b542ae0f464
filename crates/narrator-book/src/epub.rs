//! EPUB 2 and 3: container, package and contents by rbook, text by [`crate::page`].
//!
//! Reading order is the spine, `linear="no"` documents included and in their place: they are notes,
//! covers and the like, and what a listener does not want of them can be deselected by chapter; what is
//! not read at all could not be missed. A spine that names a file the container does not have is damage,
//! not a shorter book.

use std::collections::HashSet;
use std::io::{Read, Seek};

use narrator_core::{DocId, Document, Manuscript, SkipRule};
use rbook::Epub;
use rbook::ebook::errors::EbookError;
use rbook::epub::manifest::EpubManifestEntry;
use rbook::epub::metadata::EpubVersion;
use rbook::epub::toc::EpubTocEntry;

use crate::chapters::{self, Start};
use crate::container::{self, Inspection};
use crate::encoding::decode;
use crate::error::{BookError, BookErrorKind};
use crate::flow::{Flow, FlowWriter};
use crate::markup::Syntax;
use crate::metadata;
use crate::page::write_page;

/// All text of a book. The largest that are read aloud, scriptures and encyclopaedias, are below 20 MiB.
const MOST_TEXT_BYTES: usize = 64 << 20;

/// Reads an EPUB. `open` gives a fresh reader at each call.
pub(crate) fn read<R>(file: &str, open: impl Fn() -> Result<R, BookError>) -> Result<Manuscript, BookError>
where
    R: Read + Seek + Send + Sync + 'static,
{
    let inspection = container::inspect(open()?, file)?;
    let epub = open_package(file, &open, &inspection)?;
    let spine = spine_documents(&epub, file)?;
    let mut flow = FlowWriter::new();
    let mut documents = Vec::with_capacity(spine.len());
    let mut total = 0;
    for entry in &spine {
        let path = path_of(entry);
        let bytes = read_document(entry, &path, file, &inspection)?;
        let source = decode(&bytes);
        total += source.len();
        if total > MOST_TEXT_BYTES {
            let what = format!("its text is larger than {} MiB", MOST_TEXT_BYTES >> 20);
            return Err(BookError::new(BookErrorKind::Bomb, file, what).at(path));
        }
        let syntax = if entry.media_type() == "text/html" { Syntax::Html } else { Syntax::Xhtml };
        let skip = entry.properties().has_property("nav").then_some(SkipRule::Navigation);
        flow.document();
        write_page(&source, 0, syntax, skip, &mut flow);
        documents.push(Document { path, bytes: source.len() as u64 });
    }
    let flow = flow.finish();
    let metadata = metadata::of_epub(&epub, file);
    let starts = starts(&epub, &flow, &spine, &metadata.title);
    let cover = metadata::cover_of_epub(&epub, &inspection);
    let chapters = chapters::cut(flow, starts, &metadata.title);
    Ok(Manuscript { metadata, cover, documents, chapters })
}

/// Opens the package, without its contents where those would break the reader or are broken: chapters
/// then come from headings.
fn open_package<R>(
    file: &str,
    open: &impl Fn() -> Result<R, BookError>,
    inspection: &Inspection,
) -> Result<Epub, BookError>
where
    R: Read + Seek + Send + Sync + 'static,
{
    let mut options = Epub::options();
    options.retain_variants(true);
    let without = options.clone().skip_toc(true).read(open()?).map_err(|error| damage(&error, file))?;
    let contents_files = without.manifest().iter().filter(|entry| {
        entry.properties().has_property("nav") || entry.media_type() == "application/x-dtbncx+xml"
    });
    for entry in contents_files {
        if inspection.encrypted.contains(&path_of(&entry)) {
            return Err(
                BookError::new(BookErrorKind::Drm, file, "its contents are encrypted").at(path_of(&entry))
            );
        }
        let deep = entry.read_bytes().is_ok_and(|bytes| container::nests_too_deep(&decode(&bytes)));
        if deep {
            tracing::warn!(book = file, entry = path_of(&entry), "contents nest too deep: taking headings");
            return Ok(without);
        }
    }
    match options.read(open()?) {
        Ok(epub) => Ok(epub),
        Err(error) => {
            tracing::warn!(book = file, error = %error, "contents cannot be read: taking headings");
            Ok(without)
        }
    }
}

fn damage(error: &EbookError, file: &str) -> BookError {
    BookError::new(BookErrorKind::Damaged, file, format!("the EPUB is broken: {error}"))
}

/// Path from the container's root.
fn path_of(entry: &EpubManifestEntry<'_>) -> String {
    entry.href().path().decode().trim_start_matches('/').to_owned()
}

/// What the spine names, in order and once each: markup, or the markup that stands in for something else.
fn spine_documents<'a>(epub: &'a Epub, file: &str) -> Result<Vec<EpubManifestEntry<'a>>, BookError> {
    let mut documents = Vec::new();
    let mut seen = HashSet::new();
    for item in epub.spine() {
        let Some(entry) = item.manifest_entry() else {
            let what = format!("the reading order names {:?}, which is not in the manifest", item.idref());
            return Err(BookError::new(BookErrorKind::Damaged, file, what).at("package"));
        };
        let readable =
            std::iter::once(entry).chain(entry.fallbacks().take(16)).find(|entry| !is_media(entry));
        if let Some(entry) = readable.filter(|entry| seen.insert(path_of(entry))) {
            documents.push(entry);
        }
    }
    if documents.is_empty() {
        return Err(BookError::new(BookErrorKind::Empty, file, "its reading order has no text"));
    }
    // Document numbers have sixteen bits.
    if documents.len() > usize::from(u16::MAX) {
        let what = format!("its reading order has {} documents", documents.len());
        return Err(BookError::new(BookErrorKind::Bomb, file, what));
    }
    Ok(documents)
}

/// Pictures and sound in the spine have no text.
fn is_media(entry: &EpubManifestEntry<'_>) -> bool {
    let media = entry.media_type();
    (media.starts_with("image/") && media != "image/svg+xml")
        || media.starts_with("audio/")
        || media.starts_with("video/")
        || media.starts_with("font/")
        || media == "application/pdf"
}

fn read_document(
    entry: &EpubManifestEntry<'_>,
    path: &str,
    file: &str,
    inspection: &Inspection,
) -> Result<Vec<u8>, BookError> {
    if inspection.encrypted.iter().any(|encrypted| encrypted == path) {
        return Err(BookError::new(BookErrorKind::Drm, file, "its text is encrypted").at(path));
    }
    entry.read_bytes().map_err(|error| {
        let what = "the reading order names it, and it is missing or broken";
        BookError::new(BookErrorKind::Damaged, file, what).at(path).caused_by(error)
    })
}

/// Where chapters begin: by the contents if they name any place that exists, else by headings, else by
/// documents.
fn starts(epub: &Epub, flow: &Flow, spine: &[EpubManifestEntry<'_>], book_title: &str) -> Vec<Start> {
    for version in [EpubVersion::EPUB3, EpubVersion::EPUB2] {
        let Some(contents) = epub.toc().by_kind_version("toc", version) else { continue };
        let starts = starts_from_contents(&contents, flow, spine);
        if !starts.is_empty() {
            return starts;
        }
    }
    let starts = chapters::starts_from_headings(flow, book_title);
    if starts.is_empty() { chapters::starts_from_documents(flow, book_title) } else { starts }
}

fn starts_from_contents(
    contents: &EpubTocEntry<'_>,
    flow: &Flow,
    spine: &[EpubManifestEntry<'_>],
) -> Vec<Start> {
    let mut starts: Vec<Start> = Vec::new();
    // Groups without a link of their own begin where their first entry does.
    let mut groups: Vec<(String, usize)> = Vec::new();
    for entry in contents.flatten() {
        let title = plain(entry.label());
        if entry.href().is_none_or(|href| href.as_str().is_empty()) {
            groups.push((title, entry.depth()));
            continue;
        }
        let Some(at) = place(&entry, &title, flow, spine) else {
            tracing::warn!(title, "a contents entry points nowhere; its text stays in the chapter before");
            continue;
        };
        starts.extend(groups.drain(..).map(|(title, depth)| Start { at, title, depth }));
        starts.push(Start { at, title, depth: entry.depth() });
    }
    let places: HashSet<usize> = flow.documents.iter().copied().collect();
    chapters::chapter_entries(flow, starts, |at| places.contains(&at))
}

/// The token where a contents entry points. An anchor that is missing is looked for by its title among
/// the document's headings, and is the document's start only if nothing of it was named before.
fn place(
    entry: &EpubTocEntry<'_>,
    title: &str,
    flow: &Flow,
    spine: &[EpubManifestEntry<'_>],
) -> Option<usize> {
    let href = entry.href()?;
    let path = href.path().decode().trim_start_matches('/').to_owned();
    let doc = spine.iter().position(|document| path_of(document) == path)?;
    let start = *flow.documents.get(doc)?;
    let end = flow.documents.get(doc + 1).copied().unwrap_or(flow.tokens.len());
    let Some(fragment) = href.fragment().filter(|fragment| !fragment.is_empty()) else { return Some(start) };
    let anchor = |id: &str| flow.anchors.get(&(DocId(doc as u16), id.to_owned())).copied();
    if let Some(at) = anchor(fragment).or_else(|| anchor(&percent_decoded(fragment))) {
        return Some(at);
    }
    flow.heading_with_title(title, start, end)
}

/// `%20` and the like, in a fragment.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A label on one line.
pub(crate) fn plain(label: &str) -> String {
    label.split_whitespace().collect::<Vec<_>>().join(" ")
}
