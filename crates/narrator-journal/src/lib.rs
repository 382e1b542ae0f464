//! The checkpoint log and the take store of a job: what is done, kept so that nothing acknowledged is
//! ever lost and nothing wrong is ever believed.
//!
//! ```text
//! JobLock ─▶ Checkpoint ─┬─ TakeStore   takes/ab/<content key>.flac
//!                        └─ Journal     segments.ckpt ─▶ Replay
//! ```
//!
//! A run takes the [`JobLock`], opens the [`Checkpoint`], asks the [`Replay`] where each segment stands
//! ([`Replay::standing`], by content key), and records results ([`Checkpoint::record`]) and faults
//! ([`Checkpoint::append`]). `narratord checkpoint verify|dump|repair` use [`verify`], [`dump`] and
//! [`repair()`].
//!
//! The format and its rules are in `docs/checkpoint-format.md`; every rule has its test. All disk access
//! goes through [`FileSystem`], so that the tests can fail each system call and look at what every power
//! cut would leave (feature `fault`).

mod checkpoint;
mod error;
#[cfg(any(test, feature = "fault"))]
pub mod fault;
mod format;
mod fs;
mod inspect;
mod journal;
mod lock;
mod record;
mod repair;
mod replay;
mod scan;
mod takes;

pub use checkpoint::{Checkpoint, NewTake, TAKES_NAME, Warning};
pub use error::{ErrorKind, Holder, JournalError};
pub use format::FileHeader;
pub use fs::{DirEntry, FileSystem, StdFs, StoreFile};
pub use inspect::{DumpLine, Report, Verdict, dump, verify};
pub use journal::{JOURNAL_NAME, Journal, RecordLog, TornTail, read};
pub use lock::{JobLock, LOCK_NAME};
pub use record::{
    Digest, Record, Reopening, RunClosed, RunId, RunOpened, SegmentDone, SegmentFault, SegmentQuarantined,
    SegmentReopened, TakeKept, TakeRefused,
};
pub use repair::{LeftOut, RepairReport, repair};
pub use replay::{Replay, Standing};
pub use scan::Content;
pub use takes::{LostTake, StoredTake, TakeStore, lost_takes, take_path};
