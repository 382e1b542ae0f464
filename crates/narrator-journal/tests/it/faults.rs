//! Test c: the k-th system call fails, for every k and every way of failing.

use std::sync::Arc;

use narrator_journal::fault::{Call, Injected, Injector, Op};
use narrator_journal::{ErrorKind, FileSystem};

use crate::jobs::{Promises, Step, check_survivor, fault, job, open, quarantine, short_run, sim};

/// What a run met.
#[derive(Debug, Default)]
struct Met {
    promises: Promises,
    errors: Vec<ErrorKind>,
    calls: u64,
}

/// Runs as the orchestrator does: a full disk is tried again a few times, any other error ends the run.
fn run(injector: &Injector) -> (narrator_journal::fault::SimFs, Met) {
    let disk = sim(injector.clone());
    let fs: Arc<dyn FileSystem> = Arc::new(disk.clone());
    let mut met = Met::default();
    let mut tries = 8;
    'run: {
        let mut checkpoint = loop {
            match open(&fs, &job(), 1) {
                Ok((checkpoint, _, _)) => break checkpoint,
                Err(error) => met.errors.push(error.kind()),
            }
            tries -= 1;
            if tries == 0 {
                break 'run;
            }
        };
        for step in short_run() {
            loop {
                match step.run(&mut checkpoint) {
                    Ok(()) => break,
                    Err(error) => met.errors.push(error.kind()),
                }
                let full = met.errors.last() == Some(&ErrorKind::DiskFull);
                assert_eq!(checkpoint.poisoned().is_none(), full, "{:?}", met.errors);
                tries -= 1;
                if !full || tries == 0 {
                    met.promises.in_flight = Some(step);
                    // A poisoned log stays so, whatever the disk does by now.
                    if !full {
                        assert!(checkpoint.append(&[]).is_err());
                        assert!(checkpoint.append(&[quarantine(1)]).is_err());
                    }
                    break 'run;
                }
            }
            met.promises.acknowledged.push(step);
        }
        if let Err(error) = checkpoint.close(0) {
            met.errors.push(error.kind());
        }
    }
    met.calls = injector.calls();
    (disk, met)
}

