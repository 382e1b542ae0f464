//! What a file is: by its first bytes, and by its name where those leave it open.

/// The formats of text that are read; an EPUB is known by its being a zip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Html,
    Markdown,
    Text,
}

/// Formats that people have books in and that are not read, by their signatures: offset, bytes, name.
const FOREIGN: &[(usize, &[u8], &str)] = &[
    (0, b"%PDF-", "a PDF"),
    (60, b"BOOKMOBI", "a Kindle book"),
    (60, b"TEXtREAd", "a PalmDOC book"),
    (0, b"{\\rtf", "a rich text (RTF) file"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office file"),
    (0, b"AT&TFORM", "a DjVu file"),
    (0, b"ITSF", "a compiled help (CHM) file"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (0, b"RIFF", "a sound or picture file"),
    (0, b"ID3", "a sound file"),
    (0, b"OggS", "a sound file"),
    (0, b"fLaC", "a sound file"),
    (4, b"ftyp", "a sound or film file"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"\xfd7zXZ\0", "an xz archive"),
    (0, b"\x7fELF", "a program"),
    (0, b"SQLite format 3\0", "a database"),
];

/// The name of a format that is known and not read.
pub(crate) fn foreign(bytes: &[u8]) -> Option<&'static str> {
    FOREIGN
        .iter()
        .find(|(offset, signature, _)| bytes.get(*offset..).is_some_and(|rest| rest.starts_with(signature)))
        .map(|(_, _, name)| *name)
}

pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"].iter().any(|signature| bytes.starts_with(*signature))
}

/// What decoded text is. `extension` is without its dot.
pub(crate) fn of_text(text: &str, extension: &str) -> Format {
    let head: String = text.chars().take(2048).collect::<String>().to_ascii_lowercase();
    let head = head.trim_start_matches('\u{feff}').trim_start();
    let html = head.starts_with("<!doctype html")
        || head.starts_with("<html")
        || ((head.starts_with("<?xml") || head.starts_with("<!--")) && head.contains("<html"));
    match extension.to_ascii_lowercase().as_str() {
        _ if html => Format::Html,
        "html" | "htm" | "xhtml" | "xht" => Format::Html,
        "md" | "markdown" | "mdown" | "mkd" => Format::Markdown,
        _ => Format::Text,
    }
}

/// Text whose markup is of a kind that is not read: its tags would be spoken.
pub(crate) fn foreign_markup(text: &str) -> Option<&'static str> {
    let head: String = text.chars().take(2048).collect();
    if head.contains("<FictionBook") {
        Some("a FictionBook (FB2) file")
    } else if head.trim_start().starts_with("\\documentclass") {
        Some("a LaTeX source")
    } else if head.contains("<office:document") || head.contains("<w:document") {
        Some("a word processor's XML file")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_before_the_name() {
        assert_eq!(of_text("<!DOCTYPE html><p>x", "txt"), Format::Html);
        assert_eq!(of_text("<?xml version='1.0'?>\n<html xmlns=''>", "xml"), Format::Html);
        assert_eq!(of_text("# Title", "MD"), Format::Markdown);
        assert_eq!(of_text("# Title", "txt"), Format::Text);
        assert_eq!(of_text("plain", ""), Format::Text);
    }

    #[test]
    fn foreign_files_are_named() {
        assert_eq!(foreign(b"%PDF-1.7\n"), Some("a PDF"));
        let mut mobi = vec![0; 60];
        mobi.extend_from_slice(b"BOOKMOBI");
        assert_eq!(foreign(&mobi), Some("a Kindle book"));
        assert_eq!(foreign(b"It was a dark night."), None);
        assert_eq!(foreign_markup("<?xml?><FictionBook>"), Some("a FictionBook (FB2) file"));
    }
}
