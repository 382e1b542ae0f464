//! Opening a job again: on the real disk, with another script, and where it must be refused.

use std::sync::Arc;

use narrator_core::SegmentId;
use narrator_journal::{
    Checkpoint, Digest, ErrorKind, FileSystem, JobLock, Journal, JournalError, RecordLog, Report, RunOpened,
    Standing, StdFs, Verdict, Warning, verify,
};

use crate::jobs::{done, fault, key, open, opening, quarantine, record, takes_on_disk};

fn std_fs() -> Arc<dyn FileSystem> {
    Arc::new(StdFs)
}

#[test]
fn what_was_recorded_is_there_again() {
    let job = tempfile::tempdir().unwrap();
    let (checkpoint, replay, warnings) = Checkpoint::open(std_fs(), job.path(), &opening(1)).unwrap();
    assert!(warnings.is_empty() && replay.done().count() == 0 && replay.openings().len() == 1);
    let mut checkpoint = checkpoint.with_threads(8);
    let segments: Vec<u32> = (1..=40).collect();
    let recorded = record(&mut checkpoint, &segments).unwrap();
    assert_eq!(recorded, segments.iter().map(|n| done(*n)).collect::<Vec<_>>());
    checkpoint.append(&[fault(41, 9), quarantine(41)]).unwrap();
    checkpoint.close(3).unwrap();

    let (_, replay, warnings) = open(&std_fs(), job.path(), 2).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(replay.done().count(), 40);
    assert_eq!(replay.quarantined().map(|q| q.segment).collect::<Vec<_>>(), [SegmentId(41)]);
    assert_eq!((replay.openings().len(), replay.last_incarnation().0), (2, 9));
    assert_eq!(takes_on_disk(job.path()).len(), 40);
}

#[test]
fn a_take_that_is_gone_or_cut_is_pending_again_and_stays_so_until_it_is_spoken() {
    let job = tempfile::tempdir().unwrap();
    let (mut checkpoint, ..) = open(&std_fs(), job.path(), 1).unwrap();
    record(&mut checkpoint, &[1, 2, 3]).unwrap();
    std::fs::remove_file(checkpoint.takes().path(&key(1), 0)).unwrap();
    std::fs::write(checkpoint.takes().path(&key(2), 0), b"short").unwrap();
    std::fs::write(checkpoint.takes().path(&key(3), 0).with_extension("7.part"), b"half").unwrap();
    drop(checkpoint);

    let (mut checkpoint, replay, warnings) = open(&std_fs(), job.path(), 2).unwrap();
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "1 half-written takes of an earlier run removed",
            "the take of segment 1 is missing: it will be spoken again",
            "the take of segment 2 has 5 bytes, not 20: it will be spoken again",
        ]
    );
    assert_eq!(replay.standing(&key(1)), Standing::Pending(&[]));
    assert_eq!(replay.standing(&key(3)), Standing::Done(&done(3)));
    // Given up this time: that must outlast the old result.
    checkpoint.append(&[quarantine(1)]).unwrap();
    record(&mut checkpoint, &[2]).unwrap();
    drop(checkpoint);
    let (_, replay, warnings) = open(&std_fs(), job.path(), 3).unwrap();
    assert_eq!(warnings, []);
    assert!(matches!(replay.standing(&key(1)), Standing::Quarantined(_)));
    assert_eq!(replay.standing(&key(2)), Standing::Done(&done(2)));
}

#[test]
fn an_altered_take_of_the_right_size_is_found_by_the_deep_check_alone() {
    let job = tempfile::tempdir().unwrap();
    let (mut checkpoint, ..) = open(&std_fs(), job.path(), 1).unwrap();
    record(&mut checkpoint, &[1, 2]).unwrap();
    std::fs::write(checkpoint.takes().path(&key(2), 0), vec![0; done(2).bytes as usize]).unwrap();
    let replay = narrator_journal::read(&StdFs, &job.path().join("segments.ckpt")).unwrap();
    assert_eq!(checkpoint.takes().lost(&replay, false).unwrap(), []);
    let altered = checkpoint.takes().lost(&replay, true).unwrap();
    assert!(matches!(&altered[..], [lost] if lost.altered && lost.done == done(2)), "{altered:?}");
}

#[test]
fn another_script_keeps_every_take_whose_content_it_still_has() {
    let job = tempfile::tempdir().unwrap();
    let (mut checkpoint, ..) = open(&std_fs(), job.path(), 1).unwrap();
    record(&mut checkpoint, &[1, 2, 3]).unwrap();
    drop(checkpoint);
    let other = RunOpened { plan: Digest([9; 32]), settings: Digest([8; 32]), ..opening(2) };
    let (_, replay, _) = Checkpoint::open(std_fs(), job.path(), &other).unwrap();
    // A paragraph was put in at the beginning: old segment 2 is now the third, its sound the same.
    assert_eq!(replay.standing(&key(2)), Standing::Done(&done(2)));
    assert_eq!(replay.standing(&key(1000)), Standing::Pending(&[]));
    let plans: Vec<Digest> = replay.openings().iter().map(|opening| opening.plan).collect();
    assert_eq!(plans, [Digest([1; 32]), Digest([9; 32])]);
}

