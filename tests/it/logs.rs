//! `narratord logs`: every event once and in order, over any rotation; filters; two ways to read them.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use narrator_tests::sim::{Deed, SimScript, SpeakRule};
use narrator_tests::sim_desk::{JOB, SimDesk, only_in};
use serde_json::Value;

/// Bytes at which a live log is put aside.
const ROTATE_BYTES: usize = 16 << 20;

/// `narratord logs -f`, whose lines come as it prints them.
struct Follower {
    child: Child,
    lines: Receiver<String>,
}

impl Follower {
    #[expect(clippy::disallowed_methods, reason = "the program under test, killed when it goes out of scope")]
    fn start(desk: &SimDesk, more: &[&str]) -> Self {
        let arguments = [&["logs", "-f", JOB], more].concat();
        let mut child = desk.narratord(&arguments).stdout(Stdio::piped()).spawn().expect("it starts");
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// Lines up to the first that satisfies `last`.
    fn until(&self, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &String| !last(line)) {
            let line = self.lines.recv_timeout(Duration::from_secs(90));
            lines.push(line.unwrap_or_else(|_| panic!("it says no more: {:?}", lines.last())));
        }
        lines
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn live(desk: &SimDesk) -> PathBuf {
    desk.job().join("logs/narratord.jsonl")
}

/// A live log of an earlier night whose first line has this time and which has `bytes` bytes.
fn earlier_log(desk: &SimDesk, time: &str, bytes: usize) -> usize {
    let path = live(desk);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("made"));
    let (mut written, mut count) = (0, 0);
    while written < bytes || count == 0 {
        let line = format!(
            "{{\"time\":\"{time}\",\"level\":\"info\",\"event\":\"earlier\",\"slot\":9,\"n\":{count}}}\n"
        );
        file.write_all(line.as_bytes()).expect("written");
        written += line.len();
        count += 1;
    }
    count
}

/// Everything in the log's files, oldest first.
fn on_disk(desk: &SimDesk) -> Vec<String> {
    let aside = (1..=9).rev().map(|n| desk.job().join(format!("logs/narratord.{n}.jsonl")));
    let texts = aside.chain([live(desk)]).filter_map(|path| std::fs::read_to_string(path).ok());
    texts.flat_map(|text| text.lines().map(str::to_string).collect::<Vec<_>>()).collect()
}

fn followed_over_a_rotation(time: &str, bytes: usize) {
    let desk = SimDesk::new(30, SimScript::default());
    let earlier = earlier_log(&desk, time, bytes);
    let follower = Follower::start(&desk, &["--json"]);
    let before = follower.until(|line| line.contains(&format!("\"n\":{}}}", earlier - 1)));
    assert_eq!(before.len(), earlier);
    desk.narrate().expect(0);
    let after = follower.until(|line| line.contains("\"event\":\"run_finished\""));
    assert!(desk.job().join("logs/narratord.1.jsonl").is_file(), "it was put aside");
    assert_eq!([before, after].concat(), on_disk(&desk), "each line once and in order");
}

#[test]
fn a_log_that_is_put_aside_for_its_size_is_followed() {
    followed_over_a_rotation("2099-01-01T00:00:00.000Z", ROTATE_BYTES - 4000);
}

#[test]
fn a_log_that_is_put_aside_for_its_age_is_followed() {
    followed_over_a_rotation("2020-01-01T00:00:00.000Z", 1);
}

#[test]
fn a_log_is_followed_from_before_there_is_one() {
    let desk = SimDesk::new(2, SimScript::default());
    std::fs::create_dir(desk.job()).unwrap();
    let follower = Follower::start(&desk, &["--level", "info"]);
    desk.narrate().expect(0);
    let lines = follower.until(|line| line.contains("run_finished"));
    assert!(lines[0].contains("run_started"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("segment_done")), "that is for debug: {lines:?}");
}

#[test]
fn filters_and_both_forms() {
    let rule = SpeakRule { nth: Some(2), ..SpeakRule::on(&only_in(2), Deed::Nan) };
    let desk = SimDesk::new(3, SimScript { speak: vec![rule], ..SimScript::default() });
    desk.run(&desk.run_arguments()).expect(0);
    let lines = |more: &[&str]| -> Vec<String> {
        let ran = desk.run(&[&["logs", JOB], more].concat()).expect(0);
        ran.stdout().lines().map(str::to_string).collect()
    };
    let events = |more: &[&str]| -> Vec<Value> {
        let json = lines(&[more, &["--json"]].concat());
        json.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    assert_eq!(lines(&["--json"]), on_disk(&desk), "as they stand in the file");
    assert_eq!(lines(&[]).len(), on_disk(&desk).len(), "a line is a line");
    let second = events(&["--segment", "2"]);
    assert!(second.len() >= 5 && second.iter().all(|event| event["segment"] == 2), "{second:#?}");
    let names: Vec<_> = second.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert!(names.contains(&"segment_retried") && names.contains(&"segment_done"), "{names:?}");
    let slot = events(&["--slot", "1"]);
    assert!(!slot.is_empty() && slot.iter().all(|event| event["slot"] == 1));
    assert_eq!(events(&["--slot", "2"]), Vec::<Value>::new());
    let warned = events(&["--level", "warn"]);
    assert!(!warned.is_empty() && warned.iter().all(|e| e["level"] == "warn" || e["level"] == "error"));
    let both = lines(&["--segment", "2", "--level", "warn"]);
    assert!(
        both.iter().any(|line| line.contains("warn  segment_retried") && line.contains("segment=2")),
        "{both:?}"
    );
}
