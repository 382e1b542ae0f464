//! Test b: every state in which a power cut could leave the journal and the takes, at every system call.

use std::sync::Arc;

use narrator_journal::FileSystem;
use narrator_journal::fault::{Injected, Injector, SimFs};

use crate::jobs::{Promises, Step, check_survivor, job, open, short_run, sim};

/// Runs `steps` until the machine is off; gives what was promised by then.
fn run(disk: &SimFs, run: u8, steps: &[Step]) -> Promises {
    let fs: Arc<dyn FileSystem> = Arc::new(disk.clone());
    let mut promises = Promises::default();
    let Ok((mut checkpoint, _, _)) = open(&fs, &job(), run) else { return promises };
    for step in steps {
        if step.run(&mut checkpoint).is_err() {
            promises.in_flight = Some(step.clone());
            return promises;
        }
        promises.acknowledged.push(step.clone());
    }
    // A close that is cut off promises nothing new.
    let _ = checkpoint.close(0);
    promises
}

/// System calls of an undisturbed run.
fn calls(steps: &[Step]) -> u64 {
    let injector = Injector::none();
    let promises = run(&sim(injector.clone()), 1, steps);
    assert_eq!(promises.acknowledged.len(), steps.len());
    injector.calls()
}

#[test]
fn a_power_cut_at_any_system_call_loses_nothing_acknowledged() {
    let steps = short_run();
    let mut images = 0;
    for cut in 0..=calls(&steps) {
        let disk = sim(Injector::from(cut, Injected::Off));
        let promises = run(&disk, 1, &steps);
        check_survivor(&disk.settled_copy(), &promises, &format!("killed at call {cut}"));
        for (i, image) in disk.crash_images().into_iter().enumerate() {
            check_survivor(&image, &promises, &format!("power cut at call {cut}, image {i}"));
            images += 1;
        }
    }
    assert!(images > 500, "only {images} images: the disk does not simulate what it should");
}

#[test]
fn a_power_cut_soon_after_a_killed_run_was_resumed_loses_nothing_either() {
    let steps = short_run();
    let rest = [Step::Record(vec![7, 8]), Step::Record(vec![9])];
    let total = calls(&steps);
    // The kill leaves things that were never synced; the next run must not take them for durable.
    for kill in 0..total {
        for cut in [3, 9, 14, 20, 27, 35, u64::MAX / 2] {
            let injector = Injector::from(kill, Injected::Off);
            let disk = sim(injector.clone());
            let mut promises = run(&disk, 1, &steps);
            let start = injector.calls();
            injector.set(move |call| (call.number >= start + cut).then_some(Injected::Off));
            // A resumed run first does again what was cut off.
            let killed_step = promises.in_flight.take();
            let again: Vec<Step> = killed_step.iter().chain(&rest).cloned().collect();
            let second = run(&disk, 2, &again);
            promises.acknowledged.extend(second.acknowledged);
            for (i, image) in disk.crash_images().into_iter().enumerate() {
                // What was in flight at the kill may be there; what was in flight at the cut too.
                for in_flight in [&killed_step, &second.in_flight] {
                    promises.in_flight.clone_from(in_flight);
                    if image_mentions_only(&image, &promises) {
                        break;
                    }
                }
                let what = format!("killed at call {kill}, power cut {cut} calls later, image {i}");
                check_survivor(&image, &promises, &what);
            }
        }
    }
}

/// Whether everything in the image's journal is covered by these promises.
fn image_mentions_only(image: &SimFs, promises: &Promises) -> bool {
    let path = job().join("segments.ckpt");
    let Ok(replay) = narrator_journal::read(image, &path) else { return true };
    let in_flight = promises.in_flight.iter();
    let known: Vec<u32> = promises
        .acknowledged
        .iter()
        .chain(in_flight)
        .flat_map(|step| match step {
            Step::Record(segments) => segments.clone(),
            Step::Append(_) => Vec::new(),
        })
        .collect();
    replay.done().all(|done| known.contains(&done.segment.0))
}
