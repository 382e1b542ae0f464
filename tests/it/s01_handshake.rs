//! S1: nothing is dispatched to a process that has not proved what it is.

use std::time::Duration;

use narrator_core::Fault;
use narrator_pool::{Rung, Stopped, What};
use narrator_tests::bench::Bench;
use narrator_tests::sim::{Births, Hello, SimScript};

fn greeting(births: Births, hello: Hello) -> SimScript {
    SimScript { hello: vec![(births, hello)], ..SimScript::default() }
}

#[tokio::test]
async fn a_worker_of_another_kind_is_refused_once_and_for_all() {
    for (hello, word) in [
        (Hello::WrongProtocol, "protocol 99.0"),
        (Hello::WrongBuild, "build 0.0.0-0000000000000000"),
        (Hello::WrongNonce, "another nonce"),
        (Hello::WrongPid, "the child is"),
        (Hello::Garbage, "not the protocol's mark"),
        (Hello::Oversized, "frame announces 4294967295 bytes"),
    ] {
        // The second one would be good; it is never asked for.
        let report = Bench::new(4).script(greeting(Births::Only(1), hello.clone())).run().await;
        report.assert_nothing_lost_or_left();
        assert_eq!(report.faults(), ["handshake_refused"], "{hello:?}");
        assert!(report.details()[0].contains(word), "{hello:?}: {:?}", report.details());
        assert_eq!(report.count(|what| matches!(what, What::SlotParked { .. })), 1, "{hello:?}");
        assert_eq!(report.outcome.counters.spawned, 1, "never tried again: {hello:?}");
        assert_eq!(report.given_back(), [1, 2, 3, 4]);
    }
}

#[tokio::test]
async fn a_refused_worker_leaves_by_itself_with_the_exit_code_that_says_so() {
    let script = greeting(Births::Only(1), Hello::WrongBuild);
    // Patience enough that nothing but the worker itself can end it.
    let bench = Bench::new(1).script(script).settings(|settings| {
        settings.cancel_grace = Duration::from_mins(1);
    });
    let report = bench.run().await;
    report.assert_nothing_lost_or_left();
    let exits: Vec<_> = report
        .events()
        .filter_map(|what| match what {
            What::WorkerExited { status, .. } => Some(status.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(exits, ["exit code 78"]);
    let harder = |what: &What| matches!(what, What::WorkerStopping { rung, .. } if *rung != Rung::Asked);
    assert_eq!(report.count(harder), 0);
}

#[tokio::test]
async fn when_every_worker_is_refused_the_run_says_why() {
    let report = Bench::new(4).script(greeting(Births::All, Hello::WrongBuild)).run().await;
    report.assert_nothing_lost_or_left();
    let Stopped::NoSlotLeft { fault: Fault::HandshakeRefused, why } = &report.outcome.stopped else {
        panic!("{:?}", report.outcome)
    };
    assert!(why.contains("install both from one build"), "{why}");
    assert_eq!(report.given_back(), [1, 2, 3, 4]);
    assert_eq!(report.count(|what| matches!(what, What::SegmentDispatched { .. })), 0);
}

#[tokio::test]
async fn one_that_connects_and_says_nothing_is_replaced() {
    let bench = Bench::new(2).script(greeting(Births::Only(1), Hello::Silent));
    let report = bench.settings(|settings| settings.connect = Duration::from_secs(2)).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!((report.done(), report.faults()), (vec![1, 2], vec!["load_stalled"]));
}

#[tokio::test]
async fn one_that_dies_in_its_first_word_is_replaced() {
    let report = Bench::new(2).script(greeting(Births::Only(1), Hello::Half)).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!((report.done(), report.faults()), (vec![1, 2], vec!["load_failed"]));
}

#[tokio::test]
async fn a_second_connection_changes_nothing() {
    let report = Bench::new(2).script(greeting(Births::All, Hello::Twice)).run().await;
    report.assert_nothing_lost_or_left();
    assert_eq!((report.done(), report.faults().len()), (vec![1, 2], 0));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_sentence() {
    let mut bench = Bench::new(2);
    bench.program = "/nowhere/narrator-worker".into();
    let report = bench.run().await;
    let Stopped::NoSlotLeft { fault: Fault::SpawnFailed, why } = &report.outcome.stopped else {
        panic!("{:?}", report.outcome)
    };
    assert!(why.contains("cannot start /nowhere/narrator-worker"), "{why}");
    assert_eq!(report.given_back(), [1, 2]);
}
