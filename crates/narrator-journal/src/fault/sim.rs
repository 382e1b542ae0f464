//! A disk in memory that forgets what was not synced.
//!
//! The model is the strict reading of POSIX, stricter than any file system in use: a file's bytes are
//! durable by a sync of the file, its name only by a sync of the folder; between syncs, what was written
//! to one file, and what changed in one folder, reaches the disk in order, but each file and folder on
//! its own. The last write to reach it may be torn anywhere, or have grown the file and filled it with
//! zeros, or have lost its first half and kept the second. A sync of a file that fails has forgotten, for
//! good, what it should have written, while reading still shows it; one of a folder has only not happened
//! (names go through the file system's own journal, which stops at its first failure).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::inject::{Injected, Injector, Op, short};
use crate::fs::{DirEntry, FileSystem, StoreFile};

/// At most so many states are built of one moment; beyond, each file and folder is varied on its own.
const MAX_IMAGES: usize = 2000;

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Clone, Debug, Default)]
struct Node {
    visible: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Entry {
    File(usize),
    Folder,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(String, Entry),
    Remove(String),
    Rename(String, String),
}

#[derive(Clone, Debug, Default)]
struct Folder {
    visible: BTreeMap<String, Entry>,
    durable: BTreeMap<String, Entry>,
    pending: Vec<NameChange>,
}

#[derive(Clone, Debug, Default)]
struct Disk {
    nodes: Vec<Node>,
    folders: BTreeMap<PathBuf, Folder>,
}

/// The disk. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct SimFs {
    disk: Arc<Mutex<Disk>>,
    injector: Injector,
}

#[derive(Debug)]
struct SimFile {
    fs: SimFs,
    node: usize,
    path: PathBuf,
}

impl SimFs {
    /// An empty disk with one folder, durable.
    pub fn new(folder: &Path, injector: Injector) -> Self {
        let folders = BTreeMap::from([(folder.to_path_buf(), Folder::default())]);
        Self { disk: Arc::new(Mutex::new(Disk { nodes: Vec::new(), folders })), injector }
    }

    /// Every state in which a power cut at this moment could leave the disk, nothing pending in any.
    pub fn crash_images(&self) -> Vec<Self> {
        self.lock().images().into_iter().map(Self::settled).collect()
    }

    /// As it reads now, all of it durable: what a killed process leaves to the next one, once the system
    /// has written everything.
    #[must_use]
    pub fn settled_copy(&self) -> Self {
        let mut disk = self.lock().clone();
        disk.nodes.iter_mut().for_each(|node| node.durable.clone_from(&node.visible));
        disk.folders.values_mut().for_each(|folder| folder.durable.clone_from(&folder.visible));
        Self::settled(disk)
    }

    /// The same disk behind an injector of its own, which fails nothing yet.
    #[must_use]
    pub fn with_injector(&self) -> (Self, Injector) {
        let injector = Injector::none();
        (Self { disk: Arc::clone(&self.disk), injector: injector.clone() }, injector)
    }

    /// Every file that can be read, with its bytes.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let disk = self.lock();
        let mut files = BTreeMap::new();
        for (path, folder) in &disk.folders {
            for (name, entry) in &folder.visible {
                if let Entry::File(node) = entry {
                    files.insert(path.join(name), disk.nodes[*node].visible.clone());
                }
            }
        }
        files
    }

    /// A disk holding only what is durable in `disk`.
    fn settled(mut disk: Disk) -> Self {
        for node in &mut disk.nodes {
            node.visible.clone_from(&node.durable);
            node.pending.clear();
        }
        for folder in disk.folders.values_mut() {
            folder.visible.clone_from(&folder.durable);
            folder.pending.clear();
        }
        disk.drop_unreachable();
        Self { disk: Arc::new(Mutex::new(disk)), injector: Injector::none() }
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, op: Op, path: &Path) -> io::Result<()> {
        self.injector.ask(op, path).map_or(Ok(()), |fault| Err(fault.error()))
    }
}

