//! S14: what the orchestrator did not watch, it does not judge. (That no decision reads the wall clock is
//! checked by clippy, which knows one place that may.)

use std::time::Duration;

use narrator_tests::bench::{Host, HostOrder};
use narrator_tests::processes::signal;
use narrator_tests::sim::{Deed, SimScript, SpeakRule};

#[test]
fn an_orchestrator_that_slept_finds_no_fault() {
    let script = SimScript {
        speak: vec![SpeakRule::on("<3>", Deed::Slow { steps: 100, every_ms: 20 })],
        ..SimScript::default()
    };
    let order = HostOrder { segments: 12, script, alive_ms: 1_500, suspension_gap_ms: 500 };
    let mut host = Host::start(&order);
    host.recorded("did");
    for _ in 0..2 {
        signal(host.pid(), libc::SIGSTOP);
        // Longer than a worker may be silent.
        std::thread::sleep(Duration::from_millis(1_800));
        signal(host.pid(), libc::SIGCONT);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(host.end(), Some(0));
    let events = host.events();
    assert!(events.contains(r#""event":"clock_gap""#), "{events}");
    assert!(!events.contains(r#""event":"fault_seen""#), "{events}");
    assert_eq!(events.matches(r#""event":"segment_done""#).count(), 12);
}
