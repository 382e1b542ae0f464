//! How many segments a second the pool moves when the workers answer at once.
//!
//! `cargo run --release -p narrator-tests --example pool_speed -- [SEGMENTS] [WORKERS]`, after a build of
//! the binaries in the same profile. With a disk: each take is a file of its own and synced, those that
//! came together at once on as many threads; then their folder and one log are synced once. And without.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::Instant;

use narrator_tests::bench::Bench;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
async fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse().expect("a number"));
    let (segments, workers) = (numbers.next().unwrap_or(3000), numbers.next().unwrap_or(2));
    for durable in [true, false] {
        let folder = tempfile::tempdir_in(".").expect("a folder");
        let takes = folder.path().to_owned();
        let log = OpenOptions::new().append(true).create(true).open(takes.join("log")).expect("a log");
        let workers = vec!["cpu"; workers];
        let bench = Bench::new(segments).slots(&workers).group_sink(move |group| {
            if durable {
                std::thread::scope(|scope| {
                    for take in group {
                        let path = takes.join(take.key.to_hex());
                        scope.spawn(move || {
                            let bytes: Vec<u8> =
                                take.pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                            let mut file = File::create(path).expect("a file");
                            file.write_all(&bytes).and_then(|()| file.sync_all()).expect("durable");
                        });
                    }
                });
                File::open(&takes).and_then(|folder| folder.sync_all()).expect("durable");
                (&log).write_all(&[0; 200]).and_then(|()| log.sync_data()).expect("durable");
            }
            group.iter().map(|_| Ok(())).collect()
        });
        let workers = workers.len();
        let began = Instant::now();
        let report = bench.run().await;
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(report.done().len(), segments);
        println!(
            "durable {durable}: {segments} segments, {workers} workers: {:.0} segments/s",
            segments as f64 / seconds
        );
    }
}
