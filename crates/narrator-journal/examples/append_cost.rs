//! What the checkpoint costs on this disk, every sync real: an append against a commit of `SQLite` (WAL,
//! FULL) in one run, accepted takes a second by batch, and opening a journal of 100,000 segments.
//!
//! `scripts/bench journal`, or `cargo run --release -p narrator-journal --example append_cost [FOLDER]`;
//! FOLDER, by default `target`, is on the disk that is measured.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use narrator_core::{ContentKey, SegmentId};
use narrator_journal::{
    Checkpoint, Digest, Journal, NewTake, Record, RecordLog, RunOpened, SegmentDone, StdFs, lost_takes, read,
    take_path,
};
use rusqlite::{Connection, params};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: u32 = 10;
const APPENDS_A_ROUND: u32 = 300;
const LONG_BOOK: u32 = 100_000;
/// FLAC of six seconds of 24 kHz speech, the usual segment.
const TAKE_BYTES: usize = 140_000;

fn key(n: u32) -> ContentKey {
    ContentKey(Digest::of(&n.to_le_bytes()).0)
}

fn done(n: u32) -> SegmentDone {
    SegmentDone {
        segment: SegmentId(n),
        key: key(n),
        take: 0,
        samples: 144_000,
        rate: 24_000,
        bytes: 1,
        audio: Digest::of(&[0]),
    }
}

fn opening() -> RunOpened {
    RunOpened::now([1; 32], [2; 32], "bench", "none")
}

fn main() -> Outcome<()> {
    let parent = std::env::args().nth(1).unwrap_or_else(|| "target".into());
    std::fs::create_dir_all(&parent)?;
    let folder = tempfile::tempdir_in(&parent)?;
    against_sqlite(folder.path())?;
    println!();
    takes_a_second(folder.path())?;
    println!();
    long_book(folder.path())
}

/// Rounds of each in turn, so that whatever else the disk does falls on both.
fn against_sqlite(folder: &Path) -> Outcome<()> {
    let (mut journal, _) = Journal::create(Arc::new(StdFs), &folder.join("segments.ckpt"), &opening())?;
    let db = Connection::open(folder.join("peer.db"))?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.execute_batch(
        "create table done(seq integer primary key, segment integer, key blob, take integer,
         samples integer, rate integer, bytes integer, audio blob)",
    )?;
    let insert = "insert into done(segment, key, take, samples, rate, bytes, audio)
                  values(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut commit = db.prepare(insert)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for n in 0..ROUNDS {
        for i in 0..APPENDS_A_ROUND {
            let record = Record::SegmentDone(done(n * APPENDS_A_ROUND + i));
            let start = Instant::now();
            journal.append(&record)?;
            ours.push(start.elapsed());
        }
        for i in 0..APPENDS_A_ROUND {
            let d = done(n * APPENDS_A_ROUND + i);
            let start = Instant::now();
            let (samples, bytes) = (d.samples as i64, d.bytes as i64);
            commit.execute(params![d.segment.0, d.key.0, d.take, samples, d.rate, bytes, d.audio.0])?;
            theirs.push(start.elapsed());
        }
    }
    let (ours, theirs) = (Spread::of(ours), Spread::of(theirs));
    println!("one durable record, {} of each, in turn:", ROUNDS * APPENDS_A_ROUND);
    println!("  journal append         {ours}");
    println!("  SQLite commit WAL/FULL {theirs}");
    println!(
        "  ratio                  median {:.2}, mean {:.2}",
        ours.median / theirs.median,
        ours.mean / theirs.mean
    );
    Ok(())
}

/// Takes written, synced, renamed and recorded, by how many come at once.
fn takes_a_second(folder: &Path) -> Outcome<()> {
    println!("accepted takes of {} kB made durable with their records:", TAKE_BYTES / 1000);
    let flac: Vec<u8> = (0..TAKE_BYTES as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut next = 0;
    for batch in [1_u32, 2, 4, 8, 16, 32] {
        let job = folder.join(format!("batch-{batch}"));
        std::fs::create_dir(&job)?;
        let (mut checkpoint, ..) = Checkpoint::open(Arc::new(StdFs), &job, &opening())?;
        let count = 480.max(batch);
        let start = Instant::now();
        for _ in 0..count / batch {
            let takes: Vec<NewTake<'_>> = (0..batch)
                .map(|i| NewTake {
                    segment: SegmentId(next + i),
                    key: key(next + i),
                    take: 0,
                    samples: 144_000,
                    rate: 24_000,
                    flac: &flac,
                })
                .collect();
            checkpoint.record(&takes)?;
            next += batch;
        }
        let rate = f64::from(count) / start.elapsed().as_secs_f64();
        println!("  {batch:2} at a time: {rate:5.0} a second");
        checkpoint.close(0)?;
        std::fs::remove_dir_all(&job)?;
    }
    Ok(())
}

/// Opening a long book: the journal alone, and the look at every take's size.
fn long_book(folder: &Path) -> Outcome<()> {
    let job = folder.join("long");
    let path = job.join("segments.ckpt");
    std::fs::create_dir(&job)?;
    let (mut journal, _) = Journal::create(Arc::new(StdFs), &path, &opening())?;
    let records: Vec<Record> = (1..=LONG_BOOK).map(|n| Record::SegmentDone(done(n))).collect();
    journal.append_batch(&records)?;
    journal.close()?;
    let bytes = std::fs::metadata(&path)?.len();
    println!("{LONG_BOOK} segments, {} MB of journal:", bytes / 1_000_000);
    let best = best_of(5, || {
        Journal::open(Arc::new(StdFs), &path, &opening())?.0.close()?;
        Ok(())
    })?;
    println!("  open to write   {best:5.0} ms");
    let best = best_of(5, || {
        let replay = read(&StdFs, &path)?;
        if replay.done().count() == LONG_BOOK as usize { Ok(()) } else { Err("results are missing".into()) }
    })?;
    println!("  read for status {best:5.0} ms");
    let replay = read(&StdFs, &path)?;
    let takes = job.join("takes");
    for shard in 0..=255_u8 {
        std::fs::create_dir_all(takes.join(format!("{shard:02x}")))?;
    }
    for n in 1..=LONG_BOOK {
        std::fs::write(take_path(&takes, &key(n), 0), [0])?;
    }
    let best = best_of(5, || {
        let lost = lost_takes(&StdFs, &takes, &replay, false)?;
        if lost.is_empty() { Ok(()) } else { Err(format!("{} takes are lost", lost.len()).into()) }
    })?;
    println!("  look for takes  {best:5.0} ms");
    Ok(())
}

/// Milliseconds of the quickest of several tries: what it costs when nobody else is at work.
fn best_of(tries: u32, mut job: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let mut best = Duration::MAX;
    for _ in 0..tries {
        let start = Instant::now();
        job()?;
        best = best.min(start.elapsed());
    }
    Ok(best.as_secs_f64() * 1e3)
}

struct Spread {
    median: f64,
    mean: f64,
    p99: f64,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
        let at = |share: f64| micros.get((micros.len() as f64 * share) as usize).copied().unwrap_or(0.0);
        let mean = micros.iter().sum::<f64>() / micros.len().max(1) as f64;
        Self { median: at(0.5), mean, p99: at(0.99) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { median, mean, p99 } = self;
        write!(f, "median {median:4.0} µs, mean {mean:4.0} µs, p99 {p99:5.0} µs")
    }
}
