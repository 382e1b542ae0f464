//! The keeper: takes come in, and go out to the scheduler as done only when they are durable.
//!
//! It owns the checkpoint of the job and mirrors it in a [`Replay`], so that after the last take the
//! audiobook is made from exactly what the journal says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use narrator_core::{ContentKey, Fault, Incarnation, Script, SegmentId};
use narrator_journal::{
    Checkpoint, JournalError, NewTake, Record, Replay, RunOpened, SegmentFault, SegmentQuarantined, Standing,
    StdFs, Warning,
};
use narrator_pool::{Answer, Quarantined, ResultSink, SinkError, Take};
use serde_json::json;

use crate::error::Failure;
use crate::events::{EventLog, Level};
use crate::exit::Exit;
use crate::job::JobDir;
use crate::progress::Tally;
use crate::run::check::WholeTake;

/// Keeps results. Shared between the pool's sink and the run loop.
#[derive(Debug)]
pub struct Keeper {
    segments: Vec<KeptSegment>,
    kept: Mutex<Kept>,
    log: EventLog,
}

#[derive(Clone, Copy, Debug)]
struct KeptSegment {
    key: ContentKey,
    characters: u64,
}

#[derive(Debug)]
struct Kept {
    /// Taken out when the run closes.
    checkpoint: Option<Checkpoint>,
    replay: Replay,
}

/// The pool's view of the keeper.
#[derive(Debug)]
pub struct Sink(pub Arc<Keeper>);

impl ResultSink for Sink {
    fn accept(&mut self, answers: &[&Answer]) -> Vec<Result<(), SinkError>> {
        let takes: Vec<&Take> = answers.iter().filter_map(|answer| answer.take()).collect();
        let kept = self.0.keep(&takes);
        vec![kept; answers.len()]
    }

    fn quarantine(&mut self, out: &Quarantined) -> Result<(), SinkError> {
        let tries = if out.tries == 1 { "try" } else { "tries" };
        let reason = format!("{}: {} ({} {tries})", out.fault, out.why, out.tries);
        let (segment, key) = (out.segment, out.key);
        let record = Record::SegmentQuarantined(SegmentQuarantined { segment, key, reason });
        self.0.append(&record).map_err(|error| unkept(&error))
    }
}

fn closed() -> SinkError {
    SinkError::Failed { detail: "the run is closed".into() }
}

fn unkept(error: &JournalError) -> SinkError {
    let detail = error.to_string();
    match error.kind() {
        narrator_journal::ErrorKind::DiskFull => SinkError::Full { detail },
        _ => SinkError::Failed { detail },
    }
}

impl Keeper {
    pub fn open(
        job: &JobDir,
        script: &Script,
        opening: &RunOpened,
        log: EventLog,
    ) -> Result<(Self, Vec<Warning>), Failure> {
        let (checkpoint, replay, warnings) = Checkpoint::open(Arc::new(StdFs), &job.root, opening)?;
        let segments = script
            .segments
            .iter()
            .map(|segment| KeptSegment { key: segment.key, characters: segment.text.chars().count() as u64 });
        let kept = Mutex::new(Kept { checkpoint: Some(checkpoint), replay });
        Ok((Self { segments: segments.collect(), kept, log }, warnings))
    }

    /// Counts what earlier runs did into `tally`; gives the segments that are still to be spoken.
    /// `is_settled` says of an accepted take whether nothing is left to do about it.
    pub fn tally_up(
        &self,
        tally: &mut Tally,
        is_settled: impl Fn(&ContentKey, u32) -> bool,
    ) -> Vec<SegmentId> {
        let kept = self.kept();
        let mut pending = Vec::new();
        for (index, KeptSegment { key, characters }) in self.segments.iter().enumerate() {
            match kept.replay.standing(key) {
                Standing::Done(done) if is_settled(key, done.take) => {
                    tally.resumed(*characters, done.samples as f64 / f64::from(done.rate.max(1)));
                }
                Standing::Quarantined(_) => tally.quarantined(*characters),
                Standing::Done(_) | Standing::Pending(_) => pending.push(SegmentId::from_index(index)),
            }
        }
        pending
    }

