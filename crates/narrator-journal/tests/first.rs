//! A job's checkpoint on the real disk: begun, recorded, reopened.
use std::sync::Arc;

use narrator_core::{ContentKey, SegmentId};
use narrator_journal::{Checkpoint, Digest, NewTake, RunOpened, Standing, StdFs, Warning};

fn key(n: u8) -> ContentKey {
    ContentKey(Digest::of(&[n]).0)
}

#[test]
fn what_was_recorded_is_there_again() {
    let job = tempfile::tempdir().unwrap();
    let opening = || RunOpened::now([1; 32], [2; 32], "0.1.0+test", "00");
    let (mut checkpoint, replay, warnings) =
        Checkpoint::open(Arc::new(StdFs), job.path(), &opening()).unwrap();
    assert!(warnings.is_empty() && replay.done().count() == 0);
    let flac: Vec<Vec<u8>> = (0..20).map(|n| vec![n; 1000 + usize::from(n)]).collect();
    let results: Vec<NewTake<'_>> = (0..20_u8)
        .map(|n| NewTake {
            segment: SegmentId(u32::from(n) + 1),
            key: key(n),
            take: 0,
            samples: 24000,
            rate: 24000,
            flac: &flac[usize::from(n)],
        })
        .collect();
    let done = checkpoint.record(&results).unwrap();
    checkpoint.close(0).unwrap();

    std::fs::remove_file(
        job.path().join("takes").join(&key(3).to_hex()[..2]).join(format!("{}.flac", key(3))),
    )
    .unwrap();
    let (checkpoint, replay, warnings) = Checkpoint::open(Arc::new(StdFs), job.path(), &opening()).unwrap();
    assert!(matches!(&warnings[..], [Warning::LostTake(lost)] if lost.done == done[3]), "{warnings:?}");
    for done in done.iter().filter(|done| done.key != key(3)) {
        assert_eq!(replay.standing(&done.key), Standing::Done(done));
        assert_eq!(checkpoint.takes().read(&done.key).unwrap().len() as u64, done.bytes);
    }
    assert_eq!(replay.standing(&key(3)), Standing::Pending(&[]));
    assert_eq!(replay.openings().len(), 2);
}
