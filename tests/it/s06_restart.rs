//! S6: a lost worker comes back after a while; one that only ever dies does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use narrator_core::Fault;
use narrator_pool::{Stopped, What};
use narrator_tests::bench::Bench;
use narrator_tests::sim::{Births, Load, SimScript};

#[tokio::test]
async fn five_restarts_are_allowed_and_a_sixth_parks_the_slot() {
    let script = SimScript { load: vec![(Births::All, Load::Exit { code: 3 })], ..SimScript::default() };
    let report = Bench::new(4).script(script).run().await;
    report.assert_nothing_lost_or_left();
    let Stopped::NoSlotLeft { fault: Fault::LoadFailed, why } = &report.outcome.stopped else {
        panic!("{:?}", report.outcome)
    };
    assert!(why.starts_with("6 workers were lost within 10 minutes; the last one: "), "{why}");
    assert_eq!((report.outcome.counters.spawned, report.outcome.counters.restarts), (6, 5));
    assert_eq!(report.given_back(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_parked_slot_does_not_end_the_night_of_the_others() {
    let script = SimScript { load: vec![(Births::Only(1), Load::Reject)], ..SimScript::default() };
    // The other worker must not be done with the book before the first one has failed.
    let open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&open);
    let bench = Bench::new(30).slots(&["cpu", "cpu"]).script(script).sink(move |_| {
        while !gate.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    });
    let running = bench.start();
    running.saw(|what| matches!(what, What::SlotParked { .. })).await;
    open.store(true, Ordering::Relaxed);
    let report = running.end().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.done().len(), 30);
    assert_eq!(report.count(|what| matches!(what, What::SlotParked { .. })), 1);
}

#[tokio::test]
async fn delays_are_the_schedule_of_the_seed() {
    let delays = || async {
        let script =
            SimScript { load: vec![(Births::UpTo(4), Load::Exit { code: 3 })], ..SimScript::default() };
        let bench = Bench::new(1).script(script).settings(|settings| {
            settings.backoff_base = Duration::from_millis(16);
            settings.backoff_cap = Duration::from_millis(64);
        });
        let report = bench.run().await;
        assert_eq!(report.done(), [1]);
        let delay = |what: &What| match what {
            What::SlotBackoff { delay_ms, strikes, .. } => Some((*strikes, *delay_ms)),
            _ => None,
        };
        report.events().filter_map(delay).collect::<Vec<_>>()
    };
    let schedule = delays().await;
    assert_eq!(schedule, delays().await);
    let ceilings = [16, 32, 64, 64];
    assert!(schedule.iter().zip(ceilings).all(|((_, delay), ceiling)| *delay <= ceiling), "{schedule:?}");
    assert_eq!(schedule.iter().map(|(strikes, _)| *strikes).collect::<Vec<_>>(), [1, 2, 3, 4]);
}
