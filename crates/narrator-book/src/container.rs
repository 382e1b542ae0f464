//! The zip of an EPUB, judged before anything is made of it.
//!
//! Invariant: after [`inspect`] has passed, every entry of the zip expands to a known, bounded size, so
//! whatever reads it next may read without a bound. Sizes are measured by expanding, never believed: a
//! zip's own figures can lie. Nothing is ever written to disk, so names that climb out of a folder climb
//! nowhere.

use std::io::{self, Read, Seek};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::error::{BookError, BookErrorKind};
use crate::markup::{Element, Handler, Syntax, walk};

/// All compressed entries of a book together. The largest novels are below 10 MiB of text, and pictures
/// are compressed already, so they do not expand.
pub(crate) const MOST_EXPANDED_BYTES: u64 = 512 << 20;
/// One entry.
pub(crate) const MOST_ENTRY_BYTES: u64 = 256 << 20;
/// From this size on an entry must not expand by more than [`MOST_RATIO`]; XHTML expands by 3 to 15, and
/// deflate can do 1032.
const RATIO_FROM_BYTES: u64 = 8 << 20;
const MOST_RATIO: u64 = 200;
/// A package or contents file; the largest real ones are below 2 MiB.
const MOST_PACKAGE_BYTES: u64 = 32 << 20;
/// A zip's directory beyond this is no book's.
const MOST_ENTRIES: usize = 60_000;
/// Contents and metadata that nest deeper are built to exhaust a stack.
const MOST_NESTING: usize = 64;

const CONTAINER: &str = "META-INF/container.xml";
const ENCRYPTION: &str = "META-INF/encryption.xml";

/// Font obfuscation is not protection of the text: it is undone with the book's own identifier.
const OBFUSCATION: &[&str] = &["http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#rc"];

#[derive(Debug, Default)]
pub(crate) struct Inspection {
    /// Entries whose bytes are encrypted, as paths from the container's root.
    pub(crate) encrypted: Vec<String>,
}

/// Measures every entry, and reads what the container says of itself.
pub(crate) fn inspect<R: Read + Seek>(mut reader: R, file: &str) -> Result<Inspection, BookError> {
    let damaged = |what: &str| BookError::new(BookErrorKind::Damaged, file, what);
    let length = reader.seek(io::SeekFrom::End(0)).map_err(|error| {
        BookError::new(BookErrorKind::Unreadable, file, "cannot be read").caused_by(error)
    })?;
    let mut archive = ZipArchive::new(reader).map_err(|error| match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            BookError::new(BookErrorKind::Unreadable, file, "cannot be read").caused_by(error)
        }
        error => damaged("the zip is broken or cut short").caused_by(error),
    })?;
    if archive.len() > MOST_ENTRIES {
        let what = format!("the zip holds {} entries", archive.len());
        return Err(BookError::new(BookErrorKind::Bomb, file, what));
    }
    measure(&mut archive, length, file)?;
    let Some(container) = read_entry(&mut archive, CONTAINER, file)? else {
        return Err(not_an_epub(&archive, file));
    };
    let package = attribute_values(&container, "rootfile", "full-path").into_iter().next();
    let Some(package) = package else {
        return Err(damaged("it names no package file").at(CONTAINER));
    };
    if let Some(source) = read_entry(&mut archive, &package, file)?
        && refinement_chain(&source) > MOST_NESTING
    {
        return Err(damaged("its metadata nests without end").at(package));
    }
    let encrypted = match read_entry(&mut archive, ENCRYPTION, file)? {
        Some(source) => encrypted_paths(&source),
        None => Vec::new(),
    };
    Ok(Inspection { encrypted })
}

