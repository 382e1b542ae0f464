//! S3: a hang is the absence of progress, not of speed and not only of a heartbeat.

use std::time::Duration;

use narrator_pool::What;
use narrator_tests::bench::Bench;
use narrator_tests::sim::{Births, Deed, SimScript, SpeakRule};

fn once(deed: Deed) -> SimScript {
    SimScript { speak: vec![SpeakRule::on("<2>", deed).only(Births::Only(1))], ..SimScript::default() }
}

#[tokio::test]
async fn slow_but_moving_survives() {
    let deed = Deed::Slow { steps: 16, every_ms: 250 };
    let bench = Bench::new(3).script(once(deed));
    let report = bench.settings(|settings| settings.stall_floor = Duration::from_secs(2)).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.faults(), [""; 0]);
}

#[tokio::test]
async fn beating_without_a_step_is_a_stall() {
    let bench = Bench::new(3).script(once(Deed::Stuck));
    let report = bench.settings(|settings| settings.stall_floor = Duration::from_secs(1)).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!((report.done(), report.faults()), (vec![1, 2, 3], vec!["stalled"]));
    assert!(report.details()[0].starts_with("alive, but no step for "), "{:?}", report.details());
}

#[tokio::test]
async fn silence_is_a_loss_whether_of_the_pipe_or_of_the_process() {
    for deed in [Deed::Mute, Deed::Stop] {
        let bench = Bench::new(3).script(once(deed.clone()));
        let report = bench.settings(|settings| settings.alive = Duration::from_millis(1500)).run().await;
        report.assert_nothing_lost_or_left();
        assert_eq!((report.done(), report.faults()), (vec![1, 2, 3], vec!["stalled"]), "{deed:?}");
        assert!(report.details()[0].starts_with("nothing was heard for 1.5s"), "{:?}", report.details());
        let charged = |what: &What| matches!(what, What::SegmentRetried { charged: true, .. });
        assert_eq!(report.count(charged), 1);
    }
}
