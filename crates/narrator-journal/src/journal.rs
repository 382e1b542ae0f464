//! The segment checkpoint log of a job: one writer, append only, replayed at the start.
//!
//! # Invariants
//! - A call that returns `Ok` has made its records durable; one that returns an error has promised
//!   nothing about them, and a later open sees a prefix of them.
//! - One append is one write and one fdatasync. Before that, now and then, the file is given room: zeros
//!   written and synced ahead, so that the fdatasync of an append need not carry a new file length to the
//!   disk. Zeros to the end of the file are therefore its proper end.
//! - The first failed write or sync poisons the log. Linux forgets a failed sync's pages and reports
//!   success the next time, so nothing is tried again. A full disk alone is no such failure, as long as
//!   what was half written can be cut off durably: the same append may be made again later.
//! - A journal comes into being by rename, whole with its first record: there is no half-made one.
//!
//! # Not done here
//! No lock (the job's [`crate::JobLock`] must be held to open for writing), no threads, no repair (see
//! [`crate::repair`]), no judgement whether a result fits today's script (see [`crate::Replay`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{JournalError, io_error, is_full};
use crate::format::{
    self, FileHeader, HEADER_CRC_AT, HeaderFault, MAX_FILE_BYTES, MAX_PAYLOAD_BYTES, MAX_WRITE_BYTES,
    framed_bytes,
};
use crate::fs::{FileSystem, StoreFile, write_all_at, write_new};
use crate::record::{Record, RunOpened};
use crate::replay::Replay;
use crate::scan::{Content, Scan, Tail, scan};

/// The journal's name in a job folder.
pub const JOURNAL_NAME: &str = "segments.ckpt";

/// Room is made ahead by as much as the file has, within these: a short story's journal stays small, and
/// a novel's is given room for 2,300 results at a time.
const MIN_ROOM_BYTES: usize = 4 * 1024;
const MAX_ROOM_BYTES: usize = 256 * 1024;
static ROOM: [u8; MAX_ROOM_BYTES] = [0; MAX_ROOM_BYTES];

/// A log of records: what the journal is to its user, and what a peer must be to be measured against it.
pub trait RecordLog {
    /// Makes the records durable, all in one go.
    fn append_batch(&mut self, records: &[Record]) -> Result<(), JournalError>;

    /// What has been recorded so far.
    fn replay(&self) -> Result<Replay, JournalError>;

    /// Makes one record durable.
    fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        self.append_batch(std::slice::from_ref(record))
    }
}

/// The remains of an unacknowledged write that were found on open: cut off, and kept aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TornTail {
    /// Where in the journal they began.
    pub at: u64,
    pub bytes: u64,
    /// The copy.
    pub kept: PathBuf,
}

/// A journal, open for writing.
#[derive(Debug)]
pub struct Journal {
    fs: Arc<dyn FileSystem>,
    path: PathBuf,
    file: Box<dyn StoreFile>,
    /// Where the next record goes.
    end: u64,
    /// Length of the file, zeros ahead of `end` included.
    room_end: u64,
    /// What the next record's checksum continues from.
    seed: u32,
    /// The failure after which nothing more is taken.
    poisoned: Option<String>,
}

impl Journal {
    /// A new journal, durable with the opening of its first run. There must be none yet.
    pub fn create(
        fs: Arc<dyn FileSystem>,
        path: &Path,
        opening: &RunOpened,
    ) -> Result<(Self, Replay), JournalError> {
        if fs.size(path).map_err(io_error("look for", path))?.is_some() {
            return Err(JournalError::Exists { path: path.to_path_buf() });
        }
        let header = FileHeader::new(opening.run, &opening.plan.0, &opening.settings.0);
        let first = Record::RunOpened(opening.clone());
        let mut bytes = header.encode().to_vec();
        let seed = push_records(&mut bytes, header_crc(&header), std::slice::from_ref(&first));
        let part = beside(path, "part");
        write_new(fs.as_ref(), &part, &bytes).map_err(io_error("write", &part))?;
        fs.rename(&part, path).map_err(io_error("put in place", path))?;
        sync_folder_of(fs.as_ref(), path)?;
        let file = fs.open(path).map_err(io_error("open", path))?;
        let end = bytes.len() as u64;
        let journal = Self { fs, path: path.to_path_buf(), file, end, room_end: end, seed, poisoned: None };
        Ok((journal, Replay::of([&first])))
    }

