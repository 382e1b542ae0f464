//! The trap of three pages: a book whose chapter breaks a careless splitter loses. Every segment of what is
//! left passes, and the audit misses them all the same.

use narrator_core::{
    Block, BlockKind, Chapter, DocId, Document, Manuscript, Metadata, SkipRule, Span, Token,
};
use narrator_fidelity::{Difference, audit, book_words};

use crate::support::heard;

const BOOK: &[(&str, &[&str])] = &[
    ("Chapter 1: The Road", &["They went down to the river in the early morning.", "Nobody spoke."]),
    ("“What Now?”", &["The boat was gone, and with it the lantern."]),
    ("1842", &["That year the winter came early; the harvest was lost."]),
    ("THE END OF IT: PART II", &["She sold the house.", "He never wrote again."]),
    ("", &["A last word to the reader."]),
];

fn manuscript() -> Manuscript {
    let mut start = 0;
    let mut tokens = |text: &str, skip: Option<SkipRule>| -> Vec<Token> {
        text.split_whitespace()
            .map(|word| {
                let span = Span { doc: DocId(0), start, end: start + word.len() as u32 };
                start = span.end + 1;
                Token { text: word.into(), span, space_before: true, skip }
            })
            .collect()
    };
    let chapters = BOOK
        .iter()
        .map(|(title, paragraphs)| {
            let mut blocks = Vec::new();
            if !title.is_empty() {
                blocks.push(Block { kind: BlockKind::Heading(1), tokens: tokens(title, None) });
            }
            blocks.extend(
                paragraphs
                    .iter()
                    .map(|text| Block { kind: BlockKind::Paragraph, tokens: tokens(text, None) }),
            );
            blocks
                .push(Block { kind: BlockKind::Note, tokens: tokens("[3]", Some(SkipRule::NoteReference)) });
            Chapter { title: if title.is_empty() { "untitled".into() } else { (*title).into() }, blocks }
        })
        .collect();
    Manuscript {
        metadata: Metadata::default(),
        cover: None,
        documents: vec![Document { path: "book.txt".into(), bytes: u64::from(start) }],
        chapters,
    }
}

/// What a good recogniser hears of the blocks that `keep` lets through.
fn said(keep: impl Fn(&str) -> bool) -> Vec<String> {
    let blocks = BOOK.iter().flat_map(|(title, paragraphs)| std::iter::once(title).chain(paragraphs.iter()));
    let text: Vec<&str> = blocks.filter(|text| keep(text)).copied().collect();
    text.join(" ").split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_whole_book_is_clean() {
    let words = book_words(&manuscript(), None, None);
    let found = audit(&words, &heard(&said(|_| true)), &[]);
    assert!(found.is_clean(), "{:#?}", found.discrepancies);
    assert_eq!(found.words_in_book, found.words_heard);
    assert_eq!(found.summary(), "58 words in the book, 58 words heard, 0 words lost");
}

#[test]
fn every_block_that_is_left_out_is_missed() {
    let words = book_words(&manuscript(), None, None);
    let blocks = BOOK.iter().flat_map(|(title, paragraphs)| std::iter::once(title).chain(paragraphs.iter()));
    for block in blocks.filter(|block| !block.is_empty()) {
        let found = audit(&words, &heard(&said(|text| text != *block)), &[]);
        let lost: Vec<_> = found.discrepancies.iter().filter(|it| it.kind == Difference::Lost).collect();
        assert_eq!(lost.len(), 1, "{block}: {:#?}", found.discrepancies);
        assert_eq!(lost[0].written, *block, "{block}");
        assert_eq!(found.words_lost() as usize, block.split_whitespace().count(), "{block}");
        assert!(!found.is_clean());
        let chapter = BOOK.iter().position(|(title, texts)| title == block || texts.contains(block));
        assert_eq!(Some(lost[0].chapter as usize), chapter, "{block}");
    }
}

#[test]
fn titles_with_colons_are_missed_all_together() {
    let words = book_words(&manuscript(), None, None);
    let found = audit(&words, &heard(&said(|text| !text.contains(':'))), &[]);
    let lost: Vec<&str> = found.discrepancies.iter().map(|it| it.written.as_str()).collect();
    assert_eq!(lost, ["Chapter 1: The Road", "THE END OF IT: PART II"]);
}
