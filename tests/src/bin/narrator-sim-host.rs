//! An orchestrator to be killed, stopped and woken: runs a pool of sim workers in the folder that is its
//! one argument, as `host.json` there says, and writes every event to `events.jsonl`.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use narrator_pool::Stopped;
use narrator_tests::bench::{Bench, HostOrder};

#[tokio::main]
async fn main() -> ExitCode {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("a folder"));
    let order = std::fs::read_to_string(folder.join("host.json")).expect("host.json");
    let order: HostOrder = serde_json::from_str(&order).expect("an order");
    let mut events = File::create(folder.join("events.jsonl")).expect("events.jsonl");
    let bench = Bench::at(&folder, order.segments)
        .script(order.script)
        .settings(|settings| {
            settings.alive = std::time::Duration::from_millis(order.alive_ms);
            settings.suspension_gap = std::time::Duration::from_millis(order.suspension_gap_ms);
        })
        .tell(move |event| {
            let line = serde_json::to_string(event).expect("an event") + "\n";
            events.write_all(line.as_bytes()).expect("written");
        });
    let report = bench.run().await;
    ExitCode::from(if report.outcome.stopped == Stopped::Finished { 0 } else { 75 })
}
