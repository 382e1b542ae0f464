//! S13: a full disk pauses the run, loses nothing and blames nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use narrator_pool::{SinkError, Stopped, What};
use narrator_tests::bench::Bench;

fn full() -> Result<(), SinkError> {
    Err(SinkError::Full { detail: "No space left on device (os error 28)".into() })
}

#[tokio::test]
async fn a_disk_that_is_full_for_a_while_costs_a_while() {
    let tries = AtomicUsize::new(0);
    let bench = Bench::new(12).sink(move |take| {
        // The fourth take finds no room, five times.
        let refused = take.dispatch.segment.0 == 4 && tries.fetch_add(1, Ordering::Relaxed) < 5;
        if refused { full() } else { Ok(()) }
    });
    let report = bench.run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.outcome.stopped, Stopped::Finished);
    assert_eq!(report.done(), (1..=12).collect::<Vec<_>>());
    assert!(report.spoken().values().all(|times| *times == 1), "finished audio was kept");
    assert!(report.count(|what| matches!(what, What::DispatchPaused { .. })) >= 1);
    let paused = report.count(|what| matches!(what, What::DispatchPaused { .. }));
    assert_eq!(report.count(|what| matches!(what, What::DispatchResumed { .. })), paused);
    assert_eq!((report.faults().len(), report.outcome.counters.retried), (0, 0));
}

#[tokio::test]
async fn while_the_disk_is_full_nothing_new_is_dispatched() {
    let bench = Bench::new(50).sink(|take| if take.dispatch.segment.0 >= 4 { full() } else { Ok(()) });
    let report = bench.settings(|settings| settings.disk_grace = Duration::from_millis(400)).run().await;
    report.assert_nothing_lost_or_left();
    assert!(matches!(report.outcome.stopped, Stopped::DiskFull { .. }), "{:?}", report.outcome);
    assert_eq!(report.done(), [1, 2, 3]);
    // The pause comes when the sink has answered; the worker's hands hold two, and two more may have
    // gone out before the answer.
    let dispatched = report.outcome.counters.dispatched;
    assert!(dispatched < 50, "{dispatched}");
    assert!(report.given_back().contains(&4), "what the disk refused is spoken again by the next run");
    let pause = report.events().position(|what| matches!(what, What::DispatchPaused { .. }));
    let later = report.events().skip(pause.expect("it paused"));
    assert_eq!(later.filter(|what| matches!(what, What::SegmentDispatched { .. })).count(), 0);
}

#[tokio::test]
async fn audio_that_waits_for_the_disk_is_bounded() {
    let waiting = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&waiting);
    let bench = Bench::new(60).sink(move |take| {
        seen.fetch_max(take.pcm.len() * 4, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(5));
        Ok(())
    });
    let bytes = 60_000;
    let report = bench.settings(|settings| settings.held_bytes = bytes).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.done().len(), 60);
    // At most the bound, and what the worker had in hand when it was reached.
    let (mut held, mut most) = (0_u64, 0);
    for what in report.events() {
        match what {
            What::SegmentSpoken { audio_ms, .. } => held += audio_ms * 96,
            What::SegmentDone { audio_ms, .. } => held -= audio_ms * 96,
            _ => {}
        }
        most = most.max(held);
    }
    assert!(most <= bytes + 3 * waiting.load(Ordering::Relaxed) as u64, "{most}");
}

#[tokio::test]
async fn a_sink_that_fails_otherwise_ends_the_run_and_is_not_asked_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let bench = Bench::new(50).sink(move |take| {
        if take.dispatch.segment.0 < 4 {
            return Ok(());
        }
        counted.fetch_add(1, Ordering::Relaxed);
        Err(SinkError::Failed { detail: "Input/output error (os error 5)".into() })
    });
    let report = bench.run().await;
    report.assert_nothing_lost_or_left();
    let Stopped::StoreFailed { detail } = &report.outcome.stopped else { panic!("{:?}", report.outcome) };
    assert!(detail.contains("Input/output error"), "{detail}");
    assert_eq!(report.done(), [1, 2, 3]);
    assert!(calls.load(Ordering::Relaxed) < 47);
}
