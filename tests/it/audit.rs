//! A book that passes every check of its segments can still miss three pages. Here it does, by hand and by a broken
//! splitter, and is found out: by the run's own audit, by its ledger, and from nothing but book and audiobook.
//!
//! With the voice and the recognisers that set-up brings.

use std::io::{Cursor, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use narrator_audio::{Assembly, ChapterAudio, Ffmpeg, Output, Piece};
use narrator_core::{Metadata, Script, Segment};
use narrator_journal::{StdFs, take_path};
use narrator_tests::forget::{InLedger, forget};
use narrator_tests::processes::{children_of, eventually, is_alive, signal};
use narrator_tests::program::{Desk, Ran, Running, ffmpeg, path_text, sample};
use serde_json::Value;
use zip::write::SimpleFileOptions;

/// Title in the table of contents, and body. Every way in which programs have lost a chapter by its title or its
/// markup.
const CHAPTERS: [(&str, &str); 8] = [
    (
        "Chapter One: The Road to the Mill",
        "<h1>Chapter One: The Road to the Mill</h1>\
         <p>The old man walked along the river every morning. He carried a basket of apples and a heavy coat.</p>\
         <p>At the mill he sat down on the stone wall and watched the water turn the great wheel.</p>",
    ),
    (
        "“Who Is There?”",
        "<h1>“Who Is There?”</h1>\
         <p>“Who is there?” said the woman behind the door. Nobody answered, but the dog began to bark.</p>",
    ),
    (
        "1847",
        "<h1>1847</h1>\
         <p>In that year the winter was long and the roads were covered with snow until the end of April.</p>",
    ),
    (
        "THE WINTER MARKET",
        "<h1>THE WINTER MARKET</h1>\
         <p>They sold bread and cheese in the market square, and the children danced around the fire.</p>\
         <p>When the music stopped, the whole town was silent for a moment. Then the bells began to ring.</p>",
    ),
    ("The Empty Room", "<h1></h1>"),
    (
        "The Table of Days",
        "<table><tr><th colspan='2'><h1>The Table of Days</h1></th></tr>\
         <tr><td>On Monday</td><td>the baker opened his shop before the sun was over the hills.</td></tr>\
         <tr><td>On Friday</td><td>the fishermen brought their boats back to the harbour.</td></tr></table>",
    ),
    (
        "Notes: A Letter",
        "<h1>Notes: A Letter</h1>\
         <p>The letter was never opened<a epub:type='noteref' href='#n1'>1</a>. It lay in the drawer for twenty \
         years.</p>\
         <aside epub:type='footnote' id='n1'><p>The letter was found again in the summer, behind the kitchen \
         cupboard.</p></aside>",
    ),
    (
        "7",
        "<h1>7</h1><p>In the end they all came home, and the door of the house was closed behind them.</p>",
    ),
];

const CONTAINER: &str = "<?xml version='1.0'?><container version='1.0' \
    xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfiles><rootfile full-path='OEBPS/p.opf' \
    media-type='application/oebps-package+xml'/></rootfiles></container>";

fn page(body: &str) -> String {
    format!(
        "<?xml version='1.0' encoding='utf-8'?>\n<html xmlns='http://www.w3.org/1999/xhtml' \
         xmlns:epub='http://www.idpf.org/2007/ops'><head><title>Page</title></head><body>{body}</body></html>"
    )
}

/// The book as an EPUB.
fn book() -> Vec<u8> {
    let (mut items, mut refs, mut contents) = (String::new(), String::new(), String::new());
    let mut files = vec![
        ("mimetype".to_owned(), "application/epub+zip".to_owned()),
        ("META-INF/container.xml".to_owned(), CONTAINER.to_owned()),
    ];
    for (number, (title, body)) in (1..).zip(CHAPTERS) {
        items += &format!("<item id='c{number}' href='c{number}.xhtml' media-type='application/xhtml+xml'/>");
        refs += &format!("<itemref idref='c{number}'/>");
        contents += &format!("<li><a href='c{number}.xhtml'>{title}</a></li>");
        files.push((format!("OEBPS/c{number}.xhtml"), page(body)));
    }
    files.push((
        "OEBPS/nav.xhtml".to_owned(),
        page(&format!("<nav epub:type='toc'><h1>Contents</h1><ol>{contents}</ol></nav>")),
    ));
    files.push((
        "OEBPS/p.opf".to_owned(),
        format!(
            "<?xml version='1.0'?><package xmlns='http://www.idpf.org/2007/opf' version='3.0' \
             unique-identifier='i'><metadata xmlns:dc='http://purl.org/dc/elements/1.1/'>\
             <dc:identifier id='i'>trap</dc:identifier><dc:title>The Trap: A Story</dc:title>\
             <dc:language>en</dc:language></metadata><manifest>{items}<item id='nav' href='nav.xhtml' \
             media-type='application/xhtml+xml' properties='nav'/></manifest><spine>{refs}</spine></package>"
        ),
    ));
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(name, SimpleFileOptions::default()).expect("an entry begins");
        zip.write_all(text.as_bytes()).expect("an entry is written");
    }
    zip.finish().expect("a zip ends").into_inner()
}

