//! S12: one run per job. The second says who holds it and goes; a run that was killed holds nothing.

use narrator_tests::program::{Desk, sample};
use serde_json::Value;

fn started(events: &[Value]) -> bool {
    events.iter().any(|event| event["event"] == "run_started")
}

#[test]
fn the_second_run_says_who_holds_the_job_and_touches_nothing() {
    let book = sample();
    let book = book.to_str().unwrap();
    let desk = Desk::new();
    let first = desk.start(&["run", book, "-o", "book.wav"]);
    desk.wait_for("book.narration", "the start", started);
    let frozen = desk.read("book.narration/job.toml");
    let second = desk.run(&["run", book, "-o", "book.wav", "--seed", "7"]).expect(73);
    assert!(second.stderr().contains(&format!("process {}", first.pid())), "{}", second.stderr());
    assert_eq!(desk.read("book.narration/job.toml"), frozen, "another run's settings got in");
    first.wait().expect(0);
    assert_eq!(
        desk.events("book.narration").iter().filter(|event| event["event"] == "run_started").count(),
        1
    );
}

#[test]
fn one_output_is_one_job_whoever_asks_for_it() {
    let book = sample();
    let book = book.to_str().unwrap();
    let desk = Desk::new();
    let first = desk.start(&["run", book, "-o", "book.wav"]);
    desk.wait_for("book.narration", "the start", started);
    // The same job by another name.
    let folder = desk.path("book.narration");
    let second = desk.run(&["run", book, "-o", "other.wav", "--job", folder.to_str().unwrap()]).expect(73);
    assert!(second.stderr().contains(&format!("process {}", first.pid())), "{}", second.stderr());
    assert!(!desk.path("other.wav").exists());
    // Another job goes on beside it.
    desk.run(&["run", book, "-o", "elsewhere.wav"]).expect(0);
    first.wait().expect(0);
}

#[test]
fn a_killed_run_holds_nothing() {
    let book = sample();
    let book = book.to_str().unwrap();
    let desk = Desk::new();
    let first = desk.start(&["run", book, "-o", "book.wav"]);
    desk.wait_for("book.narration", "the start", started);
    let pid = first.pid();
    first.kill();
    let status = desk.run(&["status", "--json"]).expect(0).json();
    assert_eq!((&status["state"], &status["held_by"]), (&"stopped".into(), &Value::Null), "{status}");
    let second = desk.run(&["run", book, "-o", "book.wav"]).expect(0);
    assert!(!second.stderr().contains(&format!("process {pid}")), "{}", second.stderr());
}
