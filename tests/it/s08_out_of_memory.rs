//! S8: out of memory shrinks the batch, it kills nobody; a worker that outgrows its limit is recycled.

use narrator_pool::{Stopped, What};
use narrator_tests::bench::Bench;
use narrator_tests::sim::{Deed, SimScript, SpeakRule};

#[tokio::test]
async fn rows_halve_until_they_fit_and_grow_back() {
    let script =
        SimScript { rows: 16, fits_rows: Some(5), step_ms: 2, seconds_per_char: 0.1, ..SimScript::default() };
    let bench = Bench::new(120).script(script);
    let report = bench.settings(|settings| settings.grow_after = 20).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.done().len(), 120);
    assert_eq!(report.outcome.counters.spawned, 1, "nobody died");
    let limits: Vec<_> = report
        .events()
        .filter_map(|what| match what {
            What::RowsShrunk { rows, .. } | What::RowsGrown { rows, .. } => Some(*rows),
            _ => None,
        })
        .collect();
    assert_eq!(limits[..2], [8, 4], "{limits:?}");
    assert!(limits[2..].contains(&5), "it grows back: {limits:?}");
    assert!(limits[2..].iter().all(|rows| *rows <= 6), "{limits:?}");
    assert_eq!(report.count(|what| matches!(what, What::SegmentRetried { charged: true, .. })), 0);
}

#[tokio::test]
async fn one_row_that_is_too_much_alone_is_charged() {
    let script =
        SimScript { speak: vec![SpeakRule::on("poison", Deed::OutOfMemory)], ..SimScript::default() };
    let report = Bench::new(4).text(2, "poison").script(script).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!((report.done(), report.quarantined()), (vec![1, 3, 4], vec![2]));
}

#[tokio::test]
async fn a_worker_that_leaks_is_recycled_between_segments_and_nothing_is_lost() {
    let script = SimScript { leak_bytes: 10 << 20, step_ms: 20, ..SimScript::default() };
    let bench = Bench::new(40).script(script);
    // A hundred to begin with: about ten segments each.
    let report = bench.settings(|settings| settings.max_resident_bytes = Some(200 << 20)).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.outcome.stopped, Stopped::Finished);
    assert!(report.spoken().values().all(|times| *times == 1), "nothing was spoken twice");
    assert!(report.count(|what| matches!(what, What::WorkerRecycled { .. })) >= 2);
    assert_eq!((report.faults().len(), report.outcome.counters.retried), (0, 0));
    let delayed = |what: &What| {
        matches!(
            what,
            What::SlotBackoff { .. } | What::WorkerStopping { rung: narrator_pool::Rung::Killed, .. }
        )
    };
    assert_eq!(report.count(delayed), 0);
}

/// No limit is set: the slope alone gives it away.
#[tokio::test]
async fn a_worker_that_grows_and_grows_is_recycled_for_its_slope() {
    let script = SimScript { leak_bytes: 20 << 20, step_ms: 15, ..SimScript::default() };
    let bench = Bench::new(120).script(script).settings(|settings| {
        assert_eq!(settings.max_resident_bytes, None);
        settings.beat = std::time::Duration::from_millis(10);
        settings.growth_sample = std::time::Duration::from_millis(10);
    });
    let report = bench.run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.outcome.stopped, Stopped::Finished);
    assert!(report.spoken().values().all(|times| *times == 1), "nothing was spoken twice");
    let slope = |what: &What| matches!(what, What::WorkerRecycled { why, .. } if why.contains("grows by"));
    assert!(report.count(slope) >= 1);
    assert_eq!((report.faults().len(), report.outcome.counters.retried), (0, 0));
}