    /// Opens a journal to go on with it. A torn tail is copied aside and cut; damage, a newer version and
    /// other files are refused. The opening is appended, and with it all that was read is durable.
    pub fn open(
        fs: Arc<dyn FileSystem>,
        path: &Path,
        opening: &RunOpened,
    ) -> Result<(Self, Replay, Option<TornTail>), JournalError> {
        let bytes = read_file(fs.as_ref(), path)?;
        let found = scan_file(path, &bytes)?;
        refuse_unsound(path, &found)?;
        let mut file = fs.open(path).map_err(io_error("open", path))?;
        let mut torn = None;
        if let Tail::Torn { bytes: length } = found.tail {
            let tail = bytes.get(found.end as usize..).unwrap_or_default();
            let kept = keep_aside(fs.as_ref(), path, "torn", tail.get(..length as usize).unwrap_or(tail))?;
            torn = Some(TornTail { at: found.end, bytes: length, kept });
        }
        // The run before may have ended because its last sync failed. Then the last write is read from
        // memory and will never reach the disk by itself: so it is written once more. Room likewise.
        let last_write = bytes.get(found.last_write as usize..found.end as usize).unwrap_or_default();
        write_all_at(file.as_mut(), found.last_write, last_write).map_err(io_error("write to", path))?;
        file.truncate(found.end).map_err(io_error("cut", path))?;
        file.sync_all().map_err(io_error("sync", path))?;
        // A run that died between the rename and this call's like may have left the name in memory only.
        sync_folder_of(fs.as_ref(), path)?;
        let mut replay = replay_of(&found);
        let path = path.to_path_buf();
        let (end, seed) = (found.end, found.seed);
        let mut journal = Self { fs, path, file, end, room_end: end, seed, poisoned: None };
        let opened = Record::RunOpened(opening.clone());
        journal.append(&opened)?;
        replay.apply(&opened);
        Ok((journal, replay, torn))
    }

    /// Gives back the room that was made ahead; to be called when a run ends in order.
    pub fn close(mut self) -> Result<(), JournalError> {
        self.check()?;
        if self.room_end > self.end {
            self.file.truncate(self.end).map_err(io_error("cut", &self.path))?;
            self.file.sync_all().map_err(io_error("sync", &self.path))?;
        }
        Ok(())
    }

    /// The failure after which it takes no more records, if there was one.
    pub fn poisoned(&self) -> Option<&str> {
        self.poisoned.as_deref()
    }

    /// Takes no more records from now on: something that it vouches for could not be made durable.
    pub(crate) fn poison(&mut self, why: impl Into<String>) {
        self.poisoned.get_or_insert(why.into());
    }

    pub(crate) fn check(&self) -> Result<(), JournalError> {
        match &self.poisoned {
            Some(first) => Err(JournalError::Poisoned { path: self.path.clone(), first: first.clone() }),
            None => Ok(()),
        }
    }

    /// One write and one fdatasync.
    fn write(&mut self, bytes: &[u8], seed: u32) -> Result<(), JournalError> {
        self.make_room(bytes.len() as u64)?;
        if let Err(error) = write_all_at(self.file.as_mut(), self.end, bytes) {
            return Err(self.fail("write to", error));
        }
        if let Err(error) = self.file.sync_data() {
            return Err(self.fail_for_good("sync", error));
        }
        self.end += bytes.len() as u64;
        self.room_end = self.room_end.max(self.end);
        self.seed = seed;
        Ok(())
    }

    /// Zeros ahead, once the next `bytes` would pass the end of the file. A disk too full for that may
    /// still hold the record itself.
    fn make_room(&mut self, bytes: u64) -> Result<(), JournalError> {
        if self.end + bytes <= self.room_end {
            return Ok(());
        }
        let room = (self.room_end as usize).clamp(MIN_ROOM_BYTES, MAX_ROOM_BYTES);
        if let Err(error) = write_all_at(self.file.as_mut(), self.room_end, &ROOM[..room]) {
            let full = is_full(&error);
            let error = self.fail("make room in", error);
            return if full && self.poisoned.is_none() { Ok(()) } else { Err(error) };
        }
        if let Err(error) = self.file.sync_all() {
            return Err(self.fail_for_good("sync", error));
        }
        self.room_end += room as u64;
        Ok(())
    }

    /// After a failed write: on a full disk the file is cut back to its last record and the log stays in
    /// use; anything else poisons it.
    fn fail(&mut self, action: &'static str, error: std::io::Error) -> JournalError {
        if !is_full(&error) {
            return self.fail_for_good(action, error);
        }
        let cut = self.file.truncate(self.end).and_then(|()| self.file.sync_all());
        if let Err(second) = cut {
            return self.fail_for_good("cut back", second);
        }
        self.room_end = self.end;
        io_error(action, &self.path)(error)
    }

    fn fail_for_good(&mut self, action: &'static str, error: std::io::Error) -> JournalError {
        self.poison(format!("cannot {action} it: {error}"));
        // The kind is `Disk` whatever the cause: a full disk seen here is not one to wait for.
        let source = std::io::Error::other(error);
        io_error(action, &self.path)(source)
    }
}

impl RecordLog for Journal {
    /// All in one write and one fdatasync; more than half a megabyte of them in several.
    fn append_batch(&mut self, records: &[Record]) -> Result<(), JournalError> {
        self.check()?;
        let encoded: Vec<_> = records.iter().map(Record::encode).collect();
        if let Some((_, _, payload)) =
            encoded.iter().find(|(_, _, payload)| payload.len() > MAX_PAYLOAD_BYTES)
        {
            return Err(JournalError::RecordTooLong { bytes: payload.len(), limit: MAX_PAYLOAD_BYTES });
        }
        let (mut write, mut seed) = (Vec::new(), self.seed);
        for (kind, version, payload) in &encoded {
            if write.len() + framed_bytes(payload.len()) > MAX_WRITE_BYTES {
                self.write(&write, seed)?;
                write.clear();
            }
            seed = format::push_frame(&mut write, seed, *kind, *version, payload);
        }
        if write.is_empty() { Ok(()) } else { self.write(&write, seed) }
    }

