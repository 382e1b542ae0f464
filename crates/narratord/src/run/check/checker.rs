//! What is done with a hearing: judged, written down, and turned into the segment's next step.
//!
//! ```text
//!  hearing ─▶ verdict ─▶ records, in one write ─▶ durable ─▶ course, notes, progress, events
//! ```
//!
//! Shared by the sinks of the speaking and the listening pools, which call it from their own threads.
//! Invariants:
//! - a step is taken only when its record is durable; a full disk leaves everything as it was, and the same
//!   answer may be given again;
//! - the outcome depends on takes, hearings and the journal alone, not on who was faster: the same takes are
//!   accepted whatever is killed in between;
//! - a recogniser that fails costs no segment: what nobody could hear is accepted and marked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use narrator_core::settings::Quarantine;
use narrator_core::{ContentKey, Hearing, Script, Segment, SegmentId, SpeechSettings, VoiceAbilities};
use narrator_fidelity::ladder::Attempt;
use narrator_fidelity::signal::{self, Pace};
use narrator_fidelity::verdict::{Decision, Evidence, Fault, Listener, Verdict, judge};
use narrator_journal::{
    Record, Reopening, SegmentDone, SegmentQuarantined, SegmentReopened, Standing, TakeKept, TakeRefused,
    take_path,
};
use narrator_pool::{Heard, SinkError};
use serde_json::json;

use super::course::{Begin, Course, Ear, Next, Start};
use super::ladder;
use super::notes::{Note, Notebook, Notes, is_judged};
use super::plan::Plan;
use super::tempo;
use crate::events::{EventLog, Level};
use crate::job::JobDir;
use crate::progress::Tally;
use crate::respelt::Respellings;
use crate::run::keeper::Keeper;

/// Everything that judging needs.
#[derive(Debug)]
pub struct Checker {
    pub script: Script,
    pub speech: SpeechSettings,
    pub job: JobDir,
    pub keeper: Arc<Keeper>,
    pub log: EventLog,
    pub tally: Arc<Mutex<Tally>>,
    pub strict: bool,
    pub quarantine: Quarantine,
    pub course: Mutex<Course>,
    pub bench: Mutex<HashMap<SegmentId, OnBench>>,
    pub notebook: Mutex<Notebook>,
    /// The last word on every take so far.
    pub notes: Mutex<Notes>,
    /// The voice's pace, once it was asked for; none where too little tells it.
    pub pace: OnceLock<Option<Pace>>,
    /// What the voice can do, as far as it is known.
    pub abilities: Mutex<VoiceAbilities>,
}

/// A take that is being judged.
#[derive(Clone, Debug)]
pub struct OnBench {
    pub take: u32,
    pub rate: u32,
    pub pcm: Arc<[f32]>,
    /// What was heard so far, in the order of asking.
    pub hearings: Vec<Hearing>,
    /// The second recogniser, asked as the first was, left a doubt: it is asked once more, with a search.
    pub search: bool,
}

impl OnBench {
    fn new(take: u32, pcm: narrator_audio::flac::Pcm) -> Self {
        Self { take, rate: pcm.rate, pcm: pcm.samples.into(), hearings: Vec::new(), search: false }
    }
}

/// What is to happen with a take, once it is written down.
#[derive(Clone, PartialEq, Debug)]
enum Step {
    Accept,
    Doubt,
    Search,
    Again {
        plan: Plan,
        rung: String,
        reason: String,
    },
    /// This take, the best of all, is accepted although small words of it are in doubt.
    Allow {
        take: u32,
        reason: String,
    },
    GiveUp {
        kept: Option<u32>,
    },
}

impl Step {
    /// Whether somebody is to hear the take once more.
    fn asks(&self) -> bool {
        matches!(self, Self::Doubt | Self::Search)
    }
}

/// A judgement, ready to be written down and carried out.
struct Conclusion {
    segment: SegmentId,
    take: u32,
    step: Step,
    records: Vec<Record>,
    notes: Vec<Note>,
    summary: String,
}

