//! What can be wrong with a book.

use thiserror::Error;

/// Why a book cannot be read. The list is closed, so that the exit code and the tests can name each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BookErrorKind {
    /// No file of that name.
    NotFound,
    /// The file is there and cannot be read: permissions, a failing disk.
    Unreadable,
    /// Something else than a book in a format that is read here.
    NotABook,
    /// A book whose container or contents are broken.
    Damaged,
    /// The text is encrypted.
    Drm,
    /// It would expand beyond every book's size.
    Bomb,
    /// A book without a word to speak.
    Empty,
}

/// A refusal: which file, where in it, what is wrong, and what its owner can do.
#[derive(Debug, Error)]
#[error("{file}: {}{what} ({hint})", place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
pub struct BookError {
    kind: BookErrorKind,
    file: String,
    place: Option<String>,
    what: String,
    hint: &'static str,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl BookError {
    pub(crate) fn new(kind: BookErrorKind, file: &str, what: impl Into<String>) -> Self {
        let hint = match kind {
            BookErrorKind::NotFound => "check the path",
            BookErrorKind::Unreadable => "check that the file may be read and its disk is well",
            BookErrorKind::NotABook => "give an EPUB, text, Markdown or HTML file",
            BookErrorKind::Damaged => "fetch the book again, or mend it in an e-book editor",
            BookErrorKind::Drm => "narratord cannot read protected books: get an edition without protection",
            BookErrorKind::Bomb => "no real book is this large: the file may be hostile",
            BookErrorKind::Empty => "a book of page images needs text recognition first",
        };
        Self { kind, file: file.to_owned(), place: None, what: what.into(), hint, source: None }
    }

    /// Names the place inside the file: an entry of the container, a byte.
    pub(crate) fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub fn kind(&self) -> BookErrorKind {
        self.kind
    }

    /// What the owner of the file can do about it; the end of the message too.
    pub fn help(&self) -> &str {
        self.hint
    }
}
