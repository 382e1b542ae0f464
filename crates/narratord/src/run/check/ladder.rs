//! From a refusal to what the voice is asked next: the rungs of [`narrator_fidelity::ladder`] as this program
//! climbs them. What each of them asks for is in [`plan`](super::plan).
//!
//! The journal keeps a rung by its name and a take's complaints in words; the verdicts themselves are in the
//! notes. A history is put together from both. A verdict that a power cut took is as one without complaints:
//! the climb goes on where it was, and only that two takes failed alike is not known.
//!
//! What a voice can do is announced by its worker when it is ready, and kept in the job (`voice.json`), so that
//! a run that only hears what an earlier one spoke climbs as that one would have.

use std::path::PathBuf;

use narrator_core::{ContentKey, Script, Segment, VoiceAbilities};
use narrator_fidelity::ladder::{Abilities, Attempt, Rung, next_rung};
use narrator_fidelity::verdict::{Decision, Verdict};
use narrator_journal::TakeRefused;

use super::course::Next;
use super::notes::Notes;
use super::plan::{Plan, neighbour};
use crate::job::{JobDir, write_whole};

/// What the ladder may ask for. Every voice draws random numbers, so that another seed is another take, and the
/// recognisers were asked before a take is refused.
fn abilities(script: &Script, segment: &Segment, voice: VoiceAbilities) -> Abilities {
    Abilities {
        seeded: true,
        calmer: voice.calm,
        second_listener: false,
        neighbour: neighbour(script, segment).is_some(),
        other_references: u32::from(voice.timbre_alone),
    }
}

/// What is tried next, the name of its rung, and why it is this one.
pub fn next(
    script: &Script,
    segment: &Segment,
    voice: VoiceAbilities,
    history: &[Attempt],
) -> (Next, Rung, Option<String>) {
    match next_rung(&segment.text, history, &abilities(script, segment, voice)) {
        Some(step) if step.rung.speaks() => {
            (Next::Speak(Plan::of(step.rung, script, segment)), step.rung, Some(step.reason))
        }
        Some(step) if step.rung == Rung::Doubted => (Next::Accept, Rung::Doubted, Some(step.reason)),
        Some(step) => (Next::Quarantine, Rung::Quarantine, Some(step.reason)),
        None => (Next::Quarantine, Rung::Quarantine, None),
    }
}

/// Where in the job it is kept what the voice can do.
fn at(job: &JobDir) -> PathBuf {
    job.root.join("voice.json")
}

