//! A doubtful place, written down again by itself, and judged as the gate judges a take.
//!
//! A recogniser that hears half a minute may skip a word or make one up; cut out with a few words around it, the same
//! place is another question. What is held against a word here is what would be held against a take: nobody heard
//! it, and nothing forgives that ([`mod@crate::verdict`]).

use std::ops::Range;

use narrator_core::Hearing;

use crate::align::align;
use crate::verdict::{Complaint, Evidence, Listener, judge};
use crate::words::{TextWord, text_words};

/// Words on each side of the place, of which one must have been heard: cut out in the middle of a phrase, a
/// recogniser sometimes begins behind the place.
const BESIDE: usize = 2;

/// For each part of `reading`, what the transcripts hold against it; none when none of them can be believed.
pub(super) fn retold(
    reading: &str,
    parts: &[Range<u32>],
    hearings: &[&Hearing],
) -> Option<Vec<Vec<Complaint>>> {
    let words = text_words(reading);
    let place = parts.first()?.start..parts.last()?.end;
    let first = words.partition_point(|word| word.at.end <= place.start);
    let behind = words.partition_point(|word| word.at.start < place.end).max(first);
    let knows = |hearing: &&&Hearing| knows_its_way(reading, hearing, first..behind);
    let believed: Vec<Hearing> = hearings.iter().filter(knows).map(|hearing| (*hearing).clone()).collect();
    let evidence = Evidence {
        segment: None,
        text: reading,
        hearings: &believed,
        signal: None,
        listener: Listener::Last,
    };
    let verdict = judge(&evidence);
    if verdict.distrusted.len() == believed.len() {
        return None;
    }
    let part_of = |word: &TextWord| parts.iter().position(|part| part.contains(&word.at.start));
    let mut missing = vec![Vec::new(); parts.len()];
    for complaint in verdict.complaints.into_iter().filter(|it| !it.written.is_empty()) {
        let word = complaint.word.and_then(|at| words.get(at as usize));
        if let Some(part) = word.and_then(part_of) {
            missing[part].push(complaint);
        }
    }
    Some(missing)
}

/// Whether a word on each side of the place was heard, where there is one.
fn knows_its_way(reading: &str, hearing: &Hearing, place: Range<usize>) -> bool {
    let heard = align(reading, &hearing.words).heard_words();
    let before = &heard[place.start.saturating_sub(BESIDE)..place.start];
    let after = &heard[place.end..heard.len().min(place.end + BESIDE)];
    [before, after].iter().all(|side| side.is_empty() || side.contains(&true))
}

#[cfg(test)]
mod tests {
    use narrator_core::{HeardWord, ScoredWord};

    use super::*;
    use crate::verdict::Fault;

    const READING: &str = "gone down to the harbour long before the sun";

    /// A listener who hears this, and is sure of every word of the reading but `doubted`.
    fn hearing(said: &str, doubted: &str) -> Hearing {
        let at_ms = |at: usize| at as u32 * 300;
        let words = said.split_whitespace().enumerate().map(|(at, word)| HeardWord {
            text: word.into(),
            start_ms: at_ms(at),
            end_ms: at_ms(at) + 250,
            log_prob: -0.1,
        });
        let scored = text_words(READING).into_iter().enumerate().map(|(at, word)| {
            let log_prob = if word.text == doubted { -9.0 } else { -0.1 };
            ScoredWord {
                at: word.at,
                start_ms: at_ms(at),
                end_ms: at_ms(at) + 250,
                log_prob,
                best_log_prob: -0.1,
                tokens: 1,
                rather: String::new(),
                prior: None,
            }
        });
        Hearing {
            words: words.collect(),
            scored: scored.collect(),
            audio_ms: 3000,
            mean_log_prob: -0.2,
            ..Hearing::default()
        }
    }

    /// What is held against `harbour`.
    fn against(hearings: &[Hearing]) -> Option<Vec<Fault>> {
        let at = READING.find("harbour").unwrap() as u32;
        let place = at..at + "harbour".len() as u32;
        let missing = retold(READING, &[place], &hearings.iter().collect::<Vec<_>>())?;
        let [missing] = <[Vec<Complaint>; 1]>::try_from(missing).unwrap();
        Some(missing.into_iter().map(|it| it.fault).collect())
    }

    #[test]
    fn what_nobody_hears_and_no_score_finds_is_missing() {
        let gone = hearing(&READING.replace("harbour ", ""), "harbour");
        assert_eq!(against(&[gone.clone(), gone.clone()]), Some(vec![Fault::WordLost]));
        let other = hearing(&READING.replace("harbour", "philosophy"), "harbour");
        assert!(matches!(against(&[other.clone(), other]).as_deref(), Some([Fault::WordChanged { .. }])));
    }

    #[test]
    fn one_who_hears_it_is_enough() {
        let gone = hearing(&READING.replace("harbour ", ""), "harbour");
        assert_eq!(against(&[gone, hearing(READING, "")]), Some(vec![]));
    }

    #[test]
    fn who_begins_behind_the_place_is_not_believed() {
        let late = hearing("long before the sun", "harbour");
        assert_eq!(against(std::slice::from_ref(&late)), None);
        assert_eq!(against(&[late, hearing(READING, "")]), Some(vec![]));
        assert_eq!(against(&[]), None);
    }

    #[test]
    fn another_word_that_is_missing_is_not_this_one() {
        let said = hearing(&READING.replace("sun", "amphibian"), "sun");
        assert_eq!(against(&[said]), Some(vec![]));
    }
}
