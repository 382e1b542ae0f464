//! Chapters from contents, headings and documents.

use crate::common::{Book, check_conservation, outline};

fn check(book: &Book) -> Vec<(String, String)> {
    let manuscript = book.read();
    check_conservation(&book.bytes(), &manuscript);
    outline(&manuscript)
}

fn pairs(found: &[(String, String)]) -> Vec<(&str, &str)> {
    found.iter().map(|(title, text)| (title.as_str(), text.as_str())).collect()
}

#[test]
fn several_chapters_in_a_file_and_a_chapter_over_several() {
    let book = Book::new()
        .body("a.xhtml", "<p>Front.</p><h2 id='c1'>One</h2><p>First.</p><h2 id='c2'>Two</h2><p>Second.</p>")
        .body("b.xhtml", "<p>Still second.</p>")
        .body("c.xhtml", "<h2>Three</h2><p>Third.</p>")
        .nav("<li><a href='a.xhtml#c1'>One</a></li><li><a href='a.xhtml#c2'>Two</a></li><li><a href='c.xhtml'>Three</a></li>");
    let expected = [
        ("The Book", "Front."),
        ("One", "One First."),
        ("Two", "Two Second. Still second."),
        ("Three", "Three Third."),
    ];
    assert_eq!(pairs(&check(&book)), expected);
}

#[test]
fn epub_2_contents_nest_and_share_a_place_with_their_part() {
    let point = |title: &str, src: &str, inner: &str| {
        format!(
            "<navPoint id='x'><navLabel><text>{title}</text></navLabel><content src='{src}'/>{inner}</navPoint>"
        )
    };
    let one = point("Home", "a.xhtml#one", "");
    let two = point("Away", "b.xhtml", "");
    let book = Book::new()
        .body("a.xhtml", "<div id='part'><h1>Part I</h1><h2 id='one'>Home</h2><p>Text.</p></div>")
        .body("b.xhtml", "<h2>Away</h2><p>More.</p>")
        .ncx(&(point("Part I", "a.xhtml", "").replace("</navPoint>", &format!("{one}{two}</navPoint>"))));
    assert_eq!(pairs(&check(&book)), [("Part I", "Part I"), ("Home", "Home Text."), ("Away", "Away More.")]);
}

#[test]
fn a_group_without_a_link_names_its_first_chapter() {
    let book = Book::new()
        .body("a.xhtml", "<h2>Home</h2><p>Text.</p>")
        .body("b.xhtml", "<h2>Away</h2><p>More.</p>")
        .nav("<li><span>Part I</span><ol><li><a href='a.xhtml'>Home</a></li><li><a href='b.xhtml'>Away</a></li></ol></li>");
    assert_eq!(pairs(&check(&book)), [("Part I: Home", "Home Text."), ("Away", "Away More.")]);
}

#[test]
fn missing_anchors_and_files_lose_no_text() {
    let book =
        Book::new().body("a.xhtml", "<h2>One</h2><p>First.</p><h2>Two</h2><p>Second.</p><p>Third.</p>").nav(
            "<li><a href='a.xhtml#gone'>One</a></li><li><a href='a.xhtml#lost'>Two</a></li>\
              <li><a href='a.xhtml#never'>Three</a></li><li><a href='nowhere.xhtml'>Four</a></li>",
        );
    assert_eq!(pairs(&check(&book)), [("One", "One First."), ("Two", "Two Second. Third.")]);
}

#[test]
fn anchors_beside_and_inside_what_they_mark() {
    let book = Book::new()
        .body("a.xhtml", "<h2>One</h2><p id='after'>First.</p><h2>Chapter <a id='in'/>Two</h2><p>Second.</p>\
              <p>A long paragraph goes on until <b id='mid'>Three</b> begins.</p><p>1. <a name='num'>Four</a></p>")
        .nav("<li><a href='a.xhtml#after'>One</a></li><li><a href='a.xhtml#in'>Two</a></li>\
              <li><a href='a.xhtml#mid'>Three</a></li><li><a href='a.xhtml#num'>Four</a></li>");
    let expected = [
        ("One", "One First."),
        ("Two", "Chapter Two Second. A long paragraph goes on until"),
        ("Three", "Three begins."),
        ("Four", "1. Four"),
    ];
    assert_eq!(pairs(&check(&book)), expected);
}

