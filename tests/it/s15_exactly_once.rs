//! S15: whatever arrives late or twice, one result is accepted for a segment.

use narrator_pool::{Stopped, What};
use narrator_tests::bench::Bench;
use narrator_tests::sim::{Births, Deed, SimScript, SpeakRule};

#[tokio::test]
async fn an_undisturbed_run_speaks_everything_once_and_in_order() {
    let report = Bench::new(40).slots(&["cpu", "cpu"]).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.outcome.stopped, Stopped::Finished);
    assert_eq!(report.done(), (1..=40).collect::<Vec<_>>());
    assert!(report.spoken().values().all(|times| *times == 1));
    assert_eq!(report.faults(), [""; 0]);
    let dispatched: Vec<_> = report
        .events()
        .filter_map(|what| match what {
            What::SegmentDispatched { segment, .. } => Some(segment.0),
            _ => None,
        })
        .collect();
    assert!(dispatched.is_sorted());
}

#[tokio::test]
async fn second_answers_and_answers_to_nothing_are_dropped_and_counted() {
    let script = SimScript {
        speak: vec![SpeakRule::on("<2>", Deed::Twice), SpeakRule::on("<4>", Deed::Stray)],
        ..SimScript::default()
    };
    let report = Bench::new(6).script(script).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.done(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(report.outcome.counters.dropped, 2);
    assert_eq!(report.count(|what| matches!(what, What::AnswerDropped { answer: "done", .. })), 2);
}

#[tokio::test]
async fn an_answer_that_comes_when_the_segment_is_long_elsewhere_changes_nothing() {
    let script = SimScript {
        speak: vec![SpeakRule::on("<3>", Deed::Late).only(Births::Only(1))],
        ..SimScript::default()
    };
    // The worker sits on its answer until it is told to forget it; being stuck, it is.
    let bench = Bench::new(6).script(script).settings(|settings| {
        settings.stall_floor = std::time::Duration::from_millis(600);
    });
    let report = bench.run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.done(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(report.faults(), ["stalled"]);
}
