//! S7: a poison segment is found out and put aside; the worker is not blamed, the book goes on.

use narrator_core::Fault;
use narrator_pool::{Stopped, What};
use narrator_tests::bench::Bench;
use narrator_tests::sim::{Births, Deed, SimScript, SpeakRule};

fn poison(deed: Deed) -> SimScript {
    SimScript { speak: vec![SpeakRule::on("poison", deed)], ..SimScript::default() }
}

#[tokio::test]
async fn three_deaths_put_a_segment_aside_and_the_book_goes_on() {
    for deed in [Deed::Abort, Deed::Kill, Deed::Garbage, Deed::DeviceFault] {
        let report = Bench::new(6).text(3, "poison").script(poison(deed.clone())).run().await;
        report.assert_nothing_lost_or_left();
        assert_eq!(report.outcome.stopped, Stopped::Finished);
        assert_eq!((report.done(), report.quarantined()), (vec![1, 2, 4, 5, 6], vec![3]), "{deed:?}");
        assert_eq!((report.faults().len(), report.outcome.counters.spawned), (3, 4), "{deed:?}");
    }
}

#[tokio::test]
async fn a_crashed_batch_is_spoken_one_by_one_and_exactly_the_culprit_goes() {
    let script = SimScript { rows: 8, step_ms: 5, ..poison(Deed::Abort) };
    let report = Bench::new(16).text(5, "poison").script(script).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.quarantined(), [5]);
    assert_eq!(report.done().len(), 15);
    assert!(report.faults().len() <= 4, "deaths are bounded: {:?}", report.faults());
    let wronged = |what: &What| match what {
        What::SegmentQuarantined { segment, .. } => segment.0 != 5,
        _ => false,
    };
    assert_eq!(report.count(wronged), 0);
}

#[tokio::test]
async fn many_poison_segments_do_not_park_the_slot() {
    let mut bench = Bench::new(20).script(poison(Deed::Abort));
    for number in [2, 3, 9, 15, 20] {
        bench = bench.text(number, &format!("poison {number}"));
    }
    let report = bench.run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.outcome.stopped, Stopped::Finished);
    assert_eq!(report.quarantined(), [2, 3, 9, 15, 20]);
    assert_eq!(report.outcome.counters.done, 15);
}

#[tokio::test]
async fn bad_output_is_tried_with_other_dice_and_by_another_worker() {
    for deed in [Deed::Nan, Deed::Silence, Deed::Runaway] {
        let report = Bench::new(4).text(2, "poison").script(poison(deed.clone())).run().await;
        report.assert_nothing_lost_or_left();
        assert_eq!((report.done(), report.quarantined()), (vec![1, 3, 4], vec![2]), "{deed:?}");
        // Two tries of the first worker, one of its successor: nobody crashed.
        assert_eq!(report.outcome.counters.spawned, 2, "{deed:?}");
        let recycled = |what: &What| matches!(what, What::WorkerRecycled { .. });
        assert_eq!(report.count(recycled), 1, "{deed:?}");
    }
}

#[tokio::test]
async fn a_text_that_the_engine_refuses_is_out_at_once() {
    let report = Bench::new(3).text(2, "poison").script(poison(Deed::BadRequest)).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.quarantined(), [2]);
    assert_eq!(report.outcome.counters.spawned, 1);
    let quarantined = &report.outcome.quarantined[0];
    assert_eq!((quarantined.1, &*quarantined.2), (Fault::BadRequest, "no sound for this script"));
}

#[tokio::test]
async fn a_death_before_the_segment_was_taken_in_is_no_charge() {
    let script = SimScript {
        speak: vec![SpeakRule::on("<1>", Deed::AbortUnaccepted).only(Births::Only(1))],
        ..SimScript::default()
    };
    let report = Bench::new(3).script(script).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.done(), [1, 2, 3]);
    assert_eq!(report.count(|what| matches!(what, What::SegmentRetried { charged: true, .. })), 0);
}

#[tokio::test]
async fn a_worker_that_makes_nothing_but_bad_takes_is_ill_and_goes() {
    let script = SimScript {
        speak: vec![SpeakRule { births: Births::Only(1), text: None, nth: None, deed: Deed::Nan }],
        ..SimScript::default()
    };
    let report = Bench::new(12).script(script).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.done().len(), 12, "no text is blamed: {:?}", report.outcome.quarantined);
}

#[tokio::test]
async fn where_everything_dies_it_is_not_the_texts() {
    let everything = SpeakRule { births: Births::All, text: None, nth: None, deed: Deed::Abort };
    let script = SimScript { speak: vec![everything], ..SimScript::default() };
    let report = Bench::new(30).script(script).run().await;
    report.assert_nothing_lost_or_left();
    assert!(matches!(report.outcome.stopped, Stopped::NoSlotLeft { fault: Fault::Crashed, .. }));
    assert!(report.quarantined().len() <= 2, "{:?}", report.quarantined());
    assert_eq!(report.outcome.counters.spawned, 6);
}