#[test]
fn a_torn_tail_is_kept_aside_and_cut() {
    let job = tempfile::tempdir().unwrap();
    let path = job.path().join("segments.ckpt");
    let (mut checkpoint, ..) = open(&std_fs(), job.path(), 1).unwrap();
    record(&mut checkpoint, &[1]).unwrap();
    checkpoint.close(75).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for round in 1..=2 {
        let now = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&now[..], &now[64..90]].concat()).unwrap();
        let (checkpoint, replay, warnings) = open(&std_fs(), job.path(), 2).unwrap();
        assert_eq!(replay.standing(&key(1)), Standing::Done(&done(1)));
        let [Warning::TornTail(torn)] = &warnings[..] else { panic!("{warnings:?}") };
        assert_eq!((torn.at, torn.bytes), (now.len() as u64, 26));
        assert_eq!(torn.kept, job.path().join(format!("segments.ckpt.torn-{round}")));
        assert_eq!(std::fs::read(&torn.kept).unwrap(), &now[64..90]);
        checkpoint.close(75).unwrap();
    }
    assert!(std::fs::read(&path).unwrap().starts_with(&whole));
}

#[test]
fn what_cannot_be_believed_is_refused_in_plain_words_and_left_alone() {
    let job = tempfile::tempdir().unwrap();
    let path = job.path().join("segments.ckpt");
    let (mut checkpoint, ..) = open(&std_fs(), job.path(), 1).unwrap();
    record(&mut checkpoint, &[1]).unwrap();
    record(&mut checkpoint, &[2]).unwrap();
    checkpoint.close(75).unwrap();
    let sound = std::fs::read(&path).unwrap();
    let mut said = Vec::new();
    let mut refuse = |bytes: &[u8], kind: ErrorKind| {
        std::fs::write(&path, bytes).unwrap();
        let error = open(&std_fs(), job.path(), 2).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "the file was touched");
        said.push(error.to_string().replace(&path.display().to_string(), "FILE"));
    };
    let mut flipped = sound.clone();
    flipped[80] ^= 4;
    refuse(&flipped, ErrorKind::Damaged);
    refuse(&sound[..40], ErrorKind::Damaged);
    refuse(b"", ErrorKind::Damaged);
    refuse(
        b"%PDF-1.7, a paper about journals, and long enough to have a header of its own",
        ErrorKind::Foreign,
    );
    let later = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/v2-header.ckpt");
    refuse(&std::fs::read(later).unwrap(), ErrorKind::Foreign);
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn a_journal_is_never_created_over_a_file() {
    let job = tempfile::tempdir().unwrap();
    let path = job.path().join("segments.ckpt");
    std::fs::write(&path, b"mine").unwrap();
    let error = Journal::create(std_fs(), &path, &opening(1)).unwrap_err();
    assert!(matches!(error, JournalError::Exists { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
}

#[test]
fn a_journal_of_many_writes_grows_by_room_and_gives_it_back() {
    let job = tempfile::tempdir().unwrap();
    let path = job.path().join("segments.ckpt");
    let (mut journal, _) = Journal::create(std_fs(), &path, &opening(1)).unwrap();
    for n in 0..200 {
        journal.append(&fault(n, u64::from(n))).unwrap();
    }
    // More than one write can carry, in one call.
    let many: Vec<_> = (0..9000).map(|n| fault(n, 1000)).collect();
    journal.append_batch(&many).unwrap();
    let report = verify(&StdFs, &path).unwrap();
    assert_eq!((report.verdict.clone(), report.records), (Verdict::Sound, 9201));
    assert_eq!(journal.replay().unwrap().records(), 9201);
    journal.close().unwrap();
    let closed = verify(&StdFs, &path).unwrap();
    assert_eq!((closed.bytes, closed.records), (report.end, 9201));
    assert_eq!(Report::of(&std::fs::read(&path).unwrap()), closed);
}

#[test]
fn the_second_run_on_a_job_learns_who_holds_it() {
    let job = tempfile::tempdir().unwrap();
    assert_eq!(JobLock::holder(job.path()).unwrap(), None);
    let lock = JobLock::acquire(job.path()).unwrap();
    let error = JobLock::acquire(job.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Held);
    let JournalError::Held { holder, .. } = &error else { panic!("{error}") };
    assert_eq!(holder.pid, Some(std::process::id()));
    assert_eq!(JobLock::holder(job.path()).unwrap().as_ref(), Some(holder));
    drop(lock);
    assert_eq!(JobLock::holder(job.path()).unwrap(), None);
    JobLock::acquire(job.path()).unwrap();
}

#[test]
fn results_outrank_quarantines_and_only_a_reopening_takes_them_back() {
    use narrator_journal::{Record, Reopening, Replay, SegmentReopened};
    let recorded = Record::SegmentDone(done(1));
    let reopened = Record::SegmentReopened(SegmentReopened {
        segment: SegmentId(1),
        key: key(1),
        why: Reopening::Asked,
    });
    let orders: [&[&Record]; 4] = [
        &[&recorded, &quarantine(1), &fault(1, 1)],
        &[&fault(1, 1), &quarantine(1), &recorded],
        &[&recorded, &recorded, &fault(1, 1), &quarantine(1), &recorded],
        &[&quarantine(1), &reopened, &recorded],
    ];
    for order in orders {
        let replay = Replay::of(order.iter().copied());
        assert_eq!(replay.standing(&key(1)), Standing::Done(&done(1)), "{order:?}");
    }
    let replay = Replay::of([&fault(1, 1), &recorded, &quarantine(1), &reopened]);
    assert_eq!(replay.standing(&key(1)), Standing::Pending(&[]));
    let replay = Replay::of([&fault(1, 1), &fault(1, 1), &fault(1, 2)]);
    assert_eq!(replay.charged(&key(1)).count(), 2);
}
