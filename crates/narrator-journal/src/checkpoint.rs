//! The journal and the takes of one job together: what the run loop records its results with.
//!
//! The one order that counts is kept here: the takes durable, then their records durable, then the
//! caller told. The reverse would promise audio that a power cut can still take away.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use narrator_core::{ContentKey, SegmentId};

use crate::error::{ErrorKind, JournalError, io_error};
use crate::fs::FileSystem;
use crate::journal::{JOURNAL_NAME, Journal, RecordLog, TornTail, beside};
use crate::record::{Record, Reopening, RunClosed, RunId, RunOpened, SegmentDone, SegmentReopened};
use crate::replay::Replay;
use crate::takes::{LostTake, TakeStore};

/// The folder of takes in a job folder.
pub const TAKES_NAME: &str = "takes";

/// An accepted take, to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct NewTake<'a> {
    pub segment: SegmentId,
    pub key: ContentKey,
    /// Which take of this content it is, from 0.
    pub take: u32,
    pub samples: u64,
    pub rate: u32,
    /// The encoded file.
    pub flac: &'a [u8],
}

/// What opening a job's checkpoint found, and dealt with; for the events and the person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Warning {
    /// The last write of the journal had not been finished.
    TornTail(TornTail),
    /// A take was gone or of another size; its segment is pending again.
    LostTake(LostTake),
    /// Half-written takes of a crashed run were removed.
    PartsRemoved(usize),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TornTail(TornTail { at, bytes, kept }) => write!(
                f,
                "the journal's last write was unfinished: {bytes} bytes at byte {at} cut off, kept in {}",
                kept.display()
            ),
            Self::LostTake(LostTake { done, found, .. }) => {
                let segment = done.segment;
                match found {
                    None => write!(f, "the take of segment {segment} is missing")?,
                    Some(found) => {
                        write!(f, "the take of segment {segment} has {found} bytes, not {}", done.bytes)?;
                    }
                }
                f.write_str(": it will be spoken again")
            }
            Self::PartsRemoved(count) => write!(f, "{count} half-written takes of an earlier run removed"),
        }
    }
}

/// The journal and the takes of one job, open for writing. The job's lock must be held.
#[derive(Debug)]
pub struct Checkpoint {
    journal: Journal,
    takes: TakeStore,
    run: RunId,
}

impl Checkpoint {
    /// Opens or begins the checkpoint of the job folder `job`, which must be there. Takes that are lost
    /// are pending again in the replay, and in the journal.
    pub fn open(
        fs: Arc<dyn FileSystem>,
        job: &Path,
        opening: &RunOpened,
    ) -> Result<(Self, Replay, Vec<Warning>), JournalError> {
        let path = job.join(JOURNAL_NAME);
        let mut warnings = Vec::new();
        let exists = fs.size(&path).map_err(io_error("look for", &path))?.is_some();
        let (mut journal, mut replay) = if exists {
            let (journal, replay, torn) = Journal::open(Arc::clone(&fs), &path, opening)?;
            warnings.extend(torn.map(Warning::TornTail));
            (journal, replay)
        } else {
            Journal::create(Arc::clone(&fs), &path, opening)?
        };
        let part = beside(&path, "part");
        if fs.size(&part).map_err(io_error("look for", &part))?.is_some() {
            fs.remove(&part).map_err(io_error("remove", &part))?;
        }
        let (takes, swept) = TakeStore::open(fs, &job.join(TAKES_NAME))?;
        if swept > 0 {
            warnings.push(Warning::PartsRemoved(swept));
        }
        let lost = takes.lost(&replay, false)?;
        let reopened: Vec<Record> = lost.iter().map(reopen_lost).collect();
        journal.append_batch(&reopened)?;
        for record in &reopened {
            replay.apply(record);
        }
        warnings.extend(lost.into_iter().map(Warning::LostTake));
        Ok((Self { journal, takes, run: opening.run }, replay, warnings))
    }

    /// Records accepted takes, and returns once all of them are durable. An error of kind
    /// [`ErrorKind::DiskFull`] leaves everything in use: the same call may be made again.
    pub fn record(&mut self, results: &[NewTake<'_>]) -> Result<Vec<SegmentDone>, JournalError> {
        let done = self.store(results)?;
        let records: Vec<Record> = done.iter().cloned().map(Record::SegmentDone).collect();
        self.journal.append_batch(&records)?;
        Ok(done)
    }

    /// As [`Self::record`], of takes that are still to be judged: durable, and nobody's result yet.
    pub fn record_spoken(&mut self, takes: &[NewTake<'_>]) -> Result<Vec<SegmentDone>, JournalError> {
        let spoken = self.store(takes)?;
        let records: Vec<Record> = spoken.iter().cloned().map(Record::TakeSpoken).collect();
        self.journal.append_batch(&records)?;
        Ok(spoken)
    }

    fn store(&mut self, results: &[NewTake<'_>]) -> Result<Vec<SegmentDone>, JournalError> {
        self.journal.check()?;
        let files: Vec<_> = results.iter().map(|result| (result.key, result.take, result.flac)).collect();
        let stored = self.takes.put_all(&files).inspect_err(|error| {
            if error.kind() != ErrorKind::DiskFull {
                self.journal.poison(error.to_string());
            }
        })?;
        let done = results.iter().zip(stored).map(|(result, stored)| SegmentDone {
            segment: result.segment,
            key: result.key,
            take: result.take,
            samples: result.samples,
            rate: result.rate,
            bytes: stored.bytes,
            audio: stored.hash,
        });
        Ok(done.collect())
    }

    /// Records what is not a result: faults, quarantines, reopenings, dispatches.
    pub fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        self.journal.append_batch(records)
    }

    pub fn takes(&self) -> &TakeStore {
        &self.takes
    }

    /// The same checkpoint with another number of threads for a batch of takes.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.takes = self.takes.with_threads(threads);
        self
    }

    /// The failure after which it takes nothing more, if there was one.
    pub fn poisoned(&self) -> Option<&str> {
        self.journal.poisoned()
    }

    /// Ends the run in order. A run that is killed instead loses nothing.
    pub fn close(mut self, exit_code: u8) -> Result<(), JournalError> {
        let at_ms = narrator_core::clock::unix_ms();
        self.journal.append(&Record::RunClosed(RunClosed { run: self.run, at_ms, exit_code }))?;
        self.journal.close()
    }
}

fn reopen_lost(lost: &LostTake) -> Record {
    let (segment, key) = (lost.done.segment, lost.done.key);
    Record::SegmentReopened(SegmentReopened { segment, key, why: Reopening::TakeLost })
}
