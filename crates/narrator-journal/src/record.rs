//! What the journal says, and how each kind lies in its frame.
//!
//! Layouts are written by hand and never change: a kind that must say more gets a new version or, where
//! old readers may go on without it, a new kind with the may-skip bit. Reading is strict: a payload that
//! its checksum vouches for and that is still not exactly one of these layouts is refused, not guessed.

use std::fmt;

use narrator_core::{ContentKey, Dispatch, Fault, Incarnation, SegmentId};
use serde::{Serialize, Serializer};

use crate::format::{MAY_SKIP, Pack, Unpack};

/// Longest text kept of a reason or a name; the rest is cut.
const MAX_TEXT_BYTES: u16 = 1024;
/// Dispatches in one record: what fits a frame.
const MAX_DISPATCHES: usize = 4000;

const RUN_OPENED: u8 = 1;
const SEGMENT_DONE: u8 = 2;
const SEGMENT_FAULT: u8 = 3;
const SEGMENT_QUARANTINED: u8 = 4;
const SEGMENT_REOPENED: u8 = 5;
const RUN_CLOSED: u8 = 6;
const DISPATCHED: u8 = MAY_SKIP | 1;
// A reader without these three speaks again what they tell of, or goes without a take of what is in
// quarantine: nothing that it must not do.
const TAKE_SPOKEN: u8 = MAY_SKIP | 2;
const TAKE_REFUSED: u8 = MAY_SKIP | 3;
const TAKE_KEPT: u8 = MAY_SKIP | 4;

/// One orchestrator process working on a job; written like a UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub [u8; 16]);

impl RunId {
    /// A number that no other run has: the process id, the time, and what the system gives for hash
    /// seeds, mixed.
    pub fn random() -> Self {
        use std::hash::{BuildHasher, RandomState};
        let mut hasher = blake3::Hasher::new_derive_key("narratord run id v1");
        hasher.update(&std::process::id().to_le_bytes());
        hasher.update(&narrator_core::clock::unix_ms().to_le_bytes());
        hasher.update(&RandomState::new().hash_one(0_u8).to_le_bytes());
        hasher.update(&RandomState::new().hash_one(1_u8).to_le_bytes());
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        Self(id)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// BLAKE3 of something, shown in hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

macro_rules! debug_and_serialize_as_text {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}
debug_and_serialize_as_text!(RunId, Digest);

/// A run began, or began again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunOpened {
    pub run: RunId,
    /// [`narrator_core::Script::plan_hash`].
    pub plan: Digest,
    /// BLAKE3 of the effective settings.
    pub settings: Digest,
    /// Wall clock, for people.
    pub at_ms: u64,
    /// The build of narratord that wrote it.
    pub build: String,
    /// As in [`narrator_core::SpeechSettings::model_hash`].
    pub model_hash: String,
}

impl RunOpened {
    /// The opening of a new run, at this moment.
    pub fn now(plan: [u8; 32], settings: [u8; 32], build: &str, model_hash: &str) -> Self {
        Self {
            run: RunId::random(),
            plan: Digest(plan),
            settings: Digest(settings),
            at_ms: narrator_core::clock::unix_ms(),
            build: build.into(),
            model_hash: model_hash.into(),
        }
    }
}

/// A segment's accepted take: durable, as the record is written after it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SegmentDone {
    /// Its number in the script of the run that recorded it; the key is what counts.
    pub segment: SegmentId,
    pub key: ContentKey,
    /// Which take of this content it is, from 0: see [`ContentKey::row_seed`].
    pub take: u32,
    /// Length of the audio.
    pub samples: u64,
    pub rate: u32,
    /// Size of the take's file.
    pub bytes: u64,
    /// BLAKE3 of the take's file.
    pub audio: Digest,
}

/// A dispatch ended in a fault.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SegmentFault {
    pub segment: SegmentId,
    pub key: ContentKey,
    pub fault: Fault,
    pub incarnation: Incarnation,
    pub attempt: u32,
}

/// A segment was given up, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SegmentQuarantined {
    pub segment: SegmentId,
    pub key: ContentKey,
    pub reason: String,
}

/// A take was heard and found wanting.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TakeRefused {
    pub segment: SegmentId,
    pub key: ContentKey,
    pub take: u32,
    /// What counts against it: the take with the least is the best one.
    pub faults: u32,
    /// What is tried next, by its stable name; `quarantine` is the last.
    pub next: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The take that a segment in quarantine is heard with: the best one of those that were refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TakeKept {
    pub segment: SegmentId,
    pub key: ContentKey,
    pub take: u32,
}

/// Why a segment that was done or quarantined is to be spoken again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reopening {
    /// Its take was missing, or of another size, when the job was opened.
    TakeLost,
    /// A person asked for it: `narratord retake`.
    Asked,
    /// It was accepted unheard, and then heard and refused.
    Refused,
}

