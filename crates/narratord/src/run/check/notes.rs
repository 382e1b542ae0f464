//! What was said of every take: `verdicts.jsonl`, a line a judgement, and `words.jsonl`, made of it at the end.
//!
//! The journal decides which take is accepted; this file says why, and where its words are. It is appended to
//! as the judgements come and never waited for: what a power cut takes of it is heard once more by the next
//! run, which asks here what was judged already. A line that is not whole is passed over.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};

use narrator_core::{ContentKey, Script, SegmentId};
use narrator_fidelity::times::WordTime;
use narrator_fidelity::verdict::{Complaint, Verdict};
use narrator_journal::Replay;
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::job::{JobDir, remove_if_there, write_whole};

/// One judgement of one take.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Note {
    pub segment: SegmentId,
    pub key: ContentKey,
    pub take: u32,
    /// `fast` or `strict`: what the judgement is worth to a later run.
    pub check: String,
    /// `accept`, `retry`, `quarantine`, or `unheard` when nobody could listen.
    pub outcome: String,
    /// One sentence.
    pub summary: String,
    /// Who listened, in order.
    pub models: Vec<String>,
    /// What they heard, in the same order.
    pub heard: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

impl Note {
    /// What speaks against the take.
    pub fn complaints(&self) -> &[Complaint] {
        self.verdict.as_ref().map_or(&[], |verdict| &verdict.complaints)
    }
}

/// The file, open for more.
#[derive(Debug)]
pub struct Notebook {
    file: Option<File>,
}

impl Notebook {
    /// A notebook that cannot be written is no reason to stop: what is missing is heard again one day.
    pub fn open(job: &JobDir) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(job.verdicts());
        Self { file: file.ok() }
    }

    pub fn write(&mut self, note: &Note) {
        let Ok(mut line) = serde_json::to_vec(note) else { return };
        // A line of a run that was killed in the middle of one must not swallow this one.
        line.insert(0, b'\n');
        if let Some(file) = &mut self.file
            && file.write_all(&line).is_err()
        {
            self.file = None;
        }
    }
}

/// The last word on every take, by content and number.
pub type Notes = HashMap<(ContentKey, u32), Note>;

/// Everything that was noted; nothing when there is no file.
pub fn read(job: &JobDir) -> Notes {
    let Ok(file) = File::open(job.verdicts()) else { return Notes::new() };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let notes = lines.filter_map(|line| serde_json::from_str::<Note>(&line).ok());
    notes.map(|note| ((note.key, note.take), note)).collect()
}

/// Whether an accepted take was heard, as well as is asked for now.
pub fn is_judged(notes: &Notes, key: &ContentKey, take: u32, strict: bool) -> bool {
    let judged = |note: &Note| note.outcome == "accept" && (!strict || note.check == "strict");
    notes.get(&(*key, take)).is_some_and(judged)
}

/// The words of one segment and their places in its take: a line of `words.jsonl`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SegmentWords {
    pub segment: SegmentId,
    pub take: u32,
    pub words: Vec<PlacedWord>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlacedWord {
    pub text: String,
    #[serde(flatten)]
    pub time: WordTime,
}

/// Writes `words.jsonl`: every segment of the script whose take was heard, in order. When none was there is no
/// such file.
pub fn write_words(job: &JobDir, script: &Script, replay: &Replay, notes: &Notes) -> Result<(), Failure> {
    let mut lines = Vec::new();
    for segment in &script.segments {
        let Some(take) = replay.audible(&segment.key).map(|take| take.take) else { continue };
        let Some(verdict) = notes.get(&(segment.key, take)).and_then(|note| note.verdict.as_ref()) else {
            continue;
        };
        let placed = verdict.times.iter().filter_map(|time| {
            let text = segment.text.get(time.at.start as usize..time.at.end as usize)?;
            Some(PlacedWord { text: text.to_owned(), time: time.clone() })
        });
        let line = SegmentWords { segment: segment.id, take, words: placed.collect() };
        // Numbers and text: nothing in it can fail to become JSON.
        serde_json::to_writer(&mut lines, &line).unwrap_or_default();
        lines.push(b'\n');
    }
    let path = job.root.join("words.jsonl");
    if !lines.is_empty() {
        return write_whole(&path, &lines);
    }
    remove_if_there(&path)
}
