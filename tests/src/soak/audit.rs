//! What must hold after a book, whatever befell it.
//!
//! The audit believes nobody: not the exit code, not the report, not the events. It reads the script, every
//! record of the journal and every take, and looks at the machine for what should not be there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use narrator_core::{ContentKey, Fault, Script, Segment};
use narrator_journal::{Content, Digest, Record, SegmentDone, Standing, StdFs, take_path};
use serde_json::Value;

use super::stage::{MARK, POISON, Stage, Voice};
use super::tally::Tally;
use crate::processes::{eventually, holders_of, is_alive, marked, signal};
use crate::sim::{Birthplace, SimScript, audio_for};

/// In which everything must be gone that an orchestrator started (promise S10).
const ORPHANS: Duration = Duration::from_secs(10);

/// A promise that was not kept.
pub type Broken = String;

/// The undisturbed book.
#[derive(Debug, Default)]
pub struct Reference {
    /// What each take's file is.
    takes: BTreeMap<ContentKey, Digest>,
    audiobook: Vec<u8>,
}

impl Reference {
    /// Reads a finished, undisturbed stage.
    pub fn of(stage: &Stage) -> Result<Self, Broken> {
        let replay = read_replay(stage)?;
        let takes = replay.done().map(|done| (done.key, done.audio)).collect();
        let audiobook = std::fs::read(stage.audiobook()).map_err(|error| error.to_string())?;
        Ok(Self { takes, audiobook })
    }
}

fn read_replay(stage: &Stage) -> Result<narrator_journal::Replay, Broken> {
    narrator_journal::read(&StdFs, &stage.journal()).map_err(|error| format!("the journal: {error}"))
}

/// Looks a finished stage over; adds to `tally` what it found in order.
pub fn audit(
    stage: &Stage,
    script: &SimScript,
    reference: &Reference,
    exit: i32,
    tally: &mut Tally,
) -> Result<(), Broken> {
    let planned = read_script(&stage.job())?;
    let book = Book { stage, sim: script, reference, planned: &planned };
    let found = book.segments(tally)?;
    book.recorded_once()?;
    if (exit == 3) != (found.quarantined > 0) {
        return Err(format!("exit code {exit} with {} segments in quarantine", found.quarantined));
    }
    book.audiobook(&found, tally)?;
    nothing_is_left(stage)?;
    only_known_files(stage, &planned)?;
    tally.books += 1;
    tally.survived = tally.faults();
    Ok(())
}

fn read_script(job: &Path) -> Result<Script, Broken> {
    let file = std::fs::File::open(job.join("script.jsonl")).map_err(|error| error.to_string())?;
    narrator_script::read_script(BufReader::new(file)).map_err(|error| error.to_string())
}

/// What the segments of a book came to.
#[derive(Debug, Default)]
struct Found {
    quarantined: u64,
    /// Takes that other random numbers made.
    reseeded: u64,
}

struct Book<'a> {
    stage: &'a Stage,
    sim: &'a SimScript,
    reference: &'a Reference,
    planned: &'a Script,
}

