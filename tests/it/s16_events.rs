//! S16: every decision is one event, with stable names and fields.

use std::time::Duration;

use narrator_pool::SupervisionSettings;
use narrator_tests::bench::Bench;
use narrator_tests::sim::{Births, Deed, Hello, Manners, SimScript, SpeakRule};

#[tokio::test]
async fn the_story_of_a_good_run() {
    let report = Bench::new(2).run().await;
    insta::assert_snapshot!(report.transcript());
}

#[tokio::test]
async fn the_story_of_a_poison_segment() {
    let script = SimScript { speak: vec![SpeakRule::on("poison", Deed::Kill)], ..SimScript::default() };
    let report = Bench::new(2).text(2, "poison").script(script).run().await;
    insta::assert_snapshot!(report.transcript());
}

#[tokio::test]
async fn the_story_of_a_refused_worker() {
    let script = SimScript { hello: vec![(Births::All, Hello::WrongNonce)], ..SimScript::default() };
    // It is left all the time that it needs to go by itself.
    let patient = |settings: &mut SupervisionSettings| settings.cancel_grace = Duration::from_mins(1);
    let report = Bench::new(1).script(script).settings(patient).run().await;
    insta::assert_snapshot!(report.transcript());
}

#[tokio::test]
async fn the_story_of_bad_dice() {
    let script = SimScript {
        speak: vec![SpeakRule { nth: Some(1), ..SpeakRule::on("<1>", Deed::Nan) }],
        ..SimScript::default()
    };
    let report = Bench::new(1).script(script).run().await;
    insta::assert_snapshot!(report.transcript());
}

#[tokio::test]
async fn the_story_of_a_stuck_worker_that_does_not_listen() {
    let script = SimScript {
        speak: vec![SpeakRule::on("<1>", Deed::Stuck).only(Births::Only(1))],
        manners: vec![(Births::Only(1), Manners { deaf: true, survives_abort: true, ..Manners::default() })],
        ..SimScript::default()
    };
    let bench = Bench::new(1).script(script);
    let report = bench.settings(|settings| settings.stall_floor = Duration::from_secs(1)).run().await;
    insta::assert_snapshot!(report.transcript());
}
