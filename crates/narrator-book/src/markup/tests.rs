//! Exact ranges, for the usual cases and for any input.

use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Seen {
    characters: Vec<(char, usize, usize)>,
    tags: Vec<String>,
}

impl Handler for Seen {
    fn start(&mut self, tag: &Element<'_>, empty: bool) {
        self.tags.push(format!("<{}{}>", tag.name, if empty { "/" } else { "" }));
    }
    fn end(&mut self, name: &str) {
        self.tags.push(format!("</{name}>"));
    }
    fn character(&mut self, c: char, start: usize, end: usize) {
        self.characters.push((c, start, end));
    }
}

fn seen(source: &str) -> Seen {
    let mut seen = Seen::default();
    walk(source, 0, Syntax::Xhtml, &mut seen);
    seen
}

fn places(source: &str) -> Vec<(char, &str)> {
    seen(source).characters.into_iter().map(|(c, start, end)| (c, &source[start..end])).collect()
}

#[test]
fn references_keep_their_bytes() {
    let source = "a&amp;b&mdash;&#8217;&#x41;&nope;&notit;& &ltc&";
    let expected = [
        ('a', "a"),
        ('&', "&amp;"),
        ('b', "b"),
        ('—', "&mdash;"),
        ('’', "&#8217;"),
        ('A', "&#x41;"),
        ('&', "&"),
        ('n', "n"),
        ('o', "o"),
        ('p', "p"),
        ('e', "e"),
        (';', ";"),
        ('¬', "&not"),
        ('i', "i"),
        ('t', "t"),
        (';', ";"),
        ('&', "&"),
        (' ', " "),
        ('<', "&lt"),
        ('c', "c"),
        ('&', "&"),
    ];
    assert_eq!(places(source), expected);
}

#[test]
fn a_reference_to_two_characters_places_both_at_itself() {
    assert_eq!(
        places("&NotEqualTilde;x"),
        [('≂', "&NotEqualTilde;"), ('\u{338}', "&NotEqualTilde;"), ('x', "x")]
    );
}

#[test]
fn silent_markup_moves_the_place() {
    assert_eq!(places("</>a"), [('a', "a")]);
    assert_eq!(
        places("<![CDATA[a&amp;]]]>b"),
        [('a', "a"), ('&', "&"), ('a', "a"), ('m', "m"), ('p', "p"), (';', ";"), (']', "]"), ('b', "b"),]
    );
    assert_eq!(places("a < b<"), [('a', "a"), (' ', " "), ('<', "<"), (' ', " "), ('b', "b"), ('<', "<")]);
    assert_eq!(places("a\r\nb\rc"), [('a', "a"), ('\n', "\r\n"), ('b', "b"), ('\n', "\r"), ('c', "c")]);
    assert_eq!(places("<style>&amp;</s</style>x").last(), Some(&('x', "x")));
}

#[test]
fn an_internal_subset_is_not_text() {
    let source = "\u{feff}<?xml version='1.0'?>\n<!DOCTYPE html [ <!ENTITY x 'y'> ]>\n<p>a</p>";
    assert_eq!(places(source).iter().filter(|(c, _)| !c.is_whitespace()).count(), 1);
    assert_eq!(seen(source).tags, ["<p>", "</p>"]);
}

#[test]
fn a_slash_closes_in_xhtml_alone() {
    let mut html = Seen::default();
    walk("<script/>a</script><br/>", 0, Syntax::Html, &mut html);
    assert_eq!(html.tags, ["<script>", "</script>", "<br/>"]);
    assert_eq!(seen("<script/>a<br>").tags, ["<script/>", "<br/>"]);
}

/// Pieces that meet in every order: the states of the tokenizer and their borders.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<"),
        Just(">"),
        Just("/"),
        Just("&"),
        Just(";"),
        Just("&amp;"),
        Just("&amp"),
        Just("&not"),
        Just("&#x"),
        Just("&#65"),
        Just("&NotEqualTilde;"),
        Just("<p>"),
        Just("</p>"),
        Just("</"),
        Just("</>"),
        Just("<!--"),
        Just("-->"),
        Just("<![CDATA["),
        Just("]]>"),
        Just("]"),
        Just("<script>"),
        Just("</script>"),
        Just("<style>"),
        Just("</style"),
        Just("<!DOCTYPE"),
        Just("["),
        Just("\r"),
        Just("\n"),
        Just("\r\n"),
        Just("a"),
        Just("é"),
        Just("东"),
        Just(" "),
        Just("\""),
        Just("="),
        Just("\u{feff}"),
        Just("\0"),
        Just("<?"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    /// Ranges rise, lie in the source, and hold the character itself or a reference to it.
    #[test]
    fn ranges_are_exact_for_any_input(source in soup()) {
        let mut last = (0, 0);
        for (c, start, end) in seen(&source).characters {
            prop_assert!((start >= last.1 || (start, end) == last) && start < end && end <= source.len());
            let slice = &source[start..end];
            let itself = slice.chars().eq([c])
                || (c == char::REPLACEMENT_CHARACTER && slice == "\0")
                || (c == '\n' && matches!(slice, "\r" | "\r\n"));
            prop_assert!(itself || (slice.starts_with('&') && !slice[1..].contains('&')), "{c:?} is not {slice:?}");
            last = (start, end);
        }
    }
}
