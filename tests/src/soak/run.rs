//! Book after book.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::audit::{Broken, Reference, audit, read_events};
use super::blows::{Blows, Means};
use super::orchestrator::{End, Orchestrator, Start, can_judge, can_shift};
use super::stage::{POISON, Stage, Voice, own_mounts};
use super::tally::Tally;
use crate::processes::Patience;
use crate::sim::{Birthplace, Births, Deed, Dice, SimScript, SpeakRule};

/// A book that is not finished this long after all misdeeds ended will never be.
const CALM_LIMIT: Duration = Duration::from_mins(5);
/// Two looks at a running orchestrator.
const LOOK: Duration = Duration::from_millis(15);

/// What is to be soaked.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub time: Duration,
    /// Enough is enough.
    pub faults: Option<u64>,
    pub voice: Voice,
    pub segments: usize,
    pub slots: u16,
    /// Mean time between blows.
    pub pace: Duration,
    pub within: Option<PathBuf>,
}

/// A soak that ended badly.
#[derive(Debug)]
pub struct Failed {
    pub broken: Broken,
    /// The stage as it was left.
    pub stage: Option<PathBuf>,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self { broken: format!("the soak itself failed: {error}"), stage: None }
    }
}

/// What this machine lets a soak do; a line for each thing that it does not.
pub fn means() -> (Means, Vec<String>) {
    let judged = can_judge();
    let means = Means { judge: judged.is_ok(), mount: own_mounts(), shift: can_shift() };
    let mut missing = Vec::new();
    if let Err(why) = judged {
        missing.push(format!("no failing system calls: {why}"));
    }
    if !means.mount {
        missing.push("no small disk: mounting is not allowed; writes are refused instead".to_owned());
    }
    if !means.shift {
        missing.push("no other clock: time namespaces are not allowed".to_owned());
    }
    (means, missing)
}

/// Soaks until the time is over or the faults are enough.
pub fn soak(plan: &Plan, means: Means, tally: &mut Tally, say: &dyn Fn(&str)) -> Result<(), Failed> {
    let mut dice = ChaCha8Rng::seed_from_u64(plan.seed);
    let began = Instant::now();
    let reference = undisturbed(plan)?;
    say(&format!("undisturbed book narrated in {:.1} s", began.elapsed().as_secs_f64()));
    let until = Instant::now() + plan.time;
    let enough = |tally: &Tally| plan.faults.is_some_and(|faults| tally.faults() >= faults);
    let mut number = 0;
    while Instant::now() < until && !enough(tally) {
        number += 1;
        let book = Book::new(plan, means, number, &mut dice)?;
        let before = (Instant::now(), tally.faults());
        let Narrated { mut stage, script, exit } = book.narrate(until, &enough, &mut dice, tally)?;
        let audited = exit.and_then(|exit| audit(&stage, &script, &reference, exit, tally));
        read_events(&stage, tally);
        if let Err(broken) = audited {
            return Err(Failed { broken: format!("book {number}: {broken}"), stage: Some(stage.keep()) });
        }
        say(&format!(
            "book {number}: {} faults in {:.0} s, all well",
            tally.faults() - before.1,
            before.0.elapsed().as_secs_f64()
        ));
    }
    if tally.faults() == 0 {
        return Err(Failed {
            broken: "not one fault was injected: this proves nothing".to_owned(),
            stage: None,
        });
    }
    Ok(())
}

/// Speech short enough that most of a soak is faults, and not encoding.
fn short_speech() -> SimScript {
    SimScript { seconds_per_char: 0.002, ..SimScript::default() }
}

/// The book as it is when nothing happens.
fn undisturbed(plan: &Plan) -> Result<Reference, Failed> {
    let mut stage = Stage::new(plan.within.as_deref(), plan.voice, plan.slots)?;
    stage.write_book(plan.segments, &[])?;
    stage.play(short_speech());
    let mut orchestrator = Orchestrator::start(&stage, Start::default())?;
    let end = orchestrator.end_within(CALM_LIMIT);
    let read = match end {
        Some(End::Code(0)) => Reference::of(&stage),
        other => Err(format!("the undisturbed run ended with {other:?}")),
    };
    read.map_err(|broken| Failed { broken, stage: Some(stage.keep()) })
}

