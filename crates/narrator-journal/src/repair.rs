//! Saving what is right of a damaged journal: `narratord checkpoint repair`.
//!
//! Kept as it is: everything from the first record to the damage, where the chain of checksums is whole.
//!
//! Behind the damage something is missing, and nobody knows what it said. So only this is kept:
//! - a result whose take lies on the disk with the very size and BLAKE3 that the record names: that is
//!   proof by itself;
//! - a reopening: believing it costs at most one more take;
//! - the opening or the end of a run: information, on which nothing depends.
//!
//! Left out, with their offsets in the report: faults and quarantines (a segment is tried again rather
//! than given up on the word of a damaged file), results without their take, and what a newer version
//! wrote. Whatever is left out is spoken again; nothing is lost but time.
//!
//! The original is copied aside, durably, before the new file takes its place by rename. A dry run
//! writes nothing. The job's lock must be held.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{JournalError, io_error};
use crate::format::{FileHeader, HEADER_BYTES, HeaderFault};
use crate::fs::{FileSystem, write_new};
use crate::inspect::records_behind;
use crate::journal::{
    beside, header_crc, keep_aside, push_records, read_file, refuse_newer, scan_file, sync_folder_of,
};
use crate::record::{Digest, Record, RunId, SegmentDone};
use crate::scan::{Content, Located, Scan, Tail, scan};
use crate::takes::take_path;

/// What a repair did, or would do.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RepairReport {
    /// Where the damage begins; nothing when there is none.
    pub damaged_at: Option<u64>,
    /// Records before the damage: all kept.
    pub kept: u64,
    /// Records behind the damage that could be saved.
    pub saved: u64,
    /// Sound records behind the damage that were left out, and why.
    pub left_out: Vec<LeftOut>,
    /// Bytes from the damage on that hold no sound record.
    pub unreadable_bytes: u64,
    /// The header had to be made anew.
    pub new_header: bool,
    /// The copy of the original; nothing in a dry run or when there was nothing to do.
    pub original: Option<PathBuf>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LeftOut {
    pub offset: u64,
    pub why: &'static str,
}

impl fmt::Display for RepairReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, saved, unreadable_bytes, .. } = self;
        let Some(at) = self.damaged_at else {
            return write!(f, "nothing to repair: {kept} records, all sound");
        };
        let (done, tense) = match &self.original {
            Some(_) => ("repaired", ""),
            None => ("would be repaired", " would be"),
        };
        writeln!(f, "damage at byte {at} {done}: {unreadable_bytes} bytes{tense} unreadable")?;
        if self.new_header {
            writeln!(f, "a new header{tense} written")?;
        }
        write!(f, "{kept} records before it{tense} kept, {saved} behind it{tense} saved")?;
        for LeftOut { offset, why } in &self.left_out {
            write!(f, "\nleft out: byte {offset}, {why}")?;
        }
        if let Some(original) = &self.original {
            write!(f, "\nthe original is in {}", original.display())?;
        }
        Ok(())
    }
}

/// Repairs the journal at `path`, whose takes lie below `takes`; with `dry_run` only says what it would
/// do. A file of a newer version, and one that is no journal, are refused.
pub fn repair(
    fs: &dyn FileSystem,
    path: &Path,
    takes: &Path,
    dry_run: bool,
) -> Result<RepairReport, JournalError> {
    let bytes = read_file(fs, path)?;
    let found = match scan(&bytes) {
        Err(HeaderFault::Damaged(_)) => None,
        _ => Some(scan_file(path, &bytes)?),
    };
    let mut report = RepairReport { new_header: found.is_none(), ..RepairReport::default() };
    let end = match &found {
        None => 0,
        Some(found) => {
            refuse_newer(path, found)?;
            report.kept = found.records.len() as u64;
            if found.tail == Tail::Clean {
                return Ok(report);
            }
            found.end
        }
    };
    report.damaged_at = Some(end);
    let behind = records_behind(&bytes, found.as_ref());
    let sound: u64 = behind.iter().map(|located| u64::from(located.bytes)).sum();
    let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
    let (saved, left_out) = choose(fs, takes, behind)?;
    report.unreadable_bytes =
        length.saturating_sub(end.max(if found.is_none() { HEADER_BYTES as u64 } else { 0 }) + sound);
    report.saved = saved.len() as u64;
    report.left_out = left_out;
    if !dry_run {
        report.original = Some(keep_aside(fs, path, "damaged", &bytes)?);
        let part = beside(path, "part");
        write_new(fs, &part, &rebuilt(&bytes, found.as_ref(), &saved)).map_err(io_error("write", &part))?;
        fs.rename(&part, path).map_err(io_error("put in place", path))?;
        sync_folder_of(fs, path)?;
    }
    Ok(report)
}

/// Which of the records behind the damage are right.
fn choose(
    fs: &dyn FileSystem,
    takes: &Path,
    behind: Vec<Located>,
) -> Result<(Vec<Record>, Vec<LeftOut>), JournalError> {
    let (mut saved, mut left_out) = (Vec::new(), Vec::new());
    for Located { offset, content, .. } in behind {
        let why = match content {
            Content::Skipped { .. } => "a record of a newer version",
            Content::Known(Record::SegmentDone(done) | Record::TakeSpoken(done))
                if !take_proves(fs, takes, &done)? =>
            {
                "a result whose take is not on the disk as recorded"
            }
            Content::Known(Record::SegmentFault(_)) => "a fault",
            Content::Known(Record::SegmentQuarantined(_)) => "a quarantine",
            Content::Known(Record::TakeRefused(_)) => "a refused take",
            Content::Known(Record::TakeKept(_)) => "a take kept of a quarantine",
            Content::Known(Record::Dispatched { .. }) => "a list of dispatches",
            Content::Known(record) => {
                saved.push(record);
                continue;
            }
        };
        left_out.push(LeftOut { offset, why });
    }
    Ok((saved, left_out))
}

/// Whether the disk holds the very take that a result speaks of.
fn take_proves(fs: &dyn FileSystem, takes: &Path, done: &SegmentDone) -> Result<bool, JournalError> {
    let path = take_path(takes, &done.key, done.take);
    if fs.size(&path).map_err(io_error("look for", &path))? != Some(done.bytes) {
        return Ok(false);
    }
    let bytes = fs.read(&path).map_err(io_error("read", &path))?;
    Ok(Digest::of(&bytes) == done.audio)
}

/// The bytes of the repaired file.
fn rebuilt(bytes: &[u8], found: Option<&Scan>, saved: &[Record]) -> Vec<u8> {
    let (mut out, seed) = if let Some(found) = found {
        (bytes.get(..found.end as usize).unwrap_or_default().to_vec(), found.seed)
    } else {
        let first = saved.iter().find_map(|record| match record {
            Record::RunOpened(opened) => {
                Some(FileHeader::new(opened.run, &opened.plan.0, &opened.settings.0))
            }
            _ => None,
        });
        let header = first.unwrap_or_else(|| FileHeader::new(RunId([0; 16]), &[0; 32], &[0; 32]));
        (header.encode().to_vec(), header_crc(&header))
    };
    push_records(&mut out, seed, saved);
    out
}
