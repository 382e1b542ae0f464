//! Real books, which are not in the tree: `scripts/fetch_books.py FOLDER` brings them, and
//! `NARRATORD_BOOKS=FOLDER cargo test -p narrator-book -- --ignored` reads them.

use std::path::PathBuf;

use crate::common::{check_conservation, outline};

fn book(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("NARRATORD_BOOKS").expect("NARRATORD_BOOKS names a folder")).join(name)
}

#[test]
#[ignore = "needs the books of scripts/fetch_books.py"]
fn pride_and_prejudice_has_61_chapters_and_every_word() {
    let source = std::fs::read_to_string(book("pride-and-prejudice.txt")).expect("the book is there");
    let manuscript = narrator_book::read(&book("pride-and-prejudice.txt")).expect("it is text");
    let titles: Vec<_> = manuscript.chapters.iter().skip(1).map(|chapter| chapter.title.clone()).collect();
    assert_eq!(titles, (1..=61).map(|number| format!("Chapter {number}")).collect::<Vec<_>>());
    let spoken: Vec<String> = outline(&manuscript).into_iter().map(|(_, text)| text).collect();
    let words = |text: &str| text.replace('_', "").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&spoken.join(" ")), words(&source));
    assert_eq!(source.split_whitespace().count(), 121_567);
}

#[test]
#[ignore = "needs the books of scripts/fetch_books.py"]
fn the_policy_manual_is_whole() {
    let bytes = std::fs::read(book("policy.epub")).expect("the book is there");
    let manuscript = narrator_book::read(&book("policy.epub")).expect("it is an EPUB");
    check_conservation(&bytes, &manuscript);
    assert!(manuscript.chapters.len() > 100 && manuscript.spoken_tokens() > 60_000);
}
