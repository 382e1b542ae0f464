//! S2: alive is not ready. Loading may be slow as long as it moves; a death in any state is found.

use std::time::Duration;

use narrator_core::Fault;
use narrator_pool::{Stopped, What};
use narrator_tests::bench::Bench;
use narrator_tests::sim::{Birth, Births, Deed, Load, SimScript, SpeakRule};

#[tokio::test]
async fn a_slow_load_that_moves_survives() {
    let load = vec![(Births::All, Load::Slow { moves: 12, every_ms: 250 })];
    let bench = Bench::new(2).script(SimScript { load, ..SimScript::default() });
    // In all it takes longer than the patience without a move.
    let report = bench.settings(|settings| settings.load_stall = Duration::from_secs(2)).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.faults(), [""; 0]);
    assert!(report.count(|what| matches!(what, What::WorkerLoading { .. })) >= 8);
}

#[tokio::test]
async fn a_load_that_stops_is_given_up_though_it_beats() {
    let load = vec![(Births::Only(1), Load::Stop)];
    let bench = Bench::new(2).script(SimScript { load, ..SimScript::default() });
    let report = bench.settings(|settings| settings.load_stall = Duration::from_secs(1)).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!((report.done(), report.faults()), (vec![1, 2], vec!["load_stalled"]));
}

#[tokio::test]
async fn a_death_in_each_state_is_found_and_named() {
    let birth = |deed| SimScript { birth: vec![(Births::Only(1), deed)], ..SimScript::default() };
    let load = |deed| SimScript { load: vec![(Births::Only(1), deed)], ..SimScript::default() };
    let speak = |deed| SimScript {
        speak: vec![SpeakRule::on("<1>", deed).only(Births::Only(1))],
        ..SimScript::default()
    };
    let exit = Birth::Exit { code: 127, line: "libtorch_cpu.so: cannot open shared object".into() };
    for (script, fault, word) in [
        (birth(exit), "load_failed", "exit code 127 before its handshake; it said last: libtorch_cpu.so"),
        (birth(Birth::Abort), "load_failed", "signal 6 (SIGABRT) before its handshake"),
        (load(Load::Exit { code: 3 }), "load_failed", "exit code 3 while loading"),
        (load(Load::Abort), "load_failed", "signal 6 (SIGABRT) while loading"),
        (load(Load::Fail), "load_failed", "tensor talker.w is short"),
        (speak(Deed::Kill), "crashed", "signal 9 (SIGKILL)"),
        (speak(Deed::Exit { code: 9 }), "crashed", "exit code 9"),
        (speak(Deed::DeviceFault), "device_fault", "illegal memory access"),
    ] {
        let report = Bench::new(2).script(script.clone()).run().await;
        report.assert_nothing_lost_or_left();
        assert_eq!((report.done(), report.faults()), (vec![1, 2], vec![fault]), "{script:?}");
        assert!(report.details()[0].contains(word), "{:?}", report.details());
        assert_eq!(report.outcome.counters.restarts, 1);
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_not_tried_again() {
    for script in [
        SimScript { load: vec![(Births::All, Load::Reject)], ..SimScript::default() },
        SimScript { load: vec![(Births::All, Load::Exit { code: 78 })], ..SimScript::default() },
        SimScript {
            birth: vec![(Births::All, Birth::Exit { code: 78, line: "no model".into() })],
            ..SimScript::default()
        },
    ] {
        let report = Bench::new(2).script(script).run().await;
        report.assert_nothing_lost_or_left();
        let stopped = &report.outcome.stopped;
        assert!(matches!(stopped, Stopped::NoSlotLeft { fault: Fault::ConfigRejected, .. }), "{stopped:?}");
        assert_eq!(report.outcome.counters.spawned, 1);
    }
}
