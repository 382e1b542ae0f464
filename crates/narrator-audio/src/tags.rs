//! Titles, names and chapters as each format's players read them.
//!
//! ffmpeg takes them from a file in its own metadata format; the keys are the ones that it writes into
//! the places where audiobook players look: composer is the narrator, album the book, and a series
//! appears under every name that a common player knows.

use std::fmt::Write as _;

use narrator_core::Metadata;

use crate::format::Format;
use crate::picture;

/// The Nero chapter list holds 255 bytes a title; a few less, so that no player has to count.
const TITLE_BYTES: usize = 240;

/// Other texts; long enough for any real title or list of authors.
const TEXT_BYTES: usize = 1000;

/// A chapter of one file: `start..end` in samples of that file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    pub title: String,
    pub start: u64,
    pub end: u64,
}

/// What one file says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tags {
    /// Key and value, in the order in which they are written.
    pub texts: Vec<(String, String)>,
    pub marks: Vec<Mark>,
    pub rate: u32,
}

/// A file's place among the chapters of a folder, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Track {
    pub number: usize,
    pub of: usize,
}

/// One line of text without control characters, at most `bytes` long.
fn one_line(text: &str, bytes: usize) -> String {
    let spaced = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() <= bytes {
        return line;
    }
    let end = (0..=bytes - '…'.len_utf8()).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
    format!("{}…", line[..end].trim_end())
}

/// A chapter's title, never empty.
pub(crate) fn chapter_title(title: &str, number: usize) -> String {
    let title = one_line(title, TITLE_BYTES);
    if title.is_empty() { format!("Chapter {number}") } else { title }
}

impl Tags {
    /// The tags of a book in one file, or of one chapter's file when `track` and its title are given.
    pub fn new(
        format: Format,
        metadata: &Metadata,
        narrator: Option<&str>,
        track: Option<(Track, &str)>,
        marks: Vec<Mark>,
        rate: u32,
    ) -> Self {
        let mut tags = Self { texts: Vec::new(), marks, rate };
        let book = one_line(&metadata.title, TEXT_BYTES);
        let authors = metadata.authors.join("; ");
        tags.put("title", track.map_or(&*book, |(_, title)| title));
        tags.put("album", &book);
        tags.put("artist", &authors);
        tags.put("album_artist", &authors);
        tags.put("composer", narrator.unwrap_or_default());
        tags.put("genre", "Audiobook");
        if let Some((Track { number, of }, _)) = track {
            tags.put("track", &format!("{number}/{of}"));
        }
        tags.put_series(format, metadata);
        if format != Format::M4b {
            tags.put("publisher", metadata.publisher.as_deref().unwrap_or_default());
            tags.put("language", language_code(&metadata.language));
        }
        match format {
            // Media type 2 is Apple's number for an audiobook.
            Format::M4b => tags.put("media_type", "2"),
            Format::Opus | Format::Flac => tags.put("narrator", narrator.unwrap_or_default()),
            Format::Mp3 | Format::Wav => {}
        }
        if matches!(format, Format::Opus | Format::Flac) {
            tags.turn_marks_into_comments();
        }
        tags
    }

    fn put(&mut self, key: &str, value: &str) {
        let value = one_line(value, TEXT_BYTES);
        if !value.is_empty() {
            self.texts.push((key.to_owned(), value));
        }
    }

    fn put_series(&mut self, format: Format, metadata: &Metadata) {
        let Some(series) = metadata.series.as_deref() else { return };
        let part = metadata.series_index.as_deref().unwrap_or_default();
        let grouping = if part.is_empty() { series.to_owned() } else { format!("{series} #{part}") };
        match format {
            Format::M4b => {
                self.put("grouping", &grouping);
                self.put("show", series);
                self.put("episode_id", part);
            }
            Format::Mp3 => {
                self.put("TIT1", &grouping);
                self.put("series", series);
                self.put("series-part", part);
            }
            Format::Opus | Format::Flac | Format::Wav => {
                self.put("grouping", &grouping);
                self.put("series", series);
                self.put("series-part", part);
            }
        }
    }

    /// Vorbis comments hold chapters as texts. They are written here and not by ffmpeg, which writes none
    /// into FLAC, and into Ogg rounds the seconds up where the milliseconds are 500 or more, so that half
    /// of the chapters start a second late.
    fn turn_marks_into_comments(&mut self) {
        let rate = u64::from(self.rate);
        for (index, mark) in std::mem::take(&mut self.marks).iter().enumerate() {
            let ms = mark.start * 1000 / rate;
            let (seconds, minutes, hours) = (ms / 1000 % 60, ms / 60_000 % 60, ms / 3_600_000);
            let at = format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", ms % 1000);
            self.put(&format!("CHAPTER{index:03}"), &at);
            self.put(&format!("CHAPTER{index:03}NAME"), &mark.title);
        }
    }

    /// Adds a cover as a comment, the way of Ogg files.
    pub fn put_picture(&mut self, image: &[u8]) {
        if let Some(block) = picture::comment_value(image) {
            self.texts.push(("METADATA_BLOCK_PICTURE".to_owned(), block));
        }
    }

    /// In ffmpeg's metadata format.
    pub fn to_ffmetadata(&self) -> String {
        let mut out = String::from(";FFMETADATA1\n");
        for (key, value) in &self.texts {
            let _ = writeln!(out, "{}={}", escape(key), escape(value));
        }
        for mark in &self.marks {
            let (title, Mark { start, end, .. }) = (escape(&mark.title), mark);
            let _ =
                writeln!(out, "[CHAPTER]\nTIMEBASE=1/{}\nSTART={start}\nEND={end}\ntitle={title}", self.rate);
        }
        out
    }
}

