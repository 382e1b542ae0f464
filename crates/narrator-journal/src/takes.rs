//! Takes on disk, by content and number: `takes/ab/<content key>.flac` is the first take of a content, and
//! `takes/ab/<content key>-2.flac` the third, whose number is 2.
//!
//! A take is durable in this order: a temporary file beside its place, fsync, rename, fsync of the
//! folder. So a name without `.part` always holds a whole take, and a crash leaves at worst a `.part`,
//! which the next open removes, or a take that no record speaks of, which the next take of that content
//! replaces.
//!
//! Takes come in batches: their files are written and synced by several threads, since an fsync is
//! waiting, not work, and a disk answers many at once in little more than the time of one.
//!
//! Deliberately absent: any knowledge of audio (a take is bytes here), and any deletion of takes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use narrator_core::ContentKey;

use crate::error::{JournalError, io_error};
use crate::fs::{FileSystem, write_new};
use crate::record::{Digest, SegmentDone};
use crate::replay::Replay;

/// Threads that sync the files of one batch. On the ext4 disk of the published measurement four take a
/// batch of 32 from 250 to 700 takes a second, eight to 900, sixteen no further: docs/benchmarks.md.
const SYNC_THREADS: usize = 8;

const PART: &str = "part";

/// A take that is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredTake {
    pub bytes: u64,
    /// BLAKE3 of the file.
    pub hash: Digest,
}

/// A take that the journal counts on and that is not there as recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostTake {
    pub done: SegmentDone,
    /// Its size on disk; nothing when there is no file.
    pub found: Option<u64>,
    /// Of the right size, but other bytes. Only a deep check can say so.
    pub altered: bool,
}

/// The folder of takes of one job.
#[derive(Debug)]
pub struct TakeStore {
    fs: Arc<dyn FileSystem>,
    root: PathBuf,
    /// Folders `00` to `ff` that are there, durably.
    shards: Mutex<[bool; 256]>,
    threads: usize,
}

impl TakeStore {
    /// Opens the folder `root`, made if need be inside a folder that is there, and removes what crashed
    /// runs left half written. Gives the number of those.
    pub fn open(fs: Arc<dyn FileSystem>, root: &Path) -> Result<(Self, usize), JournalError> {
        fs.create_dir(root).map_err(io_error("create", root))?;
        if let Some(parent) = root.parent() {
            let parent = if parent == Path::new("") { Path::new(".") } else { parent };
            fs.sync_dir(parent).map_err(io_error("sync the folder", parent))?;
        }
        let (mut shards, mut swept) = ([false; 256], 0);
        for entry in fs.list(root).map_err(io_error("list", root))? {
            let Some(shard) = shard_from(&entry.name).filter(|_| entry.is_dir) else { continue };
            shards[usize::from(shard)] = true;
            let folder = root.join(&entry.name);
            for file in fs.list(&folder).map_err(io_error("list", &folder))? {
                if !file.is_dir && Path::new(&file.name).extension().is_some_and(|e| e == PART) {
                    let path = folder.join(&file.name);
                    fs.remove(&path).map_err(io_error("remove", &path))?;
                    swept += 1;
                }
            }
        }
        // A run that was killed may have made folders without waiting for the disk.
        fs.sync_dir(root).map_err(io_error("sync the folder", root))?;
        let store = Self { fs, root: root.to_path_buf(), shards: Mutex::new(shards), threads: SYNC_THREADS };
        Ok((store, swept))
    }

    /// The same store with another number of threads for a batch; with one, system calls come in a
    /// fixed order.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Where the take of this content and number lies.
    pub fn path(&self, key: &ContentKey, take: u32) -> PathBuf {
        take_path(&self.root, key, take)
    }

    /// The bytes of a take.
    pub fn read(&self, key: &ContentKey, take: u32) -> Result<Vec<u8>, JournalError> {
        let path = self.path(key, take);
        self.fs.read(&path).map_err(io_error("read", &path))
    }

    /// Makes one take durable.
    pub fn put(&self, key: ContentKey, take: u32, flac: &[u8]) -> Result<StoredTake, JournalError> {
        self.put_all(&[(key, take, flac)])?;
        Ok(stored(flac))
    }