fn desk() -> Desk {
    let desk = Desk::new();
    std::fs::write(desk.path("book.epub"), book()).expect("a book");
    desk
}

const RUN: [&str; 6] = ["run", "book.epub", "-o", "book.m4b", "--check", "fast"];
const VERIFY: [&str; 5] = ["verify", "--book", "book.epub", "--audio", "book.m4b"];

/// What the last line counts: words in the book, heard, lost.
fn counts(text: &str) -> [u64; 3] {
    let line = text.trim_end().lines().last().expect("a last line");
    let number = |part: &str| part.split_whitespace().filter_map(|word| word.parse().ok()).next_back();
    let parts: Vec<u64> = line.trim_end_matches('.').split(", ").filter_map(number).collect();
    parts.try_into().unwrap_or_else(|_| panic!("{line}"))
}

/// That the audit found `lost` to be missing in the chapter of that title: where in the book, and when.
fn expect_missing(audit: &Value, lost: &str, chapter: &str, document: &str) {
    let differences = audit["differences"].as_array().expect("a list");
    let is_it = |it: &&Value| it["written"].as_str().is_some_and(|written| written.contains(lost));
    let it = differences.iter().find(is_it).unwrap_or_else(|| panic!("{lost} is not missed: {audit:#}"));
    assert_eq!(it["chapter_title"], chapter, "{it:#}");
    assert_eq!(it["document"], document, "{it:#}");
    assert!(it["span"]["start"].as_u64() > Some(0) && it["start_ms"].as_u64() > Some(0), "{it:#}");
    assert!(audit["words_lost"].as_u64() >= Some(lost.split_whitespace().count() as u64), "{audit:#}");
}

fn report(desk: &Desk) -> Value {
    serde_json::from_slice(&desk.read("book.narration/report.json")).expect("a report")
}

fn read_script(desk: &Desk) -> Script {
    narrator_script::read_script(desk.read("book.narration/script.jsonl").as_slice()).expect("a script")
}

/// Puts the audiobook together once more, from the takes of a script.
fn assemble(desk: &Desk, script: &Script) {
    let job = desk.path("book.narration");
    let replay = narrator_journal::read(&StdFs, &job.join("segments.ckpt")).expect("a journal");
    let piece = |segment: &Segment| {
        let take = replay.audible(&segment.key).expect("a take").take;
        let take = take_path(&job.join("takes"), &segment.key, take);
        Piece { take, pause_after_ms: segment.pause_after_ms }
    };
    let chapters = script.chapters.iter().map(|chapter| ChapterAudio {
        title: chapter.title.clone(),
        pieces: script.segments[chapter.segments.start as usize..chapter.segments.end as usize]
            .iter()
            .map(piece)
            .collect(),
    });
    let assembly = Assembly {
        chapters: chapters.collect(),
        metadata: Metadata { title: "The Trap".into(), language: "en".into(), ..Metadata::default() },
        ..Assembly::default()
    };
    let output = Output::parse(&desk.path("book.m4b"), None).expect("an output");
    let tool = Ffmpeg::find(&[ffmpeg()]).expect("ffmpeg");
    narrator_audio::assemble(&assembly, &output, Some(&tool), &mut |_| ControlFlow::Continue(()))
        .expect("an audiobook");
}