impl Checker {
    pub fn course(&self) -> MutexGuard<'_, Course> {
        lock(&self.course)
    }

    /// The voice says what it can do.
    pub fn able(&self, abilities: VoiceAbilities) {
        *lock(&self.abilities) = abilities;
    }

    fn segment(&self, id: SegmentId) -> Option<&Segment> {
        self.script.segment(id)
    }

    fn mode(&self) -> &'static str {
        if self.strict { "strict" } else { "fast" }
    }

    /// A take that was just spoken, as it lies on the disk: what is heard is what the audiobook is made from.
    pub fn lay_out(&self, segment: SegmentId, take: u32, flac: &[u8]) {
        let nowhere = std::path::Path::new("a take in memory");
        // What cannot be decoded here cannot be decoded from the disk either, and is dealt with there.
        if let Ok(pcm) = narrator_audio::flac::decode_bytes(flac, nowhere) {
            lock(&self.bench).insert(segment, OnBench::new(take, pcm));
        }
    }

    /// Puts a take before a recogniser: one of this run from memory, an older one from the disk.
    pub fn fetch(&self, segment: SegmentId, key: &ContentKey, take: u32) -> Option<OnBench> {
        if let Some(known) = lock(&self.bench).get(&segment).filter(|known| known.take == take) {
            return Some(known.clone());
        }
        let path = take_path(&self.job.takes(), key, take);
        let fresh = OnBench::new(take, narrator_audio::flac::decode(&path).ok()?);
        lock(&self.bench).insert(segment, fresh.clone());
        Some(fresh)
    }

    /// A take cannot be read: it is made again.
    pub fn unreadable(&self, segment: SegmentId, take: u32) {
        let Some(plan) = self.segment(segment).map(|segment| Plan::whole(&segment.text)) else { return };
        let detail = format!("take {take} of segment {segment} cannot be read: it is spoken again");
        self.log.emit(Level::Warn, "journal_warning", &json!({ "detail": detail }));
        self.course().refuse(segment, plan);
    }

    /// Hearings came in: judged, written down together, carried out.
    pub fn heard(&self, ear: Ear, answers: &[&Heard]) -> Vec<Result<(), SinkError>> {
        let awaited = |heard: &&&Heard| self.course().is_heard_by(heard.dispatch.segment, heard.take, ear);
        let conclusions: Vec<Conclusion> =
            answers.iter().filter(awaited).filter_map(|heard| self.judge(ear, heard)).collect();
        let outcome = self.carry_out(conclusions);
        vec![outcome; answers.len()]
    }

    /// A recogniser failed over a take, three times: the other one is asked, or nobody can be.
    pub fn unheard(&self, ear: Ear, segment: SegmentId, why: &str) -> Result<(), SinkError> {
        let Some(take) = lock(&self.bench).get(&segment).map(|known| known.take) else { return Ok(()) };
        if !self.course().is_heard_by(segment, take, ear) {
            return Ok(());
        }
        self.log.emit(
            Level::Warn,
            "take_unheard",
            &json!({ "segment": segment, "take": take, "ear": ear.name(), "why": why }),
        );
        if ear == Ear::First && self.course().doubt(segment, take) {
            return Ok(());
        }
        self.last_word(segment, take, why)
    }

    /// A recogniser is gone for this run: its takes go to the other, or are decided by what is known.
    pub fn listener_lost(&self, ear: Ear, why: &str) -> Result<(), SinkError> {
        self.log.emit(Level::Error, "listener_lost", &json!({ "ear": ear.name(), "why": why }));
        let orphans = self.course().deafen(ear);
        orphans.into_iter().try_for_each(|(segment, take)| self.last_word(segment, take, why))
    }

    /// Nobody else can be asked: what was heard decides; what was not heard at all is accepted and marked.
    pub fn last_word(&self, segment: SegmentId, take: u32, why: &str) -> Result<(), SinkError> {
        let known = lock(&self.bench).get(&segment).filter(|known| known.take == take).cloned();
        let hearings = known.as_ref().map_or_else(Vec::new, |known| known.hearings.clone());
        let conclusion = if hearings.is_empty() {
            self.accept_unheard(segment, take, why)
        } else {
            known.and_then(|known| self.conclude(segment, &known, Listener::Last, false))
        };
        self.carry_out(conclusion.into_iter().collect())
    }

    fn accept_unheard(&self, segment: SegmentId, take: u32, why: &str) -> Option<Conclusion> {
        let key = self.segment(segment)?.key;
        let note = Note {
            segment,
            key,
            take,
            check: self.mode().into(),
            outcome: "unheard".into(),
            summary: why.into(),
            models: Vec::new(),
            heard: Vec::new(),
            verdict: None,
        };
        let (records, summary) = (self.acceptance(&key, take), why.to_owned());
        Some(Conclusion { segment, take, step: Step::Accept, records, notes: vec![note], summary })
    }

    fn judge(&self, ear: Ear, heard: &Heard) -> Option<Conclusion> {
        let segment = heard.dispatch.segment;
        let known = {
            let mut bench = lock(&self.bench);
            let known = bench.get_mut(&segment).filter(|known| known.take == heard.take)?;
            // Given again after a full disk it is there already.
            if !known.hearings.contains(&heard.hearing) {
                // What a search hears takes the place of what was heard without one.
                if known.search {
                    known.hearings.pop();
                }
                known.hearings.push(heard.hearing.clone());
            }
            known.clone()
        };
        let has_second = self.course().has_second();
        if self.strict && ear == Ear::First && has_second {
            let (take, records, summary) = (heard.take, Vec::new(), String::new());
            return Some(Conclusion {
                segment,
                take,
                step: Step::Doubt,
                records,
                notes: Vec::new(),
                summary,
            });
        }
        let listener = if ear == Ear::First && has_second { Listener::First } else { Listener::Last };
        self.conclude(segment, &known, listener, ear == Ear::Second && !known.search)
    }

    /// `may_search`: before the take is refused for its words, a search may be made for them.
    fn conclude(
        &self,
        segment: SegmentId,
        known: &OnBench,
        listener: Listener,
        may_search: bool,
    ) -> Option<Conclusion> {
        let found @ Segment { key, text, .. } = self.segment(segment)?;
        let respellings = Respellings::of([found]);
        let respelt: Vec<Hearing>;
        let hearings = if respellings.is_empty() {
            &known.hearings
        } else {
            respelt = known.hearings.iter().map(|hearing| respellings.hearing(hearing)).collect();
            &respelt
        };
        // Here and not when it is fetched: this is a thread that may take its time.
        let pace = *self.pace.get_or_init(|| tempo::learn(&self.script, &self.job));
        let signal = signal::examine(&known.pcm, known.rate, text, pace);
        let verdict =
            judge(&Evidence { segment: Some(segment), text, hearings, signal: Some(&signal), listener });
        let (take, summary) = (known.take, verdict.summary());
        let (step, records, verdict) = match verdict.decision {
            Decision::SecondOpinion => (Step::Doubt, Vec::new(), verdict),
            Decision::Accept => (Step::Accept, self.acceptance(key, take), verdict),
            Decision::Retry if may_search && of_words_alone(&verdict) => (Step::Search, Vec::new(), verdict),
            Decision::Retry | Decision::Quarantine => self.refusal(segment, take, verdict),
        };
        let outcome = match &step {
            Step::Accept => "accept",
            Step::Doubt | Step::Search => "second_opinion",
            Step::Allow { take: allowed, .. } if *allowed == take => "accept",
            Step::Again { .. } | Step::Allow { .. } => "retry",
            Step::GiveUp { .. } => "quarantine",
        };
        let note = Note {
            segment,
            key: *key,
            take,
            check: self.mode().into(),
            outcome: outcome.into(),
            summary: summary.clone(),
            models: known.hearings.iter().map(|hearing| hearing.model.clone()).collect(),
            heard: known.hearings.iter().map(Hearing::text).collect(),
            verdict: Some(verdict),
        };
        let mut notes = if step.asks() { Vec::new() } else { vec![note] };
        if let Step::Allow { take: allowed, reason } = &step
            && *allowed != take
            && let Some(before) = lock(&self.notes).get(&(*key, *allowed))
        {
            notes.push(Note { outcome: "accept".into(), summary: reason.clone(), ..before.clone() });
        }
        Some(Conclusion { segment, take, step, records, notes, summary })
    }

    /// The record of an accepted take; none when it is accepted already.
    fn acceptance(&self, key: &ContentKey, take: u32) -> Vec<Record> {
        let replay = self.keeper.replay_of(key);
        if matches!(replay.standing(key), Standing::Done(done) if done.take == take) {
            return Vec::new();
        }
        let spoken = replay.spoken(key).iter().find(|spoken| spoken.take == take);
        spoken.cloned().map(Record::SegmentDone).into_iter().collect()
    }

    /// The records of a refused take, and what is tried next.
    fn refusal(&self, segment: SegmentId, take: u32, verdict: Verdict) -> (Step, Vec<Record>, Verdict) {
        let Some(found @ Segment { key, .. }) = self.segment(segment) else {
            return (Step::GiveUp { kept: None }, Vec::new(), verdict);
        };
        let replay = self.keeper.replay_of(key);
        let mut records = Vec::new();
        // A take that an unchecked run accepted: it is nobody's result any more, but it is still there.
        if let Standing::Done(done) = replay.standing(key) {
            let why = Reopening::Refused;
            records.push(Record::SegmentReopened(SegmentReopened { segment, key: *key, why }));
            records.push(Record::TakeSpoken(done.clone()));
        }
        let before: Vec<TakeRefused> =
            replay.refused(key).iter().filter(|refused| refused.take != take).cloned().collect();
        let mut history = ladder::history(key, &before, &lock(&self.notes));
        history.push(Attempt { rung: ladder::rung_after(&before), verdict: verdict.clone() });
        let voice = *lock(&self.abilities);
        let (next, rung, why) = ladder::next(&self.script, found, voice, &history);
        let reason = why.unwrap_or_else(|| verdict.summary());
        let (faults, rung) = (verdict.faults(), ladder::name(rung));
        let all = before.iter().map(|it| (it.faults, it.take)).chain([(faults, take)]);
        let best = all.min().map(|(_, take)| take);
        let refused =
            TakeRefused { segment, key: *key, take, faults, next: rung.clone(), reason: reason.clone() };
        match next {
            Next::Speak(plan) => {
                records.push(Record::TakeRefused(refused));
                (Step::Again { plan, rung, reason }, records, verdict)
            }
            Next::Accept => {
                let spoken = best.and_then(|best| replay.spoken(key).iter().find(|it| it.take == best));
                let Some(spoken) = spoken else { return (Step::GiveUp { kept: None }, records, verdict) };
                if spoken.take != take {
                    records.push(Record::TakeRefused(refused));
                }
                records.push(Record::SegmentDone(spoken.clone()));
                (Step::Allow { take: spoken.take, reason }, records, verdict)
            }
            Next::Quarantine => {
                let kept = best.filter(|_| self.quarantine == Quarantine::Keep);
                records.push(Record::TakeRefused(refused));
                records.extend(kept.map(|take| Record::TakeKept(TakeKept { segment, key: *key, take })));
                let given_up = SegmentQuarantined { segment, key: *key, reason };
                records.push(Record::SegmentQuarantined(given_up));
                (Step::GiveUp { kept }, records, verdict.quarantined())
            }
        }
    }

    /// The voice itself gave the text up: a refused take is better than none.
    pub fn unspeakable(&self, segment: SegmentId, reason: &str) -> Result<(), SinkError> {
        let Some(Segment { key, .. }) = self.segment(segment) else { return Ok(()) };
        let replay = self.keeper.replay_of(key);
        let best = replay.refused(key).iter().map(|it| (it.faults, it.take)).min().map(|(_, take)| take);
        let kept = best.filter(|_| self.quarantine == Quarantine::Keep);
        let mut records: Vec<Record> =
            kept.map(|take| Record::TakeKept(TakeKept { segment, key: *key, take })).into_iter().collect();
        let given_up = SegmentQuarantined { segment, key: *key, reason: reason.into() };
        records.push(Record::SegmentQuarantined(given_up));
        self.keeper.append_all(&records)?;
        self.settled(segment, false);
        Ok(())
    }

    /// Writes everything down in one write, then takes the steps.
    fn carry_out(&self, conclusions: Vec<Conclusion>) -> Result<(), SinkError> {
        // Noted first: a note without a record is written again, a record without a note has lost its why.
        for note in conclusions.iter().flat_map(|it| &it.notes) {
            lock(&self.notebook).write(note);
            lock(&self.notes).insert((note.key, note.take), note.clone());
        }
        let records: Vec<Record> = conclusions.iter().flat_map(|it| it.records.clone()).collect();
        self.keeper.append_all(&records)?;
        for conclusion in conclusions {
            self.take_step(conclusion);
        }
        Ok(())
    }

    fn take_step(&self, conclusion: Conclusion) {
        let Conclusion { segment, take, step, summary, .. } = conclusion;
        if !step.asks() {
            lock(&self.bench).remove(&segment);
        }
        match step {
            Step::Doubt | Step::Search => {
                if let (Step::Search, Some(known)) = (&step, lock(&self.bench).get_mut(&segment)) {
                    known.search = true;
                }
                self.log.emit(
                    Level::Debug,
                    "take_doubted",
                    &json!({ "segment": segment, "take": take, "reason": summary }),
                );
                let asked = self.course().doubt(segment, take);
                // The second recogniser went while this was judged. A record that cannot be written now
                // leaves the take unjudged, for the next run.
                if !asked && let Err(error) = self.last_word(segment, take, "no second recogniser is left") {
                    let detail = error.to_string();
                    self.log.emit(Level::Warn, "journal_warning", &json!({ "detail": detail }));
                }
            }
            Step::Accept => {
                self.log.emit(
                    Level::Debug,
                    "take_accepted",
                    &json!({ "segment": segment, "take": take, "summary": summary }),
                );
                self.settled(segment, true);
            }
            Step::Allow { take, reason } => {
                self.log.emit(
                    Level::Warn,
                    "take_accepted",
                    &json!({ "segment": segment, "take": take, "summary": reason }),
                );
                self.settled(segment, true);
            }
            Step::Again { plan, rung, reason } => {
                self.log.emit(
                    Level::Warn,
                    "take_refused",
                    &json!({ "segment": segment, "take": take, "reason": reason, "next": rung }),
                );
                lock(&self.tally).retried();
                self.course().refuse(segment, plan);
            }
            Step::GiveUp { kept } => {
                self.log.emit(
                    Level::Error,
                    "segment_unfaithful",
                    &json!({ "segment": segment, "why": summary, "kept": kept }),
                );
                self.settled(segment, false);
            }
        }
    }

    /// Counts what a settled segment, and those alike, come to.
    fn settled(&self, segment: SegmentId, accepted: bool) {
        let settled = self.course().settle(segment);
        for id in settled {
            let Some(segment) = self.segment(id) else { continue };
            let characters = segment.text.chars().count() as u64;
            let seconds = self.keeper.seconds_of(&segment.key);
            let mut tally = lock(&self.tally);
            if accepted {
                tally.spoken(characters, seconds);
            } else {
                tally.quarantined(characters);
            }
            if let Some(chapter) = self.script.chapters.get(segment.chapter as usize) {
                tally.in_chapter(&chapter.title);
            }
        }
    }
}