    /// Makes takes durable, in the order given; on an error none of them is promised, and no half-written
    /// file stays as far as the disk still obeys.
    pub fn put_all(&self, takes: &[(ContentKey, u32, &[u8])]) -> Result<Vec<StoredTake>, JournalError> {
        let mut folders: Vec<u8> = takes.iter().map(|(key, ..)| key.0[0]).collect();
        folders.sort_unstable();
        folders.dedup();
        self.make_folders(&folders)?;
        let parts: Vec<PathBuf> =
            takes.iter().enumerate().map(|(i, (key, ..))| self.part_path(key, i)).collect();
        let written = self.for_each(takes.len(), |i| {
            write_new(self.fs.as_ref(), &parts[i], takes[i].2).map_err(io_error("write", &parts[i]))
        });
        let placed = written.and_then(|()| {
            for (part, (key, take, _)) in parts.iter().zip(takes) {
                let path = self.path(key, *take);
                self.fs.rename(part, &path).map_err(io_error("put in place", &path))?;
            }
            self.for_each(folders.len(), |i| {
                let folder = self.root.join(shard_name(folders[i]));
                self.fs.sync_dir(&folder).map_err(io_error("sync the folder", &folder))
            })
        });
        if let Err(error) = placed {
            for part in &parts {
                // The error that matters is already in hand, and the next open sweeps again.
                let _ = self.fs.remove(part);
            }
            return Err(error);
        }
        Ok(takes.iter().map(|(_, _, flac)| stored(flac)).collect())
    }

    /// See [`lost_takes`].
    pub fn lost(&self, replay: &Replay, deep: bool) -> Result<Vec<LostTake>, JournalError> {
        lost_takes(self.fs.as_ref(), &self.root, replay, deep)
    }

    fn make_folders(&self, folders: &[u8]) -> Result<(), JournalError> {
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let missing: Vec<u8> =
            folders.iter().copied().filter(|folder| !shards[usize::from(*folder)]).collect();
        if missing.is_empty() {
            return Ok(());
        }
        for folder in &missing {
            let path = self.root.join(shard_name(*folder));
            self.fs.create_dir(&path).map_err(io_error("create", &path))?;
        }
        self.fs.sync_dir(&self.root).map_err(io_error("sync the folder", &self.root))?;
        for folder in missing {
            shards[usize::from(folder)] = true;
        }
        Ok(())
    }

    /// Runs `job` for 0 to `count`, on several threads when there is more than one; gives the first
    /// error in that order.
    fn for_each(
        &self,
        count: usize,
        job: impl Fn(usize) -> Result<(), JournalError> + Sync,
    ) -> Result<(), JournalError> {
        let threads = self.threads.min(count);
        if threads <= 1 {
            return (0..count).try_for_each(job);
        }
        let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= count {
                    return;
                }
                if let Err(error) = job(i) {
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((i, error));
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                // Where no thread can be had, those that run do the work.
                let _ = std::thread::Builder::new().name("take-sync".into()).spawn_scoped(scope, work);
            }
            work();
        });
        let mut failed = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.sort_by_key(|(i, _)| *i);
        failed.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Its own name for every take of a batch, which may hold one content twice.
    fn part_path(&self, key: &ContentKey, i: usize) -> PathBuf {
        self.root.join(shard_name(key.0[0])).join(format!("{key}.{i}.{PART}"))
    }
}

/// Where below a folder of takes the take of this content and number lies.
pub fn take_path(root: &Path, key: &ContentKey, take: u32) -> PathBuf {
    let name = match take {
        0 => format!("{key}.flac"),
        take => format!("{key}-{take}.flac"),
    };
    root.join(shard_name(key.0[0])).join(name)
}

/// Takes that the audiobook counts on (accepted, or kept of a segment in quarantine) and that are missing below `root`, or of another size; `deep` reads them all and compares
/// hashes. Touches nothing.
pub fn lost_takes(
    fs: &dyn FileSystem,
    root: &Path,
    replay: &Replay,
    deep: bool,
) -> Result<Vec<LostTake>, JournalError> {
    let mut lost = Vec::new();
    for done in replay.audible_takes() {
        let path = take_path(root, &done.key, done.take);
        let found = fs.size(&path).map_err(io_error("look for", &path))?;
        let whole = found == Some(done.bytes);
        let altered = whole && deep && {
            let bytes = fs.read(&path).map_err(io_error("read", &path))?;
            Digest::of(&bytes) != done.audio
        };
        if !whole || altered {
            lost.push(LostTake { done: done.clone(), found, altered });
        }
    }
    lost.sort_by_key(|lost| (lost.done.segment, lost.done.key));
    Ok(lost)
}

fn stored(flac: &[u8]) -> StoredTake {
    StoredTake { bytes: flac.len() as u64, hash: Digest::of(flac) }
}

fn shard_name(first: u8) -> String {
    format!("{first:02x}")
}

fn shard_from(name: &str) -> Option<u8> {
    let shard = u8::from_str_radix(name, 16).ok()?;
    (shard_name(shard) == name).then_some(shard)
}
