//! Whatever is given, the answer says what is wrong and what to do, with the exit code of the table, and
//! leaves nothing behind.

use narrator_tests::program::{Desk, Ran, sample};

fn refused(desk: &Desk, arguments: &[&str], code: i32, says: &str) -> Ran {
    let ran = desk.run(arguments).expect(code);
    assert!(ran.stderr().contains(says), "`{says}` is not in: {}", ran.stderr());
    assert!(!ran.stderr().contains("panicked"), "{}", ran.stderr());
    assert_eq!(ran.stdout(), "", "data goes out only when there is some");
    ran
}

/// What a refused command may leave in its folder: nothing but what was there.
fn untouched(desk: &Desk, files: &[&str]) {
    let entries = std::fs::read_dir(desk.path(".")).expect("the desk is there");
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "state" && name != "config");
    names.sort();
    assert_eq!(names, files);
}

#[test]
fn what_is_not_a_book_is_refused_and_nothing_is_written() {
    let desk = Desk::new();
    let cases: [(&str, &[u8], i32); 6] = [
        ("empty.epub", b"", 65),
        ("empty.txt", b"", 65),
        ("blank.txt", b" \n\n \n", 65),
        ("torn.epub", b"PK\x03\x04 and then nothing", 65),
        ("picture.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00 not a book", 65),
        ("paper.pdf", b"%PDF-1.7\n1 0 obj\n", 65),
    ];
    for (name, bytes, code) in cases {
        std::fs::write(desk.path(name), bytes).unwrap();
        refused(&desk, &["run", name], code, name);
        refused(&desk, &["plan", name], code, name);
        std::fs::remove_file(desk.path(name)).unwrap();
    }
    untouched(&desk, &[]);
    refused(&desk, &["run", "no-such.epub"], 69, "no-such.epub");
    std::fs::create_dir(desk.path("folder")).unwrap();
    refused(&desk, &["run", "folder"], 65, "folder");
    untouched(&desk, &["folder"]);
}

#[test]
fn a_damaged_sample_is_refused_by_name() {
    let desk = Desk::new();
    let whole = std::fs::read(sample()).unwrap();
    std::fs::write(desk.path("half.epub"), &whole[..whole.len() / 2]).unwrap();
    refused(&desk, &["run", "half.epub"], 65, "half.epub");
    untouched(&desk, &["half.epub"]);
}

#[test]
fn settings_that_cannot_work_are_refused_before_anything_starts() {
    let desk = Desk::new();
    let book = sample();
    let book = book.to_str().unwrap();
    std::fs::write(desk.path("typo.toml"), "[speech]\nsped = 1.0\n").unwrap();
    refused(&desk, &["run", book, "--config", "typo.toml"], 78, "sped");
    refused(&desk, &["run", book, "--config", "none.toml"], 69, "none.toml");
    refused(&desk, &["run", book, "--speed", "3"], 78, "speech.speed");
    refused(&desk, &["run", book, "--voice", "nobody"], 78, "nobody");
    refused(&desk, &["run", book, "--model", "no-such-model"], 69, "no-such-model");
    refused(&desk, &["run", book, "--device", "gpu7"], 78, "gpu7");
    refused(&desk, &["run", book, "-o", "book.doc"], 2, ".m4b");
    refused(&desk, &["run", book, "-o", "no/such/folder/book.m4b"], 69, "no/such/folder");
    refused(&desk, &["run", book, "--chapters", "99"], 2, "99");
    refused(&desk, &["run", book, "--chapters", "x"], 2, "x");
    refused(&desk, &["run", book, "--check", "perhaps"], 2, "perhaps");
    refused(&desk, &["run"], 2, "BOOK");
    refused(&desk, &["status", "nowhere"], 69, "nowhere");
    refused(&desk, &["status"], 69, "no job");
    untouched(&desk, &["typo.toml"]);
}

#[test]
fn a_worker_that_is_not_there_is_missed_by_name() {
    let desk = Desk::new();
    let book = sample();
    let mut command = desk.narratord(&["run", book.to_str().unwrap()]);
    let ran = Ran(command.env("NARRATOR_WORKER", "/no/such/worker").output().unwrap()).expect(69);
    assert!(ran.stderr().contains("/no/such/worker"), "{}", ran.stderr());
    untouched(&desk, &[]);
}

#[test]
fn a_damaged_journal_is_refused_and_named() {
    let desk = Desk::new();
    let book = sample();
    let book = book.to_str().unwrap();
    desk.run(&["run", book, "-o", "book.wav", "--chapters", "1"]).expect(0);
    let journal = desk.path("book.narration/segments.ckpt");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[200] ^= 0x10;
    std::fs::write(&journal, &bytes).unwrap();
    let ran = refused(&desk, &["run", book, "-o", "book.wav", "--chapters", "1"], 65, "segments.ckpt");
    assert!(ran.stderr().contains("checkpoint repair"), "{}", ran.stderr());
    let status = desk.run(&["status", "book.narration", "--json"]).expect(65).json();
    assert_eq!(status["state"], "damaged");
    assert_eq!(std::fs::read(&journal).unwrap(), bytes, "a damaged journal is not touched");
}