/// Expands everything once, counting. An entry that cannot be expanded is left for whoever needs it: a
/// book with a broken picture can be narrated.
fn measure<R: Read + Seek>(archive: &mut ZipArchive<R>, length: u64, file: &str) -> Result<(), BookError> {
    let bomb = |place: &str, what: String| BookError::new(BookErrorKind::Bomb, file, what).at(place);
    let (mut total, mut stored) = (0_u64, 0_u64);
    for index in 0..archive.len() {
        let Ok(mut entry) = archive.by_index(index) else { continue };
        let name = entry.name().map_or_else(|_| format!("entry {index}"), std::borrow::Cow::into_owned);
        if entry.compression() == CompressionMethod::Stored {
            // What is stored has the size it takes in the file, unless entries share their bytes.
            stored = stored.saturating_add(entry.size());
            if stored > length {
                return Err(bomb(&name, "the zip's entries lie over one another".to_owned()));
            }
            continue;
        }
        let room = MOST_ENTRY_BYTES.min(MOST_EXPANDED_BYTES - total);
        let packed = entry.compressed_size().max(1);
        let mut counter = Counter { bytes: 0 };
        let outcome = io::copy(&mut (&mut entry).take(room + 1), &mut counter);
        total += counter.bytes;
        if counter.bytes > room {
            let mib = room >> 20;
            return Err(bomb(&name, format!("it expands beyond {mib} MiB")));
        }
        if counter.bytes > RATIO_FROM_BYTES && counter.bytes / packed > MOST_RATIO {
            return Err(bomb(&name, format!("it expands {} times", counter.bytes / packed)));
        }
        if let Err(error) = outcome {
            tracing::warn!(book = file, entry = name, error = %error, "damaged entry");
        }
    }
    Ok(())
}

struct Counter {
    bytes: u64,
}

impl io::Write for Counter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.bytes += buffer.len() as u64;
        Ok(buffer.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An entry as text, or nothing if there is none of that name.
fn read_entry<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    file: &str,
) -> Result<Option<String>, BookError> {
    let damaged = |what: &str| BookError::new(BookErrorKind::Damaged, file, what).at(name);
    let entry = match archive.by_name(name) {
        Ok(entry) => entry,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => {
            return Err(BookError::new(BookErrorKind::Drm, file, "the zip is locked with a password"));
        }
        Err(error) => return Err(damaged("it cannot be unpacked").caused_by(error)),
    };
    let mut bytes = Vec::new();
    entry
        .take(MOST_PACKAGE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| damaged("it cannot be unpacked").caused_by(error))?;
    if bytes.len() as u64 > MOST_PACKAGE_BYTES {
        return Err(BookError::new(BookErrorKind::Bomb, file, "it is larger than any book's").at(name));
    }
    Ok(Some(crate::encoding::decode(&bytes)))
}

/// A zip without a container file: says what it is instead, where that can be told.
fn not_an_epub<R: Read + Seek>(archive: &ZipArchive<R>, file: &str) -> BookError {
    let has = |name: &str| archive.index_for_name(name).is_some();
    let what = if has("word/document.xml") {
        "it is a Word document, not an EPUB"
    } else if has("META-INF/manifest.xml") && has("content.xml") {
        "it is an OpenDocument file, not an EPUB"
    } else if has("mimetype") {
        let what = "the zip has no META-INF/container.xml";
        return BookError::new(BookErrorKind::Damaged, file, what);
    } else {
        "it is a zip, but not an EPUB: it has no META-INF/container.xml"
    };
    BookError::new(BookErrorKind::NotABook, file, what)
}

/// Paths that `encryption.xml` says are encrypted for real.
fn encrypted_paths(source: &str) -> Vec<String> {
    #[derive(Default)]
    struct Encrypted {
        algorithm: String,
        paths: Vec<String>,
    }
    impl Handler for Encrypted {
        fn start(&mut self, tag: &Element<'_>, _empty: bool) {
            match tag.name {
                "encrypteddata" => self.algorithm.clear(),
                // The method of the data comes first; the one inside the key's description does not count.
                "encryptionmethod" if self.algorithm.is_empty() => {
                    self.algorithm = tag.attribute("algorithm").unwrap_or_default().to_ascii_lowercase();
                }
                "cipherreference" if !OBFUSCATION.contains(&self.algorithm.as_str()) => {
                    self.paths.extend(tag.attribute("uri").map(|uri| uri.trim_start_matches('/').to_owned()));
                }
                _ => {}
            }
        }
        fn end(&mut self, _name: &str) {}
        fn character(&mut self, _c: char, _start: usize, _end: usize) {}
    }
    let mut encrypted = Encrypted::default();
    walk(source, 0, Syntax::Xhtml, &mut encrypted);
    encrypted.paths
}