/// A segment is to be spoken again: what was known of it no longer holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SegmentReopened {
    pub segment: SegmentId,
    pub key: ContentKey,
    pub why: Reopening,
}

/// A run ended in order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunClosed {
    pub run: RunId,
    pub at_ms: u64,
    pub exit_code: u8,
}

/// One line of the journal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    RunOpened(RunOpened),
    SegmentDone(SegmentDone),
    SegmentFault(SegmentFault),
    SegmentQuarantined(SegmentQuarantined),
    SegmentReopened(SegmentReopened),
    RunClosed(RunClosed),
    /// What was sent out, for whoever reads the journal after a disaster; replay does not need it.
    Dispatched {
        dispatches: Vec<Dispatch>,
    },
    /// A take is durable, and nobody has judged it yet. The facts are those of a result.
    TakeSpoken(SegmentDone),
    TakeRefused(TakeRefused),
    TakeKept(TakeKept),
}

/// What a kind and a payload turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Decoded {
    Known(Record),
    /// Newer than this reader, which may go on without it.
    Skipped,
    /// Newer than this reader, which must not.
    Newer,
    /// Not what this kind looks like.
    Malformed,
}

impl Record {
    /// Kind, version and payload.
    pub(crate) fn encode(&self) -> (u8, u8, Vec<u8>) {
        let pack = Pack::default();
        let (kind, pack) = match self {
            Self::RunOpened(r) => {
                let pack = pack.bytes(&r.run.0).bytes(&r.plan.0).bytes(&r.settings.0).u64(r.at_ms);
                (RUN_OPENED, pack.text(&r.build, MAX_TEXT_BYTES).text(&r.model_hash, MAX_TEXT_BYTES))
            }
            Self::SegmentDone(r) => (SEGMENT_DONE, pack_take(pack, r)),
            Self::TakeSpoken(r) => (TAKE_SPOKEN, pack_take(pack, r)),
            Self::TakeRefused(r) => {
                let pack = pack.u32(r.segment.0).u32(r.take).key(&r.key).u32(r.faults);
                (TAKE_REFUSED, pack.text(&r.next, MAX_TEXT_BYTES).text(&r.reason, MAX_TEXT_BYTES))
            }
            Self::TakeKept(r) => (TAKE_KEPT, pack.u32(r.segment.0).u32(r.take).key(&r.key)),
            Self::SegmentFault(r) => {
                let pack = pack.u32(r.segment.0).u32(r.attempt).key(&r.key).u64(r.incarnation.0);
                (SEGMENT_FAULT, pack.u8(fault_code(r.fault)))
            }
            Self::SegmentQuarantined(r) => {
                (SEGMENT_QUARANTINED, pack.u32(r.segment.0).key(&r.key).text(&r.reason, MAX_TEXT_BYTES))
            }
            Self::SegmentReopened(r) => {
                (SEGMENT_REOPENED, pack.u32(r.segment.0).key(&r.key).u8(reopening_code(r.why)))
            }
            Self::RunClosed(r) => (RUN_CLOSED, pack.bytes(&r.run.0).u64(r.at_ms).u8(r.exit_code)),
            Self::Dispatched { dispatches } => {
                let listed = dispatches.len().min(MAX_DISPATCHES);
                let pack = dispatches[..listed].iter().fold(pack.u32(listed as u32), |pack, d| {
                    pack.u32(d.segment.0).u32(d.attempt).u64(d.incarnation.0)
                });
                (DISPATCHED, pack)
            }
        };
        (kind, 1, pack.0)
    }

    pub(crate) fn decode(kind: u8, version: u8, payload: &[u8]) -> Decoded {
        let known = matches!(kind, RUN_OPENED..=RUN_CLOSED | DISPATCHED..=TAKE_KEPT);
        if !known || version > 1 {
            return if kind & MAY_SKIP != 0 { Decoded::Skipped } else { Decoded::Newer };
        }
        let mut fields = Unpack(payload);
        match decode_fields(kind, &mut fields) {
            Some(record) if fields.0.is_empty() => Decoded::Known(record),
            // A fault or reason that later versions added: theirs to read.
            None if fields.0.is_empty() && matches!(kind, SEGMENT_FAULT | SEGMENT_REOPENED) => Decoded::Newer,
            _ => Decoded::Malformed,
        }
    }
}

fn pack_take(pack: Pack, r: &SegmentDone) -> Pack {
    let pack = pack.u32(r.segment.0).u32(r.take).key(&r.key).u64(r.samples).u64(r.bytes);
    pack.u32(r.rate).bytes(&r.audio.0)
}