impl Book<'_> {
    /// Each segment is done, with the sound that it has to have, or in quarantine with a reason.
    fn segments(&self, tally: &mut Tally) -> Result<Found, Broken> {
        let replay = read_replay(self.stage)?;
        let (mut found, mut broken) = (Found::default(), Vec::new());
        for segment in &self.planned.segments {
            tally.segments += 1;
            let wrong = match replay.standing(&segment.key) {
                Standing::Done(done) => {
                    tally.done += 1;
                    found.reseeded += u64::from(done.take > 0);
                    tally.takes_compared += 1;
                    self.sounds_right(segment, done).err()
                }
                Standing::Quarantined(out) if !out.reason.is_empty() => {
                    tally.quarantined += 1;
                    found.quarantined += 1;
                    None
                }
                Standing::Quarantined(_) => Some("is in quarantine without a reason".to_owned()),
                Standing::Pending(_) => Some("is neither done nor in quarantine".to_owned()),
            };
            if segment.text.contains(POISON) && matches!(replay.standing(&segment.key), Standing::Done(_)) {
                broken.push(format!("segment {} is poison and is done", segment.id));
            }
            if let Some(wrong) = wrong {
                tally.words_lost += segment.text.split_whitespace().count() as u64;
                broken.push(format!("segment {} {wrong}", segment.id));
            }
        }
        if broken.is_empty() { Ok(found) } else { Err(broken.join("; ")) }
    }

    fn sounds_right(&self, segment: &Segment, done: &SegmentDone) -> Result<(), Broken> {
        let path = take_path(&self.stage.job().join(narrator_journal::TAKES_NAME), &segment.key, done.take);
        let bytes = std::fs::read(&path).map_err(|error| format!("has no take: {error}"))?;
        let digest = Digest::of(&bytes);
        if digest != done.audio {
            return Err("has another take than its record says".to_owned());
        }
        if done.take == 0 {
            let same = self.reference.takes.get(&segment.key) == Some(&digest);
            return if same { Ok(()) } else { Err("sounds different from the undisturbed run".to_owned()) };
        }
        if self.stage.voice != Voice::Sim {
            return Err("was spoken with other random numbers, though no take was bad".to_owned());
        }
        let seed = segment.key.row_seed(done.take);
        let truth = audio_for(&segment.text, seed, self.sim.sample_rate, self.sim.seconds_per_char);
        let truth = narrator_audio::flac::encode(&truth, done.rate).map_err(|error| error.to_string())?;
        if truth == bytes { Ok(()) } else { Err(format!("is not what take {} has to be", done.take)) }
    }

    /// The journal holds one result for each content, unless the result before it was taken back.
    fn recorded_once(&self) -> Result<(), Broken> {
        let lines =
            narrator_journal::dump(&StdFs, &self.stage.journal()).map_err(|error| error.to_string())?;
        let mut done = BTreeSet::new();
        for line in lines {
            match line.content {
                Content::Known(Record::SegmentDone(record)) if !done.insert(record.key) => {
                    return Err(format!("segment {} was recorded as done twice", record.segment));
                }
                Content::Known(Record::SegmentReopened(record)) => {
                    done.remove(&record.key);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where every segment is done with its first random numbers, the audiobook is the undisturbed one.
    fn audiobook(&self, found: &Found, tally: &mut Tally) -> Result<(), Broken> {
        let audiobook =
            std::fs::read(self.stage.audiobook()).map_err(|error| format!("no audiobook: {error}"))?;
        if found.quarantined > 0 || found.reseeded > 0 {
            return Ok(());
        }
        if audiobook != self.reference.audiobook {
            return Err("the audiobook differs from the undisturbed one".to_owned());
        }
        tally.same_audiobooks += 1;
        Ok(())
    }
}

/// No process, no open file, no socket.
fn nothing_is_left(stage: &Stage) -> Result<(), Broken> {
    let births = Birthplace::new(stage.births());
    for stray in births.read().into_iter().filter(|line| line.what == "grandchild") {
        // Outside its worker's group by its own will, as a worker's grandchild may be; not ours to end.
        signal(stray.pid, libc::SIGKILL);
    }
    let mark = format!("{MARK}={}", stage.root().display());
    if !eventually(ORPHANS, || marked(&mark).is_empty()) {
        return Err(format!("processes are left: {:?}", marked(&mark)));
    }
    let born: Vec<u32> = births.pids().into_iter().filter(|pid| is_alive(*pid) && is_sim(*pid)).collect();
    if !born.is_empty() {
        return Err(format!("workers are left: {born:?}"));
    }
    let holders = holders_of(stage.root());
    if !holders.is_empty() {
        return Err(format!("files of the job are open in processes {holders:?}"));
    }
    for folder in [stage.sockets(), stage.scratch()] {
        let left = files_below(&folder);
        if !left.is_empty() {
            return Err(format!("left behind: {left:?}"));
        }
    }
    Ok(())
}

/// A pid may be somebody else's by now.
fn is_sim(pid: u32) -> bool {
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    program.file_name().is_some_and(|name| name == "narrator-sim-worker")
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files
}

/// The desk holds the audiobook and the job, and the job what its documentation says; nothing temporary.
fn only_known_files(stage: &Stage, planned: &Script) -> Result<(), Broken> {
    let (job, takes) = (stage.job(), stage.job().join(narrator_journal::TAKES_NAME));
    let planned: BTreeSet<ContentKey> = planned.segments.iter().map(|segment| segment.key).collect();
    // Rejected takes stay beside the accepted one.
    let is_take = |path: &Path, name: &str| {
        let key = name.get(..64).and_then(ContentKey::from_hex);
        path.starts_with(&takes) && is_flac(name) && key.is_some_and(|key| planned.contains(&key))
    };
    let known = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let folder = path.parent().unwrap_or(path);
        *path == stage.audiobook()
            || is_take(path, name)
            || folder == job.join("logs") && is_log(name)
            || folder == job
                && (JOB_FILES
                    .contains(&name)
                    // Evidence: what was cut off the journal's end is kept for whoever wants to know.
                    || name.starts_with("segments.ckpt.torn-"))
    };
    let strange: Vec<PathBuf> = files_below(&stage.desk()).into_iter().filter(|path| !known(path)).collect();
    if strange.is_empty() { Ok(()) } else { Err(format!("files that should not be there: {strange:?}")) }
}

/// What a job folder may have beside its takes and logs.
const JOB_FILES: [&str; 12] = [
    "job.toml",
    "lexicon.toml",
    "ledger.jsonl",
    "lock",
    "places.jsonl",
    "report.html",
    "report.json",
    "script.jsonl",
    "segments.ckpt",
    "verdicts.jsonl",
    "voice.json",
    "words.jsonl",
];

fn is_flac(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending == "flac")
}

fn is_log(name: &str) -> bool {
    name.strip_prefix("narratord.").and_then(|rest| rest.strip_suffix("jsonl")).is_some()
}

/// Reads a job's events for what the soak reports: faults by class, and how long a lost worker was missed.
pub fn read_events(stage: &Stage, tally: &mut Tally) {
    let logs = files_below(&stage.job().join("logs"));
    let mut texts: Vec<(u32, String)> = logs
        .iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            // narratord.jsonl is the youngest, then narratord.1.jsonl and so on.
            let age = name.strip_prefix("narratord.")?.strip_suffix("jsonl")?.trim_end_matches('.');
            let age = if age.is_empty() { 0 } else { age.parse().ok()? };
            Some((age, std::fs::read_to_string(path).ok()?))
        })
        .collect();
    texts.sort_by_key(|(age, _)| std::cmp::Reverse(*age));
    let mut missed: BTreeMap<u64, u64> = BTreeMap::new();
    for line in texts.iter().flat_map(|(_, text)| text.lines()) {
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        let number = |field: &str| event[field].as_u64();
        match event["event"].as_str().unwrap_or_default() {
            "run_started" => missed.clear(),
            "fault_seen" => {
                let fault = event["fault"].as_str().unwrap_or_default();
                tally.saw(fault);
                let known = Fault::ALL.into_iter().find(|known| known.name() == fault);
                if known.is_some_and(|fault| fault.policy().restart)
                    && let (Some(slot), Some(at)) = (number("slot"), number("elapsed_ms"))
                {
                    missed.entry(slot).or_insert(at);
                }
            }
            "worker_ready" => {
                if let (Some(slot), Some(at)) = (number("slot"), number("elapsed_ms"))
                    && let Some(since) = missed.remove(&slot)
                {
                    tally.replaced_ms.push(at.saturating_sub(since));
                }
            }
            "dispatch_paused" => tally.saw("disk_full"),
            "clock_gap" => tally.saw("clock_gap"),
            "answer_dropped" => tally.saw("answer_dropped"),
            _ => {}
        }
    }
}