/// Whether only what was heard speaks against a take, and nothing in its samples.
fn of_words_alone(verdict: &Verdict) -> bool {
    verdict.complaints.iter().all(|complaint| !matches!(complaint.fault, Fault::Signal { .. }))
}

/// Where each segment of the script begins, and what an earlier run did of it.
pub fn starts(script: &Script, keeper: &Keeper, notes: &Notes, strict: bool) -> Vec<Start> {
    let start = |segment: &Segment| {
        let key = segment.key;
        let replay = keeper.replay_of(&key);
        let next_take = replay.next_take(&key);
        let begin = match replay.standing(&key) {
            Standing::Quarantined(_) => return None,
            Standing::Done(done) if is_judged(notes, &key, done.take, strict) => return None,
            Standing::Done(done) => Begin::Hear { take: done.take },
            Standing::Pending(_) => {
                if let Some(take) = unjudged(&replay, &key) {
                    Begin::Hear { take: take.take }
                } else {
                    let rung = ladder::rung_after(replay.refused(&key));
                    Begin::Speak(Plan::of(rung, script, segment))
                }
            }
        };
        Some(Start { segment: segment.id, key, begin, next_take })
    };
    script.segments.iter().filter_map(start).collect()
}

/// The youngest take on disk that nobody has refused.
fn unjudged<'a>(replay: &'a narrator_journal::Replay, key: &ContentKey) -> Option<&'a SegmentDone> {
    let refused = replay.refused(key);
    let open = |take: &&SegmentDone| refused.iter().all(|refused| refused.take != take.take);
    replay.spoken(key).iter().filter(open).max_by_key(|take| take.take)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked has aborted the process, or in tests left the state as its own rules keep it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
