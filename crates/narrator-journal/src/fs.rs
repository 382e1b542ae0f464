//! The system calls that the journal and the take store make, as a trait.
//!
//! One method is one call of the operating system where that is possible, so that a test can fail the
//! k-th of them and build what a power cut after the k-th would leave. Loops over short writes and
//! interrupted calls stand above the trait, in this file, and so are tested with it.
//!
//! Deliberately absent: buffering, append mode (a Windows handle opened for appending cannot truncate),
//! locking (see [`crate::lock`]), and anything asynchronous.

use std::fmt;
use std::io;
use std::path::Path;

/// One name in a folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DirEntry {
    pub name: String,
    pub is_dir: bool,
}

/// A folder tree on some disk.
pub trait FileSystem: fmt::Debug + Send + Sync {
    /// A new, empty file, open for reading and writing; an old one of that name is emptied.
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoreFile>>;
    /// An existing file, open for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn StoreFile>>;
    /// The whole of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The size of a file, or nothing where there is none.
    fn size(&self, path: &Path) -> io::Result<Option<u64>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// What a folder holds, in no order; names that are not Unicode are left out.
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>>;
    /// A folder, its parent being there; one that exists already is fine.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes the folder's names durable: what was created, renamed and removed in it.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// An open file.
pub trait StoreFile: fmt::Debug + Send {
    /// Writes some of `bytes` at `offset`, at least one of them; says how many.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Makes content durable, and of the metadata what is needed to read it back (its length).
    fn sync_data(&mut self) -> io::Result<()>;
    /// Makes content and all metadata durable.
    fn sync_all(&mut self) -> io::Result<()>;
    /// Cuts or extends (with zeros) to `len` bytes.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// Writes all of `bytes` at `offset`: usually one call, more after a short write or an interruption.
pub(crate) fn write_all_at(file: &mut dyn StoreFile, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(offset, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                offset += n as u64;
                bytes = bytes.get(n..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A new file with these bytes, its content durable. Its name is durable only after
/// [`FileSystem::sync_dir`] on its folder.
pub(crate) fn write_new(fs: &dyn FileSystem, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs.create(path)?;
    write_all_at(file.as_mut(), 0, bytes)?;
    file.sync_all()
}

/// The disk of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdFs;

#[derive(Debug)]
struct StdFile(std::fs::File);

impl FileSystem for StdFs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoreFile>> {
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Box::new(StdFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn StoreFile>> {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Box::new(StdFile(file)))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        match std::fs::metadata(path) {
            Ok(meta) => Ok(Some(meta.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            entries.push(DirEntry { name, is_dir: entry.file_type()?.is_dir() });
        }
        Ok(entries)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match std::fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            other => other,
        }
    }

    #[cfg(unix)]
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::File::open(path)?.sync_all()
    }

    /// Windows has no call for it: NTFS journals its own metadata.
    #[cfg(not(unix))]
    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl StoreFile for StdFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::write_at(&self.0, bytes, offset);
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_write(&self.0, bytes, offset);
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}
