//! S4: the deadline grows with the text, and generation without an end is a fault of its own.

use std::time::Duration;

use narrator_pool::What;
use narrator_tests::bench::Bench;
use narrator_tests::sim::{Births, Deed, SimScript, SpeakRule};

#[tokio::test]
async fn moving_past_the_deadline_is_not_a_stall() {
    let deed = Deed::Slow { steps: 10_000, every_ms: 20 };
    let script =
        SimScript { speak: vec![SpeakRule::on("<2>", deed).only(Births::Only(1))], ..SimScript::default() };
    let bench = Bench::new(3).script(script).settings(|settings| {
        settings.deadline_floor = Duration::from_secs(2);
        settings.deadline_factor = 0.0;
    });
    let report = bench.run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!((report.done(), report.faults()), (vec![1, 2, 3], vec!["deadline_exceeded"]));
}

#[tokio::test]
async fn a_runaway_is_stopped_by_the_worker_and_tried_with_other_dice() {
    let script = SimScript {
        speak: vec![SpeakRule { nth: Some(2), ..SpeakRule::on("<2>", Deed::Runaway) }],
        ..SimScript::default()
    };
    let report = Bench::new(3).script(script).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!((report.done(), report.faults()), (vec![1, 2, 3], vec!["runaway"]));
    assert_eq!(report.outcome.counters.spawned, 1, "the worker lives on");
    let second = report.takes().iter().find(|take| take.dispatch.segment.0 == 2).expect("spoken");
    assert_eq!((second.take, second.dispatch.attempt), (1, 2));
}

#[tokio::test]
async fn a_worker_that_does_not_hold_its_cap_is_stopped_from_outside() {
    let script = SimScript {
        speak: vec![SpeakRule::on("<2>", Deed::RunawayUncapped).only(Births::Only(1))],
        ..SimScript::default()
    };
    let report = Bench::new(3).script(script).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!((report.done(), report.faults()), (vec![1, 2, 3], vec!["protocol_error"]));
    assert!(report.details()[0].contains("was allowed"), "{:?}", report.details());
    assert_eq!(report.count(|what| matches!(what, What::WorkerReady { .. })), 2);
}
