//! From a refusal to what the voice is asked next: the rungs of [`narrator_fidelity::ladder`] that this
//! program can climb, in pieces that are spoken one after the other.
//!
//! The journal keeps a rung by its name and a take's complaints in words; the verdicts themselves are in the
//! notes. A history is put together from both. A verdict that a power cut took is as one without complaints:
//! the climb goes on where it was, and only that two takes failed alike is not known.

use narrator_core::ContentKey;
use narrator_fidelity::ladder::{Abilities, Attempt, Cut, Rung, cut, next_rung};
use narrator_fidelity::verdict::{Decision, Verdict};
use narrator_journal::TakeRefused;

use super::course::Next;
use super::notes::Notes;

/// Pieces are not shorter than this many words: what is shorter is spoken with its neighbour.
const PIECE_WORDS: usize = 3;

/// What the ladder may ask for. Voices draw random numbers, so that another seed is another take; none of
/// the engines can be told to sample calmly, and the recognisers were asked before a take is refused.
const ABILITIES: Abilities =
    Abilities { seeded: true, calmer: false, second_listener: false, neighbour: false, other_references: 0 };

/// What is tried next, and the name of its rung.
pub fn next(text: &str, history: &[Attempt]) -> (Next, Rung) {
    match next_rung(text, history, &ABILITIES) {
        Some(step) if step.rung.speaks() => (Next::Speak(pieces_of(step.rung, text)), step.rung),
        _ => (Next::Quarantine, Rung::Quarantine),
    }
}

/// The pieces in which a rung speaks a text.
pub fn pieces_of(rung: Rung, text: &str) -> Vec<String> {
    let at = match rung {
        Rung::SplitSentence => Cut::Sentence,
        Rung::SplitClause => Cut::Clause,
        _ => return vec![text.to_owned()],
    };
    let pieces = cut(text, at, PIECE_WORDS).into_iter().map(|piece| text[piece].trim().to_owned());
    pieces.filter(|piece| !piece.is_empty()).collect()
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

    const KEY: ContentKey = ContentKey([1; 32]);
    const TEXT: &str =
        "She walked on, and on, until it was late in the day. Then, as nobody came, she went home.";

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
        for rung in [Rung::FirstTake, Rung::NewSeed, Rung::SplitSentence, Rung::SplitClause, Rung::Quarantine]
        {
            assert_eq!(rung_called(&name(rung)), Some(rung));
        }
        assert_eq!(name(Rung::SplitSentence), "split-sentence");
    }

    #[test]
    fn a_climb_goes_on_where_the_journal_says_it_was() {
        let mut rungs = Vec::new();
        let mut journal: Vec<TakeRefused> = Vec::new();
        loop {
            let mut history = history(&KEY, &journal, &Notes::new());
            history.push(Attempt { rung: rung_after(&journal), verdict: unknown() });
            let (next, rung) = next(TEXT, &history);
            rungs.push(rung);
            if next == Next::Quarantine {
                break;
            }
            journal.push(refused(journal.len() as u32, rung));
        }
        let expected =
            [Rung::NewSeed, Rung::NewSeed, Rung::SplitSentence, Rung::SplitClause, Rung::Quarantine];
        assert_eq!(rungs, expected);
    }

    #[test]
    fn pieces_are_the_text() {
        let pieces = pieces_of(Rung::SplitSentence, TEXT);
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces.join(" "), TEXT);
        assert!(pieces_of(Rung::SplitClause, TEXT).len() > 2);
        assert_eq!(pieces_of(Rung::NewSeed, TEXT), [TEXT]);
    }
}
