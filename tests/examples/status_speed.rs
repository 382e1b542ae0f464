//! How long the looks at a long job take: `status`, `logs` and `jobs` of the real program, for a job of
//! 100,000 segments whose event log is full.
//!
//! `scripts/bench status [SEGMENTS]`. The job is made: a real run of one paragraph with a sim worker, whose
//! script, journal and log are then replaced by long ones in the formats that the programs write.

use std::io::{BufWriter, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use narrator_core::{ContentKey, SegmentId, SpeechSettings};
use narrator_journal::{Digest, Journal, Record, RecordLog, RunId, RunOpened, SegmentDone, StdFs};
use narrator_tests::sim::SimScript;
use narrator_tests::sim_desk::{JOB, SimDesk};
use serde_json::json;

const RUNS: usize = 21;
/// A usual sentence of a novel.
const TEXT: &str = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the \
                    age of foolishness, and what is said here is said of paragraph";

fn speech() -> SpeechSettings {
    SpeechSettings {
        engine: "sim".into(),
        model_hash: "00".into(),
        voice: "tone".into(),
        language: "en".into(),
        speed: 1.0,
        seed: 1,
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn main() {
    let segments: u32 = std::env::args().nth(1).map_or(100_000, |number| number.parse().expect("a number"));
    let desk = SimDesk::new(1, SimScript::default());
    desk.narrate().expect(0);
    let keys: Vec<ContentKey> =
        (1..=segments).map(|n| ContentKey::of(&format!("{TEXT} {n}."), &speech())).collect();
    write_script(&desk, &keys);
    write_journal(&desk, &keys);
    let lines = write_log(&desk, segments);
    let path = desk.job();
    let size = |name: &str| std::fs::metadata(path.join(name)).map_or(0, |file| file.len()) as f64 / 1e6;
    println!(
        "{segments} segments: script {:.1} MB, journal {:.1} MB, event log {lines} lines",
        size("script.jsonl"),
        size("segments.ckpt")
    );
    let found = desk.run(&["status", "--json", JOB]).expect(0).json();
    assert_eq!((&found["segments"], &found["done"]), (&segments.into(), &(segments - 7).into()), "{found:#}");
    for arguments in [
        &["--version"][..],
        &["status", JOB],
        &["status", "--json", JOB],
        &["jobs"],
        &["checkpoint", "verify", "--help"],
        &["logs", JOB, "--segment", "77777"],
        &["logs", JOB, "--level", "warn"],
        &["logs", JOB, "--json"],
        &["logs", JOB],
    ] {
        let mut times: Vec<Duration> = (0..RUNS).map(|_| time(&desk, arguments)).collect();
        times.sort();
        println!(
            "{:<40} median {:>7.1} ms, worst of {RUNS} {:>7.1} ms",
            arguments.join(" "),
            times[RUNS / 2].as_secs_f64() * 1e3,
            times[RUNS - 1].as_secs_f64() * 1e3
        );
    }
}

fn time(desk: &SimDesk, arguments: &[&str]) -> Duration {
    let mut command = desk.narratord(arguments);
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it starts");
    let time = start.elapsed();
    assert!(status.success(), "{arguments:?}: {status}");
    time
}

fn write_script(desk: &SimDesk, keys: &[ContentKey]) {
    let path = desk.job().join("script.jsonl");
    let file = std::fs::File::create(&path).expect("a script");
    let mut out = BufWriter::new(file);
    let header = json!({
        "format": "narratord-script",
        "version": 1,
        "chapters": [{ "title": "One", "segments": { "start": 0, "end": keys.len() } }],
        "segments": keys.len(),
    });
    writeln!(out, "{header}").expect("written");
    for (at, key) in keys.iter().enumerate() {
        let segment = json!({
            "id": at + 1,
            "chapter": 0,
            "kind": "prose",
            "text": format!("{TEXT} {}.", at + 1),
            "tokens": { "start": at * 30, "end": at * 30 + 30 },
            "span": { "doc": 0, "start": at * 190, "end": at * 190 + 180 },
            "pause_after_ms": 400,
            "voice": "tone",
            "key": key.to_hex(),
        });
        writeln!(out, "{segment}").expect("written");
    }
    out.flush().expect("written");
    let settings = desk.job().join("job.toml");
    let text = std::fs::read_to_string(&settings).expect("settings");
    let text = text.replace("\nsegments = 1\n", &format!("\nsegments = {}\n", keys.len()));
    std::fs::write(settings, text).expect("written");
}

/// All but seven of them done, by one run that was killed.
fn write_journal(desk: &SimDesk, keys: &[ContentKey]) {
    let path = desk.job().join("segments.ckpt");
    std::fs::remove_file(&path).expect("the short one is gone");
    let opening = RunOpened { run: RunId::random(), ..RunOpened::now([1; 32], [2; 32], "bench", "none") };
    let (mut journal, _) = Journal::create(std::sync::Arc::new(StdFs), &path, &opening).expect("a journal");
    let done: Vec<Record> = keys[..keys.len() - 7]
        .iter()
        .enumerate()
        .map(|(at, key)| {
            Record::SegmentDone(SegmentDone {
                segment: SegmentId::from_index(at),
                key: *key,
                take: 0,
                samples: 144_000,
                rate: 24_000,
                bytes: 140_000,
                audio: Digest::of(&key.0),
            })
        })
        .collect();
    journal.append_batch(&done).expect("recorded");
    journal.close().expect("closed");
}

/// What a run of so many segments leaves of its log, the newest last: three events each, in ten files.
fn write_log(desk: &SimDesk, segments: u32) -> usize {
    let logs = desk.job().join("logs");
    let lines = (1..=segments).flat_map(|segment| {
        let event = move |level: &str, event: &str, rest: &str| {
            format!(
                "{{\"time\":\"2026-01-01T00:00:00.000Z\",\"level\":\"{level}\",\"event\":\"{event}\",\"run\":\
                 \"00112233445566778899aabbccddeeff\",\"elapsed_ms\":{},{rest}}}\n",
                u64::from(segment) * 60
            )
        };
        let at = format!("\"slot\":1,\"incarnation\":1,\"segment\":{segment},\"attempt\":1");
        let times = "\"audio_ms\":6000,\"compute_ms\":50";
        [
            event("debug", "segment_dispatched", &format!("{at},\"alone\":false")),
            event("debug", "segment_spoken", &format!("{at},{times},\"wall_ms\":60")),
            event("debug", "segment_done", &format!("\"segment\":{segment},\"attempt\":1,{times}")),
        ]
    });
    let lines: Vec<String> = lines.collect();
    let a_file = lines.len().div_ceil(10);
    for (at, chunk) in lines.chunks(a_file).enumerate() {
        let name = if at == 9 { "narratord.jsonl".into() } else { format!("narratord.{}.jsonl", 9 - at) };
        std::fs::write(logs.join(name), chunk.concat()).expect("written");
    }
    lines.len()
}