impl Disk {
    fn entry(&self, path: &Path) -> Option<Entry> {
        let (folder, name) = split(path).ok()?;
        self.folders.get(folder)?.visible.get(name).copied()
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.entry(path) {
            Some(Entry::File(node)) => Ok(node),
            Some(Entry::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn change_name(&mut self, path: &Path, change: impl FnOnce(String) -> NameChange) -> io::Result<()> {
        let (folder, name) = split(path)?;
        let change = change(name.to_owned());
        let folder = self.folders.get_mut(folder).ok_or(io::ErrorKind::NotFound)?;
        apply_name(&mut folder.visible, &change);
        folder.pending.push(change);
        Ok(())
    }

    /// Folders whose own name is gone, with all that is in them.
    fn drop_unreachable(&mut self) {
        let lost: Vec<PathBuf> = self
            .folders
            .keys()
            .filter(|path| {
                let parent = path.parent().and_then(|parent| self.folders.get(parent));
                let name = path.file_name().and_then(|name| name.to_str());
                parent
                    .zip(name)
                    .is_some_and(|(parent, name)| parent.durable.get(name) != Some(&Entry::Folder))
            })
            .cloned()
            .collect();
        self.folders.retain(|path, _| !lost.iter().any(|lost| path.starts_with(lost)));
    }

    fn images(&self) -> Vec<Self> {
        let nodes: Vec<(usize, Vec<Vec<u8>>)> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| !node.pending.is_empty())
            .map(|(i, node)| (i, node.survivors()))
            .collect();
        let folders: Vec<(&PathBuf, usize)> = self
            .folders
            .iter()
            .filter(|(_, folder)| !folder.pending.is_empty())
            .map(|(path, folder)| (path, folder.pending.len()))
            .collect();
        let counts: Vec<usize> = nodes
            .iter()
            .map(|(_, survivors)| survivors.len())
            .chain(folders.iter().map(|(_, pending)| pending + 1))
            .collect();
        choices(&counts).into_iter().map(|choice| self.image(&nodes, &folders, &choice)).collect()
    }

    fn image(
        &self,
        nodes: &[(usize, Vec<Vec<u8>>)],
        folders: &[(&PathBuf, usize)],
        choice: &[usize],
    ) -> Self {
        let mut disk = self.clone();
        for ((node, survivors), chosen) in nodes.iter().zip(choice) {
            disk.nodes[*node].durable.clone_from(&survivors[*chosen]);
        }
        for ((path, _), applied) in folders.iter().zip(&choice[nodes.len()..]) {
            if let Some(folder) = disk.folders.get_mut(*path) {
                for change in &folder.pending[..*applied] {
                    apply_name(&mut folder.durable, change);
                }
            }
        }
        disk
    }
}

impl Node {
    /// What may be left of the file: nothing pending, each prefix of it, and each way in which the last
    /// write of a prefix can be torn. The first is the durable state, the last has everything.
    fn survivors(&self) -> Vec<Vec<u8>> {
        let mut all = vec![self.durable.clone()];
        let mut now = self.durable.clone();
        for change in &self.pending {
            if let Change::Write { offset, bytes } = change {
                let n = bytes.len();
                for cut in [1, 8, n / 2, n.saturating_sub(8), n.saturating_sub(1)] {
                    let mut torn = now.clone();
                    write(&mut torn, *offset, bytes.get(..cut).unwrap_or_default());
                    all.push(torn.clone());
                    // Grown to its new length, the rest zeros.
                    torn.resize(torn.len().max(offset + n), 0);
                    all.push(torn);
                }
                let mut second_half = now.clone();
                second_half.resize(second_half.len().max(offset + n), 0);
                let half = (n / 2).next_multiple_of(8).min(n);
                write(&mut second_half, offset + half, &bytes[half..]);
                all.push(second_half);
            }
            apply(&mut now, change);
            all.push(now.clone());
        }
        all.dedup();
        all
    }
}

/// Every combination of one choice each, or, when they are too many, those where one differs from all
/// first or from all last.
fn choices(counts: &[usize]) -> Vec<Vec<usize>> {
    let product = counts.iter().try_fold(1_usize, |product, count| product.checked_mul(*count));
    if product.is_some_and(|product| product <= MAX_IMAGES) {
        return counts.iter().fold(vec![Vec::new()], |all, count| {
            let extend = |head: &Vec<usize>| {
                let head = head.clone();
                (0..*count).map(move |choice| head.iter().copied().chain([choice]).collect())
            };
            all.iter().flat_map(extend).collect()
        });
    }
    let mut all = Vec::new();
    for base in [vec![0; counts.len()], counts.iter().map(|count| count - 1).collect()] {
        for (i, count) in counts.iter().enumerate() {
            all.extend((0..*count).map(|choice| {
                let mut one = base.clone();
                one[i] = choice;
                one
            }));
        }
    }
    all
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes } => write(content, *offset, bytes),
        Change::Truncate(len) => content.resize(*len, 0),
    }
}

