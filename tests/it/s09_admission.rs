//! S9: a worker starts only where its memory fits, and two never load on one device at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use narrator_core::Fault;
use narrator_pool::{Card, DeviceProbe, Stopped, What};
use narrator_tests::bench::{Bench, LedgerProbe};
use narrator_tests::sim::{Births, Deed, SimScript, SpeakRule};

#[tokio::test]
async fn as_many_workers_live_as_fit_and_they_load_one_after_the_other() {
    let script = SimScript { device_bytes: Some(4 << 30), load_ms: 60, step_ms: 30, ..SimScript::default() };
    let mut bench = Bench::new(30).slots(&["cuda:0", "cuda:0", "cuda:0"]).script(script);
    bench.probe = Some(Arc::new(LedgerProbe { place: bench.place(), total_bytes: 10 << 30 }));
    let report = bench.run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.done().len(), 30);
    assert_eq!(report.faults(), [""; 0]);
    assert_eq!(report.outcome.counters.spawned, 2, "a third does not fit");
    assert!(report.count(|what| matches!(what, What::SlotWaiting { .. })) >= 1);
    let loads: Vec<_> = report
        .place
        .read()
        .into_iter()
        .map(|line| line.what)
        .filter(|what| what.starts_with("load"))
        .collect();
    assert_eq!(loads, ["loading", "loaded", "loading", "loaded"]);
}

/// A device whose memory is all there until its first worker is gone, and then never again.
#[derive(Debug, Default)]
struct Leaky {
    looks: AtomicUsize,
}

impl DeviceProbe for Leaky {
    fn card(&self, _device: &str) -> Option<Card> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        Some(Card { total_bytes: 8 << 30, free_bytes: 0, multiplies_bfloat16: true })
    }
}

#[tokio::test]
async fn a_device_whose_memory_does_not_come_back_is_given_up_and_the_rest_goes_on() {
    let script = SimScript {
        device_bytes: Some(4 << 30),
        step_ms: 10,
        speak: vec![SpeakRule { births: Births::All, text: None, nth: Some(3), deed: Deed::Kill }],
        ..SimScript::default()
    };
    let mut bench = Bench::new(12).slots(&["cuda:0"]).script(script);
    bench.probe = Some(Arc::new(Leaky::default()));
    let bench = bench.settings(|settings| settings.wedge_after = Duration::from_millis(300));
    let report = bench.run().await;
    report.assert_nothing_lost_or_left();
    assert!(matches!(
        report.outcome.stopped,
        Stopped::NoSlotLeft { fault: Fault::Crashed | Fault::DeviceFault, .. }
    ));
    assert_eq!(report.count(|what| matches!(what, What::DeviceWedged { .. })), 1);
    assert_eq!((report.outcome.counters.spawned, report.done().len()), (1, 2));
}
