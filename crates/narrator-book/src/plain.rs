//! A book in plain text.
//!
//! Blank lines part paragraphs; inside, [`crate::layout`] tells wrapped lines from lines that end where the
//! writer meant them to; [`crate::chapter_lines`] finds what announces chapters. Every guess decides blocks
//! and chapters only: a line that is taken for the wrong thing is spoken all the same.
//!
//! A single underscore at a word's edge is the mark that transcribers use for italics and is no part of the
//! word; other underscores are.

use narrator_core::{BlockKind, Metadata};

use crate::chapter_lines::{self, Heading};
use crate::chapters::{Start, joined_title};
use crate::flow::{Flow, FlowWriter};
use crate::layout::{self, Group};
use crate::metadata;

/// Groups at a book's beginning among which its title and author stand.
const TITLE_PAGE_GROUPS: usize = 8;

pub(crate) fn read(source: &str, name: &str, mut flow: FlowWriter) -> (Metadata, Vec<Start>, Flow) {
    let groups = layout::groups(source);
    let headings = chapter_lines::find(source, &groups);
    let page = TitlePage::of(source, &groups, &headings);
    let wrap = layout::wrap_width(&groups);
    let mut starts: Vec<Start> = Vec::new();
    let mut next = headings.iter().peekable();
    let mut after_heading = false;
    for (index, group) in groups.iter().enumerate() {
        let heading = next.next_if(|heading| heading.group == index);
        let (announced, rest) = group.lines.split_at(heading.map_or(0, |heading| heading.lines));
        if let Some(heading) = heading {
            match starts.last_mut() {
                Some(start) if after_heading => start.title = joined_title(&start.title, &heading.title),
                _ => starts.push(Start { at: flow.mark(), title: heading.title.clone(), depth: 1 }),
            }
            for line in announced {
                write(source, line.start, line.end, BlockKind::Heading(1), &mut flow);
            }
        }
        after_heading = heading.is_some() && rest.is_empty();
        if page.title_group == Some(index) {
            write(source, group.start(), group.end(), BlockKind::Heading(1), &mut flow);
        } else if !rest.is_empty() {
            for part in layout::parts(source, rest, wrap) {
                write(source, part.start, part.end, part.kind, &mut flow);
            }
        }
    }
    (metadata::of_file(name, page.title, page.authors, page.language), starts, flow.finish())
}

/// Writes bytes `start..end` as one block.
fn write(source: &str, start: usize, end: usize, kind: BlockKind, flow: &mut FlowWriter) {
    flow.block(kind);
    let mut before: Option<char> = None;
    let mut characters = source[start..end].char_indices().peekable();
    while let Some((offset, c)) = characters.next() {
        let after = characters.peek().map(|(_, c)| *c);
        if !(c == '_' && marks_italics(before, after)) {
            let at = start + offset;
            flow.character(c, at, at + c.len_utf8(), None);
        }
        before = Some(c);
    }
    flow.space();
}

/// Whether an underscore between these two is markup: at one edge of a word, and alone.
fn marks_italics(before: Option<char>, after: Option<char>) -> bool {
    let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let inside = before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric);
    before != Some('_') && after != Some('_') && !inside && !(blank(before) && blank(after))
}

/// What the first lines say of the book.
#[derive(Debug, Default)]
struct TitlePage {
    title: Option<String>,
    title_group: Option<usize>,
    authors: Vec<String>,
    language: Option<String>,
}

impl TitlePage {
    fn of(source: &str, groups: &[Group], headings: &[Heading]) -> Self {
        let mut page = Self::from_labels(source, groups);
        let first_heading = headings.first().map_or(usize::MAX, |heading| heading.group);
        let front = groups.len().min(TITLE_PAGE_GROUPS).min(first_heading);
        let text = |group: &Group| crate::epub::plain(&source[group.start()..group.end()]);
        let byline = groups[..front].iter().find_map(|group| author_of(&text(group)));
        if page.authors.is_empty() {
            page.authors.extend(byline.clone());
        }
        // A first line is a title if something bears it out: a byline, or a chapter soon after.
        let borne_out = byline.is_some() || first_heading < TITLE_PAGE_GROUPS;
        if page.title.is_none() && borne_out {
            let is_title = |text: &str| {
                text.chars().count() <= 80 && !text.ends_with(['.', ',', ';']) && author_of(text).is_none()
            };
            if let Some(first) = groups.first().filter(|group| front > 0 && is_title(&text(group))) {
                page.title = Some(text(first).trim_matches(['_', '*', '=', ' ']).to_owned());
                page.title_group = Some(0);
            }
        }
        page
    }

    /// `Title: …`, as Project Gutenberg's files begin.
    fn from_labels(source: &str, groups: &[Group]) -> Self {
        let mut page = Self::default();
        for line in groups.iter().take(4 * TITLE_PAGE_GROUPS).flat_map(|group| &group.lines) {
            let Some((label, value)) = source[line.start..line.end].split_once(':') else { continue };
            let value = crate::epub::plain(value);
            match label.trim() {
                _ if value.is_empty() => {}
                "Title" if page.title.is_none() => page.title = Some(value),
                "Author" | "Authors" if page.authors.is_empty() => page.authors.push(value),
                "Language" if page.language.is_none() => {
                    page.language = language_tag(&value).map(str::to_owned);
                }
                _ => {}
            }
        }
        page
    }
}

/// The name in `by Jane Austen`.
fn author_of(line: &str) -> Option<String> {
    let bare = line.trim_matches(['_', '*', ' ']);
    let (by, name) = bare.split_once(' ')?;
    let named = by.eq_ignore_ascii_case("by") && (3..=60).contains(&name.chars().count());
    (named && name.starts_with(char::is_uppercase) && !name.ends_with('.')).then(|| name.to_owned())
}

/// The languages that Project Gutenberg writes out and that have many books there.
fn language_tag(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "english" => "en",
        "french" => "fr",
        "german" => "de",
        "spanish" => "es",
        "italian" => "it",
        "portuguese" => "pt",
        "dutch" => "nl",
        "finnish" => "fi",
        "swedish" => "sv",
        "danish" => "da",
        "russian" => "ru",
        "chinese" => "zh",
        "japanese" => "ja",
        _ => return None,
    })
}
