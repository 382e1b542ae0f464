//! What is spoken and what is not, on pages as books have them.

use narrator_core::{BlockKind, SkipRule};

use crate::common::{Book, check_conservation};

/// Spoken tokens, and skipped ones with their rule.
fn fates(body: &str) -> String {
    let book = Book::new().body("a.xhtml", &format!("{body}<p>End</p>"));
    let manuscript = book.read();
    check_conservation(&book.bytes(), &manuscript);
    let show = |token: &narrator_core::Token| {
        let space = if token.space_before { " " } else { "" };
        match token.skip {
            None => format!("{space}{}", token.text),
            Some(rule) => format!("{space}[{rule:?} {}]", token.text),
        }
    };
    let shown: String = manuscript.tokens().filter(|t| t.skip != Some(SkipRule::Head)).map(show).collect();
    shown.trim().trim_end_matches("End").trim().to_owned()
}

#[test]
fn words_across_markup_are_one_token() {
    assert_eq!(fates("<p><i>un</i>believ<b>able</b> caf&eacute;&mdash;yes</p>"), "unbelievable café—yes");
    let book = Book::new().body("a.xhtml", "<p><i>un</i>believable A<small>LICE</small>.</p>");
    let words: Vec<_> = book.read().tokens().map(|token| token.text.clone()).collect();
    assert_eq!(words, ["T", "unbelievable", "ALICE."]);
}

#[test]
fn note_marks_are_not_spoken_and_powers_are() {
    assert_eq!(fates("<p>word<sup><a href='#n'>12</a></sup>, next</p>"), "word[NoteReference 12], next");
    assert_eq!(fates("<p>word<a href='#n'><sup>*</sup></a> next</p>"), "word[NoteReference *] next");
    assert_eq!(fates("<p>word<a epub:type='noteref' href='#n'>[3]</a>.</p>"), "word[NoteReference [3]].");
    assert_eq!(fates("<p>word<a class='fnanchor' href='#n'>[A]</a></p>"), "word[NoteReference [A]]");
    assert_eq!(
        fates("<p>E=mc<sup>2</sup> on the 19<sup>th</sup>, <a href='x'>see <sup>this too</sup></a></p>"),
        "E=mc2 on the 19th, see this too"
    );
    assert_eq!(
        fates("<p>(<a role='doc-noteref' href='#n'>see the long note</a>)</p>"),
        "(see the long note)"
    );
}

#[test]
fn page_numbers_are_not_spoken_and_pages_are() {
    assert_eq!(
        fates("<p>un<span epub:type='pagebreak' id='p'>12</span>believable</p>"),
        "un[PageBreak 12]believable"
    );
    assert_eq!(
        fates("<p>one <span class='pagenum'>[Pg xii]</span> two</p>"),
        "one [PageBreak [Pg] [PageBreak xii]] two"
    );
    assert_eq!(
        fates("<div class='pagebreak'><p>A whole page of text is in here.</p></div>"),
        "A whole page of text is in here."
    );
}

#[test]
fn hidden_and_foreign_content_has_its_rule() {
    assert_eq!(
        fates(
            "<p>a<span hidden=''>b</span> <span style='display: NONE'>c d</span> <b aria-hidden='true'>e</b> f</p>"
        ),
        "a[Hidden b] [Hidden c] [Hidden d] [Hidden e] f"
    );
    assert_eq!(
        fates("<p>x <svg><title>t</title><text>y</text></svg> <math><mi>z</mi></math> w</p>"),
        "x [NotText ty] [NotText z] w"
    );
    assert_eq!(fates("<p><ruby>base<rp>(</rp><rt>top</rt><rp>)</rp></ruby> a</p>"), "base[Ruby (top)] a");
    assert_eq!(
        fates("<script>var a;</script><p>b</p><style>p{}</style>"),
        "[Script var] [Script a;] b [Style p{}]"
    );
    assert_eq!(
        fates("<nav><ol><li>N</li></ol></nav><p>a</p><img alt='not text' src='x'/>"),
        "[Navigation N] a"
    );
}

#[test]
fn lists_of_links_are_contents_and_lists_are_not() {
    let links = "<div class='toc'><p>Contents</p><p><a href='a'>Chapter One Home</a></p><p><a href='b'>Chapter Two Away</a></p></div>";
    assert!(fates(links).starts_with("[Navigation Contents]"), "{}", fates(links));
    assert_eq!(fates("<div class='toc'><p>A story called toc.</p></div>"), "A story called toc.");
}

#[test]
fn listings_are_not_spoken_and_verse_is() {
    assert_eq!(
        fates("<p>Run <code>make</code>.</p><div class='highlight'><pre>int main;</pre></div>"),
        "Run make. [NotText int] [NotText main;]"
    );
    assert_eq!(fates("<pre><code>x = 1</code></pre>"), "[NotText x] [NotText =] [NotText 1]");
    let book = Book::new().body(
        "a.xhtml",
        "<pre>Tide at the door,\nlamp at the sill</pre><div class='poem'><p>One<br/>Two</p></div>",
    );
    let kinds: Vec<_> = book.read().chapters[0].blocks.iter().skip(1).map(|block| block.kind).collect();
    assert_eq!(kinds, [BlockKind::Verse; 4]);
}

#[test]
fn blocks_have_their_kinds() {
    let body = "<h2>H</h2><p>p<br/>still<br/><br/>new</p><blockquote><p>q</p></blockquote><ul><li><p>l</p><li>m</ul>\
                <table><caption>c</caption><tr><td><p>r</p></td><td>s<p>t</p></td></tr></table>\
                <figure><figcaption>f</figcaption></figure><aside epub:type='footnote'><p>n</p></aside><p>z</p>";
    let book = Book::new().body("a.xhtml", body);
    let manuscript = book.read();
    check_conservation(&book.bytes(), &manuscript);
    let shown: Vec<String> = manuscript.chapters[0].blocks[1..]
        .iter()
        .map(|block| {
            format!(
                "{:?} {}",
                block.kind,
                block.tokens.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join(" ")
            )
        })
        .collect();
    insta::assert_json_snapshot!(shown);
}

#[test]
fn broken_markup_loses_nothing() {
    for body in [
        "<p>a<p>b</i></b>c<div>d</span>e",
        "<i><p>one</i> two</p>",
        "<table><tr><td>a<td>b<tr><td>c</table>d",
        "a</body></html>after",
        "<p>x<![CDATA[ y < z ]]>w</p>",
        "<title/><p>after an empty title</p><script src='x'/><p>and script</p>",
        &"<div>".repeat(2000),
        // Joining a superscript to its word once left the places after it one too high.
        "a<sup>2<p>b</sup>c<i id='q'/>d",
        "<span class='pagenum'><sup></sup>a</span><a href='x'><sup><p>1</sup></a>b",
    ] {
        let book = Book::new().body("a.xhtml", body).body("b.xhtml", "<p>next</p>");
        let manuscript = book.read();
        let all: String = manuscript.tokens().map(|token| token.text.as_str()).collect();
        assert!(all.ends_with("Tnext"), "{body}: {all}");
        if !body.contains("CDATA") {
            check_conservation(&book.bytes(), &manuscript);
        }
    }
}
