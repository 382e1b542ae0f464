//! What an element means for a listener: which are blocks and of what kind, and which are not spoken.
//! Pure decisions over a tag's name and attributes; [`crate::page`] applies them.
//!
//! Two kinds of rule: some elements are known by their start tag never to be spoken, others only look as
//! if they were not (a class name `pagenum`, a superscript that links), and what they hold decides when
//! they end ([`Suspicion`]). A wrong guess would lose text, so a suspect is spoken unless it holds what
//! such an element should.
//!
//! Style sheets are not read: what only a CSS rule hides is spoken. An image's `alt` text is an attribute,
//! not text, and is not spoken; most of it says "cover" or repeats a caption.

use narrator_core::{BlockKind, SkipRule, Token};

use crate::markup::Element;

/// An element that may prove not to be text when it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Suspicion {
    PageBreak,
    NoteReference,
    /// A superscript: a note reference if a link is around or inside it.
    Superscript,
    /// A list of links that no `<nav>` announces.
    Contents,
}

/// Not spoken, whatever it holds.
pub(crate) fn skip_rule(tag: &Element<'_>) -> Option<SkipRule> {
    let by_name = match tag.name {
        "script" | "template" => Some(SkipRule::Script),
        "style" => Some(SkipRule::Style),
        "head" | "title" => Some(SkipRule::Head),
        "nav" => Some(SkipRule::Navigation),
        "rt" | "rp" | "rtc" => Some(SkipRule::Ruby),
        "svg" | "math" | "audio" | "video" | "object" | "iframe" | "canvas" | "map" | "select"
        | "textarea" | "datalist" | "case" => Some(SkipRule::NotText),
        _ => None,
    };
    by_name.or_else(|| {
        if is_hidden(tag) {
            Some(SkipRule::Hidden)
        } else if has_type(tag, &["toc", "landmarks", "page-list", "backlink"], &["doc-toc", "doc-backlink"])
            && tag.name != "body"
        {
            Some(SkipRule::Navigation)
        } else {
            None
        }
    })
}

fn is_hidden(tag: &Element<'_>) -> bool {
    let style: String = tag
        .attribute("style")
        .unwrap_or_default()
        .split_ascii_whitespace()
        .collect::<String>()
        .to_ascii_lowercase();
    tag.attribute("hidden").is_some()
        || tag.has_word("aria-hidden", &["true"])
        || style.contains("display:none")
        || style.contains("visibility:hidden")
}

fn has_type(tag: &Element<'_>, types: &[&str], roles: &[&str]) -> bool {
    tag.has_word("epub:type", types) || tag.has_word("role", roles)
}

/// What to look at again when the element ends.
pub(crate) fn suspicion(tag: &Element<'_>) -> Option<Suspicion> {
    const PAGE_CLASSES: &[&str] = &[
        "pagenum",
        "pageno",
        "pagenumber",
        "page-number",
        "page_number",
        "pagebreak",
        "page-break",
        "x-ebookmaker-pageno",
        "pgnum",
        "newpage",
    ];
    const NOTE_CLASSES: &[&str] = &[
        "noteref",
        "footnote-ref",
        "footnoteref",
        "footnote-reference",
        "fnanchor",
        "fnref",
        "footnote_ref",
        "footnote-anchor",
        "citation-ref",
    ];
    const CONTENTS_CLASSES: &[&str] =
        &["toc", "contents", "tableofcontents", "table-of-contents", "toctree-wrapper"];
    if has_type(tag, &["pagebreak"], &["doc-pagebreak"]) || tag.has_word("class", PAGE_CLASSES) {
        Some(Suspicion::PageBreak)
    } else if has_type(tag, &["noteref"], &["doc-noteref"]) || tag.has_word("class", NOTE_CLASSES) {
        Some(Suspicion::NoteReference)
    } else if tag.name == "sup" {
        Some(Suspicion::Superscript)
    } else if tag.name != "html" && tag.name != "body" && tag.has_word("class", CONTENTS_CLASSES) {
        Some(Suspicion::Contents)
    } else {
        None
    }
}

/// What a suspect turned out to be, from what it holds. `linked` of its tokens stand in links.
pub(crate) fn verdict(suspicion: Suspicion, tokens: &[Token], linked: usize) -> Option<SkipRule> {
    let text: String = tokens.iter().map(|token| token.text.as_str()).collect();
    match suspicion {
        Suspicion::PageBreak => is_page_label(&text).then_some(SkipRule::PageBreak),
        Suspicion::NoteReference => is_note_label(&text).then_some(SkipRule::NoteReference),
        Suspicion::Superscript => (linked > 0 && is_note_label(&text)).then_some(SkipRule::NoteReference),
        // Four words in five: contents pages have numbers and leaders beside their links.
        Suspicion::Contents => {
            (!tokens.is_empty() && linked * 5 >= tokens.len() * 4).then_some(SkipRule::Navigation)
        }
    }
}

