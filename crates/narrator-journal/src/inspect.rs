//! Looking at a journal without touching it: `narratord checkpoint verify` and `dump`.

use std::fmt;
use std::path::Path;

use serde::{Serialize, Serializer};

use crate::error::JournalError;
use crate::format::{FileHeader, HeaderFault};
use crate::fs::FileSystem;
use crate::journal::{read_file, replay_of};
use crate::record::{Decoded, Record};
use crate::scan::{Content, Located, Resync, Scan, Tail, scan};

/// What a journal file is, in one look.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// Length of the file.
    pub bytes: u64,
    /// Nothing when it cannot be believed.
    pub header: Option<FileHeader>,
    /// Records that can be believed, from the first on without a gap.
    pub records: u64,
    /// How many of those are newer than this version and passed over.
    pub passed_over: u64,
    /// Offset behind the last of them.
    pub end: u64,
    /// Runs that worked on the job.
    pub runs: u64,
    /// Segments done and quarantined, by those records.
    pub done: u64,
    pub quarantined: u64,
    pub verdict: Verdict,
}

/// Whether a journal can be gone on with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    Sound,
    /// The last write was not finished; the next run cuts it off. Nothing acknowledged is lost.
    Torn {
        at: u64,
        bytes: u64,
    },
    Damaged {
        at: u64,
        next_valid: Option<u64>,
        what: &'static str,
    },
    Newer {
        at: u64,
    },
    NotAJournal,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, records, end, runs, done, quarantined, .. } = self;
        match &self.verdict {
            Verdict::NotAJournal => return write!(f, "not a segment journal ({bytes} bytes)"),
            Verdict::Sound => f.write_str("sound")?,
            Verdict::Torn { at, bytes } => {
                write!(f, "sound, but for an unfinished last write at byte {at} ({bytes} bytes)")?;
            }
            Verdict::Damaged { at, next_valid, what } => {
                write!(f, "damaged at byte {at}: {what}")?;
                if let Some(next) = next_valid {
                    write!(f, "; the next sound record is at byte {next}")?;
                }
            }
            Verdict::Newer { at } => write!(f, "written by a newer narratord (byte {at})")?,
        }
        write!(
            f,
            "\nrecords: {records}, in {end} of {bytes} bytes; runs: {runs}, segments done: {done}, \
             quarantined: {quarantined}"
        )?;
        if self.passed_over > 0 {
            write!(f, "\n{} records of a newer version passed over", self.passed_over)?;
        }
        Ok(())
    }
}

/// Looks a journal over from end to end, and writes nothing. Fails only when it cannot be read.
pub fn verify(fs: &dyn FileSystem, path: &Path) -> Result<Report, JournalError> {
    Ok(Report::of(&read_file(fs, path)?))
}

impl Report {
    /// The report on these bytes, whatever they are.
    pub fn of(bytes: &[u8]) -> Self {
        let length = bytes.len() as u64;
        match scan(bytes) {
            Ok(found) => report(length, &found),
            Err(fault) => Self {
                bytes: length,
                header: None,
                records: 0,
                passed_over: 0,
                end: 0,
                runs: 0,
                done: 0,
                quarantined: 0,
                verdict: match fault {
                    HeaderFault::NotAJournal => Verdict::NotAJournal,
                    HeaderFault::Newer(_) => Verdict::Newer { at: 8 },
                    HeaderFault::Damaged(what) => {
                        let next_valid = Resync::whole(bytes).next().map(|(offset, _)| offset as u64);
                        Verdict::Damaged { at: 0, next_valid, what }
                    }
                },
            },
        }
    }
}

fn report(length: u64, found: &Scan) -> Report {
    let replay = replay_of(found);
    let at = found.end;
    Report {
        bytes: length,
        header: Some(found.header),
        records: found.records.len() as u64,
        passed_over: found.records.len() as u64 - replay.records(),
        end: at,
        runs: replay.openings().len() as u64,
        done: replay.done().count() as u64,
        quarantined: replay.quarantined().count() as u64,
        verdict: match found.tail {
            Tail::Clean => Verdict::Sound,
            Tail::Torn { bytes } => Verdict::Torn { at, bytes },
            Tail::Damaged { next_valid } => {
                Verdict::Damaged { at, next_valid, what: "no record can be read here" }
            }
            Tail::Malformed { .. } => {
                Verdict::Damaged { at, next_valid: None, what: "a sound record makes no sense" }
            }
            Tail::Newer { .. } => Verdict::Newer { at },
        },
    }
}

/// One record for a person or a script to read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DumpLine {
    pub offset: u64,
    pub bytes: u32,
    /// It stands behind damage: sound in itself, but no run would read this far.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub behind_damage: bool,
    #[serde(flatten)]
    pub content: Content,
}

/// Every sound record of a journal in its order, those behind damage too. Fails when the file cannot be
/// read or is no journal that this version knows.
pub fn dump(fs: &dyn FileSystem, path: &Path) -> Result<Vec<DumpLine>, JournalError> {
    let bytes = read_file(fs, path)?;
    let (before, behind) = match scan(&bytes) {
        Ok(found) => {
            let behind = records_behind(&bytes, Some(&found));
            (found.records, behind)
        }
        Err(HeaderFault::Damaged(_)) => (Vec::new(), records_behind(&bytes, None)),
        Err(HeaderFault::NotAJournal) => return Err(JournalError::NotAJournal { path: path.to_path_buf() }),
        Err(HeaderFault::Newer(version)) => {
            let what = format!("format version {version}");
            return Err(JournalError::Newer { path: path.to_path_buf(), offset: 8, what });
        }
    };
    let line = |behind_damage| {
        move |Located { offset, bytes, content }| DumpLine { offset, bytes, behind_damage, content }
    };
    Ok(before.into_iter().map(line(false)).chain(behind.into_iter().map(line(true))).collect())
}

/// Sound records behind the place where a scan stopped, or in a whole file whose header is not believed.
pub(crate) fn records_behind(bytes: &[u8], found: Option<&Scan>) -> Vec<Located> {
    let search = match found {
        None => Resync::whole(bytes),
        Some(Scan { tail: Tail::Clean, .. }) => return Vec::new(),
        Some(found) => Resync::new(bytes, found.end as usize, found.seed),
    };
    search
        .filter_map(|(offset, frame)| {
            let content = match Record::decode(frame.kind, frame.version, frame.payload) {
                Decoded::Known(record) => Content::Known(record),
                Decoded::Skipped | Decoded::Newer => {
                    Content::Skipped { kind: frame.kind, version: frame.version }
                }
                Decoded::Malformed => return None,
            };
            Some(Located { offset: offset as u64, bytes: (frame.end - offset) as u32, content })
        })
        .collect()
}

impl Serialize for FileHeader {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let mut header = serializer.serialize_struct("FileHeader", 3)?;
        header.serialize_field("run", &self.run)?;
        header.serialize_field("script", &hex(&self.script))?;
        header.serialize_field("settings", &hex(&self.settings))?;
        header.end()
    }
}
