//! Any bytes at all: a manuscript that keeps its promises, or a refusal; never a panic, never a lost word.

use std::sync::LazyLock;

use proptest::prelude::*;

use crate::common::{Book, check_conservation, sample};

static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    // Without its cover: mutations should meet what is parsed.
    Book::new()
        .body("a.xhtml", "<h1 id='x'>One</h1><p>The <i>quick</i> fox&mdash;and.</p>")
        .body("b.xhtml", "<h1>Two</h1><p>The slow dog<sup><a href='#n'>1</a></sup>.</p>")
        .nav("<li><a href='a.xhtml#x'>One</a></li><li><a href='b.xhtml'>Two</a></li>")
        .ncx("<navPoint id='p'><navLabel><text>One</text></navLabel><content src='a.xhtml'/></navPoint>")
        .bytes()
});

/// Markup as careless hands leave it. No comments, CDATA or bare `<` and `&`: the tests' own way to the
/// text does not know them; `markup` has them in its own tests.
fn careless() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zé东]{1,6}",
        2 => Just(" ".to_owned()),
        1 => Just("&amp;".to_owned()),
        1 => Just("&mdash;".to_owned()),
        1 => Just("…".to_owned()),
        4 => prop::sample::select(vec![
            "p", "div", "i", "b", "sup", "a href='#n'", "li", "ul", "table", "tr", "td", "h1", "h2", "pre", "code",
            "span class='pagenum'", "span hidden='hidden'", "blockquote", "ruby", "rt", "div class='toc'", "br/", "p/",
            "span id='q'", "div class='poem'", "nav", "aside epub:type='footnote'", "svg",
        ]).prop_map(|tag| format!("<{tag}>")),
        4 => prop::sample::select(vec![
            "p", "div", "i", "b", "sup", "a", "li", "ul", "table", "tr", "td", "h1", "h2", "pre", "code", "span",
            "blockquote", "ruby", "rt", "nav", "aside", "svg",
        ]).prop_map(|tag| format!("</{tag}>")),
        1 => "[0-9]{1,3}",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn careless_markup_keeps_every_word(first in careless(), second in careless()) {
        let book = Book::new()
            .body("a.xhtml", &format!("{first}<p>word</p>"))
            .body("b.xhtml", &second)
            .nav("<li><a href='a.xhtml#q'>Q</a></li><li><a href='b.xhtml'>B</a></li><li><a href='b.xhtml#q'>R</a></li>");
        if let Ok(manuscript) = narrator_book::read_bytes("a.epub", &book.bytes()) {
            check_conservation(&book.bytes(), &manuscript);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600), name in "[a-z]{0,3}\\.(txt|md|html|epub)") {
        let _ = narrator_book::read_bytes(&name, &bytes);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(CHAPTER|Chapter|PART|[IVX]{1,3}|[a-z<>&#*_|`\\[\\]:.\\-—\" ]{1,12}|\r?\n|\t|    ){0,80}", name in "a\\.(txt|md|html)") {
        if let Ok(manuscript) = narrator_book::read_bytes(&name, text.as_bytes()) {
            for token in manuscript.tokens() {
                prop_assert!(text.get(token.span.start as usize..token.span.end as usize).is_some());
            }
            if name == "a.txt" {
                let kept = |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != '_' && *c != '\0').collect::<String>();
                let all: String = manuscript.tokens().map(|token| token.text.as_str()).collect();
                prop_assert_eq!(kept(&all), kept(&text));
            }
        }
    }

    #[test]
    fn a_damaged_book_is_read_or_refused(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut book = SAMPLE.clone();
        for (at, value) in flips {
            let at = at.index(book.len());
            book[at] = value;
        }
        if let Some(cut) = cut {
            book.truncate(cut.index(book.len()));
        }
        let _ = narrator_book::read_bytes("a.epub", &book);
    }
}

#[test]
fn a_byte_flipped_anywhere_in_the_samples_text_is_harmless() {
    // Steps of a prime through the parts before and after the cover, which is most of the file.
    let whole = sample();
    for at in (0..whole.len()).step_by(3989) {
        let mut book = whole.clone();
        book[at] ^= 0x55;
        let _ = narrator_book::read_bytes("sample.epub", &book);
    }
}