/// A book that is narrated, or whose narration broke.
struct Narrated {
    stage: Stage,
    script: SimScript,
    /// The exit code of the last run.
    exit: Result<i32, Broken>,
}

/// One book, to be narrated under fire.
struct Book<'a> {
    plan: &'a Plan,
    means: Means,
    stage: Stage,
    script: SimScript,
}

impl<'a> Book<'a> {
    fn new(plan: &'a Plan, means: Means, number: u64, dice: &mut ChaCha8Rng) -> Result<Self, Failed> {
        let mut stage = Stage::new(plan.within.as_deref(), plan.voice, plan.slots)?;
        // By turns: on the real disk, whose syncs are real, and on a small one that can be filled.
        if means.mount && number.is_multiple_of(2) {
            stage.mount()?;
        }
        // By turns: what may change the sound of a segment or end in quarantine, and what may not.
        let reseeding = number % 2 == 1;
        let misdeeds = Dice {
            seed: dice.random(),
            birth: 30,
            hello: 40,
            load: 40,
            speak: if reseeding { 250 } else { 80 },
            manners: 80,
            reseeding,
        };
        let mut script = SimScript { dice: Some(misdeeds), ..short_speech() };
        let mut poisoned = Vec::new();
        if reseeding && plan.voice == Voice::Sim {
            poisoned = vec![dice.random_range(1..=plan.segments), dice.random_range(1..=plan.segments)];
            let rule = SpeakRule::on(POISON, Deed::Abort);
            script.speak = vec![SpeakRule { births: Births::All, ..rule }];
        }
        stage.write_book(plan.segments, &poisoned)?;
        stage.play(script.clone());
        Ok(Self { plan, means, stage, script })
    }

    /// Narrates it, started again as often as it takes.
    fn narrate(
        self,
        until: Instant,
        enough: &dyn Fn(&Tally) -> bool,
        dice: &mut ChaCha8Rng,
        tally: &mut Tally,
    ) -> Result<Narrated, Failed> {
        let Self { plan, means, stage, script } = self;
        let (births, mut counted) = (Birthplace::new(stage.births()), 0);
        let mut calm: Option<Patience> = None;
        let mut blows = Blows::new(&stage, means, plan.pace, dice, tally);
        let exit = loop {
            let shifted = calm.is_none() && blows.between()?;
            let how = Start { judged: means.judge && calm.is_none(), shifted };
            let mut orchestrator = Orchestrator::start(&stage, how)?;
            let end = loop {
                if let Some(end) = orchestrator.ended() {
                    break Some(end);
                }
                if calm.is_none() && (Instant::now() >= until || enough(blows.tally)) {
                    blows.cease(Some(&orchestrator))?;
                    stage.calm()?;
                    calm = Some(Patience::of(CALM_LIMIT));
                }
                if let Some(patience) = &mut calm {
                    if patience.is_over() {
                        break None;
                    }
                } else {
                    blows.deal(&orchestrator)?;
                }
                let handles = orchestrator.handles();
                blows.tally.most_handles = blows.tally.most_handles.max(handles);
                std::thread::sleep(LOOK);
            };
            let record = births.read();
            for line in record.iter().skip(counted).filter(|line| line.what == "chance") {
                blows.tally.injected(&format!("worker {}", line.about));
            }
            counted = record.len();
            let Some(end) = end else {
                break Err("it does not end, though nothing disturbs it any more".to_owned());
            };
            let sent = blows.sent.clone();
            blows.ended(&orchestrator, end)?;
            match end {
                End::Code(code @ (0 | 3)) => break Ok(code),
                // Stopped with work left, or no disk to write on: started again.
                End::Code(74 | 75) => {}
                // No slot left, the last one closed by a worker of another kind.
                End::Code(78) if plan.voice == Voice::Sim => {}
                End::Signal(signal) if sent.contains(&signal) => {}
                other => break Err(format!("the orchestrator ended with {other:?}")),
            }
        };
        blows.cease(None)?;
        Ok(Narrated { stage, script, exit })
    }
}