/// The values of one attribute of the elements of one name.
fn attribute_values(source: &str, element: &'static str, attribute: &'static str) -> Vec<String> {
    struct Values {
        element: &'static str,
        attribute: &'static str,
        found: Vec<String>,
    }
    impl Handler for Values {
        fn start(&mut self, tag: &Element<'_>, _empty: bool) {
            if tag.name == self.element {
                self.found.extend(tag.attribute(self.attribute).map(str::to_owned));
            }
        }
        fn end(&mut self, _name: &str) {}
        fn character(&mut self, _c: char, _start: usize, _end: usize) {}
    }
    let mut values = Values { element, attribute, found: Vec::new() };
    walk(source, 0, Syntax::Xhtml, &mut values);
    values.found
}

/// The longest chain of `<meta>` that refine one another, followed no further than it may be.
fn refinement_chain(source: &str) -> usize {
    #[derive(Default)]
    struct Refines(std::collections::HashMap<String, String>);
    impl Handler for Refines {
        fn start(&mut self, tag: &Element<'_>, _empty: bool) {
            if let (Some(id), Some(refines)) = (tag.attribute("id"), tag.attribute("refines")) {
                self.0.insert(id.to_owned(), refines.trim_start_matches('#').to_owned());
            }
        }
        fn end(&mut self, _name: &str) {}
        fn character(&mut self, _c: char, _start: usize, _end: usize) {}
    }
    let mut refines = Refines::default();
    walk(source, 0, Syntax::Xhtml, &mut refines);
    let refines = refines.0;
    let chain = |start: &String| {
        let (mut length, mut id) = (0, start);
        while let Some(next) = refines.get(id).filter(|_| length <= MOST_NESTING) {
            length += 1;
            id = next;
        }
        length
    };
    refines.keys().map(chain).max().unwrap_or(0)
}

/// Whether a contents file nests deeper than its reader may safely follow.
pub(crate) fn nests_too_deep(source: &str) -> bool {
    #[derive(Default)]
    struct Nesting {
        depth: usize,
        deepest: usize,
    }
    fn nests(name: &str) -> bool {
        matches!(name, "li" | "navpoint" | "nav" | "navmap" | "pagelist" | "pagetarget")
    }
    impl Handler for Nesting {
        fn start(&mut self, tag: &Element<'_>, empty: bool) {
            if !empty && nests(tag.name) {
                self.depth += 1;
                self.deepest = self.deepest.max(self.depth);
            }
        }
        fn end(&mut self, name: &str) {
            if nests(name) {
                self.depth = self.depth.saturating_sub(1);
            }
        }
        fn character(&mut self, _c: char, _start: usize, _end: usize) {}
    }
    let mut nesting = Nesting::default();
    walk(source, 0, Syntax::Xhtml, &mut nesting);
    nesting.deepest > MOST_NESTING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obfuscated_fonts_are_not_protection() {
        let font = r#"<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
            <enc:EncryptedData><enc:EncryptionMethod Algorithm="http://www.idpf.org/2008/embedding"/>
            <enc:CipherData><enc:CipherReference URI="OEBPS/f.otf"/></enc:CipherData></enc:EncryptedData>"#;
        assert!(encrypted_paths(font).is_empty());
        let text = r#"<EncryptedData><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>
            <KeyInfo><EncryptionMethod Algorithm="http://www.idpf.org/2008/embedding"/></KeyInfo>
            <CipherData><CipherReference URI="/OEBPS/ch1.xhtml"/></CipherData></EncryptedData>"#;
        assert_eq!(encrypted_paths(&format!("{font}{text}")), ["OEBPS/ch1.xhtml"]);
    }

    #[test]
    fn endless_nesting_is_seen() {
        assert!(nests_too_deep(&"<li>".repeat(1000)));
        assert!(!nests_too_deep(&"<li></li>".repeat(1000)));
        let chain = (0..1000)
            .map(|i| format!("<meta id='m{i}' refines='#m{}'/>", i + 1))
            .collect::<Vec<_>>()
            .concat();
        assert!(refinement_chain(&chain) > MOST_NESTING);
        assert!(refinement_chain("<meta id='a' refines='#b'/><meta id='b' refines='#a'/>") > MOST_NESTING);
        assert_eq!(refinement_chain("<meta id='a' refines='#b'/>"), 1);
    }
}