#[test]
fn a_book_of_traps_is_whole_and_a_segment_taken_out_by_hand_is_missed() {
    let desk = desk();
    let ran = Ran(desk.narratord(&RUN).output().expect("narratord starts")).expect(0);
    let whole = report(&desk);
    assert_eq!(whole["audit"]["words_lost"], 0, "{whole:#}");
    let titles: Vec<&str> = whole["chapters"]
        .as_array()
        .expect("chapters")
        .iter()
        .filter_map(|it| it["title"].as_str())
        .collect();
    for (title, body) in CHAPTERS {
        assert_eq!(titles.contains(&title), body != "<h1></h1>", "{title}: {titles:?}");
    }
    let [words, heard, lost] = counts(&ran.stderr());
    assert!(words > 150 && heard > 150 && lost == 0, "{words} {heard} {lost}");
    let alone = desk.run(&VERIFY).expect(0);
    assert_eq!(counts(&alone.stdout()), [words, heard, 0]);

    // A sentence less: in the script, in its ledger, and so in the audiobook.
    let mut script = read_script(&desk);
    let ledger = desk.read("book.narration/ledger.jsonl");
    let mut ledger = narrator_script::read_ledger(ledger.as_slice()).expect("a ledger");
    let gone = forget(&mut script, &mut ledger, InLedger::Hole, |it, _| it.text.contains("They sold bread"));
    assert_eq!(gone.len(), 1, "{gone:#?}");
    let (mut lines, mut entries) = (Vec::new(), Vec::new());
    narrator_script::write_script(&script, &mut lines).expect("a script");
    narrator_script::write_ledger(&ledger, &mut entries).expect("a ledger");
    std::fs::write(desk.path("book.narration/script.jsonl"), lines).expect("a script");
    std::fs::write(desk.path("book.narration/ledger.jsonl"), entries).expect("a ledger");
    // A script that is shorter than its job says would be seen by `status` alone.
    let count = script.segments.len();
    let job = String::from_utf8(desk.read("book.narration/job.toml")).expect("text");
    let shorter = job.replace(&format!("segments = {}", count + 1), &format!("segments = {count}"));
    assert_ne!(job, shorter);
    std::fs::write(desk.path("book.narration/job.toml"), shorter).expect("a job");
    assemble(&desk, &script);

    // Every segment that is left passes.
    let status = desk.run(&["status", "book.m4b", "--json"]).expect(0).json();
    assert_eq!(status["done"], status["segments"], "{status:#}");
    desk.run(&["checkpoint", "verify", "book.narration"]).expect(0);

    let found = desk.run(&[&VERIFY[..], &["--json"]].concat()).expect(3).json();
    expect_missing(&found, "bread and cheese in the market", "THE WINTER MARKET", "OEBPS/c4.xhtml");
    assert_eq!(found.get("ledger"), None, "without a job there is none");
    let alone = desk.run(&VERIFY).expect(3);
    let [_, _, lost] = counts(&alone.stdout());
    assert!(lost >= 12, "of sixteen words: {}", alone.stdout());
    assert!(alone.stderr().contains("in “THE WINTER MARKET”: lost: “"), "{}", alone.stderr());
    let of_job = desk.run(&["verify", "book.narration"]).expect(3);
    let told = of_job.stderr();
    assert!(
        told.contains("have no fate in the ledger; in “THE WINTER MARKET” (OEBPS/c4.xhtml, byte"),
        "{told}"
    );

    // The same command puts the book right, and speaks nothing again.
    desk.run(&RUN).expect(0);
    assert_eq!(read_script(&desk).segments.len(), script.segments.len() + 1);
    desk.run(&VERIFY).expect(0);
}

fn forgetful(desk: &Desk, what: &str, ledger: &str, arguments: &[&str]) -> Ran {
    let mut command = desk.command("narrator-forgetful", arguments);
    command.env("NARRATOR_FORGETS", what).env("NARRATOR_LEDGER", ledger);
    Ran(command.output().expect("it starts"))
}

#[test]
fn a_chapter_that_a_broken_splitter_forgot_is_missed_by_the_run_itself() {
    let desk = desk();
    let ran = forgetful(&desk, "chapter:The Table of Days", "hole", &RUN).expect(3);
    let report = report(&desk);
    // Every segment passed.
    assert_eq!(report["spoken"], report["segments"], "{report:#}");
    assert_eq!(report["quarantined"], serde_json::json!([]));
    expect_missing(&report["audit"], "the baker opened his shop", "The Table of Days", "OEBPS/c6.xhtml");
    let told = ran.stderr();
    assert!(
        told.contains("have no fate in the ledger; in “The Table of Days” (OEBPS/c6.xhtml, byte"),
        "{told}"
    );
    assert!(counts(&told)[2] >= 20, "{told}");
    let page = String::from_utf8(desk.read("book.narration/report.html")).expect("text");
    assert!(page.contains("The Table of Days") && page.contains("have no fate in the ledger"));
    let events = desk.events("book.narration");
    assert!(events.iter().any(|event| event["event"] == "ledger_broken" && event["level"] == "error"));

    let alone = desk.run(&[&VERIFY[..], &["--json"]].concat()).expect(3).json();
    expect_missing(&alone, "the baker opened his shop", "The Table of Days", "OEBPS/c6.xhtml");
    desk.run(&["verify", "book.narration"]).expect(3);
}

