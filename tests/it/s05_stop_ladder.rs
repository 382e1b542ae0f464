//! S5: ask, SIGABRT to the group, SIGKILL to the group, and then a wait for the end.

use std::time::Duration;

use narrator_pool::{Rung, What};
use narrator_tests::bench::{Bench, Report};
use narrator_tests::sim::{Births, Deed, Manners, SimScript, SpeakRule};

fn rungs(report: &Report) -> Vec<Rung> {
    let first = |what: &What| match what {
        What::WorkerStopping { incarnation, rung, .. } if incarnation.0 == 1 => Some(*rung),
        _ => None,
    };
    report.events().filter_map(first).collect()
}

fn end(report: &Report) -> String {
    let exit = |what: &What| match what {
        What::WorkerExited { incarnation, status, .. } if incarnation.0 == 1 => Some(status.clone()),
        _ => None,
    };
    report.events().find_map(exit).expect("it ended")
}

async fn stopped(deed: Deed, manners: Manners) -> Report {
    let script = SimScript {
        speak: vec![SpeakRule::on("<2>", deed).only(Births::Only(1))],
        manners: vec![(Births::Only(1), manners)],
        ..SimScript::default()
    };
    let bench = Bench::new(3).script(script);
    let report = bench.settings(|settings| settings.stall_floor = Duration::from_secs(1)).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!(report.done(), [1, 2, 3]);
    report
}

#[tokio::test]
async fn one_that_listens_goes_when_asked() {
    let report = stopped(Deed::Late, Manners::default()).await;
    assert_eq!((rungs(&report), &*end(&report)), (vec![Rung::Asked], "exit code 0"));
}

#[tokio::test]
async fn one_whose_compute_is_stuck_goes_with_an_abort() {
    let report = stopped(Deed::Stuck, Manners::default()).await;
    assert_eq!(rungs(&report), [Rung::Asked, Rung::Aborted]);
    assert_eq!(end(&report), "signal 6 (SIGABRT)");
}

#[tokio::test]
async fn one_that_ignores_both_is_killed() {
    let manners = Manners { deaf: true, survives_abort: true, ..Manners::default() };
    let report = stopped(Deed::Stuck, manners).await;
    assert_eq!(rungs(&report), [Rung::Asked, Rung::Aborted, Rung::Killed]);
    assert_eq!(end(&report), "signal 9 (SIGKILL)");
}

#[tokio::test]
async fn a_stopped_process_is_killed_all_the_same() {
    let script = SimScript {
        speak: vec![SpeakRule::on("<2>", Deed::Stop).only(Births::Only(1))],
        ..SimScript::default()
    };
    let bench = Bench::new(3).script(script);
    let report = bench.settings(|settings| settings.alive = Duration::from_millis(1500)).run().await;
    report.assert_nothing_lost_or_left();
    // SIGABRT waits while the process is stopped.
    assert_eq!(rungs(&report), [Rung::Asked, Rung::Aborted, Rung::Killed]);
}

#[tokio::test]
async fn a_grandchild_that_holds_the_pipe_does_not_hold_up_the_burial() {
    let report = stopped(Deed::Grandchild, Manners::default()).await;
    assert_eq!(report.faults(), ["crashed"]);
    assert_eq!(end(&report), "exit code 1");
}

#[tokio::test]
async fn one_that_closes_its_pipe_and_lives_on_is_stopped() {
    let report = stopped(Deed::ClosePipe, Manners { survives_orphaning: true, ..Manners::default() }).await;
    assert_eq!(report.faults(), ["crashed"]);
    assert_eq!(report.details(), ["worker closed its pipe and lives on"]);
}

#[tokio::test]
async fn bytes_that_are_not_the_protocol_end_a_worker() {
    for (deed, word) in [
        (Deed::Garbage, "not the protocol's mark"),
        (Deed::Oversized, "announces 4294967295 bytes"),
        (Deed::HalfFrame, "inside a frame"),
        (Deed::Miscount, "were announced"),
    ] {
        let report = stopped(deed.clone(), Manners::default()).await;
        assert_eq!(report.faults(), ["protocol_error"], "{deed:?}");
        assert!(report.details()[0].contains(word), "{deed:?}: {:?}", report.details());
    }
}
