//! `narratord checkpoint verify`, `dump` and `repair`, as a person uses them.

use std::path::PathBuf;

use narrator_tests::program::{Ran, path_text};
use narrator_tests::sim::{Births, Deed, SimScript, SpeakRule};
use narrator_tests::sim_desk::{JOB, SimDesk, only_in};
use serde_json::Value;

/// Four segments done, the first of them after a worker's death, and one in quarantine: always in this order.
fn told_night() -> SimDesk {
    let speak = vec![
        SpeakRule::on(&only_in(1), Deed::Kill).only(Births::Only(1)),
        SpeakRule::on(&only_in(5), Deed::BadRequest),
    ];
    let desk = SimDesk::new(5, SimScript { speak, ..SimScript::default() });
    desk.run(&desk.run_arguments()).expect(3);
    desk
}

fn journal(desk: &SimDesk) -> PathBuf {
    desk.job().join("segments.ckpt")
}

fn checkpoint(desk: &SimDesk, arguments: &[&str], exit: i32) -> Ran {
    desk.run(&[&["checkpoint"], arguments, &[JOB]].concat()).expect(exit)
}

/// What was said, without what differs from run to run.
fn steady(desk: &SimDesk, ran: &Ran) -> String {
    let said = format!("exit {}\n{}{}", ran.code(), ran.stdout(), ran.stderr());
    let said = said.replace(path_text(&desk.path("")), "[desk]/");
    let words = said.split(' ').map(|word| {
        let run = word.len() == 36 && word.bytes().filter(|byte| *byte == b'-').count() == 4;
        if run { "[run]" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn records(desk: &SimDesk, exit: i32) -> Vec<Value> {
    let dumped = checkpoint(desk, &["dump", "--json"], exit).stdout();
    dumped.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_sound_journal() {
    let desk = told_night();
    insta::assert_snapshot!("verify_sound", steady(&desk, &checkpoint(&desk, &["verify"], 0)));
    insta::assert_snapshot!("dump", steady(&desk, &checkpoint(&desk, &["dump"], 0)));
    insta::assert_snapshot!("repair_sound", steady(&desk, &checkpoint(&desk, &["repair", "--dry-run"], 0)));
    assert_eq!(records(&desk, 0).len(), checkpoint(&desk, &["dump"], 0).stdout().lines().count());
}

#[test]
fn a_lost_and_an_altered_take_are_named_and_spoken_again() {
    let desk = told_night();
    let takes: Vec<PathBuf> = records(&desk, 0)
        .iter()
        .filter(|record| record["kind"] == "segment_done")
        .map(|done| {
            let key = done["key"].as_str().expect("a key");
            desk.job().join("takes").join(&key[..2]).join(format!("{key}.flac"))
        })
        .collect();
    assert_eq!(takes.len(), 4, "{:#?}", records(&desk, 0));
    std::fs::remove_file(&takes[0]).unwrap();
    let mut altered = std::fs::read(&takes[1]).unwrap();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    std::fs::write(&takes[1], &altered).unwrap();
    std::fs::write(&takes[2], &altered[..last]).unwrap();
    let said = checkpoint(&desk, &["verify"], 65);
    let name = takes[1].file_name().unwrap().to_str().unwrap();
    assert!(said.stdout().contains("its take is missing"), "{}", said.stdout());
    assert!(said.stdout().contains("delete ") && said.stdout().contains(name), "{}", said.stdout());
    assert!(said.stdout().contains("bytes, not"), "{}", said.stdout());
    let json = desk.run(&["checkpoint", "verify", "--json", JOB]).expect(65).json();
    assert_eq!(json["lost_takes"].as_array().unwrap().len(), 3);
    // As advised.
    std::fs::remove_file(&takes[1]).unwrap();
    desk.run(&desk.run_arguments()).expect(3);
    checkpoint(&desk, &["verify"], 0);
}

#[test]
fn a_torn_last_write_is_sound_and_cut_off_by_the_next_run() {
    let desk = told_night();
    let mut bytes = std::fs::read(journal(&desk)).unwrap();
    bytes.truncate(bytes.len() - 11);
    std::fs::write(journal(&desk), &bytes).unwrap();
    insta::assert_snapshot!("verify_torn", steady(&desk, &checkpoint(&desk, &["verify"], 0)));
    let said = desk.run(&desk.run_arguments()).expect(3).stderr();
    assert!(said.contains("warning:"), "{said}");
    insta::assert_snapshot!("verify_after", steady(&desk, &checkpoint(&desk, &["verify"], 0)));
}

#[test]
fn damage_is_refused_told_and_mended_without_losing_a_take() {
    let desk = told_night();
    let before = records(&desk, 0);
    let whole = std::fs::read(journal(&desk)).unwrap();
    let mut bytes = whole.clone();
    // In the middle of the first result.
    let first = before.iter().find(|record| record["kind"] == "segment_done").unwrap();
    let at = first["offset"].as_u64().unwrap() as usize;
    bytes[at + 20] ^= 0x10;
    std::fs::write(journal(&desk), &bytes).unwrap();
    let births = desk.place().pids().len();

    let said = checkpoint(&desk, &["verify"], 65).stdout();
    assert!(said.starts_with(&format!("damaged at byte {at}: no record can be read here")), "{said}");
    assert!(said.contains("records: 3, in ") && said.contains("checkpoint repair --dry-run"), "{said}");
    let refused = desk.run(&desk.run_arguments()).expect(65).stderr();
    assert!(refused.contains("narratord checkpoint repair"), "{refused}");
    assert!(checkpoint(&desk, &["dump"], 0).stdout().contains("(behind damage)"));
    insta::assert_snapshot!("repair_dry", steady(&desk, &checkpoint(&desk, &["repair", "--dry-run"], 0)));
    assert!(std::fs::read(journal(&desk)).unwrap() == bytes, "a dry run changes nothing");
    assert_eq!(
        std::fs::read_dir(desk.job())
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().file_name().to_string_lossy().contains("damaged") })
            .count(),
        0
    );

    insta::assert_snapshot!("repair", steady(&desk, &checkpoint(&desk, &["repair"], 0)));
    assert!(
        std::fs::read(desk.job().join("segments.ckpt.damaged-1")).unwrap() == bytes,
        "the original is kept"
    );
    checkpoint(&desk, &["verify"], 0);
    // The one result that cannot be believed is spoken again, and what was quarantined is tried again.
    desk.run(&desk.run_arguments()).expect(3);
    assert!(desk.place().pids().len() > births);
    let status = desk.run(&["status", "--json", JOB]).expect(0).json();
    assert_eq!((&status["done"], &status["state"]), (&4.into(), &"finished".into()));
}

#[test]
fn nobody_mends_what_a_run_writes_to() {
    let forever = Deed::Slow { steps: 1_000_000, every_ms: 20 };
    let rule = SpeakRule::on(&only_in(2), forever);
    let desk = SimDesk::new(2, SimScript { speak: vec![rule], ..SimScript::default() });
    let running = desk.start(&desk.run_arguments());
    desk.wait_for_events("segment_done", 1);
    checkpoint(&desk, &["verify"], 0);
    let refused = checkpoint(&desk, &["repair"], 73).stderr();
    assert!(refused.contains(&format!("process {}", running.pid())), "{refused}");
    running.kill();
}

#[test]
fn what_is_no_journal_is_a_sentence() {
    let desk = SimDesk::new(1, SimScript::default());
    std::fs::create_dir(desk.job()).unwrap();
    for command in ["verify", "dump", "repair"] {
        let said = checkpoint(&desk, &[command], 69).stderr();
        assert!(said.contains("has no journal yet"), "{command}: {said}");
    }
    std::fs::write(journal(&desk), "Dear diary, ".repeat(20)).unwrap();
    for (command, exit) in [("verify", 65), ("dump", 65), ("repair", 65)] {
        let said = checkpoint(&desk, &[command], exit);
        let said = said.stdout() + &said.stderr();
        assert!(said.contains("not a segment journal"), "{command}: {said}");
    }
}