    /// Makes takes durable, all of them or none.
    fn keep(&self, takes: &[&Take]) -> Result<(), SinkError> {
        let encode = |take: &&Take| narrator_audio::flac::encode(&take.pcm, take.sample_rate);
        let encoded: Vec<Vec<u8>> = takes
            .iter()
            .map(encode)
            .collect::<Result<_, _>>()
            .map_err(|error| SinkError::Failed { detail: error.to_string() })?;
        let new: Vec<NewTake<'_>> = takes
            .iter()
            .zip(&encoded)
            .map(|(take, flac)| NewTake {
                segment: take.dispatch.segment,
                key: take.key,
                take: take.take,
                samples: take.pcm.len() as u64,
                rate: take.sample_rate,
                flac,
            })
            .collect();
        let mut kept = self.kept();
        let Kept { checkpoint: Some(checkpoint), replay } = &mut *kept else {
            return Err(closed());
        };
        for done in checkpoint.record(&new).map_err(|error| unkept(&error))? {
            replay.apply(&Record::SegmentDone(done));
        }
        Ok(())
    }

    /// Makes takes durable that are still to be heard, all of them or none. Gives their files.
    pub fn keep_spoken(&self, takes: &[WholeTake]) -> Result<Vec<Vec<u8>>, SinkError> {
        if takes.is_empty() {
            return Ok(Vec::new());
        }
        let encode = |take: &WholeTake| narrator_audio::flac::encode(&take.pcm, take.rate);
        let encoded: Vec<Vec<u8>> = takes
            .iter()
            .map(encode)
            .collect::<Result<_, _>>()
            .map_err(|error| SinkError::Failed { detail: error.to_string() })?;
        let new = takes.iter().zip(&encoded).map(|(take, flac)| NewTake {
            segment: take.segment,
            key: take.key,
            take: take.take,
            samples: take.pcm.len() as u64,
            rate: take.rate,
            flac,
        });
        let new: Vec<NewTake<'_>> = new.collect();
        let mut kept = self.kept();
        let Kept { checkpoint: Some(checkpoint), replay } = &mut *kept else { return Err(closed()) };
        for spoken in checkpoint.record_spoken(&new).map_err(|error| unkept(&error))? {
            replay.apply(&Record::TakeSpoken(spoken));
        }
        Ok(encoded)
    }

    /// Makes records durable, in one write.
    pub fn append_all(&self, records: &[Record]) -> Result<(), SinkError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut kept = self.kept();
        let Kept { checkpoint: Some(checkpoint), replay } = &mut *kept else { return Err(closed()) };
        checkpoint.append(records).map_err(|error| unkept(&error))?;
        for record in records {
            replay.apply(record);
        }
        Ok(())
    }

    /// What the journal says of one content.
    pub fn replay_of(&self, key: &ContentKey) -> Replay {
        self.kept().replay.only(key)
    }

    /// Length of what is heard of this content.
    pub fn seconds_of(&self, key: &ContentKey) -> f64 {
        let kept = self.kept();
        let take = kept.replay.audible(key);
        take.map_or(0.0, |take| take.samples as f64 / f64::from(take.rate.max(1)))
    }

    /// Records a fault. What went wrong is worth knowing, not worth stopping for.
    pub fn fault(&self, segment: SegmentId, fault: Fault, incarnation: Incarnation, attempt: u32) {
        let key = self.key(segment);
        let record = Record::SegmentFault(SegmentFault { segment, key, fault, incarnation, attempt });
        if let Err(error) = self.append(&record) {
            self.log.emit(Level::Warn, "journal_warning", &json!({ "detail": error.to_string() }));
        }
    }

    fn append(&self, record: &Record) -> Result<(), JournalError> {
        let mut kept = self.kept();
        if let Some(checkpoint) = &mut kept.checkpoint {
            checkpoint.append(std::slice::from_ref(record))?;
            kept.replay.apply(record);
        }
        Ok(())
    }

    fn key(&self, segment: SegmentId) -> ContentKey {
        self.segments[segment.index()].key
    }

    pub fn characters(&self, segment: SegmentId) -> u64 {
        self.segments[segment.index()].characters
    }

    pub fn replay(&self) -> Replay {
        self.kept().replay.clone()
    }

    /// Ends the run in the journal. A run that cannot is as good as one that was killed: nothing is lost.
    pub fn close(&self, exit: Exit) {
        let checkpoint = self.kept().checkpoint.take();
        if let Some(Err(error)) = checkpoint.map(|checkpoint| checkpoint.close(exit.code())) {
            self.log.emit(Level::Warn, "journal_warning", &json!({ "detail": error.to_string() }));
        }
    }

    /// A thread that panicked while it held the lock has aborted the process, or (in tests) left the
    /// checkpoint in a state that its own rules keep safe.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