fn write(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    content.resize(content.len().max(offset + bytes.len()), 0);
    content[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn apply_name(names: &mut BTreeMap<String, Entry>, change: &NameChange) {
    match change {
        NameChange::Set(name, entry) => {
            names.insert(name.clone(), *entry);
        }
        NameChange::Remove(name) => {
            names.remove(name);
        }
        NameChange::Rename(from, to) => {
            if let Some(entry) = names.remove(from) {
                names.insert(to.clone(), entry);
            }
        }
    }
}

fn split(path: &Path) -> io::Result<(&Path, &str)> {
    let name = path.file_name().and_then(|name| name.to_str());
    path.parent().zip(name).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

impl FileSystem for SimFs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoreFile>> {
        self.ask(Op::Create, path)?;
        let mut disk = self.lock();
        let node = if let Some(Entry::File(node)) = disk.entry(path) {
            let old = &mut disk.nodes[node];
            old.visible.clear();
            old.pending.push(Change::Truncate(0));
            node
        } else {
            let node = disk.nodes.len();
            disk.change_name(path, |name| NameChange::Set(name, Entry::File(node)))?;
            disk.nodes.push(Node::default());
            node
        };
        Ok(Box::new(SimFile { fs: self.clone(), node, path: path.to_path_buf() }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn StoreFile>> {
        self.ask(Op::Open, path)?;
        let node = self.lock().file(path)?;
        Ok(Box::new(SimFile { fs: self.clone(), node, path: path.to_path_buf() }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.ask(Op::Read, path)?;
        let disk = self.lock();
        Ok(disk.nodes[disk.file(path)?].visible.clone())
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        self.ask(Op::Size, path)?;
        let disk = self.lock();
        match disk.entry(path) {
            Some(Entry::File(node)) => Ok(Some(disk.nodes[node].visible.len() as u64)),
            Some(Entry::Folder) => Ok(Some(0)),
            None => Ok(None),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(Op::Rename, to)?;
        let (folder, name) = split(to)?;
        if from.parent() != Some(folder) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut disk = self.lock();
        disk.file(from)?;
        disk.change_name(from, |from| NameChange::Rename(from, name.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(Op::Remove, path)?;
        let mut disk = self.lock();
        disk.file(path)?;
        disk.change_name(path, NameChange::Remove)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.ask(Op::List, path)?;
        let disk = self.lock();
        let folder = disk.folders.get(path).ok_or(io::ErrorKind::NotFound)?;
        let entry = |(name, entry): (&String, &Entry)| DirEntry {
            name: name.clone(),
            is_dir: *entry == Entry::Folder,
        };
        Ok(folder.visible.iter().map(entry).collect())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.ask(Op::CreateDir, path)?;
        let mut disk = self.lock();
        match disk.entry(path) {
            Some(Entry::Folder) => Ok(()),
            Some(Entry::File(_)) => Err(io::ErrorKind::AlreadyExists.into()),
            None => {
                disk.change_name(path, |name| NameChange::Set(name, Entry::Folder))?;
                disk.folders.insert(path.to_path_buf(), Folder::default());
                Ok(())
            }
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.ask(Op::SyncDir, path)?;
        let mut disk = self.lock();
        let folder = disk.folders.get_mut(path).ok_or(io::ErrorKind::NotFound)?;
        for change in std::mem::take(&mut folder.pending) {
            apply_name(&mut folder.durable, &change);
        }
        Ok(())
    }
}

impl SimFile {
    fn change(&self, change: Change) {
        let mut disk = self.fs.lock();
        let node = &mut disk.nodes[self.node];
        apply(&mut node.visible, &change);
        node.pending.push(change);
    }

    fn sync(&self, op: Op) -> io::Result<()> {
        let fault = self.fs.injector.ask(op, &self.path);
        let mut disk = self.fs.lock();
        let node = &mut disk.nodes[self.node];
        if let Some(fault) = fault {
            if fault == Injected::Io {
                node.pending.clear();
            }
            return Err(fault.error());
        }
        for change in std::mem::take(&mut node.pending) {
            apply(&mut node.durable, &change);
        }
        Ok(())
    }
}

impl StoreFile for SimFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let taken = match self.fs.injector.ask(Op::Write, &self.path) {
            None => bytes,
            Some(Injected::Short) => short(bytes),
            Some(fault) => return Err(fault.error()),
        };
        self.change(Change::Write { offset: offset as usize, bytes: taken.to_vec() });
        Ok(taken.len())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.sync(Op::SyncData)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync(Op::SyncAll)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.fs.ask(Op::Truncate, &self.path)?;
        self.change(Change::Truncate(len as usize));
        Ok(())
    }
}
