//! `report.json`: what a run made, for the morning and for scripts.

use std::path::PathBuf;

use narrator_audio::{Finished, Measurement};
use narrator_core::{Metadata, Script, Segment, SegmentId};
use narrator_journal::Replay;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::hearers::Hearers;
use super::check::notes::Notes;
use crate::audit::Outcome;
use crate::commands::plan::Tokens;
use crate::error::Failure;
use crate::exit::Exit;
use crate::job::JobDir;

/// A segment that is not in the audiobook as it should be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Missing {
    pub segment: SegmentId,
    pub chapter: String,
    pub text: String,
    pub reason: String,
    /// The take of it that is in the audiobook all the same; none: a pause stands in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<u32>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ChapterTimes {
    pub title: String,
    pub start_s: f64,
    pub end_s: f64,
}

/// The report of a finished run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    pub title: String,
    pub authors: Vec<String>,
    pub finished: String,
    pub model: String,
    pub voice: String,
    pub seed: u64,
    /// Names the takes, pauses, chapters and settings that the audiobook was made from.
    pub assembly: String,
    pub files: Vec<PathBuf>,
    pub bytes: u64,
    pub audio_s: f64,
    pub segments: u32,
    pub spoken: u32,
    pub quarantined: Vec<Missing>,
    /// Source tokens, and what became of them.
    pub tokens: Tokens,
    pub chapters: Vec<ChapterTimes>,
    /// What is wrong with script and ledger, if anything is: they were held against the book's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
    /// Of the finished files, after decoding.
    pub loudness: Measurement,
    /// What the checks came to; absent when nobody listened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Checks>,
    /// The finished audiobook against the book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Outcome>,
}

/// What the checks of all runs of the job came to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Checks {
    pub mode: String,
    pub recognisers: Vec<String>,
    /// Segments whose take was heard and accepted.
    pub heard: u32,
    /// Segments whose take nobody could hear.
    pub unheard: u32,
    /// Takes that were refused.
    pub refused: u32,
}

impl Checks {
    pub fn of(hearers: &Hearers, script: &Script, replay: &Replay, notes: &Notes) -> Self {
        let outcome = |segment: &Segment| {
            let take = replay.audible(&segment.key)?;
            Some(notes.get(&(segment.key, take.take))?.outcome.as_str())
        };
        let count = |wanted: &str| {
            script.segments.iter().filter(|segment| outcome(segment) == Some(wanted)).count() as u32
        };
        Self {
            mode: hearers.mode().into(),
            recognisers: hearers.names().into_iter().map(str::to_owned).collect(),
            heard: count("accept"),
            unheard: count("unheard"),
            refused: script.segments.iter().map(|segment| replay.refused(&segment.key).len() as u32).sum(),
        }
    }
}

impl Report {
    pub fn chapters_of(finished: &Finished) -> Vec<ChapterTimes> {
        let seconds = |samples: u64| samples as f64 / f64::from(finished.rate.max(1));
        let times = |chapter: &narrator_audio::FinishedChapter| ChapterTimes {
            title: chapter.title.clone(),
            start_s: seconds(chapter.start),
            end_s: seconds(chapter.end),
        };
        finished.chapters.iter().map(times).collect()
    }
}

/// Whether the report of a finished job can be read; the error says what to do.
pub fn check(job: &JobDir) -> Result<(), Failure> {
    let path = job.report();
    let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
    let parsed = read.and_then(|text| serde_json::from_str::<Report>(&text).map_err(|e| e.to_string()));
    match parsed {
        Ok(_) => Ok(()),
        Err(why) => Err(Failure::new(
            Exit::BadInput,
            format!("the report {} cannot be read: {why}", path.display()),
        )
        .hint("run the same command again: it writes audiobook and report anew, and speaks nothing again")),
    }
}

/// The report of the audiobook of this `assembly`, when that was written before and still has its size.
pub fn written(job: &JobDir, assembly: &str) -> Option<Report> {
    let text = std::fs::read_to_string(job.report()).ok()?;
    let report: Report = serde_json::from_str(&text).ok()?;
    let sizes: Option<Vec<u64>> =
        report.files.iter().map(|file| Some(std::fs::metadata(file).ok()?.len())).collect();
    (report.assembly == assembly && sizes?.iter().sum::<u64>() == report.bytes).then_some(report)
}

/// Names an audiobook by everything that decides its bytes: takes and pauses in order, chapter titles,
/// metadata, settings and where it goes.
pub fn assembly_hash(
    script: &Script,
    missing: &[Missing],
    replay: &Replay,
    metadata: &Metadata,
    rest: &Value,
) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("narratord assembly v1");
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    for segment in &script.segments {
        add(&segment.key.0);
        add(&segment.pause_after_ms.to_le_bytes());
        add(&replay.audible(&segment.key).map_or(u32::MAX, |take| take.take).to_le_bytes());
    }
    for chapter in &script.chapters {
        add(chapter.title.as_bytes());
        add(&chapter.segments.start.to_le_bytes());
        add(&chapter.segments.end.to_le_bytes());
    }
    for segment in missing {
        add(&segment.segment.0.to_le_bytes());
    }
    add(serde_json::to_string(metadata).unwrap_or_default().as_bytes());
    add(rest.to_string().as_bytes());
    hasher.finalize().to_hex().to_string()
}
