//! Killed at any moment and started again, a run loses nothing, repeats nothing that was recorded, and
//! ends with the same samples.

use std::collections::BTreeSet;

use narrator_tests::program::{Desk, sample};
use serde_json::Value;

fn undisturbed() -> Vec<u8> {
    let desk = Desk::new();
    desk.narrate("book.wav");
    desk.read("book.wav")
}

/// How many of an event must have come before the run is killed.
type Moment = (&'static str, usize);

fn count(events: &[Value], name: &str) -> usize {
    events.iter().filter(|event| event["event"] == name).count()
}

fn segments(events: &[Value], name: &str) -> BTreeSet<u64> {
    events
        .iter()
        .filter(|event| event["event"] == name)
        .filter_map(|event| event["segment"].as_u64())
        .collect()
}

#[test]
fn a_run_killed_at_five_moments_ends_with_the_same_audio() {
    let whole = undisturbed();
    let book = sample();
    let book = book.to_str().unwrap();
    let desk = Desk::new();
    let arguments = ["run", book, "-o", "book.wav", "--workers", "2"];
    let job = "book.narration";
    // Before any worker is ready, after the first take, in the middle, near the end, while assembling.
    let moments: [Moment; 5] = [
        ("worker_starting", 1),
        ("segment_done", 1),
        ("segment_done", 8),
        ("segment_done", 24),
        ("assembly_started", 1),
    ];
    for (event, enough) in moments {
        let running = desk.start(&arguments);
        desk.wait_for(job, event, |events| count(events, event) >= enough);
        running.kill();
    }
    desk.run(&arguments).expect(0);
    assert!(whole == std::fs::read(desk.path("book.wav")).unwrap(), "the audio differs");

    // Nothing that a run had recorded was dispatched by a later one.
    let events = desk.events(job);
    let starts: Vec<usize> =
        events.iter().enumerate().filter(|(_, e)| e["event"] == "run_started").map(|(i, _)| i).collect();
    assert_eq!(starts.len(), 6);
    for (n, start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(events.len());
        let done = segments(&events[..*start], "segment_done");
        let spoken_again = segments(&events[*start..end], "segment_dispatched");
        let repeated: Vec<_> = done.intersection(&spoken_again).collect();
        assert!(repeated.is_empty(), "run {n} repeated {repeated:?}");
    }
    desk.run(&["checkpoint", "verify", job]).expect(0);
}

#[test]
fn a_worker_killed_in_the_middle_of_a_segment_costs_no_text() {
    let whole = undisturbed();
    let book = sample();
    let desk = Desk::new();
    let running = desk.start(&["run", book.to_str().unwrap(), "-o", "book.wav", "--workers", "1"]);
    let mut killed = 0;
    for enough in [3, 12] {
        desk.wait_for("book.narration", "takes", |events| count(events, "segment_done") >= enough);
        let events = desk.events("book.narration");
        let spawned = events.iter().rev().find(|event| event["event"] == "worker_spawned").unwrap();
        let pid = spawned["pid"].as_i64().unwrap();
        // SAFETY: kill takes a pid and a signal number and touches no memory of ours.
        killed += i32::from(unsafe { libc::kill(pid as i32, libc::SIGKILL) } == 0);
    }
    running.wait().expect(0);
    assert!(killed > 0);
    let events = desk.events("book.narration");
    assert!(count(&events, "worker_ready") > killed as usize, "each was replaced");
    assert!(whole == std::fs::read(desk.path("book.wav")).unwrap(), "the audio differs");
}

#[test]
fn the_first_signal_drains_and_the_same_command_resumes() {
    let book = sample();
    let book = book.to_str().unwrap();
    let desk = Desk::new();
    let running = desk.start(&["run", book, "-o", "book.wav", "--workers", "1"]);
    desk.wait_for("book.narration", "takes", |events| count(events, "segment_done") >= 2);
    // SAFETY: kill takes a pid and a signal number and touches no memory of ours.
    assert_eq!(unsafe { libc::kill(running.pid() as i32, libc::SIGTERM) }, 0);
    let stopped = running.wait().expect(75);
    assert!(stopped.stderr().contains("run the same command again"), "{}", stopped.stderr());
    let status = desk.run(&["status", "--json"]).expect(0).json();
    assert_eq!(status["state"], "stopped");
    desk.run(&["run", book, "-o", "book.wav"]).expect(0);
    assert!(undisturbed() == std::fs::read(desk.path("book.wav")).unwrap(), "the audio differs");
}