fn unpack_take(fields: &mut Unpack<'_>) -> Option<SegmentDone> {
    let (segment, take, key) = (SegmentId(fields.u32()?), fields.u32()?, fields.key()?);
    let (samples, bytes) = (fields.u64()?, fields.u64()?);
    let (rate, audio) = (fields.u32()?, Digest(fields.array()?));
    Some(SegmentDone { segment, key, take, samples, rate, bytes, audio })
}

fn decode_fields(kind: u8, fields: &mut Unpack<'_>) -> Option<Record> {
    Some(match kind {
        RUN_OPENED => Record::RunOpened(RunOpened {
            run: RunId(fields.array()?),
            plan: Digest(fields.array()?),
            settings: Digest(fields.array()?),
            at_ms: fields.u64()?,
            build: fields.text(MAX_TEXT_BYTES)?.into(),
            model_hash: fields.text(MAX_TEXT_BYTES)?.into(),
        }),
        SEGMENT_DONE => Record::SegmentDone(unpack_take(fields)?),
        TAKE_SPOKEN => Record::TakeSpoken(unpack_take(fields)?),
        TAKE_REFUSED => {
            let (segment, take, key) = (SegmentId(fields.u32()?), fields.u32()?, fields.key()?);
            let faults = fields.u32()?;
            let (next, reason) = (fields.text(MAX_TEXT_BYTES)?.into(), fields.text(MAX_TEXT_BYTES)?.into());
            Record::TakeRefused(TakeRefused { segment, key, take, faults, next, reason })
        }
        TAKE_KEPT => {
            let (segment, take, key) = (SegmentId(fields.u32()?), fields.u32()?, fields.key()?);
            Record::TakeKept(TakeKept { segment, key, take })
        }
        SEGMENT_FAULT => {
            let (segment, attempt, key) = (SegmentId(fields.u32()?), fields.u32()?, fields.key()?);
            let (incarnation, fault) = (Incarnation(fields.u64()?), fault_from(fields.u8()?)?);
            Record::SegmentFault(SegmentFault { segment, key, fault, incarnation, attempt })
        }
        SEGMENT_QUARANTINED => Record::SegmentQuarantined(SegmentQuarantined {
            segment: SegmentId(fields.u32()?),
            key: fields.key()?,
            reason: fields.text(MAX_TEXT_BYTES)?.into(),
        }),
        SEGMENT_REOPENED => Record::SegmentReopened(SegmentReopened {
            segment: SegmentId(fields.u32()?),
            key: fields.key()?,
            why: reopening_from(fields.u8()?)?,
        }),
        RUN_CLOSED => Record::RunClosed(RunClosed {
            run: RunId(fields.array()?),
            at_ms: fields.u64()?,
            exit_code: fields.u8()?,
        }),
        _ => {
            let listed = fields.u32()? as usize;
            if listed > MAX_DISPATCHES || fields.0.len() != listed * 16 {
                return None;
            }
            let mut dispatches = Vec::with_capacity(listed);
            for _ in 0..listed {
                let (segment, attempt) = (SegmentId(fields.u32()?), fields.u32()?);
                dispatches.push(Dispatch { segment, attempt, incarnation: Incarnation(fields.u64()?) });
            }
            Record::Dispatched { dispatches }
        }
    })
}

/// The number that stands for a fault in the file. Numbers are given once and never again.
const fn fault_code(fault: Fault) -> u8 {
    match fault {
        Fault::ConfigRejected => 1,
        Fault::HandshakeRefused => 2,
        Fault::SpawnFailed => 3,
        Fault::LoadFailed => 4,
        Fault::LoadStalled => 5,
        Fault::Crashed => 6,
        Fault::Stalled => 7,
        Fault::DeadlineExceeded => 8,
        Fault::Runaway => 9,
        Fault::OutOfMemory => 10,
        Fault::DeviceFault => 11,
        Fault::BadOutput => 12,
        Fault::BadRequest => 13,
        Fault::ProtocolError => 14,
        Fault::Cancelled => 15,
        Fault::Outgrown => 16,
        Fault::DiskFull => 17,
        Fault::StoreFailed => 18,
    }
}

fn fault_from(code: u8) -> Option<Fault> {
    Fault::ALL.into_iter().find(|fault| fault_code(*fault) == code)
}

const fn reopening_code(why: Reopening) -> u8 {
    match why {
        Reopening::TakeLost => 1,
        Reopening::Asked => 2,
        Reopening::Refused => 3,
    }
}

const fn reopening_from(code: u8) -> Option<Reopening> {
    match code {
        1 => Some(Reopening::TakeLost),
        2 => Some(Reopening::Asked),
        3 => Some(Reopening::Refused),
        _ => None,
    }
}
