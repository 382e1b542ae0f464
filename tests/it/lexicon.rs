//! A person's respellings are kept with the job, and what was said by them counts as heard.
//!
//! With the voice and the recognisers that set-up brings.

use narrator_tests::program::{Desk, Ran};
use serde_json::Value;

const BOOK: &str = "# The House\n\nThey came to Quorndale in the evening, tired and hungry. The lamps were lit.\n\n\
    In the morning they walked to the colonel’s museum and looked at the old clocks.\n";

/// One respelling that sounds like another word, and two that sound like the word on the page.
const LEXICON: &str =
    "[words]\nQuorndale = \"Blue Harbour\"\ncolonel = \"kernel\"\nmuseum = \"mew zee um\"\n";

fn differences(audit: &Value) -> String {
    let lists = ["differences", "unsure"].map(|list| audit[list].to_string());
    lists.concat()
}

#[test]
fn what_a_lexicon_respells_is_not_lost() {
    let desk = Desk::new();
    std::fs::write(desk.path("book.md"), BOOK).expect("a book");
    std::fs::write(desk.path("words.toml"), LEXICON).expect("a lexicon");
    let run = ["run", "book.md", "-o", "book.m4b", "--lexicon", "words.toml", "--check", "fast"];
    desk.run(&run).expect(0);
    let events = desk.events("book.narration");
    let refused: Vec<&Value> = events.iter().filter(|event| event["event"] == "take_refused").collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert_eq!(desk.read("book.narration/lexicon.toml"), LEXICON.as_bytes());

    // The file may be gone: the job has its own.
    std::fs::rename(desk.path("words.toml"), desk.path("kept.toml")).expect("a lexicon");
    let of_job = desk.run(&["verify", "book.narration", "--json"]).expect(0).json();
    assert_eq!(of_job["words_lost"], 0, "{of_job:#}");
    assert!(!differences(&of_job).contains("Quorndale"), "{of_job:#}");
    Ran(desk.narratord(&["retake", "book.narration", "2"]).output().expect("narratord starts")).expect(0);
    assert_eq!(desk.read("book.narration/lexicon.toml"), LEXICON.as_bytes());

    // Without a job it can be given; without it, what is said is not what is written.
    let verify = ["verify", "--book", "book.md", "--audio", "book.m4b", "--json"];
    let given = desk.run(&[&verify[..], &["--lexicon", "kept.toml"]].concat()).expect(0).json();
    assert!(given["words_lost"] == 0 && !differences(&given).contains("Blue"), "{given:#}");
    let bare = Ran(desk.narratord(&verify).output().expect("narratord starts")).json();
    assert!(differences(&bare).contains("Quorndale"), "{bare:#}");

    // Narrated without one, the job forgets it.
    desk.run(&["run", "book.md", "-o", "book.m4b"]).expect(0);
    assert!(!desk.path("book.narration/lexicon.toml").exists());
}
