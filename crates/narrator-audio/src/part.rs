//! Writing without ever leaving half a file: everything goes to `NAME.part` beside the target, is synced
//! and then renamed. Until the rename the target is what it was; whatever happens before, the part and
//! its side files go. What a killed run left behind is removed before the next one writes.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::AudioError;

/// A file on its way to its place.
#[derive(Debug)]
pub(crate) struct Part {
    target: PathBuf,
    path: PathBuf,
    side: Vec<PathBuf>,
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a rename or a new name in `path`'s folder durable.
pub(crate) fn sync_folder_of(path: &Path) -> Result<(), AudioError> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(AudioError::disk("sync", folder))?;
    Ok(())
}

impl Part {
    /// Claims `NAME.part` for `target`; fails at once where nothing can be written.
    pub fn create(target: &Path) -> Result<Self, AudioError> {
        let path = with_suffix(target, ".part");
        // Another process may still have the old one open: it must not write into the new one.
        remove(&path).map_err(AudioError::disk("replace", &path))?;
        let part = Self { target: target.to_owned(), path, side: Vec::new() };
        part.open()?;
        Ok(part)
    }

    /// The part, emptied, for writing.
    pub fn open(&self) -> Result<File, AudioError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        options.open(&self.path).map_err(AudioError::disk("write", &self.path))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that the encoder reads, such as `NAME.part.tags`; it goes when the part goes.
    pub fn put_beside(&mut self, suffix: &str, bytes: &[u8]) -> Result<PathBuf, AudioError> {
        let path = with_suffix(&self.path, suffix);
        remove(&path).map_err(AudioError::disk("replace", &path))?;
        if !self.side.contains(&path) {
            self.side.push(path.clone());
        }
        let written = File::create(&path).and_then(|mut file| file.write_all(bytes));
        written.map_err(AudioError::disk("write", &path))?;
        Ok(path)
    }

    /// Syncs the part; returns its size.
    pub fn sync(&self) -> Result<u64, AudioError> {
        let synced = || {
            // Windows syncs only what is open for writing.
            let file = OpenOptions::new().read(true).write(true).open(&self.path)?;
            file.sync_all()?;
            Ok(file.metadata()?.len())
        };
        synced().map_err(AudioError::disk("sync", &self.path))
    }

    /// Puts the synced part in its place.
    pub fn commit(self) -> Result<PathBuf, AudioError> {
        fs::rename(&self.path, &self.target).map_err(AudioError::disk("put in place", &self.target))?;
        sync_folder_of(&self.target)?;
        Ok(self.target.clone())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        for path in self.side.iter().chain([&self.path]) {
            // After a commit there is none; before it, this is the cleaning up of a failure already told.
            let _ = remove(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_half_written_stays() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("book.m4b");
        fs::write(&target, "old").unwrap();
        fs::write(dir.path().join("book.m4b.part"), "left by a killed run").unwrap();
        let mut part = Part::create(&target).unwrap();
        part.put_beside(".tags", b"x").unwrap();
        assert_eq!(names(dir.path()), ["book.m4b", "book.m4b.part", "book.m4b.part.tags"]);
        drop(part);
        assert_eq!(names(dir.path()), ["book.m4b"]);
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
    }

    #[test]
    fn a_committed_part_is_the_target() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("book.m4b");
        let part = Part::create(&target).unwrap();
        part.open().unwrap().write_all(b"new").unwrap();
        assert_eq!(part.sync().unwrap(), 3);
        part.commit().unwrap();
        assert_eq!(names(dir.path()), ["book.m4b"]);
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_at_once() {
        let error = Part::create(Path::new("/no/such/folder/book.m4b")).unwrap_err().to_string();
        assert!(error.starts_with("cannot write /no/such/folder/book.m4b.part: "), "{error}");
        assert!(error.ends_with("; make the folder first"), "{error}");
    }
}
