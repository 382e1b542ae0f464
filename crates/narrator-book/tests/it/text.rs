//! Plain text, Markdown and HTML.

use narrator_core::{BlockKind, Manuscript, SkipRule};

use crate::common::outline;

fn read(name: &str, source: &str) -> Manuscript {
    let manuscript = narrator_book::read_bytes(name, source.as_bytes()).expect("it is a book");
    let mut last = 0;
    for token in manuscript.tokens() {
        assert!(token.span.start as usize >= last && token.span.end > token.span.start, "{token:?}");
        last = token.span.end as usize;
        let slice = &source[token.span.start as usize..last];
        let same = slice == token.text || slice.replace('_', "") == token.text.replace('_', "");
        assert!(same || slice.contains(['<', '&', '\\', '*', '`']), "{token:?} is not {slice:?}");
    }
    manuscript
}

fn titles(manuscript: &Manuscript) -> Vec<String> {
    manuscript.chapters.iter().map(|chapter| chapter.title.clone()).collect()
}

/// A paragraph long enough to be a chapter's text.
const BODY: &str = "It was late, and the lamp had been low for an hour before anyone thought to\n\
    turn it up. Nobody in the room said a word about the letter; they talked of\n\
    the weather, and the boat, and what the boat might bring.\n";

fn with_bodies(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n\n{BODY}\n{BODY}\n\n")).collect::<Vec<_>>().concat()
}

#[test]
fn chapter_lines_in_their_many_forms() {
    let forms = [
        "CHAPTER I",
        "Chapter 2. The Letter",
        "CHAPTER THREE",
        "Chapter IV: What the Letter Said",
        "CHAPTER V.—THE BOAT",
        "Chapter 6 The Long Way Home",
        "CHAPTER THE SEVENTH",
        "_Chapter 8_",
        "Chapter 9: \"Who Is There?\" and Other Questions",
        "CHAPTER X\nIn Which It Ends",
        "EPILOGUE",
    ];
    insta::assert_json_snapshot!(titles(&read("book.txt", &with_bodies(&forms))));
}

#[test]
fn sentences_are_not_chapter_lines() {
    let forms = [
        "CHAPTER I",
        "Chapter 5 of the book was boring.",
        "Part of the wall fell.",
        "Book me a room, he said.",
        "Chapter and verse.",
        "II",
        "Introduction of the lamp was slow.",
        "Letter 4 arrived and was read aloud by the whole of the family.",
        "CHAPTER II",
    ];
    assert_eq!(titles(&read("book.txt", &with_bodies(&forms))), ["CHAPTER I", "CHAPTER II"]);
}

#[test]
fn lone_numerals_count_only_in_sequence() {
    assert_eq!(titles(&read("book.txt", &with_bodies(&["I", "II", "III"]))), ["I", "II", "III"]);
    assert_eq!(titles(&read("book.txt", &with_bodies(&["1. Home", "2. Away"]))), ["1. Home", "2. Away"]);
    assert_eq!(titles(&read("the_book.txt", &with_bodies(&["IV", "I"]))), ["the book"]);
}

#[test]
fn parts_hold_chapters_and_contents_lists_are_text() {
    let source = format!(
        "The Long Night\n\nby Ann Writer\n\nCONTENTS\n\nCHAPTER I Home\nCHAPTER II Away\nCHAPTER III Back\n\n{}",
        with_bodies(&[
            "PART ONE\n\nCHAPTER I\n\nHome",
            "CHAPTER II\n\nAway",
            "PART TWO\n\nCHAPTER III\n\nBack"
        ])
    );
    let manuscript = read("book.txt", &source);
    assert_eq!(
        titles(&manuscript),
        ["The Long Night", "PART ONE: CHAPTER I: Home", "CHAPTER II: Away", "PART TWO: CHAPTER III: Back"]
    );
    assert_eq!(manuscript.metadata.authors, ["Ann Writer"]);
    let spaced = source.replace("Home\nCHAPTER II Away\nCHAPTER", "Home\n\nCHAPTER II Away\n\nCHAPTER");
    assert_eq!(titles(&read("book.txt", &spaced)), titles(&manuscript));
}

#[test]
fn capitals_divide_where_nothing_else_does() {
    let body = format!("{BODY}\n{BODY}\n{BODY}\n");
    let source = format!(
        "A TALE\n\nby Ann Writer\n\nTHE HOUSE\n\n{body}\nTHE SEA\n\n{body}\nHe said NO.\n\nSTOP\n\nThey went.\n"
    );
    assert_eq!(titles(&read("book.txt", &source)), ["A TALE", "THE HOUSE", "THE SEA"]);
}

