//! The disks of the fault module themselves: a test is worth what its disk is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use narrator_journal::fault::{FaultFs, Injected, Injector, Op};
use narrator_journal::{FileSystem, StdFs};

use crate::jobs::{job, sim};

fn contents(images: &[narrator_journal::fault::SimFs], path: &Path) -> Vec<Option<Vec<u8>>> {
    let mut all: Vec<_> = images.iter().map(|image| image.files().remove(path)).collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn a_name_is_durable_with_its_folder_and_bytes_with_their_file() {
    let disk = sim(Injector::none());
    let path = job().join("a");
    let mut file = disk.create(&path).unwrap();
    file.write_at(0, b"x").unwrap();
    // Without a name, without bytes, grown but not yet filled, whole.
    let whole = Some(b"x".to_vec());
    assert_eq!(contents(&disk.crash_images(), &path), [None, Some(vec![]), Some(vec![0]), whole]);
    file.sync_all().unwrap();
    assert_eq!(contents(&disk.crash_images(), &path), [None, Some(b"x".to_vec())]);
    disk.sync_dir(&job()).unwrap();
    assert_eq!(contents(&disk.crash_images(), &path), [Some(b"x".to_vec())]);
    disk.rename(&path, &job().join("b")).unwrap();
    assert_eq!(contents(&disk.crash_images(), &path), [None, Some(b"x".to_vec())]);
    disk.create_dir(&job().join("d")).unwrap();
    let deep = job().join("d").join("deep");
    disk.create(&deep).unwrap().sync_all().unwrap();
    disk.sync_dir(&job().join("d")).unwrap();
    assert_eq!(contents(&disk.crash_images(), &deep), [None, Some(vec![])], "its folder's own name");
}

#[test]
fn a_failed_sync_forgets_while_reading_does_not() {
    let injector = Injector::none();
    let disk = sim(injector.clone());
    let path = job().join("a");
    let mut file = disk.create(&path).unwrap();
    disk.sync_dir(&job()).unwrap();
    file.write_at(0, b"gone").unwrap();
    injector.set(|call| (call.op == Op::SyncData).then_some(Injected::Io));
    file.sync_data().unwrap_err();
    injector.set(|_| None);
    file.sync_data().unwrap();
    assert_eq!(disk.read(&path).unwrap(), b"gone");
    assert_eq!(contents(&disk.crash_images(), &path), [Some(vec![])]);
}

#[test]
fn faults_come_before_a_real_disk_too() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("a");
    let injector = Injector::none();
    let fs = FaultFs::new(Arc::new(StdFs), injector.clone());
    let mut file = fs.create(&path).unwrap();
    injector.set(|_| Some(Injected::Short));
    assert_eq!(file.write_at(0, b"1234").unwrap(), 2);
    for (fault, kind) in [
        (Injected::Full, std::io::ErrorKind::StorageFull),
        (Injected::Interrupted, std::io::ErrorKind::Interrupted),
    ] {
        injector.set(move |_| Some(fault));
        assert_eq!(file.write_at(2, b"34").unwrap_err().kind(), kind);
    }
    injector.set(|_| None);
    file.sync_all().unwrap();
    assert_eq!(fs.read(&path).unwrap(), b"12");
    assert_eq!(fs.list(folder.path()).unwrap().len(), 1);
}
