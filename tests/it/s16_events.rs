//! S16: every decision is one event, with stable names and fields.

use narrator_tests::bench::Bench;
use narrator_tests::sim::{Births, Deed, Hello, SimScript, SpeakRule};

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
    let report = Bench::new(1).script(script).run().await;
    // A refused worker leaves by itself while it is being stopped: either may be quicker.
    let transcript = report
        .transcript()
        .replace("signal 6 (SIGABRT)", "[its own way or the signal]")
        .replace("exit code 78", "[its own way or the signal]");
    insta::assert_snapshot!(transcript);
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