/// `12`, `[Pg xii]`, `page 3`, `{12}`, `A-4`.
fn is_page_label(text: &str) -> bool {
    let bare = text
        .trim_matches(|c: char| matches!(c, '[' | ']' | '{' | '}' | '(' | ')' | '|' | '.' | '-' | '–' | '—'));
    let lower = bare.to_ascii_lowercase();
    let number = ["page", "pag", "pg", "p", "seite", "s"]
        .iter()
        .find_map(|word| lower.strip_prefix(word).filter(|rest| !rest.is_empty()))
        .map_or(lower.as_str(), |rest| rest.trim_start_matches(['.', ':', '#']));
    let digits = number.chars().filter(char::is_ascii_digit).count();
    number.is_empty()
        || number.chars().all(|c| matches!(c, 'i' | 'v' | 'x' | 'l' | 'c' | 'd' | 'm'))
        || (digits > 0 && number.chars().count() <= digits + 3 && digits <= 6)
}

/// `1`, `[12]`, `*`, `(a)`, `iv`, `note 3`.
fn is_note_label(text: &str) -> bool {
    let bare = text.trim_matches(|c: char| !c.is_alphanumeric());
    let label = bare.strip_prefix("Note").or_else(|| bare.strip_prefix("note")).unwrap_or(bare);
    let length = label.chars().count();
    let roman = label.chars().all(|c| matches!(c.to_ascii_lowercase(), 'i' | 'v' | 'x' | 'l' | 'c'));
    text.chars().count() <= 12
        && (length <= 1 || label.chars().all(char::is_numeric) || (roman && length <= 8))
}

/// Elements that end a paragraph where they begin and end.
pub(crate) fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address" | "article" | "aside" | "blockquote" | "body" | "center" | "caption" | "dd" | "details"
            | "dialog" | "dir" | "div" | "dl" | "dt" | "fieldset" | "figcaption" | "figure" | "footer" | "form"
            | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "head" | "header" | "hgroup" | "hr" | "html" | "legend"
            | "li" | "main" | "menu" | "nav" | "ol" | "optgroup" | "option" | "p" | "pre" | "search" | "section" | "summary" | "table" | "tbody" | "tfoot" | "thead" | "title" | "tr" | "ul"
            // DTBook, of EPUB 2.
            | "level" | "level1" | "level2" | "level3" | "level4" | "level5" | "level6" | "bodymatter"
            | "frontmatter" | "rearmatter" | "doctitle" | "docauthor" | "line" | "linegroup" | "list"
    )
}

/// The kind of block that an element makes of what is in it, if it has a say.
pub(crate) fn block_kind(tag: &Element<'_>) -> Option<BlockKind> {
    const VERSE: &[&str] =
        &["poem", "poetry", "verse", "stanza", "lyrics", "song", "linegroup", "line-group"];
    if let Some(level) = heading_level(tag) {
        return Some(BlockKind::Heading(level));
    }
    if has_type(
        tag,
        &["footnote", "footnotes", "endnote", "endnotes", "rearnote", "rearnotes", "note"],
        &["doc-footnote", "doc-endnote", "doc-endnotes"],
    ) {
        return Some(BlockKind::Note);
    }
    let verse = tag.has_word("class", VERSE)
        || tag.has_word("epub:type", &["z3998:verse", "z3998:poem", "z3998:song", "z3998:hymn"]);
    match tag.name {
        "blockquote" if !verse => Some(BlockKind::Quote),
        "li" | "dt" | "dd" => Some(BlockKind::ListItem),
        "figcaption" | "caption" => Some(BlockKind::Caption),
        "tr" => Some(BlockKind::TableRow),
        "pre" | "line" | "linegroup" => Some(BlockKind::Verse),
        name if verse && is_block(name) && name != "body" => Some(BlockKind::Verse),
        _ => None,
    }
}

fn heading_level(tag: &Element<'_>) -> Option<u8> {
    match tag.name {
        "h1" | "doctitle" => Some(1),
        "h2" => Some(2),
        "h3" => Some(3),
        "h4" => Some(4),
        "h5" => Some(5),
        "h6" => Some(6),
        _ if tag.has_word("role", &["heading"]) => {
            let level = tag.attribute("aria-level").and_then(|level| level.trim().parse().ok());
            Some(level.unwrap_or(2_u8).clamp(1, 6))
        }
        _ => None,
    }
}

/// A container of program text, by the class names of the usual highlighters. A listing is not read aloud:
/// nobody can follow it by ear.
pub(crate) fn is_listing(tag: &Element<'_>) -> bool {
    tag.attribute("class").is_some_and(|classes| {
        classes.split_ascii_whitespace().map(str::to_ascii_lowercase).any(|class| {
            matches!(
                class.as_str(),
                "highlight"
                    | "sourcecode"
                    | "programlisting"
                    | "literal-block"
                    | "codeblock"
                    | "code-block"
                    | "listing"
                    | "screen"
                    | "console"
                    | "code"
            ) || class.starts_with("highlight-")
                || class.starts_with("language-")
                || class.starts_with("lang-")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_labels_are_numbers_and_nothing_else() {
        for label in ["12", "[Pg 12]", "xiv", "Page12", "{3}", "p.4", "", "A-4"] {
            assert!(is_page_label(&label.replace(' ', "")), "{label}");
        }
        for text in ["Itwasadarknight", "Chapter1Home", "page", "1914wasayear"] {
            assert!(!is_page_label(text), "{text}");
        }
    }

    #[test]
    fn note_labels_are_short_marks() {
        for label in ["1", "[12]", "*", "†", "(a)", "iv", "**", "Note3", "[a]"] {
            assert!(is_note_label(label), "{label}");
        }
        for text in ["th", "nd", "seebelow", "12ab", "2ndedition"] {
            assert!(!is_note_label(text), "{text}");
        }
    }
}
