//! S10: ten seconds after the orchestrator's death, however it died, no worker is left.

use std::time::Duration;

use narrator_tests::bench::{Host, HostOrder};
use narrator_tests::processes::{eventually, is_alive};
use narrator_tests::sim::{Birth, Births, Deed, Load, Manners, SimScript, SpeakRule};

fn killed_while(script: SimScript, recorded: &str) {
    let order = HostOrder { segments: 20, script, alive_ms: 60_000, suspension_gap_ms: 60_000 };
    let mut host = Host::start(&order);
    host.recorded(recorded);
    let pids = host.place().pids();
    assert!(!pids.is_empty());
    host.kill();
    let gone = eventually(Duration::from_secs(10), || !pids.iter().any(|pid| is_alive(*pid)));
    assert!(gone, "workers outlived their orchestrator");
}

#[test]
fn killed_in_any_state_it_leaves_nobody() {
    let birth = SimScript { birth: vec![(Births::All, Birth::Hang)], ..SimScript::default() };
    killed_while(birth, "born");
    let load = SimScript { load: vec![(Births::All, Load::Stop)], ..SimScript::default() };
    killed_while(load, "loading");
    for deed in [Deed::Stuck, Deed::Stop, Deed::Slow { steps: 100_000, every_ms: 10 }] {
        let script = SimScript { speak: vec![SpeakRule::on("<3>", deed)], ..SimScript::default() };
        killed_while(script, "did");
    }
}

#[test]
fn a_worker_that_ignores_every_hint_goes_all_the_same() {
    let manners = Manners { deaf: true, survives_abort: true, survives_orphaning: true };
    let script = SimScript {
        manners: vec![(Births::All, manners)],
        speak: vec![SpeakRule::on("<3>", Deed::Stuck)],
        ..SimScript::default()
    };
    killed_while(script, "did");
}
