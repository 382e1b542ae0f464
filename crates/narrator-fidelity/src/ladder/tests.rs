use proptest::prelude::*;

use super::*;
use crate::verdict::{Complaint, Fault};

const ALL: Abilities =
    Abilities { seeded: true, calmer: true, second_listener: true, neighbour: true, other_references: 1 };

fn lost(word: u32) -> Complaint {
    Complaint {
        fault: Fault::WordLost,
        written: "word".into(),
        word: Some(word),
        heard: String::new(),
        start_ms: 100 * word,
        end_ms: 100 * word + 50,
        pardon: None,
    }
}

fn verdict(decision: Decision, complaints: Vec<Complaint>) -> Verdict {
    Verdict {
        decision,
        segment: None,
        complaints,
        pardoned: Vec::new(),
        distrusted: Vec::new(),
        words: 10,
        heard: 9,
        times: Vec::new(),
    }
}

/// Climbs from the first take; `complain` gives each take's complaints.
fn climb(text: &str, can: Abilities, mut complain: impl FnMut(usize) -> Vec<Complaint>) -> Vec<Rung> {
    let mut history = Vec::new();
    let mut rungs = Vec::new();
    while let Some(step) = next_rung(text, &history, &can) {
        rungs.push(step.rung);
        if matches!(step.rung, Rung::Doubted | Rung::Quarantine) {
            break;
        }
        let decision = if step.rung == Rung::SecondOpinion || !can.second_listener {
            Decision::Retry
        } else {
            Decision::SecondOpinion
        };
        history.push(Attempt { rung: step.rung, verdict: verdict(decision, complain(rungs.len())) });
    }
    rungs
}

const LONG: &str =
    "She walked on, and on, until it was late in the day. Then, as nobody came, she went home again.";

#[test]
fn the_rungs_come_in_their_order() {
    let spoken: Vec<Rung> = climb(LONG, ALL, |take| vec![lost(take as u32)])
        .into_iter()
        .filter(|rung| *rung != Rung::SecondOpinion)
        .collect();
    assert_eq!(
        spoken,
        [
            Rung::FirstTake,
            Rung::NewSeed,
            Rung::NewSeed,
            Rung::CalmerSampling,
            Rung::SplitSentence,
            Rung::SplitClause,
            Rung::OtherReference,
            Rung::Quarantine,
        ]
    );
}

#[test]
fn a_doubt_asks_before_it_speaks_again() {
    let rungs = climb(LONG, ALL, |take| vec![lost(take as u32)]);
    assert_eq!(rungs[..3], [Rung::FirstTake, Rung::SecondOpinion, Rung::NewSeed]);
}

#[test]
fn the_same_fault_twice_is_not_the_seeds() {
    let rungs = climb(LONG, ALL, |_| vec![lost(3)]);
    assert_eq!(rungs.iter().filter(|rung| **rung == Rung::NewSeed).count(), 1);
    assert!(rungs.contains(&Rung::CalmerSampling));
}

#[test]
fn a_voice_that_does_not_vary_is_split_at_once() {
    let can = Abilities { seeded: false, calmer: false, second_listener: false, other_references: 0, ..ALL };
    assert_eq!(
        climb(LONG, can, |_| vec![lost(3)]),
        [Rung::FirstTake, Rung::SplitSentence, Rung::SplitClause, Rung::Quarantine]
    );
}

#[test]
fn a_short_text_is_merged_and_not_split() {
    let can = Abilities { seeded: false, calmer: false, second_listener: false, other_references: 0, ..ALL };
    assert_eq!(
        climb("“No!”", can, |_| vec![lost(0)]),
        [Rung::FirstTake, Rung::MergeNeighbour, Rung::Quarantine]
    );
    let alone = Abilities { neighbour: false, ..can };
    assert_eq!(climb("“No!”", alone, |_| vec![lost(0)]), [Rung::FirstTake, Rung::Quarantine]);
}

#[test]
fn a_cry_that_is_not_heard_is_joined_to_the_next_sentence() {
    let text = "“All! What, all five out at once?";
    let can = Abilities { second_listener: false, calmer: false, other_references: 0, ..ALL };
    let rungs = climb(text, can, |_| vec![lost(0)]);
    assert_eq!(rungs[..3], [Rung::FirstTake, Rung::NewSeed, Rung::JoinSentence]);
    assert!(!climb(text, can, |_| vec![lost(3)]).contains(&Rung::JoinSentence), "the cry was heard");
}

#[test]
fn an_accepted_take_needs_nothing() {
    let history = [Attempt { rung: Rung::FirstTake, verdict: verdict(Decision::Accept, Vec::new()) }];
    assert_eq!(next_rung(LONG, &history, &ALL), None);
}

#[test]
fn the_best_take_has_the_fewest_faults() {
    let takes = [
        verdict(Decision::Retry, vec![lost(1), lost(2)]),
        verdict(Decision::Retry, vec![lost(1)]),
        verdict(Decision::Retry, vec![lost(5)]),
    ];
    assert_eq!(best_take(&takes), Some(1));
    assert_eq!(best_take(&[]), None);
}

proptest! {
    #[test]
    fn every_climb_ends(
        text in "([A-Z][a-z]{1,6}( [a-z]{1,6}){0,6}[,;.!?] ?){1,5}",
        seeded: bool, calmer: bool, second_listener: bool, neighbour: bool, other_references in 0_u32..3,
        words in prop::collection::vec(0_u32..4, 40),
    ) {
        let can = Abilities { seeded, calmer, second_listener, neighbour, other_references };
        let rungs = climb(&text, can, |take| vec![lost(words[take % words.len()])]);
        prop_assert!(rungs.len() <= 24);
        prop_assert_eq!(rungs.last(), Some(&Rung::Quarantine));
        prop_assert_eq!(rungs.first(), Some(&Rung::FirstTake));
    }
}

#[test]
fn a_small_word_doubted_in_every_take_is_kept_with_its_doubt() {
    let can = Abilities { second_listener: false, ..ALL };
    let small = || Complaint { written: "and".into(), ..lost(3) };
    let rungs = climb(LONG, can, |_| vec![small()]);
    assert_eq!(rungs.last(), Some(&Rung::Doubted));
    assert!(rungs.contains(&Rung::SplitClause), "all else is tried before: {rungs:?}");
    assert_eq!(climb(LONG, can, |_| vec![small(), lost(4)]).last(), Some(&Rung::Quarantine));
}
