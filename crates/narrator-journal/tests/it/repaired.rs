//! Verify, dump and repair of journals that are damaged in every place.

use std::path::Path;
use std::sync::Arc;

use narrator_core::SegmentId;
use narrator_journal::fault::{Injected, Injector, SimFs};
use narrator_journal::{
    FileSystem, JOURNAL_NAME, Record, Reopening, RepairReport, SegmentReopened, Standing, StdFs, Verdict,
    dump, read, repair, verify,
};

use crate::jobs::{done, fault, job, key, open, quarantine, record, sim};

/// A job of one record of most kinds, each a write of its own; gives the journal without its room.
fn make(disk: &Arc<dyn FileSystem>, job: &Path) -> Vec<u8> {
    let (mut checkpoint, ..) = open(disk, job, 1).unwrap();
    record(&mut checkpoint, &[1]).unwrap();
    record(&mut checkpoint, &[2]).unwrap();
    checkpoint.append(&[fault(3, 1)]).unwrap();
    record(&mut checkpoint, &[3]).unwrap();
    checkpoint.append(&[quarantine(4)]).unwrap();
    let (segment, key) = (SegmentId(2), key(2));
    let reopened = SegmentReopened { segment, key, why: Reopening::Asked };
    checkpoint.append(&[Record::SegmentReopened(reopened)]).unwrap();
    record(&mut checkpoint, &[5]).unwrap();
    drop(checkpoint);
    let path = job.join(JOURNAL_NAME);
    let end = verify(disk.as_ref(), &path).unwrap().end;
    let mut bytes = disk.read(&path).unwrap();
    bytes.truncate(end as usize);
    bytes
}

fn make_real(job: &Path) -> Vec<u8> {
    make(&(Arc::new(StdFs) as Arc<dyn FileSystem>), job)
}

fn write(disk: &SimFs, path: &Path, bytes: &[u8]) {
    let mut file = disk.create(path).unwrap();
    assert_eq!(file.write_at(0, bytes).unwrap(), bytes.len());
    file.sync_all().unwrap();
}

#[test]
fn repair_of_damage_anywhere_saves_what_is_right_and_nothing_else() {
    let disk = sim(Injector::none());
    let (path, takes) = (job().join(JOURNAL_NAME), job().join("takes"));
    let sound = make(&(Arc::new(disk.clone()) as Arc<dyn FileSystem>), &job());
    let lines = dump(&disk, &path).unwrap();
    for at in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x10;
        write(&disk, &path, &damaged);
        let before = disk.files();
        let planned = repair(&disk, &path, &takes, true).unwrap();
        assert_eq!(disk.files(), before, "a dry run wrote something");
        let report = repair(&disk, &path, &takes, false).unwrap();
        let aside = report.original.clone().unwrap();
        assert_eq!(disk.read(&aside).unwrap(), damaged, "byte {at}");
        assert_eq!(RepairReport { original: None, ..report.clone() }, planned, "byte {at}");
        disk.remove(&aside).unwrap();

        let replay = read(&disk, &path).unwrap();
        let hit = lines.iter().position(|l| (l.offset..l.offset + u64::from(l.bytes)).contains(&(at as u64)));
        // The index of the record that speaks of it, and whether it stands as a sound file says.
        for (index, n) in [(1, 1), (4, 3), (7, 5)] {
            let lost = hit == Some(index);
            let now = matches!(replay.standing(&key(n)), Standing::Done(d) if *d == done(n));
            assert_eq!(now, !lost, "byte {at}, segment {n}: {report}");
        }
        let reopening_lost = hit == Some(6);
        let stands = matches!(replay.standing(&key(2)), Standing::Done(_));
        assert_eq!(stands, reopening_lost, "byte {at}: {report}");
        let quarantined = matches!(replay.standing(&key(4)), Standing::Quarantined(_));
        assert_eq!(quarantined, hit.is_some_and(|hit| hit > 5), "byte {at}: given up on a damaged word");
        assert_eq!(verify(&disk, &path).unwrap().verdict, Verdict::Sound);
        assert_eq!(repair(&disk, &path, &takes, false).unwrap().damaged_at, None, "once is enough");
    }
}

#[test]
fn a_repair_cut_short_by_the_power_leaves_the_old_journal_or_the_new() {
    let (path, takes) = (job().join(JOURNAL_NAME), job().join("takes"));
    let disk = sim(Injector::none());
    let mut damaged = make(&(Arc::new(disk.clone()) as Arc<dyn FileSystem>), &job());
    damaged[64 + 130] ^= 1;
    write(&disk, &path, &damaged);
    let disk = disk.settled_copy();
    let whole = disk.settled_copy();
    repair(&whole, &path, &takes, false).unwrap();
    let repaired = whole.read(&path).unwrap();
    for cut in 0.. {
        let (disk, injector) = disk.settled_copy().with_injector();
        injector.set(move |call| (call.number >= cut).then_some(Injected::Off));
        let result = repair(&disk, &path, &takes, false);
        for image in disk.crash_images() {
            let left = image.read(&path).unwrap();
            assert!(left == repaired || (result.is_err() && left == damaged), "power cut at call {cut}");
        }
        if result.is_ok() {
            break;
        }
    }
}

#[test]
fn a_result_behind_damage_is_saved_only_with_the_very_take_it_names() {
    let job = tempfile::tempdir().unwrap();
    let (path, takes) = (job.path().join(JOURNAL_NAME), job.path().join("takes"));
    let mut bytes = make_real(job.path());
    bytes[64 + 20] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let take = narrator_journal::take_path(&takes, &key(3), 0);
    let mut altered = std::fs::read(&take).unwrap();
    altered[0] ^= 1;
    std::fs::write(&take, altered).unwrap();
    std::fs::remove_file(narrator_journal::take_path(&takes, &key(5), 0)).unwrap();
    let report = repair(&StdFs, &path, &takes, true).unwrap();
    insta::assert_snapshot!(report);
    insta::assert_json_snapshot!(report);
}

#[test]
fn verify_says_what_it_is() {
    let job = tempfile::tempdir().unwrap();
    let path = job.path().join(JOURNAL_NAME);
    let sound = make_real(job.path());
    let say = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        verify(&StdFs, &path).unwrap().to_string()
    };
    let mut damaged = sound.clone();
    damaged[300] ^= 1;
    let mut header = sound.clone();
    header[20] ^= 1;
    let said = [
        say(&sound),
        say(&sound[..sound.len() - 3]),
        say(&damaged),
        say(&header),
        say(b"no journal, and long enough to have a header, which it has not, as one can see"),
    ];
    insta::assert_snapshot!(said.join("\n---\n"));
    std::fs::write(&path, &sound).unwrap();
    insta::assert_json_snapshot!(verify(&StdFs, &path).unwrap());
}

#[test]
fn a_dump_shows_every_record_and_marks_those_behind_damage() {
    let job = tempfile::tempdir().unwrap();
    let path = job.path().join(JOURNAL_NAME);
    let mut bytes = make_real(job.path());
    let lines = dump(&StdFs, &path).unwrap();
    assert_eq!(lines.len(), 8);
    assert!(lines.iter().all(|line| !line.behind_damage));
    insta::assert_json_snapshot!(lines);
    bytes[lines[2].offset as usize + 30] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let damaged = dump(&StdFs, &path).unwrap();
    assert_eq!(damaged.iter().filter(|line| line.behind_damage).count(), 5);
    assert_eq!(damaged.len(), 7);
}
