//! Failing the k-th system call.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::fs::{DirEntry, FileSystem, StoreFile};

/// The kinds of system calls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    Create,
    Open,
    Read,
    Size,
    Rename,
    Remove,
    List,
    CreateDir,
    SyncDir,
    Write,
    SyncData,
    SyncAll,
    Truncate,
}

impl Op {
    /// Whether it waits for the disk.
    pub fn is_sync(self) -> bool {
        matches!(self, Self::SyncDir | Self::SyncData | Self::SyncAll)
    }
}

/// One system call, about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Counted from 0.
    pub number: u64,
    pub op: Op,
    pub path: &'a Path,
}

/// What a call does instead of its work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Injected {
    /// The device fails (EIO). A sync that fails so forgets what it should have written.
    Io,
    /// No space left (ENOSPC).
    Full,
    /// A write takes half of its bytes (one at least) and says so; other calls are not touched.
    Short,
    /// A signal came first (EINTR).
    Interrupted,
    /// The machine is off: nothing happens any more.
    Off,
}

impl Injected {
    pub(super) fn error(self) -> io::Error {
        // The numbers that Linux gives, so that the whole way through `std` is tested.
        match self {
            Self::Io | Self::Short => io::Error::from_raw_os_error(5),
            Self::Full => io::Error::from_raw_os_error(28),
            Self::Interrupted => io::Error::from_raw_os_error(4),
            Self::Off => io::Error::other("the machine is off"),
        }
    }
}

type Decide = Box<dyn FnMut(&Call<'_>) -> Option<Injected> + Send>;

struct State {
    calls: u64,
    decide: Decide,
}

/// Decides for every system call whether it fails, and counts them. Clones share their state.
#[derive(Clone)]
pub struct Injector(Arc<Mutex<State>>);

impl fmt::Debug for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injector").field("calls", &self.calls()).finish_non_exhaustive()
    }
}

impl Injector {
    pub fn new(decide: impl FnMut(&Call<'_>) -> Option<Injected> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(State { calls: 0, decide: Box::new(decide) })))
    }

    /// Fails nothing.
    pub fn none() -> Self {
        Self::new(|_| None)
    }

    /// Fails call `k` alone.
    pub fn at(k: u64, fault: Injected) -> Self {
        Self::new(move |call| (call.number == k).then_some(fault))
    }

    /// Fails every call from `k` on.
    pub fn from(k: u64, fault: Injected) -> Self {
        Self::new(move |call| (call.number >= k).then_some(fault))
    }

    /// Decides otherwise from now on; goes on counting.
    pub fn set(&self, decide: impl FnMut(&Call<'_>) -> Option<Injected> + Send + 'static) {
        self.lock().decide = Box::new(decide);
    }

    /// How many calls there have been.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    pub(super) fn ask(&self, op: Op, path: &Path) -> Option<Injected> {
        let mut state = self.lock();
        let number = state.calls;
        state.calls += 1;
        let injected = (state.decide)(&Call { number, op, path });
        injected.filter(|fault| *fault != Injected::Short || op == Op::Write)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Any file system, with an injector before it.
#[derive(Debug)]
pub struct FaultFs {
    inner: Arc<dyn FileSystem>,
    injector: Injector,
}

#[derive(Debug)]
struct FaultFile {
    inner: Box<dyn StoreFile>,
    injector: Injector,
    path: PathBuf,
}

impl FaultFs {
    pub fn new(inner: Arc<dyn FileSystem>, injector: Injector) -> Self {
        Self { inner, injector }
    }

    fn ask(&self, op: Op, path: &Path) -> io::Result<()> {
        self.injector.ask(op, path).map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn wrap(&self, path: &Path, inner: Box<dyn StoreFile>) -> Box<dyn StoreFile> {
        Box::new(FaultFile { inner, injector: self.injector.clone(), path: path.to_path_buf() })
    }
}

impl FileSystem for FaultFs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoreFile>> {
        self.ask(Op::Create, path)?;
        self.inner.create(path).map(|file| self.wrap(path, file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn StoreFile>> {
        self.ask(Op::Open, path)?;
        self.inner.open(path).map(|file| self.wrap(path, file))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.ask(Op::Read, path)?;
        self.inner.read(path)
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        self.ask(Op::Size, path)?;
        self.inner.size(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(Op::Rename, to)?;
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(Op::Remove, path)?;
        self.inner.remove(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.ask(Op::List, path)?;
        self.inner.list(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.ask(Op::CreateDir, path)?;
        self.inner.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.ask(Op::SyncDir, path)?;
        self.inner.sync_dir(path)
    }
}

impl StoreFile for FaultFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        match self.injector.ask(Op::Write, &self.path) {
            None => self.inner.write_at(offset, bytes),
            Some(Injected::Short) => self.inner.write_at(offset, short(bytes)),
            Some(fault) => Err(fault.error()),
        }
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.injector.ask(Op::SyncData, &self.path).map_or_else(|| self.inner.sync_data(), |f| Err(f.error()))
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.injector.ask(Op::SyncAll, &self.path).map_or_else(|| self.inner.sync_all(), |f| Err(f.error()))
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        match self.injector.ask(Op::Truncate, &self.path) {
            None => self.inner.truncate(len),
            Some(fault) => Err(fault.error()),
        }
    }
}

/// The part of a write that a short write takes.
pub(super) fn short(bytes: &[u8]) -> &[u8] {
    bytes.get(..bytes.len().div_ceil(2)).unwrap_or(bytes)
}
