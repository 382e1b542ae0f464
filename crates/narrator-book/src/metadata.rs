//! What a book says of itself: title, authors, language, publisher, series and cover.

use std::path::Path;

use narrator_core::{Cover, Metadata};
use rbook::Epub;
use rbook::epub::manifest::EpubManifestEntry;
use rbook::epub::metadata::EpubMetaEntry;

use crate::container::Inspection;
use crate::epub::plain;

/// A cover beyond this is left out: players refuse it.
const MOST_COVER_BYTES: u64 = 16 << 20;

/// The language of a book that names none.
const DEFAULT_LANGUAGE: &str = "en";

pub(crate) fn of_epub(epub: &Epub, file: &str) -> Metadata {
    let metadata = epub.metadata();
    let title = metadata.title().map(|title| plain(title.value())).filter(|title| !title.is_empty());
    let (authors, others): (Vec<_>, Vec<_>) = metadata
        .creators()
        .map(|creator| {
            let author = creator.main_role().is_none_or(|role| role.code().eq_ignore_ascii_case("aut"));
            (author, plain(creator.value()))
        })
        .filter(|(_, name)| !name.is_empty())
        .partition(|(author, _)| *author);
    let named = if authors.is_empty() { others } else { authors };
    let language = metadata.languages().map(|language| plain(language.value())).find(|tag| is_language(tag));
    let publisher =
        metadata.publishers().map(|publisher| plain(publisher.value())).find(|name| !name.is_empty());
    let (series, series_index) = series(epub);
    Metadata {
        title: title.unwrap_or_else(|| title_from_name(file)),
        authors: named.into_iter().map(|(_, name)| name).collect(),
        language: language.unwrap_or_else(|| DEFAULT_LANGUAGE.to_owned()),
        publisher,
        series,
        series_index,
    }
}

/// Metadata of a format that has none, or less.
pub(crate) fn of_file(
    file: &str,
    title: Option<String>,
    authors: Vec<String>,
    language: Option<String>,
) -> Metadata {
    Metadata {
        title: title.filter(|title| !title.is_empty()).unwrap_or_else(|| title_from_name(file)),
        authors,
        language: language.filter(|tag| is_language(tag)).unwrap_or_else(|| DEFAULT_LANGUAGE.to_owned()),
        publisher: None,
        series: None,
        series_index: None,
    }
}

/// `the-old_house.txt` is called "the old house".
fn title_from_name(file: &str) -> String {
    let stem =
        Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let title = plain(&stem.replace(['_', '-'], " "));
    if title.is_empty() { "Untitled".to_owned() } else { title }
}

/// Looks like a BCP 47 tag, and is not "undetermined".
fn is_language(tag: &str) -> bool {
    let primary = tag.split('-').next().unwrap_or_default();
    (2..=8).contains(&primary.len())
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && primary.chars().all(|c| c.is_ascii_alphabetic())
        && !primary.eq_ignore_ascii_case("und")
}

/// EPUB 3's collection of kind series, or what Calibre writes in EPUB 2.
fn series(epub: &Epub) -> (Option<String>, Option<String>) {
    let value = |entry: EpubMetaEntry<'_>| Some(plain(entry.value())).filter(|value| !value.is_empty());
    let refined = |entry: &EpubMetaEntry<'_>, property: &str| {
        entry.refinements().by_property(property).next().map(|entry| plain(entry.value()))
    };
    let metadata = epub.metadata();
    let collections: Vec<_> = metadata.by_property("belongs-to-collection").collect();
    let is_series =
        |entry: &&EpubMetaEntry<'_>| refined(entry, "collection-type").is_some_and(|kind| kind == "series");
    let untyped = |entry: &&EpubMetaEntry<'_>| refined(entry, "collection-type").is_none();
    let collection = collections.iter().find(is_series).or_else(|| collections.iter().find(untyped));
    if let Some(name) = collection.and_then(|entry| value(*entry)) {
        return (Some(name), collection.and_then(|entry| refined(entry, "group-position")));
    }
    let calibre = |property: &str| metadata.by_property(property).find_map(value);
    let Some(name) = calibre("calibre:series") else { return (None, None) };
    // Calibre writes 2.0 for the second.
    let index =
        calibre("calibre:series_index").map(|index| index.strip_suffix(".0").unwrap_or(&index).to_owned());
    (Some(name), index)
}

/// The cover, by its declaration or else by its name. A missing or odd one is no reason to refuse a book.
pub(crate) fn cover_of_epub(epub: &Epub, inspection: &Inspection) -> Option<Cover> {
    let manifest = epub.manifest();
    let named = |entry: &EpubManifestEntry<'_>| {
        entry.id().to_ascii_lowercase().contains("cover")
            || entry
                .href()
                .as_str()
                .rsplit('/')
                .next()
                .is_some_and(|name| name.to_ascii_lowercase().contains("cover"))
    };
    let declared = manifest.cover_image().filter(|entry| entry.media_type().starts_with("image/"));
    let entry = declared.or_else(|| manifest.images().find(named))?;
    let path = entry.href().path().decode().trim_start_matches('/').to_owned();
    if inspection.encrypted.contains(&path) {
        return None;
    }
    let bytes = entry.read_bytes().ok().filter(|bytes| bytes.len() as u64 <= MOST_COVER_BYTES)?;
    let media_type = image_type(&bytes)?.to_owned();
    Some(Cover { media_type, bytes })
}

/// By the image's own signature: manifests are often wrong.
fn image_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_titles() {
        assert_eq!(title_from_name("/books/the-old_house.txt"), "the old house");
        assert_eq!(title_from_name("---.txt"), "Untitled");
    }

    #[test]
    fn languages_are_tags() {
        for tag in ["en", "en-GB", "zh-Hant-TW", "deu"] {
            assert!(is_language(tag));
        }
        for tag in ["", "und", "English language", "x", "12"] {
            assert!(!is_language(tag), "{tag}");
        }
    }
}