#[test]
fn every_word_of_a_text_is_spoken_once() {
    let source = with_bodies(&[
        "Title: not a label",
        "CHAPTER I",
        "_Emphasis_ in_word __ and _two words_, Mr. B____.",
        "   Indented verse\n   of two lines",
    ]);
    let manuscript = read("book.txt", &source);
    let spoken: String = outline(&manuscript).into_iter().map(|(_, text)| text + " ").collect();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let expected = source.replace("_Emphasis_", "Emphasis").replace("_two words_", "two words");
    assert_eq!(words(&spoken), words(&expected));
}

#[test]
fn gutenberg_labels_are_metadata() {
    let source = format!(
        "The Project Gutenberg eBook of X\n\nTitle: The X\n\nAuthor: Y Z\n\nLanguage: French\n\n{}",
        with_bodies(&["CHAPTER I", "CHAPTER II"])
    );
    let metadata = read("x.txt", &source).metadata;
    assert_eq!(
        (metadata.title.as_str(), metadata.authors, metadata.language.as_str()),
        ("The X", vec!["Y Z".to_owned()], "fr")
    );
}

#[test]
fn encodings_give_the_same_book() {
    let text = "Le café était fermé; “où?” demanda-t-il à l’élève. Œuvre complète.\n".repeat(5);
    let sixteen: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let latin: Vec<u8> = encoding_rs::WINDOWS_1252.encode(&text).0.into_owned();
    let spoken = |bytes: &[u8]| outline(&narrator_book::read_bytes("a.txt", bytes).expect("it is text"));
    assert_eq!(spoken(&sixteen), spoken(text.as_bytes()));
    assert_eq!(spoken(&latin), spoken(text.as_bytes()));
}

#[test]
fn markdown() {
    let source = "---\ntitle: The Lamp\nauthor: \"Ann Writer\"\nlang: en-GB\n---\n\n# One\n\nThe *quick* br**ow**n fox[^1] &amp; \\*co\\*.\n\
        See [the link](http://x.y/z) and `code`.\n\n> Quoted.\n\n- item one\n- item two\n\n```rust\nfn main() {}\n```\n\n\
        ![alt words](p.png)\n\n# Two\n\n<div hidden>gone</div>\n\n<p>html <b>he</b>re</p>\n\n| a | b |\n|---|---|\n| c | d |\n\n[^1]: The note.\n";
    let manuscript = read("lamp.md", source);
    assert_eq!(titles(&manuscript), ["One", "Two"]);
    assert_eq!(
        (manuscript.metadata.title.as_str(), manuscript.metadata.authors[0].as_str()),
        ("The Lamp", "Ann Writer")
    );
    let shown: Vec<String> = manuscript
        .chapters
        .iter()
        .flat_map(|chapter| &chapter.blocks)
        .map(|block| {
            let words: Vec<String> = block
                .tokens
                .iter()
                .map(|t| t.skip.map_or_else(|| t.text.clone(), |rule| format!("[{rule:?} {}]", t.text)))
                .collect();
            format!("{:?} {}", block.kind, words.join(" "))
        })
        .collect();
    insta::assert_json_snapshot!(shown);
}

#[test]
fn html() {
    let source = "<!DOCTYPE html><html lang=en-US><head><title>A &amp; B</title><meta name=author content='Ann Writer'></head>\
        <body><h1>A &amp; B</h1><p>By hand<p>Two<br>lines<h2>One</h2>text<ul><li>a<li>b</ul><h2>Two</h2><table><tr><td>x<td>y</table></body></html>";
    let manuscript = read("a.html", source);
    assert_eq!(manuscript.metadata.title, "A & B");
    assert_eq!(
        (manuscript.metadata.authors[0].as_str(), manuscript.metadata.language.as_str()),
        ("Ann Writer", "en-US")
    );
    let spoken = outline(&manuscript);
    let expected = [("A & B", "A & B By hand Two lines"), ("One", "One text a b"), ("Two", "Two x y")];
    assert_eq!(spoken, expected.map(|(title, text)| (title.to_owned(), text.to_owned())));
    assert!(manuscript.tokens().any(|token| token.skip == Some(SkipRule::Head)));
    let kinds: Vec<_> = manuscript.chapters[1].blocks.iter().map(|block| block.kind).collect();
    assert_eq!(
        kinds,
        [BlockKind::Heading(2), BlockKind::Paragraph, BlockKind::ListItem, BlockKind::ListItem]
    );
}