    fn replay(&self) -> Result<Replay, JournalError> {
        read(self.fs.as_ref(), &self.path)
    }
}

/// What a journal says, without touching it: for `status`, while a run may be writing. A torn tail is
/// passed over; the rest is refused as [`Journal::open`] does.
///
/// A reader that is interrupted between two pages may see the second of two writes and not the first,
/// which looks like damage. Damage is still there at the second look.
pub fn read(fs: &dyn FileSystem, path: &Path) -> Result<Replay, JournalError> {
    let look = || {
        let bytes = read_file(fs, path)?;
        let found = scan_file(path, &bytes)?;
        refuse_unsound(path, &found)?;
        Ok(replay_of(&found))
    };
    match look() {
        Err(JournalError::Damaged { .. }) => look(),
        first => first,
    }
}

pub(crate) fn replay_of(found: &Scan) -> Replay {
    Replay::of(found.records.iter().filter_map(|located| match &located.content {
        Content::Known(record) => Some(record),
        Content::Skipped { .. } => None,
    }))
}

pub(crate) fn read_file(fs: &dyn FileSystem, path: &Path) -> Result<Vec<u8>, JournalError> {
    let bytes = fs.size(path).map_err(io_error("look for", path))?.unwrap_or(0);
    if bytes > MAX_FILE_BYTES {
        return Err(JournalError::TooLong { path: path.to_path_buf(), bytes, limit: MAX_FILE_BYTES });
    }
    fs.read(path).map_err(io_error("read", path))
}

pub(crate) fn scan_file(path: &Path, bytes: &[u8]) -> Result<Scan, JournalError> {
    let path = path.to_path_buf();
    scan(bytes).map_err(|fault| match fault {
        HeaderFault::NotAJournal => JournalError::NotAJournal { path },
        HeaderFault::Newer(version) => {
            JournalError::Newer { path, offset: 8, what: format!("format version {version}") }
        }
        HeaderFault::Damaged(what) => JournalError::Damaged { path, offset: 0, what: what.into() },
    })
}

/// Refuses every tail that is not the proper end or the remains of an unacknowledged write.
fn refuse_unsound(path: &Path, found: &Scan) -> Result<(), JournalError> {
    refuse_newer(path, found)?;
    let (path, offset) = (path.to_path_buf(), found.end);
    Err(match found.tail {
        Tail::Clean | Tail::Torn { .. } | Tail::Newer { .. } => return Ok(()),
        Tail::Damaged { next_valid: Some(next) } => {
            let what = format!("no record can be read here, though a later one can at byte {next}");
            JournalError::Damaged { path, offset, what }
        }
        Tail::Damaged { next_valid: None } => {
            JournalError::Damaged { path, offset, what: "no record can be read from here on".into() }
        }
        Tail::Malformed { kind } => {
            JournalError::Damaged { path, offset, what: format!("a record of kind {kind} makes no sense") }
        }
    })
}

pub(crate) fn refuse_newer(path: &Path, found: &Scan) -> Result<(), JournalError> {
    match found.tail {
        Tail::Newer { kind, version } => Err(JournalError::Newer {
            path: path.to_path_buf(),
            offset: found.end,
            what: format!("record kind {kind}, version {version}"),
        }),
        _ => Ok(()),
    }
}

pub(crate) fn header_crc(header: &FileHeader) -> u32 {
    format::u32_at(&header.encode(), HEADER_CRC_AT)
}

/// Appends records to the image of a file, each as a write of its own: the file comes into being whole.
pub(crate) fn push_records(out: &mut Vec<u8>, mut seed: u32, records: &[Record]) -> u32 {
    for record in records {
        let (kind, version, payload) = record.encode();
        let mut write = Vec::new();
        seed = format::push_frame(&mut write, seed, kind, version, &payload);
        out.append(&mut write);
    }
    seed
}

/// Copies bytes to the first free `NAME.<what>-<n>`, durably.
pub(crate) fn keep_aside(
    fs: &dyn FileSystem,
    path: &Path,
    what: &str,
    bytes: &[u8],
) -> Result<PathBuf, JournalError> {
    let mut n = 1_u32;
    let kept = loop {
        let kept = beside(path, &format!("{what}-{n}"));
        if fs.size(&kept).map_err(io_error("look for", &kept))?.is_none() {
            break kept;
        }
        n += 1;
    };
    write_new(fs, &kept, bytes).map_err(io_error("write", &kept))?;
    sync_folder_of(fs, path)?;
    Ok(kept)
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

pub(crate) fn sync_folder_of(fs: &dyn FileSystem, path: &Path) -> Result<(), JournalError> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs.sync_dir(folder).map_err(io_error("sync the folder", folder))
}