#[test]
fn entries_for_pages_without_text_make_no_chapter() {
    let book = Book::new()
        .body("map.xhtml", "<img src='map.png' alt='Map'/>")
        .body("a.xhtml", "<p>Text.</p>")
        .body("end.xhtml", "<img src='end.png' alt=''/>")
        .nav("<li><a href='map.xhtml'>Map</a></li><li><a href='a.xhtml'>One</a></li><li><a href='end.xhtml'>End</a></li>");
    assert_eq!(pairs(&check(&book)), [("One", "Text.")]);
}

#[test]
fn without_contents_headings_divide() {
    let book = Book::new()
        .body("a.xhtml", "<h1>The Book</h1><h2>One</h2><p>First.</p><h3>a</h3><p>More.</p>")
        .body("b.xhtml", "<h2>Two</h2><p>Second.</p>");
    assert_eq!(pairs(&check(&book)), [("One", "The Book One First. a More."), ("Two", "Two Second.")]);
}

#[test]
fn without_headings_documents_divide() {
    let book = Book::new().body("a.xhtml", "<p>First.</p>").body("b.xhtml", "<p>Second.</p>");
    assert_eq!(pairs(&check(&book)), [("T", "First."), ("T", "Second.")]);
}

#[test]
fn documents_outside_the_linear_order_are_read_in_place() {
    let book = Book::new()
        .body("a.xhtml", "<p>First.</p>")
        .extra("OEBPS/n.xhtml", crate::common::page("<p>Note.</p>").as_bytes())
        .manifest("<item id='n' href='n.xhtml' media-type='application/xhtml+xml'/>")
        .spine("<itemref idref='n' linear='no'/>")
        .nav("<li><a href='a.xhtml'>One</a></li>");
    assert_eq!(pairs(&check(&book)), [("One", "First. Note.")]);
}

#[test]
fn sections_of_manuals_stay_in_their_chapters_and_long_ones_do_not() {
    let nav = "<li><a href='a.xhtml'>One</a><ol><li><a href='a.xhtml#s'>S</a><ol><li><a href='a.xhtml#t'>T</a></li>\
               <li><a href='a.xhtml#u'>U</a></li></ol></li></ol></li>";
    let section = |words: usize| {
        let text = "word ".repeat(words);
        format!(
            "<h1>One</h1><p>{text}</p><h2 id='s'>S</h2><p>{text}</p><h3 id='t'>T</h3><p>{text}</p><h3 id='u'>U</h3><p>{text}</p>"
        )
    };
    let titles = |words| -> Vec<String> {
        check(&Book::new().body("a.xhtml", &section(words)).nav(nav))
            .into_iter()
            .map(|(title, _)| title)
            .collect()
    };
    assert_eq!(titles(50), ["One", "S"]);
    assert_eq!(titles(600), ["One", "S", "T", "U"]);
}

#[test]
fn metadata_of_epub_2() {
    let book = Book::new()
        .metadata(
            "<dc:title> The  Old\nHouse </dc:title><dc:creator opf:role='ill'>A. Painter</dc:creator>\
             <dc:creator opf:role='aut'>B. Writer</dc:creator><dc:language>de</dc:language>\
             <dc:publisher>House</dc:publisher><meta name='calibre:series' content='Houses'/>\
             <meta name='calibre:series_index' content='2.0'/><meta name='cover' content='c'/>",
        )
        .manifest("<item id='c' href='c.bin' media-type='image/jpeg'/>")
        .extra("OEBPS/c.bin", b"\xff\xd8\xff\xe0picture")
        .body("a.xhtml", "<p>Text.</p>");
    let manuscript = book.read();
    assert_eq!(manuscript.cover.map(|cover| cover.media_type).as_deref(), Some("image/jpeg"));
    insta::assert_json_snapshot!(manuscript.metadata);
}
