//! S14: what the orchestrator did not watch, it does not judge. (That no decision reads the wall clock is
//! checked by clippy, which knows one place that may.)

use std::process::{Command, Stdio};
use std::time::Duration;

use narrator_tests::bench::{Host, HostOrder};
use narrator_tests::processes::signal;
use narrator_tests::program::{Running, checkout};
use narrator_tests::sim::{Deed, SimScript, SpeakRule};
use narrator_tests::sim_desk::{SimDesk, count, only_in};

#[test]
fn an_orchestrator_that_slept_finds_no_fault() {
    let script = SimScript {
        speak: vec![SpeakRule::on("<3>", Deed::Slow { steps: 100, every_ms: 20 })],
        ..SimScript::default()
    };
    let order = HostOrder { segments: 12, script, alive_ms: 1_500, suspension_gap_ms: 500 };
    let mut host = Host::start(&order);
    host.recorded("did");
    for _ in 0..2 {
        signal(host.pid(), libc::SIGSTOP);
        // Longer than a worker may be silent.
        std::thread::sleep(Duration::from_millis(1_800));
        signal(host.pid(), libc::SIGCONT);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(host.end(), Some(0));
    let events = host.events();
    assert!(events.contains(r#""event":"clock_gap""#), "{events}");
    assert!(!events.contains(r#""event":"fault_seen""#), "{events}");
    assert_eq!(events.matches(r#""event":"segment_done""#).count(), 12);
}

/// The real program, whose wall clock jumps back in the middle of a segment.
#[test]
fn a_clock_that_is_set_back_a_day_makes_no_fault() {
    let held = SpeakRule::on(&only_in(5), Deed::Slow { steps: 60, every_ms: 20 });
    let desk = SimDesk::new(12, SimScript { speak: vec![held], ..SimScript::default() });
    let (library, flag) = (desk.path("clock.so"), desk.path("the-clock-is-back"));
    let source = checkout().join("tests/fixtures/clock/back.c");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    assert!(compiled.is_ok_and(|status| status.success()), "the C compiler that links this test is there");
    let mut command = desk.narratord(&desk.run_arguments());
    command.env("LD_PRELOAD", &library).env("NARRATOR_TEST_CLOCK", &flag);
    let running = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    desk.wait_for_events("segment_done", 4);
    std::fs::write(&flag, "").unwrap();
    running.wait().expect(0);

    let events = desk.events();
    assert_eq!(count(&events, "segment_done"), 12);
    assert_eq!(count(&events, "fault_seen") + count(&events, "clock_gap"), 0, "{events:#?}");
    // It did jump, for those who look at it: the last day of the log comes before the first.
    let day = |at: usize| events[at]["time"].as_str().unwrap()[..10].to_string();
    assert!(day(events.len() - 1) < day(0), "{} {}", day(0), day(events.len() - 1));
    let elapsed: Vec<_> = events.iter().filter_map(|event| event["elapsed_ms"].as_u64()).collect();
    assert!(elapsed.is_sorted(), "the clock that decisions are made on goes one way");
    let undisturbed = SimDesk::new(12, SimScript::default());
    undisturbed.narrate().expect(0);
    let audio = |desk: &SimDesk| std::fs::read(desk.path("book.wav")).unwrap();
    assert!(audio(&desk) == audio(&undisturbed), "the audio differs");
    // A later run, whose clock is right again, finds everything done.
    std::fs::remove_file(&flag).unwrap();
    let again = desk.narrate().expect(0).stderr();
    assert!(again.contains("nothing is left to do"), "{again}");
}