#[test]
fn text_that_is_called_not_selected_is_missed_even_when_nobody_listens() {
    let desk = desk();
    let run = ["run", "book.epub", "-o", "book.m4b", "--check", "off"];
    let ran = forgetful(&desk, "behind the kitchen", "lie", &run).expect(3);
    let told = ran.stderr();
    assert!(told.contains("left out as not selected; in “Notes: A Letter” (OEBPS/c7.xhtml, byte"), "{told}");
    // Nothing is left to do, and the book is no better for it.
    forgetful(&desk, "behind the kitchen", "lie", &run).expect(3);
    let of_job = desk.run(&["verify", "book.narration", "--json"]).expect(3).json();
    expect_missing(&of_job, "found again in the summer", "Notes: A Letter", "OEBPS/c7.xhtml");
    assert!(of_job["ledger"].as_str().expect("a sentence").contains("not selected"), "{of_job:#}");
}

#[test]
fn a_person_who_stops_an_audit_is_left_with_nothing_of_it() {
    for by in [libc::SIGINT, libc::SIGTERM] {
        let desk = Desk::new();
        // Minutes of hum: far more than is heard before the signal comes.
        let made = std::process::Command::new(ffmpeg())
            .args(["-v", "error", "-f", "lavfi", "-i", "sine=frequency=180:duration=1800", "-ar", "16000"])
            .arg(desk.path("long.wav"))
            .status()
            .expect("ffmpeg starts");
        assert!(made.success());
        let files = |desk: &Desk| names_below(&desk.path(""));
        let before = files(&desk);
        let book = sample();
        let audit = desk.start(&["verify", "--book", path_text(&book), "--audio", "long.wav", "--plain"]);
        let pid = audit.pid();
        let workers = || children_of(pid).into_iter().filter(|child| is_worker(*child)).collect::<Vec<u32>>();
        assert!(eventually(Duration::from_mins(2), || !workers().is_empty()), "nobody listens");
        let everybody = children_of(pid);
        assert!(signal(pid, by));
        let ran = Running::wait(audit).expect(75);
        assert!(ran.stdout().is_empty() && ran.stderr().contains("stopped as asked"), "{}", ran.stderr());
        let gone = || everybody.iter().all(|child| !is_alive(*child));
        assert!(eventually(Duration::from_secs(30), gone), "{everybody:?} are still there");
        assert_eq!(files(&desk), before);
    }
}

#[test]
fn what_is_no_audio_is_named_and_told_what_to_do_about() {
    let desk = desk();
    for (name, bytes) in [("text.m4b", &b"Not a sound.\n"[..]), ("empty.mp3", b"")] {
        std::fs::write(desk.path(name), bytes).expect("a file");
        let ran = desk.run(&["verify", "--book", "book.epub", "--audio", name]).expect(65);
        let said = ran.stderr();
        assert!(
            said.contains(&format!("{name} cannot be decoded")) && said.contains("another file"),
            "{said}"
        );
        assert!(ran.stdout().is_empty(), "{}", ran.stdout());
    }
}

fn is_worker(pid: u32) -> bool {
    std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with("narrator-worker"))
}

/// Every file below a folder, by name.
fn names_below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        if entry.path().is_dir() {
            names.extend(names_below(&entry.path()));
        } else {
            names.push(path_text(&entry.path()).to_owned());
        }
    }
    names.sort();
    names
}

#[test]
fn the_sample_is_heard_to_be_whole() {
    // What everybody sees first: names that no recogniser can spell, contractions, a table.
    let desk = Desk::new();
    desk.run(&["run", path_text(&sample()), "-o", "book.m4b", "--check", "fast"]).expect(0);
    let audit = &report(&desk)["audit"];
    assert_eq!(audit["words_lost"], 0, "{audit:#}");
    assert!(audit["words_heard"].as_u64() > Some(1_700), "{audit:#}");
}
