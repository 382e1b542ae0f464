//! The door: a path or bytes in, a manuscript or a refusal out.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use narrator_core::{Document, Manuscript};

use crate::chapters;
use crate::encoding::{decode, looks_binary};
use crate::epub;
use crate::error::{BookError, BookErrorKind};
use crate::flow::FlowWriter;
use crate::format::{self, Format};

/// A text, Markdown or HTML file: fifty times the longest novel.
const MOST_FILE_BYTES: u64 = 64 << 20;

/// Enough of a file for every signature.
const SIGNATURE_BYTES: u64 = 4096;

/// Reads the book at `path`. The format is taken from its first bytes, then from its name.
pub fn read(path: &Path) -> Result<Manuscript, BookError> {
    let name = path.display().to_string();
    let unreadable = |error: io::Error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => BookErrorKind::NotFound,
            _ => BookErrorKind::Unreadable,
        };
        let what = if kind == BookErrorKind::NotFound { "no such file" } else { "cannot be read" };
        BookError::new(kind, &name, what).caused_by(error)
    };
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if about.is_dir() {
        return Err(BookError::new(BookErrorKind::NotABook, &name, "it is a folder"));
    }
    if !about.is_file() {
        return Err(BookError::new(BookErrorKind::NotABook, &name, "it is not a regular file"));
    }
    let mut head = Vec::new();
    let mut file = File::open(path).map_err(unreadable)?;
    (&mut file).take(SIGNATURE_BYTES).read_to_end(&mut head).map_err(unreadable)?;
    if format::is_zip(&head) {
        return finish(
            epub::read(&name, || File::open(path).map(BufReader::new).map_err(unreadable))?,
            &name,
        );
    }
    refuse_foreign(&head, &name)?;
    if about.len() > MOST_FILE_BYTES {
        return Err(too_large(&name));
    }
    file.take(MOST_FILE_BYTES + 1).read_to_end(&mut head).map_err(unreadable)?;
    read_text(&name, &head)
}

/// Reads a book from memory. `name` is what its file is called: it names the format where the bytes leave
/// it open, and the book where it has no title.
pub fn read_bytes(name: &str, bytes: &[u8]) -> Result<Manuscript, BookError> {
    if format::is_zip(bytes) {
        let shared: Arc<[u8]> = bytes.into();
        return finish(epub::read(name, || Ok(Cursor::new(Arc::clone(&shared))))?, name);
    }
    refuse_foreign(bytes, name)?;
    read_text(name, bytes)
}

fn refuse_foreign(head: &[u8], name: &str) -> Result<(), BookError> {
    if head.is_empty() {
        return Err(BookError::new(BookErrorKind::Empty, name, "the file is empty").hint("check the file"));
    }
    match format::foreign(head) {
        Some(what) => Err(BookError::new(BookErrorKind::NotABook, name, format!("it is {what}"))
            .hint("give an EPUB, text, Markdown or HTML file; Calibre converts most formats to EPUB")),
        None => Ok(()),
    }
}

fn too_large(name: &str) -> BookError {
    let what = format!("it is larger than {} MiB", MOST_FILE_BYTES >> 20);
    BookError::new(BookErrorKind::Bomb, name, what).hint("split it into several books")
}

fn read_text(name: &str, bytes: &[u8]) -> Result<Manuscript, BookError> {
    if bytes.len() as u64 > MOST_FILE_BYTES {
        return Err(too_large(name));
    }
    let source = decode(bytes);
    if looks_binary(&source) {
        return Err(BookError::new(BookErrorKind::NotABook, name, "it is not text"));
    }
    if let Some(what) = format::foreign_markup(&source) {
        return Err(BookError::new(BookErrorKind::NotABook, name, format!("it is {what}"))
            .hint("give an EPUB, text, Markdown or HTML file; Calibre converts most formats to EPUB"));
    }
    let extension = Path::new(name).extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
    let mut flow = FlowWriter::new();
    flow.document();
    let (metadata, starts, flow) = match format::of_text(&source, &extension) {
        Format::Html => crate::html::read(&source, name, flow),
        Format::Markdown => crate::markdown::read(&source, name, flow),
        Format::Text => crate::plain::read(&source, name, flow),
    };
    let path =
        Path::new(name).file_name().map_or_else(|| name.to_owned(), |n| n.to_string_lossy().into_owned());
    let documents = vec![Document { path, bytes: source.len() as u64 }];
    let chapters = chapters::cut(flow, starts, &metadata.title);
    finish(Manuscript { metadata, cover: None, documents, chapters }, name)
}

/// Refuses a book without a word to speak.
fn finish(manuscript: Manuscript, name: &str) -> Result<Manuscript, BookError> {
    let spoken =
        |token: &narrator_core::Token| token.skip.is_none() && token.text.chars().any(char::is_alphanumeric);
    if manuscript.tokens().any(spoken) {
        Ok(manuscript)
    } else {
        Err(BookError::new(BookErrorKind::Empty, name, "there is not a word in it"))
    }
}