/// Runs with `decide` at every k in turn, and checks what each leaves; `judge` looks at the run itself.
fn at_every_call(
    name: &str,
    decide: impl Fn(u64, &Call<'_>) -> Option<Injected> + Clone + Send + 'static,
    judge: impl Fn(u64, Option<Op>, &Met),
) {
    let total = run(&Injector::none()).1.calls;
    assert!(total > 60, "{total} calls: the run does too little");
    for k in 0..total {
        let decide = decide.clone();
        let op = Arc::new(std::sync::Mutex::new(None));
        let seen = Arc::clone(&op);
        let injector = Injector::new(move |call| {
            if call.number == k {
                *seen.lock().unwrap() = Some(call.op);
            }
            decide(k, call)
        });
        let (disk, met) = run(&injector);
        let what = format!("{name} at call {k}");
        judge(k, *op.lock().unwrap(), &met);
        check_survivor(&disk.settled_copy(), &met.promises, &what);
        for image in disk.crash_images() {
            check_survivor(&image, &met.promises, &what);
        }
    }
}

#[test]
fn a_device_error_at_any_call_ends_the_run_and_costs_nothing_acknowledged() {
    at_every_call(
        "EIO",
        |k, call| (call.number == k).then_some(Injected::Io),
        |k, op, met| match op {
            // Removing a leftover that is not needed for anything, looking for a take, closing: the
            // error is told all the same.
            Some(op) if op.is_sync() || op == Op::Write || op == Op::Rename => {
                assert!(met.errors.contains(&ErrorKind::Disk), "call {k} {op:?}: {met:?}");
            }
            _ => {}
        },
    );
}

#[test]
fn a_device_that_stays_dead_costs_nothing_acknowledged() {
    at_every_call("dead", |k, call| (call.number >= k).then_some(Injected::Io), |_, _, _| {});
}

#[test]
fn a_disk_that_is_full_for_a_while_costs_nothing_and_stops_nothing() {
    at_every_call(
        "ENOSPC",
        |k, call| {
            (call.number == k && matches!(call.op, Op::Write | Op::Create | Op::CreateDir))
                .then_some(Injected::Full)
        },
        |k, op, met| {
            assert_eq!(met.promises.acknowledged.len(), short_run().len(), "call {k} {op:?}: {met:?}");
            assert!(met.errors.iter().all(|kind| *kind == ErrorKind::DiskFull), "call {k} {op:?}: {met:?}");
        },
    );
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_write_keeps_what_it_had() {
    at_every_call(
        "short write, then ENOSPC",
        |k, call| match call.number.checked_sub(k) {
            Some(0) if call.op == Op::Write => Some(Injected::Short),
            Some(1..=3) if call.op == Op::Write => Some(Injected::Full),
            _ => None,
        },
        |k, op, met| {
            let all = met.promises.acknowledged.len() == short_run().len();
            assert!(all, "call {k} {op:?}: {met:?}");
        },
    );
}

#[test]
fn a_disk_that_is_full_and_cannot_even_cut_back_poisons_the_log() {
    at_every_call(
        "ENOSPC, and EIO on truncate",
        |k, call| match call.op {
            Op::Write if call.number == k => Some(Injected::Full),
            Op::Truncate => Some(Injected::Io),
            _ => None,
        },
        |_, _, _| {},
    );
}

#[test]
fn short_and_interrupted_writes_are_nobodys_concern() {
    for fault in [Injected::Short, Injected::Interrupted] {
        at_every_call(
            "short or interrupted write",
            move |k, call| (call.number == k && call.op == Op::Write).then_some(fault),
            |k, _, met| {
                assert_eq!(met.errors, [], "call {k}");
                assert_eq!(met.promises.acknowledged.len(), short_run().len(), "call {k}");
            },
        );
    }
    at_every_call(
        "writes of one byte or so, always",
        |_, call| (call.op == Op::Write && call.number % 2 == 0).then_some(Injected::Short),
        |_, _, met| assert_eq!(met.errors, []),
    );
}

#[test]
fn a_sync_that_once_failed_is_never_believed_again() {
    // Linux forgets what a failed sync should have written and reports success the next time.
    let total = run(&Injector::none()).1.calls;
    for k in 0..total {
        let (disk, met) =
            run(&Injector::new(move |call| (call.number == k && call.op.is_sync()).then_some(Injected::Io)));
        if !met.errors.is_empty() {
            assert!(met.errors.iter().all(|kind| *kind == ErrorKind::Disk), "{met:?}");
        }
        for image in disk.crash_images() {
            check_survivor(&image, &met.promises, &format!("failed sync at call {k}"));
        }
        // The next process reads from memory what never reached the disk. It goes on, all syncs succeed,
        // and then the power fails.
        let (disk, _) = disk.with_injector();
        let fs: Arc<dyn FileSystem> = Arc::new(disk.clone());
        let mut promises = met.promises;
        let (mut checkpoint, replay, _) = open(&fs, &job(), 2).unwrap();
        let believed: Vec<u32> = replay.done().map(|done| done.segment.0).collect();
        let next = Step::Record(vec![8, 9]);
        next.run(&mut checkpoint).unwrap();
        // What the second run was told is done, it will not do again: as good as acknowledged.
        promises.acknowledged.extend([Step::Record(believed), next]);
        for image in disk.crash_images() {
            check_survivor(&image, &promises, &format!("failed sync at call {k}, resumed, power cut"));
        }
    }
}

#[test]
fn a_batch_that_met_a_full_disk_leaves_no_trace() {
    let injector = Injector::none();
    let fs: Arc<dyn FileSystem> = Arc::new(sim(injector.clone()));
    let (mut checkpoint, ..) = open(&fs, &job(), 1).unwrap();
    // The first append makes room; it is the batch itself that shall fail.
    checkpoint.append(&[fault(4, 1)]).unwrap();
    let start = injector.calls();
    injector.set(move |call| match call.number - start {
        0 => Some(Injected::Short),
        1 => Some(Injected::Full),
        _ => None,
    });
    let batch = [quarantine(1), quarantine(2), quarantine(3)];
    assert_eq!(checkpoint.append(&batch).unwrap_err().kind(), ErrorKind::DiskFull);
    checkpoint.append(&[fault(4, 2)]).unwrap();
    drop(checkpoint);
    let (_, replay, warnings) = open(&fs, &job(), 2).unwrap();
    assert_eq!(warnings, []);
    assert_eq!((replay.quarantined().count(), replay.records()), (0, 4));
}
