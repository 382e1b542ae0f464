//! `narratord status` answers for a job in any condition.

use std::path::Path;

use narrator_tests::processes::signal;
use narrator_tests::sim::{Births, Deed, SimScript, SpeakRule};
use narrator_tests::sim_desk::{JOB, SimDesk, only_in};
use serde_json::Value;

fn status(desk: &SimDesk, exit: i32) -> Value {
    let found = desk.run(&["status", "--json"]).expect(exit).json();
    // What a person reads says the same, and never more than a screen of it.
    let told = desk.run(&["status", JOB]).expect(exit).stdout();
    assert!(told.lines().count() < 25, "{told}");
    for said in [&found["problem"], &found["advice"], &found["title"]] {
        assert!(told.contains(said.as_str().unwrap_or_default()), "{told}\n{found:#}");
    }
    found
}

fn finished() -> SimDesk {
    let desk = SimDesk::new(4, SimScript::default());
    desk.narrate().expect(0);
    desk
}

fn spoil(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).expect("the file is there");
    change(&mut bytes);
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn a_job_that_runs_a_job_that_stopped_and_a_job_that_is_done() {
    let forever = Deed::Slow { steps: 1_000_000, every_ms: 20 };
    let rule = SpeakRule::on(&only_in(4), forever).only(Births::Only(1));
    let desk = SimDesk::new(6, SimScript { speak: vec![rule], ..SimScript::default() });
    let running = desk.start(&desk.run_arguments());
    desk.wait_for_events("segment_done", 3);
    let live = status(&desk, 0);
    assert_eq!((&live["state"], &live["done"], &live["pending"]), (&"running".into(), &3.into(), &3.into()));
    assert!(live["held_by"].as_str().unwrap().starts_with(&format!("process {}", running.pid())), "{live:#}");
    signal(running.pid(), libc::SIGKILL);
    drop(running);
    let dead = status(&desk, 0);
    assert_eq!((&dead["state"], &dead["done"], &dead["segments"]), (&"stopped".into(), &3.into(), &6.into()));
    assert_eq!(dead["held_by"], Value::Null);
    desk.narrate().expect(0);
    let done = status(&desk, 0);
    assert_eq!((&done["state"], &done["done"], &done["pending"]), (&"finished".into(), &6.into(), &0.into()));
    assert!(done["audio_s"].as_f64().unwrap() > 1.0 && done["last_exit"] == 0, "{done:#}");
}

#[test]
fn a_segment_in_quarantine_is_named_with_its_reason() {
    let rule = SpeakRule::on(&only_in(2), Deed::BadRequest);
    let desk = SimDesk::new(3, SimScript { speak: vec![rule], ..SimScript::default() });
    desk.run(&desk.run_arguments()).expect(3);
    let found = status(&desk, 0);
    assert_eq!((&found["state"], &found["done"]), (&"finished".into(), &2.into()));
    let reason = found["quarantined"][0]["reason"].as_str().unwrap();
    assert!(found["quarantined"][0]["segment"] == 2 && reason.contains("no sound"), "{found:#}");
}

#[test]
fn an_audiobook_that_was_moved_is_no_damage() {
    let desk = finished();
    std::fs::rename(desk.path("book.wav"), desk.path("elsewhere.wav")).unwrap();
    let found = status(&desk, 0);
    assert_eq!((&found["state"], &found["output_is_there"]), (&"finished".into(), &false.into()));
    assert!(found["advice"].as_str().unwrap().contains("moved"), "{found:#}");
}

#[test]
fn a_damaged_journal_is_named_with_the_way_out() {
    let desk = finished();
    spoil(&desk.job().join("segments.ckpt"), |bytes| bytes[100] ^= 1);
    let found = status(&desk, 65);
    assert_eq!((&found["state"], &found["title"]), (&"damaged".into(), &"book".into()));
    assert!(found["problem"].as_str().unwrap().contains("byte 64"), "{found:#}");
    assert!(found["advice"].as_str().unwrap().contains("checkpoint repair"), "{found:#}");
}

#[test]
fn a_journal_that_is_gone_is_not_taken_for_a_new_job() {
    let desk = finished();
    std::fs::remove_file(desk.job().join("segments.ckpt")).unwrap();
    let found = status(&desk, 65);
    assert!(found["problem"].as_str().unwrap().ends_with("segments.ckpt is gone"), "{found:#}");
}

#[test]
fn damaged_settings_hide_nothing_of_what_is_done() {
    let desk = finished();
    spoil(&desk.job().join("job.toml"), |bytes| bytes.truncate(20));
    let found = status(&desk, 65);
    assert_eq!(
        (&found["state"], &found["done"], &found["segments"]),
        (&"damaged".into(), &4.into(), &4.into())
    );
    assert!(found["problem"].as_str().unwrap().contains("job.toml"), "{found:#}");
    // The advice holds.
    std::fs::remove_file(desk.job().join("job.toml")).unwrap();
    desk.narrate().expect(0);
    assert_eq!(status(&desk, 0)["state"], "finished");
}

#[test]
fn a_script_cut_short_and_a_damaged_report_are_made_anew_by_the_same_command() {
    for file in ["script.jsonl", "report.json"] {
        let desk = finished();
        let births = desk.place().pids().len();
        spoil(&desk.job().join(file), |bytes| bytes.truncate(bytes.len() / 2));
        let found = status(&desk, 65);
        assert!(found["problem"].as_str().unwrap().contains(file), "{found:#}");
        desk.narrate().expect(0);
        assert_eq!(status(&desk, 0)["state"], "finished", "{file}");
        assert_eq!(desk.place().pids().len(), births, "nothing was spoken again");
    }
}

#[test]
fn an_empty_folder_is_a_job_that_was_not_begun() {
    let desk = SimDesk::new(1, SimScript::default());
    std::fs::create_dir(desk.job()).unwrap();
    let found = status(&desk, 0);
    assert_eq!((&found["state"], &found["segments"]), (&"empty".into(), &0.into()));
    // A run that died just after it took the lock.
    std::fs::write(desk.job().join("lock"), "pid 1\n").unwrap();
    assert_eq!(status(&desk, 0)["state"], "empty");
    let none = desk.run(&["status", "nowhere"]).expect(69).stderr();
    assert!(none.contains("there is no job at nowhere"), "{none}");
}
