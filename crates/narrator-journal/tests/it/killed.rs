//! Test e, for this crate alone: a real process that records is killed with SIGKILL again and again; what
//! it said it had recorded is there. (The same with the real orchestrator stands in the workspace's tests.)

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use narrator_journal::{FileSystem, Standing, StdFs};

use crate::jobs::{audio, done, key, open, record, takes_on_disk};

const JOB: &str = "NARRATOR_JOURNAL_TEST_JOB";
const FIRST: &str = "NARRATOR_JOURNAL_TEST_FIRST";

/// The process that is killed: this very test, run with its job in the environment.
fn record_for_ever(job: &std::path::Path, first: u32) {
    let fs: Arc<dyn FileSystem> = Arc::new(StdFs);
    let (checkpoint, ..) = open(&fs, job, 1).unwrap();
    let mut checkpoint = checkpoint.with_threads(4);
    let mut stdout = std::io::stdout();
    for n in (first..).step_by(3) {
        record(&mut checkpoint, &[n, n + 1, n + 2]).unwrap();
        writeln!(stdout, "recorded {n}").unwrap();
        stdout.flush().unwrap();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a child of the test's own, waited for below")]
fn a_process_killed_while_it_records_loses_nothing_that_it_acknowledged() {
    if let Some(job) = std::env::var_os(JOB) {
        let first = std::env::var(FIRST).unwrap().parse().unwrap();
        return record_for_ever(job.as_ref(), first);
    }
    let job = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..8_u32 {
        let first = round * 100_000 + 1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::a_process_killed_while_it_records_loses_nothing_that_it_acknowledged"])
            .arg("--nocapture")
            .env(JOB, job.path())
            .env(FIRST, first.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // At another moment of its work each time: after so many acknowledgements and a little more.
        for line in lines.by_ref().take(2 + round as usize * 3) {
            acknowledged.extend(line.unwrap().strip_prefix("recorded ").map(|n| n.parse::<u32>().unwrap()));
        }
        std::thread::sleep(Duration::from_micros(u64::from(round) * 700));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            acknowledged.extend(line.strip_prefix("recorded ").map(|n| n.parse::<u32>().unwrap()));
        }

        let fs: Arc<dyn FileSystem> = Arc::new(StdFs);
        let (checkpoint, replay, _) = open(&fs, job.path(), 2).unwrap();
        for n in acknowledged.iter().flat_map(|n| [*n, n + 1, n + 2]) {
            assert_eq!(replay.standing(&key(n)), Standing::Done(&done(n)), "round {round}");
        }
        for claimed in replay.done() {
            assert_eq!(
                checkpoint.takes().read(&claimed.key, claimed.take).unwrap(),
                audio(claimed.segment.0)
            );
        }
        let left: Vec<String> =
            takes_on_disk(job.path()).into_keys().filter(|name| name.contains("part")).collect();
        assert!(left.is_empty(), "round {round}: {left:?}");
    }
    assert!(acknowledged.len() > 8, "the children did nothing: {acknowledged:?}");
}
