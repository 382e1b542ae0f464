//! The sample book, word for word.

use narrator_core::{BlockKind, SkipRule};

use crate::common::{check_conservation, outline, sample};

#[test]
fn every_word_of_the_sample_is_a_token_at_its_place() {
    let book = sample();
    let manuscript = narrator_book::read_bytes("sample.epub", &book).expect("the sample is a book");
    check_conservation(&book, &manuscript);
}

#[test]
fn the_sample_reads_as_it_is_told() {
    let book = sample();
    let manuscript = narrator_book::read_bytes("sample.epub", &book).expect("the sample is a book");
    insta::assert_json_snapshot!(manuscript.metadata, @r#"
    {
      "title": "The Bell at Marrowhythe",
      "authors": [
        "The narratord contributors"
      ],
      "language": "en-GB",
      "publisher": "narratord",
      "series": "Tales of the Low Shore",
      "series_index": "1"
    }
    "#);
    let cover = manuscript.cover.as_ref().expect("it has a cover");
    assert_eq!((cover.media_type.as_str(), &cover.bytes[1..4]), ("image/png", &b"PNG"[..]));
    let titles: Vec<_> = manuscript.chapters.iter().map(|chapter| chapter.title.as_str()).collect();
    insta::assert_json_snapshot!(titles, @r#"
    [
      "The Bell at Marrowhythe",
      "Chapter I. The Last Boat",
      "Chapter II. A Fair Price",
      "Chapter III. The Ledger: A Reckoning",
      "Chapter IV. Low Water",
      "Chapter V. One Over"
    ]
    "#);
    let text = outline(&manuscript);
    assert!(
        text[1].1.starts_with("Chapter I. The Last Boat The last boat to Marrowhythe left at 9:40 p.m.,")
    );
    assert!(
        text[2].1.contains("weighed nineteen hythe-hundreds and bore the mark"),
        "the note's mark is not spoken"
    );
    assert!(text[4].1.contains("Hallam mark & the king’s"));
    assert!(text[5].1.ends_with("You always leave one over.”"));
}

#[test]
fn what_the_sample_does_not_say_has_a_rule() {
    let manuscript = narrator_book::read_bytes("sample.epub", &sample()).expect("the sample is a book");
    let skipped = |rule| -> Vec<&str> {
        manuscript
            .tokens()
            .filter(|token| token.skip == Some(rule))
            .map(|token| token.text.as_str())
            .collect()
    };
    assert_eq!(skipped(SkipRule::PageBreak), ["1", "2"]);
    assert_eq!(skipped(SkipRule::NoteReference), ["1"]);
    assert_eq!(skipped(SkipRule::Head).len(), 28);
    assert!(skipped(SkipRule::Navigation).starts_with(&["Contents"]));
    let note = manuscript.chapters[2].blocks.last().expect("the note ends its chapter");
    assert_eq!(note.kind, BlockKind::Note);
}

#[test]
fn the_plain_text_edition_has_the_same_chapters() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/sample");
    let text = narrator_book::read(&folder.join("the-bell-at-marrowhythe.txt")).expect("it is text");
    let epub = narrator_book::read(&folder.join("the-bell-at-marrowhythe.epub")).expect("it is a book");
    let titles = |m: &narrator_core::Manuscript| {
        m.chapters.iter().skip(1).map(|c| c.title.clone()).collect::<Vec<_>>()
    };
    assert_eq!(titles(&text), titles(&epub));
    let plain = |m: &narrator_core::Manuscript| -> String {
        outline(m)[1..].iter().map(|(_, text)| text.replace("1. A hythe", "A hythe")).collect()
    };
    assert_eq!(plain(&text), plain(&epub));
}