/// Puts a backslash before what ffmpeg's metadata format gives a meaning.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '=' | ';' | '#' | '\\' | '\n') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The three letters of ISO 639-2 for a BCP 47 language; `und` when it is not known here.
pub(crate) fn language_code(language: &str) -> &str {
    const CODES: &[(&str, &str)] = &[
        ("af", "afr"),
        ("ar", "ara"),
        ("be", "bel"),
        ("bg", "bul"),
        ("bn", "ben"),
        ("bs", "bos"),
        ("ca", "cat"),
        ("cs", "ces"),
        ("cy", "cym"),
        ("da", "dan"),
        ("de", "deu"),
        ("el", "ell"),
        ("en", "eng"),
        ("eo", "epo"),
        ("es", "spa"),
        ("et", "est"),
        ("eu", "eus"),
        ("fa", "fas"),
        ("fi", "fin"),
        ("fr", "fra"),
        ("ga", "gle"),
        ("gl", "glg"),
        ("he", "heb"),
        ("hi", "hin"),
        ("hr", "hrv"),
        ("hu", "hun"),
        ("hy", "hye"),
        ("id", "ind"),
        ("is", "isl"),
        ("it", "ita"),
        ("ja", "jpn"),
        ("ka", "kat"),
        ("kk", "kaz"),
        ("ko", "kor"),
        ("la", "lat"),
        ("lt", "lit"),
        ("lv", "lav"),
        ("mk", "mkd"),
        ("ml", "mal"),
        ("mr", "mar"),
        ("ms", "msa"),
        ("nb", "nob"),
        ("nl", "nld"),
        ("nn", "nno"),
        ("no", "nor"),
        ("pl", "pol"),
        ("pt", "por"),
        ("ro", "ron"),
        ("ru", "rus"),
        ("sk", "slk"),
        ("sl", "slv"),
        ("sq", "sqi"),
        ("sr", "srp"),
        ("sv", "swe"),
        ("sw", "swa"),
        ("ta", "tam"),
        ("te", "tel"),
        ("th", "tha"),
        ("tl", "tgl"),
        ("tr", "tur"),
        ("uk", "ukr"),
        ("ur", "urd"),
        ("vi", "vie"),
        ("zh", "zho"),
    ];
    let primary = language.split(['-', '_']).next().unwrap_or_default();
    if primary.len() == 3 && primary.bytes().all(|b| b.is_ascii_lowercase()) {
        return primary;
    }
    CODES.iter().find(|(two, _)| two.eq_ignore_ascii_case(primary)).map_or("und", |(_, three)| three)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        Metadata {
            title: "A = B; the \"#1\"\nbook \\ 日本".into(),
            authors: vec!["Ann O'Neil".into(), "Bob".into()],
            language: "en-GB".into(),
            publisher: Some("Press".into()),
            series: Some("Cycle".into()),
            series_index: Some("2".into()),
        }
    }

    fn marks() -> Vec<Mark> {
        let mark = |title: &str, start, end| Mark { title: title.into(), start, end };
        vec![mark("One; or #1", 0, 100_001), mark("Two", 100_001, 90_000_000)]
    }

    #[test]
    fn a_book_in_ffmpegs_metadata_format() {
        let tags = Tags::new(Format::M4b, &metadata(), Some("Hibari"), None, marks(), 24_000);
        insta::assert_snapshot!(tags.to_ffmetadata(), @r#"
        ;FFMETADATA1
        title=A \= B\; the "\#1" book \\ 日本
        album=A \= B\; the "\#1" book \\ 日本
        artist=Ann O'Neil\; Bob
        album_artist=Ann O'Neil\; Bob
        composer=Hibari
        genre=Audiobook
        grouping=Cycle \#2
        show=Cycle
        episode_id=2
        media_type=2
        [CHAPTER]
        TIMEBASE=1/24000
        START=0
        END=100001
        title=One\; or \#1
        [CHAPTER]
        TIMEBASE=1/24000
        START=100001
        END=90000000
        title=Two
        "#);
    }

    #[test]
    fn comments_carry_chapters_to_the_millisecond() {
        let tags = Tags::new(Format::Flac, &metadata(), None, None, marks(), 24_000);
        assert!(tags.marks.is_empty(), "ffmpeg gets none to write");
        let chapters: Vec<_> = tags.texts.iter().filter(|(key, _)| key.starts_with("CHAPTER")).collect();
        insta::assert_debug_snapshot!(chapters, @r#"
        [
            (
                "CHAPTER000",
                "00:00:00.000",
            ),
            (
                "CHAPTER000NAME",
                "One; or #1",
            ),
            (
                "CHAPTER001",
                "00:00:04.166",
            ),
            (
                "CHAPTER001NAME",
                "Two",
            ),
        ]
        "#);
    }

    #[test]
    fn titles_are_one_line_of_bounded_length() {
        assert_eq!(chapter_title("  A\n\tlong\u{0}  way ", 3), "A long way");
        assert_eq!(chapter_title(" \n", 3), "Chapter 3");
        let long = chapter_title(&"日".repeat(500), 1);
        assert!(long.len() <= TITLE_BYTES && long.ends_with('…'));
    }

    #[test]
    fn languages_have_three_letters() {
        let cases =
            [("en-GB", "eng"), ("DE", "deu"), ("grc", "grc"), ("x", "und"), ("", "und"), ("zh_CN", "zho")];
        for (given, expected) in cases {
            assert_eq!(language_code(given), expected, "{given}");
        }
    }
}
