//! S11: the first request to stop lets what runs end, the second stops now; in every state.

use std::time::Duration;

use narrator_pool::{Rung, Stopped, What};
use narrator_tests::bench::{Bench, Report, Running};
use narrator_tests::sim::{Births, Deed, Load, Manners, SimScript, SpeakRule};

fn slow(text: &str) -> SimScript {
    SimScript {
        speak: vec![SpeakRule::on(text, Deed::Slow { steps: 10, every_ms: 20 })],
        ..SimScript::default()
    }
}

/// The third segment is in the engine, the fourth in the queue, and the pool knows that the first two are
/// spoken.
async fn the_third_runs(running: &Running) {
    running.recorded("did").await;
    running.saw(|what| matches!(what, What::SegmentDispatched { segment, .. } if segment.0 == 4)).await;
}

#[tokio::test]
async fn a_drain_lets_running_segments_end_and_gives_the_rest_back() {
    let running = Bench::new(50).script(slow("<3>")).start();
    the_third_runs(&running).await;
    running.control.drain("SIGINT");
    let report = running.end().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.outcome.stopped, Stopped::Drained);
    // The third was running, the fourth waited in the worker's queue.
    assert_eq!(report.done(), [1, 2, 3, 4]);
    assert_eq!(report.done().len() + report.given_back().len(), given_out(&report));
    assert_eq!(report.outcome.counters.retried, 0);
}

#[tokio::test]
async fn what_is_left_is_the_rest_of_the_book_and_not_only_what_was_lent() {
    let running = Bench::new(50).script(slow("<3>")).start();
    the_third_runs(&running).await;
    running.control.drain("SIGINT");
    let report = running.end().await;
    let left = report.events().find_map(|what| match what {
        What::PoolStopped { done, left, .. } => Some((*done, *left)),
        _ => None,
    });
    assert_eq!(left, Some((4, 46)));
    assert!(report.given_back().len() < 46, "most of them were never lent");
}

fn given_out(report: &Report) -> usize {
    let mut all = [report.done(), report.given_back()].concat();
    all.sort_unstable();
    all.dedup();
    all.len()
}

#[tokio::test]
async fn a_second_request_stops_now() {
    let forever = Deed::Slow { steps: 100_000, every_ms: 20 };
    let script = SimScript { speak: vec![SpeakRule::on("<3>", forever)], ..SimScript::default() };
    let running = Bench::new(50).script(script).start();
    the_third_runs(&running).await;
    running.control.drain("SIGINT");
    running.saw(|what| matches!(what, What::Draining { running: 2, .. })).await;
    running.control.stop_now("SIGINT");
    let report = running.end().await;
    report.assert_nothing_lost_or_left();
    assert_eq!((&report.outcome.stopped, report.done()), (&Stopped::Drained, vec![1, 2]));
    assert!(report.given_back().contains(&3), "what was cut off is somebody's to speak");
}

#[tokio::test]
async fn a_third_request_has_no_patience_at_all() {
    let script = SimScript {
        speak: vec![SpeakRule::on("<3>", Deed::Stuck)],
        manners: vec![(Births::All, Manners { deaf: true, survives_abort: true, ..Manners::default() })],
        ..SimScript::default()
    };
    let running = Bench::new(50).script(script).settings(|settings| {
        settings.cancel_grace = Duration::from_mins(5);
        settings.abort_grace = Duration::from_mins(5);
    });
    let running = running.start();
    running.recorded("did").await;
    running.control.stop_now("SIGTERM");
    running.saw(|what| matches!(what, What::WorkerStopping { rung: Rung::Asked, .. })).await;
    running.control.stop_now("SIGTERM");
    let report = running.end().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.outcome.stopped, Stopped::Drained);
}

#[tokio::test]
async fn a_drain_during_a_load_and_during_a_backoff_ends_at_once() {
    let loading = SimScript { load: vec![(Births::All, Load::Stop)], ..SimScript::default() };
    let running = Bench::new(5).script(loading).start();
    running.recorded("loading").await;
    running.control.drain("SIGTERM");
    let report = running.end().await;
    report.assert_nothing_lost_or_left();
    assert_eq!((&report.outcome.stopped, report.done().len()), (&Stopped::Drained, 0));

    let dying = SimScript { load: vec![(Births::All, Load::Exit { code: 3 })], ..SimScript::default() };
    let bench = Bench::new(5).script(dying).settings(|settings| {
        settings.backoff_base = Duration::from_hours(1);
        settings.backoff_cap = Duration::from_hours(1);
    });
    let running = bench.start();
    running.saw(|what| matches!(what, What::SlotBackoff { .. })).await;
    running.control.drain("SIGTERM");
    let report = running.end().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.outcome.stopped, Stopped::Drained);
}

#[tokio::test]
async fn a_drain_has_a_limit() {
    let forever = Deed::Slow { steps: 100_000, every_ms: 20 };
    let script = SimScript { speak: vec![SpeakRule::on("<3>", forever)], ..SimScript::default() };
    let bench = Bench::new(9).script(script);
    let running = bench.settings(|settings| settings.drain_limit = Duration::from_millis(300)).start();
    the_third_runs(&running).await;
    running.control.drain("SIGTERM");
    let report = running.end().await;
    report.assert_nothing_lost_or_left();
    assert_eq!((&report.outcome.stopped, report.done()), (&Stopped::Drained, vec![1, 2]));
}

#[tokio::test]
async fn a_drain_with_nothing_left_is_a_finished_run() {
    let running = Bench::new(3).script(slow("<3>")).start();
    running.recorded("did").await;
    running.control.drain("SIGINT");
    let report = running.end().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.outcome.stopped, Stopped::Finished);
}
