//! A folder with one file a chapter: its names, and whose files are whose.
//!
//! A hidden list in the folder says which files narratord wrote. Only those are ever replaced, and those
//! of an earlier run that the book no longer has are removed, so that a chapter that changed its title
//! does not appear twice. Anything else in the folder is never touched.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::AudioError;
use crate::part::{Part, sync_folder_of};

/// The list of files that narratord wrote, one a line.
const LIST: &str = ".narratord-files";

/// A file name's length without number and extension, in bytes; file systems allow 255.
const NAME_BYTES: usize = 120;

/// A folder whose ownership has been looked at.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    ours: BTreeSet<String>,
    created: bool,
}

/// `01 Title.mp3`: numbers of one width, and nothing that a file system refuses or a shell trips over.
pub(crate) fn file_name(number: usize, of: usize, title: &str, extension: &str) -> String {
    let width = of.to_string().len().max(2);
    let plain: String =
        title.chars().map(|c| if c.is_control() || "/\\:*?\"<>|".contains(c) { ' ' } else { c }).collect();
    let mut plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = (0..=NAME_BYTES.min(plain.len())).rev().find(|&at| plain.is_char_boundary(at)).unwrap_or(0);
    plain.truncate(end);
    let plain = plain.trim_end_matches([' ', '.']);
    let space = if plain.is_empty() { "" } else { " " };
    format!("{number:0width$}{space}{plain}.{extension}")
}

impl Folder {
    /// Opens the folder, making it when it is not there, and checks that `names` may be written.
    pub fn claim(path: &Path, names: &[String]) -> Result<Self, AudioError> {
        let created = !path.is_dir();
        if created {
            fs::create_dir(path).map_err(AudioError::disk("make the folder", path))?;
        }
        let list = path.join(LIST);
        let ours = match fs::read_to_string(&list) {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(source) => return Err(AudioError::Disk { action: "read", path: list, source }),
        };
        let folder = Self { path: path.to_owned(), ours, created };
        for name in names {
            let target = folder.path.join(name);
            if !folder.ours.contains(name) && target.symlink_metadata().is_ok() {
                return Err(AudioError::NotOurs { path: target });
            }
        }
        Ok(folder)
    }

    /// Puts the finished files in place and removes those of an earlier run that are not among them.
    pub fn commit(mut self, parts: Vec<(String, Part)>) -> Result<Vec<PathBuf>, AudioError> {
        // First everything that will be ours is listed, so that a run killed half-way through the
        // renames is followed by one that may replace them.
        let names: BTreeSet<String> = parts.iter().map(|(name, _)| name.clone()).collect();
        self.write_list(self.ours.union(&names))?;
        self.created = false;
        let mut files = Vec::with_capacity(parts.len());
        for (_, part) in parts {
            files.push(part.commit()?);
        }
        // A listed name is taken as a name in this folder and never as a path.
        let in_folder =
            |name: &&String| Path::new(name).components().count() == 1 && !name.contains(['/', '\\']);
        for stale in self.ours.difference(&names).filter(in_folder) {
            let path = self.path.join(stale);
            if path.is_file() {
                fs::remove_file(&path).map_err(AudioError::disk("remove the old", &path))?;
            }
        }
        self.write_list(names.iter())?;
        sync_folder_of(&self.path)?;
        Ok(files)
    }

    fn write_list<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<(), AudioError> {
        let text: String = names.flat_map(|name| [name, "\n"]).collect();
        let part = Part::create(&self.path.join(LIST))?;
        fs::write(part.path(), text).map_err(AudioError::disk("write", part.path()))?;
        part.sync()?;
        part.commit()?;
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.created {
            // Made for a run that failed; goes only while it is empty.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_readable_and_safe() {
        let cases = [
            ((1, 9, "Chapter 1: The Start", "mp3"), "01 Chapter 1 The Start.mp3"),
            ((7, 120, "What? \"No\" / never...", "m4b"), "007 What No never.m4b"),
            ((2, 3, "../../etc/passwd", "mp3"), "02 .. .. etc passwd.mp3"),
            ((3, 3, "???", "mp3"), "03.mp3"),
            ((4, 4, "Été 日本", "mp3"), "04 Été 日本.mp3"),
        ];
        for ((number, of, title, extension), expected) in cases {
            assert_eq!(file_name(number, of, title, extension), expected);
        }
    }

    proptest! {
        #[test]
        fn any_title_makes_a_plain_file_name(title in any::<String>(), number in 1_usize..400) {
            let name = file_name(number, 400, &title, "mp3");
            prop_assert!(name.len() <= 130);
            prop_assert_eq!(Path::new(&name).components().count(), 1);
            prop_assert!(!name.contains(['/', '\\', '\n', '\0', ':']));
        }
    }

    fn run(dir: &Path, names: &[&str]) -> Result<(), AudioError> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let folder = Folder::claim(dir, &names)?;
        let parts = names.iter().map(|name| Ok((name.clone(), Part::create(&dir.join(name))?)));
        let parts: Result<Vec<_>, AudioError> = parts.collect();
        folder.commit(parts?)?;
        Ok(())
    }

    #[test]
    fn only_our_own_files_are_replaced_or_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        run(&path, &["01 One.mp3", "02 Two.mp3"]).unwrap();
        fs::write(path.join("mine.mp3"), "x").unwrap();
        run(&path, &["01 One.mp3", "02 Second.mp3"]).unwrap();
        assert!(path.join("02 Second.mp3").exists() && path.join("mine.mp3").exists());
        assert!(!path.join("02 Two.mp3").exists());
        let error = run(&path, &["mine.mp3"]).unwrap_err().to_string();
        assert!(error.contains("mine.mp3 is there already and was not written by narratord"), "{error}");
    }

    #[test]
    fn a_folder_made_for_a_failed_run_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        drop(Folder::claim(&path, &[]).unwrap());
        assert!(!path.exists());
    }
}