/// What the voice of this job was last known to be able to do.
pub fn known_abilities(job: &JobDir) -> VoiceAbilities {
    let read = std::fs::read(at(job)).ok();
    read.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Keeps what it can do. A job without it climbs without these rungs.
pub fn keep_abilities(job: &JobDir, abilities: VoiceAbilities) {
    if let Ok(text) = serde_json::to_vec(&abilities)
        && known_abilities(job) != abilities
    {
        let _ = write_whole(&at(job), &text);
    }
}

/// What was tried so far: each refused take with the rung that it was made on.
pub fn history(key: &ContentKey, refused: &[TakeRefused], notes: &Notes) -> Vec<Attempt> {
    let mut rung = Rung::FirstTake;
    let mut history = Vec::new();
    for refused in refused {
        let noted = notes.get(&(*key, refused.take)).and_then(|note| note.verdict.clone());
        history.push(Attempt { rung, verdict: noted.unwrap_or_else(unknown) });
        rung = rung_called(&refused.next).unwrap_or(Rung::NewSeed);
    }
    history
}

/// The rung that a segment is on after these refusals.
pub fn rung_after(refused: &[TakeRefused]) -> Rung {
    refused.last().map_or(Rung::FirstTake, |last| rung_called(&last.next).unwrap_or(Rung::NewSeed))
}

fn unknown() -> Verdict {
    Verdict {
        decision: Decision::Retry,
        segment: None,
        complaints: Vec::new(),
        pardoned: Vec::new(),
        distrusted: Vec::new(),
        words: 0,
        heard: 0,
        times: Vec::new(),
    }
}

/// The stable name of a rung, as the journal keeps it.
pub fn name(rung: Rung) -> String {
    match serde_json::to_value(rung) {
        Ok(serde_json::Value::String(name)) => name,
        _ => format!("{rung:?}"),
    }
}

fn rung_called(name: &str) -> Option<Rung> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

#[cfg(test)]
mod tests {
    use narrator_core::SegmentId;

    use super::*;
    use crate::run::check::testing::script_of;

    const KEY: ContentKey = ContentKey([1; 32]);
    const TEXT: &str =
        "She walked on, and on, until it was late in the day. Then, as nobody came, she went home.";
    const ABLE: VoiceAbilities = VoiceAbilities { calm: true, timbre_alone: true };

    fn refused(take: u32, next: Rung) -> TakeRefused {
        TakeRefused {
            segment: SegmentId(1),
            key: KEY,
            take,
            faults: 3,
            next: name(next),
            reason: "a word is missing".into(),
        }
    }

    #[test]
    fn a_rung_is_known_by_its_name() {
        let first = [Rung::FirstTake, Rung::NewSeed, Rung::CalmerSampling, Rung::JoinSentence];
        let last = [Rung::SplitSentence, Rung::SplitClause, Rung::MergeNeighbour, Rung::OtherReference];
        for rung in first.into_iter().chain(last).chain([Rung::Doubted, Rung::Quarantine]) {
            assert_eq!(rung_called(&name(rung)), Some(rung));
        }
        assert_eq!(name(Rung::SplitSentence), "split-sentence");
    }

    /// The rungs of a segment whose takes all fail, told by the journal alone.
    fn climb(script: &Script, at: usize, voice: VoiceAbilities) -> Vec<Rung> {
        let mut rungs = Vec::new();
        let mut journal: Vec<TakeRefused> = Vec::new();
        loop {
            let mut history = history(&KEY, &journal, &Notes::new());
            history.push(Attempt { rung: rung_after(&journal), verdict: unknown() });
            let (next, rung, why) = next(script, &script.segments[at], voice, &history);
            assert!(why.is_some());
            rungs.push(rung);
            if next == Next::Quarantine {
                return rungs;
            }
            journal.push(refused(journal.len() as u32, rung));
        }
    }

    #[test]
    fn a_climb_goes_on_where_the_journal_says_it_was() {
        use Rung::{CalmerSampling, NewSeed, OtherReference, Quarantine, SplitClause, SplitSentence};
        let script = script_of(&[(TEXT, 350)]);
        let usual = climb(&script, 0, VoiceAbilities::default());
        assert_eq!(usual, [NewSeed, NewSeed, SplitSentence, SplitClause, Quarantine]);
        let all = [NewSeed, NewSeed, CalmerSampling, SplitSentence, SplitClause, OtherReference, Quarantine];
        assert_eq!(climb(&script, 0, ABLE), all);
    }

    #[test]
    fn only_what_is_short_and_has_a_neighbour_is_spoken_with_it() {
        use Rung::{MergeNeighbour, NewSeed, Quarantine};
        let script = script_of(&[("“No!”", 350), (TEXT, 650)]);
        let usual = VoiceAbilities::default();
        assert_eq!(climb(&script, 0, usual), [NewSeed, NewSeed, MergeNeighbour, Quarantine]);
        assert!(!climb(&script, 1, usual).contains(&MergeNeighbour));
        let alone = script_of(&[("“No!”", 350)]);
        assert_eq!(climb(&alone, 0, usual), [NewSeed, NewSeed, Quarantine]);
    }

    #[test]
    fn what_a_voice_can_do_is_kept_in_the_job() {
        let folder = tempfile::tempdir().expect("a folder");
        let job = JobDir::new(folder.path());
        assert_eq!(known_abilities(&job), VoiceAbilities::default());
        keep_abilities(&job, ABLE);
        assert_eq!(known_abilities(&job), ABLE);
    }
}
