//! From evidence to verdict.

use std::ops::Range;

use narrator_core::Hearing;

use super::complaint::ONE_SOUND;
use super::scored::{Score, is_short, phonemes_apart, place, sounds_in, weighed_apart};
use super::unsaid::is_unsaid;
use super::{Complaint, Decision, Evidence, Fault, Listener, Pardon, Verdict};
use crate::align::{Alignment, Edit, EditKind, align};
use crate::signal;
use crate::slight::is_exact;
use crate::sound::{is_rare, swallows};
use crate::times::word_times;
use crate::trust::{Distrust, distrust};
use crate::words::{TextWord, atoms, fold};

/// Above this a rare word was not misheard: something else was said. `OOP` for Uucp is at 0.52, `log` of `change a
/// log` for changelog at 0.57.
const RARE_UNLIKE: f32 = 0.6;
/// A word of no dictionary nearer than this is a spelling of the one written. Among 352 takes of the starter
/// voice heard by tiny.en, `Meritin` for Meryton is at 0.14, `Stautley` for stoutly at 0.12, `Luca` for Lucas
/// at 0.2.
const MISSPELT_UNLIKE: f32 = 0.2;
/// The same for a word that recognisers know, where two of them heard two different words and nothing is scored.
const KNOWN_UNLIKE: f32 = 0.3;
/// Words that were heard as another number of words sound like them up to here. Of the starter voice, `a countenance`
/// for accountants is at 0.14, `Miss de Bourgh` for Mr. Berg at 0.21.
const PARTED_UNLIKE: f32 = 0.25;
/// An edge word must have been heard as something nearer than this.
const EDGE_UNLIKE: f32 = 0.25;
/// Longer additions were said.
const ADDED_MS: u32 = 600;
/// Additions of two listeners this near in time are one.
const SAME_PLACE_MS: u32 = 500;

/// One listener's transcript against the text.
struct Heard<'a> {
    hearing: &'a Hearing,
    alignment: Alignment,
    distrust: Option<Distrust>,
}

/// Judges a take.
pub fn judge(evidence: &Evidence<'_>) -> Verdict {
    let all: Vec<Heard<'_>> = evidence.hearings.iter().map(|hearing| heard(hearing, evidence.text)).collect();
    let trusted: Vec<&Heard<'_>> = all.iter().filter(|heard| heard.distrust.is_none()).collect();
    let distrusted =
        all.iter().filter_map(|heard| heard.distrust.map(|why| (heard.hearing.model.clone(), why))).collect();

    let mut complaints: Vec<Complaint> = Vec::new();
    let mut pardoned: Vec<Complaint> = Vec::new();
    let words = crate::words::text_words(evidence.text).len() as u32;
    let mut heard_words = 0;
    let mut times = Vec::new();
    if let Some(first) = trusted.first() {
        let found = words_found(&trusted, evidence.listener);
        for complaint in found.into_iter().flatten() {
            if complaint.pardon.is_some() { pardoned.push(complaint) } else { complaints.push(complaint) }
        }
        heard_words = words - complaints.len() as u32;
        for complaint in additions(&trusted, evidence.listener) {
            if complaint.pardon.is_some() { pardoned.push(complaint) } else { complaints.push(complaint) }
        }
        // The listener that heard most of it times the words.
        let best = trusted
            .iter()
            .min_by_key(|heard| heard.alignment.heard_words().iter().filter(|&&it| !it).count());
        let best = best.unwrap_or(first);
        times = word_times(&best.alignment, best.hearing);
    } else if evidence.listener == Listener::Last {
        let whole = evidence.hearings.iter().map(|hearing| hearing.audio_ms).max().unwrap_or(0);
        complaints.push(Complaint {
            fault: Fault::Unheard,
            written: String::new(),
            word: None,
            heard: String::new(),
            start_ms: 0,
            end_ms: whole,
            pardon: None,
        });
    }
    let mut doubted = !complaints.is_empty() || trusted.is_empty();

    let mut broken = false;
    if let Some(signal) = evidence.signal {
        broken = !signal.findings.is_empty();
        let placed = signal::against_words(signal, evidence.text, &times);
        doubted |= !placed.is_empty();
        complaints.extend(signal.findings.iter().chain(&placed).map(Complaint::of_signal));
    }
    complaints.sort_by_key(|complaint| complaint.start_ms);

    let decision = match (broken, doubted, evidence.listener) {
        (true, ..) | (false, true, Listener::Last) => Decision::Retry,
        (false, true, Listener::First) => Decision::SecondOpinion,
        (false, false, _) => Decision::Accept,
    };
    Verdict {
        decision,
        segment: evidence.segment,
        complaints,
        pardoned,
        distrusted,
        words,
        heard: heard_words,
        times,
    }
}

fn heard<'a>(hearing: &'a Hearing, text: &str) -> Heard<'a> {
    let alignment = align(text, &hearing.words);
    // A transcript that is the text, word for word, needs no trust.
    let exact = !alignment.edits.is_empty() && alignment.edits.iter().all(|edit| edit.kind.is_right());
    let distrust = if exact { None } else { distrust(hearing, text) };
    Heard { hearing, alignment, distrust }
}

/// What one listener made of one word.
#[derive(Clone, Debug)]
enum Seen {
    Right,
    /// `parted` where words were heard as another number of words that sounds like them.
    Changed {
        unlike: f32,
        heard: String,
        at: (u32, u32),
        parted: bool,
    },
    Lost {
        at: (u32, u32),
    },
}

/// For each word of the text, what speaks against it; none when the first listener heard it.
fn words_found(trusted: &[&Heard<'_>], listener: Listener) -> Vec<Option<Complaint>> {
    let words = &trusted[0].alignment.words;
    let hearings: Vec<&Hearing> = trusted.iter().map(|heard| heard.hearing).collect();
    let seen: Vec<Vec<Seen>> = trusted.iter().map(|heard| seen_words(heard)).collect();
    (0..words.len())
        .map(|index| {
            let views: Vec<&Seen> = seen.iter().map(|words| &words[index]).collect();
            let scores = trusted.iter().filter_map(|heard| Score::of(&words[index], heard.hearing));
            let scored = scores.min_by(|one, other| one.margin.total_cmp(&other.margin));
            let edge = index == 0 || index + 1 == words.len();
            let writers = views.iter().filter(|seen| matches!(seen, Seen::Right)).count();
            // What was heard in another spelling is there: scores are those of the written one.
            let unsaid = is_unsaid(words, index, &hearings, writers, listener)
                && !all_parted(&views)
                && !trusted.iter().any(|heard| is_spelled_otherwise(heard, index as u32));
            let complaint = complaint_of(&views, &words[index], index as u32);
            let mut complaint = complaint.or_else(|| unsaid.then(|| guessed(&words[index], index as u32)))?;
            if matches!(complaint.fault, Fault::WordLost | Fault::WordGuessed)
                && let Some((start_ms, end_ms)) =
                    trusted.iter().find_map(|heard| place(&words[index], heard.hearing))
            {
                (complaint.start_ms, complaint.end_ms) = (start_ms, end_ms);
            }
            let next = words.get(index + 1).filter(|_| listener == Listener::Last);
            complaint.pardon = match next {
                Some(next) if is_swallowed(&views, &words[index], next) => Some(Pardon::SoundsAlike),
                _ if unsaid => None,
                _ => pardon(&views, &words[index], scored, edge, listener),
            };
            Some(complaint)
        })
        .collect()
}

fn seen_words(heard: &Heard<'_>) -> Vec<Seen> {
    let alignment = &heard.alignment;
    let mut seen: Vec<Option<Seen>> = vec![None; alignment.words.len()];
    for (edit, parted) in alignment.edits.iter().zip(parted_elsewhere(heard)) {
        let at = (edit.start_ms, edit.end_ms);
        for word in edit.text.clone() {
            let now = match edit.kind {
                EditKind::Right | EditKind::Same { .. } => Seen::Right,
                EditKind::Changed { unlike } => {
                    // A row for a row, as `another field` for a Netherfield.
                    let parted = parted || (edit.text.len() > 1 && edit.heard.len() > 1);
                    Seen::Changed { unlike, heard: heard_text(heard.hearing, &edit.heard), at, parted }
                }
                EditKind::Lost => Seen::Lost { at },
                EditKind::Added | EditKind::Repeated => continue,
            };
            // A word of several atoms is as bad as its worst.
            let worse = |one: &Seen| match one {
                Seen::Right => 0,
                Seen::Changed { .. } => 1,
                Seen::Lost { .. } => 2,
            };
            let slot = &mut seen[word as usize];
            if slot.as_ref().is_none_or(|before| worse(before) < worse(&now)) {
                *slot = Some(now);
            }
        }
    }
    seen.into_iter().map(|word| word.unwrap_or(Seen::Right)).collect()
}

/// For each edit, whether the run of changed words that it is in was heard as so many words more or less, and sounds
/// like them: `Miss de Bourgh` as `Mr. Berg`.
fn parted_elsewhere(heard: &Heard<'_>) -> Vec<bool> {
    let changed = |edit: &Edit| match edit.kind {
        EditKind::Changed { unlike } => Some(unlike),
        _ => None,
    };
    let runs =
        heard.alignment.edits.chunk_by(|one, other| changed(one).is_some() && changed(other).is_some());
    runs.flat_map(|run| {
        let (mut written, mut said, mut apart, mut length) = (0, 0, 0.0, 0.0);
        for edit in run {
            let sounds = sounds_in(&heard.alignment.written(edit), &heard_text(heard.hearing, &edit.heard));
            written += edit.text.len();
            said += edit.heard.len();
            apart += changed(edit).unwrap_or(1.0) * sounds;
            length += sounds;
        }
        std::iter::repeat_n(written != said && apart <= PARTED_UNLIKE * length, run.len())
    })
    .collect()
}

fn heard_text(hearing: &Hearing, words: &Range<u32>) -> String {
    let words = hearing.words.get(words.start as usize..words.end as usize).unwrap_or_default();
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// The complaint of the first listener that did not hear the word; none when all did.
fn complaint_of(views: &[&Seen], word: &TextWord, index: u32) -> Option<Complaint> {
    views.iter().find_map(|seen| {
        let (fault, heard, at) = match seen {
            Seen::Right => return None,
            Seen::Changed { unlike, heard, at, .. } => {
                (Fault::WordChanged { unlike: *unlike }, heard.clone(), *at)
            }
            Seen::Lost { at } => (Fault::WordLost, String::new(), *at),
        };
        Some(Complaint {
            fault,
            written: word.text.clone(),
            word: Some(index),
            heard,
            start_ms: at.0,
            end_ms: at.1,
            pardon: None,
        })
    })
}

fn guessed(word: &TextWord, index: u32) -> Complaint {
    Complaint {
        fault: Fault::WordGuessed,
        written: word.text.clone(),
        word: Some(index),
        heard: String::new(),
        start_ms: 0,
        end_ms: 0,
        pardon: None,
    }
}

/// Whether a listener heard the word, and writes it otherwise than the text has it: `Mr.` for Mister, `everything` for
/// every thing, `sisters` for sister's.
fn is_spelled_otherwise(heard: &Heard<'_>, index: u32) -> bool {
    let spelling = |text: &str| -> Vec<String> {
        text.split_whitespace()
            .flat_map(|word| word.split('-'))
            .map(fold)
            .filter(|it| !it.is_empty())
            .collect()
    };
    heard.alignment.edits.iter().any(|edit| {
        edit.text.contains(&index)
            && edit.kind.is_right()
            && spelling(&heard.alignment.written(edit)) != spelling(&heard_text(heard.hearing, &edit.heard))
    })
}

/// Whether all that nobody heard of a word is a final sound that runs into the next word: `liked to`, `this speech`.
fn is_swallowed(views: &[&Seen], word: &TextWord, next: &TextWord) -> bool {
    let swallowed = |seen: &&Seen| match seen {
        Seen::Changed { heard, .. } => {
            !is_exact(&word.text, heard) && swallows(&word.text, heard, &next.text)
        }
        Seen::Right | Seen::Lost { .. } => false,
    };
    views.iter().all(swallowed)
}

/// Why a word that somebody did not hear is there all the same.
fn pardon(
    views: &[&Seen],
    word: &TextWord,
    scored: Option<Score>,
    edge: bool,
    listener: Listener,
) -> Option<Pardon> {
    if views.iter().any(|seen| matches!(seen, Seen::Right)) {
        return Some(Pardon::OtherListener);
    }
    let changed = views.iter().filter_map(|seen| match seen {
        Seen::Changed { unlike, heard, .. } => Some((*unlike, heard.as_str())),
        Seen::Right | Seen::Lost { .. } => None,
    });
    let nearest = changed.min_by(|one, other| one.0.total_cmp(&other.0));
    let exact = is_exact(&word.text, nearest.map_or("", |(_, heard)| heard));
    let apart = nearest.filter(|_| !exact).map(|(unlike, heard)| phonemes_apart(&word.text, heard, unlike));
    let in_score = nearest.filter(|_| !exact).map(|(unlike, heard)| weighed_apart(&word.text, heard, unlike));
    if listener == Listener::Last && scored.is_some_and(|score| score.finds(in_score, is_short(&word.text))) {
        return Some(Pardon::Scored);
    }
    let (unlike, _) = nearest?;
    let rare = is_rare(&word.text);
    if scored.is_some_and(Score::finds_alone) && unlike <= RARE_UNLIKE && !edge && !exact {
        return Some(Pardon::Scored);
    }
    if edge && unlike > EDGE_UNLIKE && !rare {
        return None;
    }
    // One sound off a word that no dictionary has: no score tells which of the two was said.
    if listener == Listener::Last && rare && !edge && apart.is_some_and(|phonemes| phonemes <= ONE_SOUND) {
        return Some(Pardon::RareWord);
    }
    let impossible = scored.is_some_and(Score::rules_out);
    // What is no word at all was not said for another: it is how the recogniser spells what it heard.
    let misspelt = views.iter().any(|seen| {
        matches!(seen, Seen::Changed { unlike, heard, .. } if *unlike <= MISSPELT_UNLIKE && (rare || is_rare(heard)))
    });
    if misspelt && !impossible {
        return Some(Pardon::RareWord);
    }
    // What follows is a guess from the sound alone: only when nobody is left to ask.
    if listener == Listener::First {
        return None;
    }
    // Nobody says one word for two by mistake, and it sounds like both: the recogniser parted them elsewhere.
    if all_parted(views) {
        return Some(Pardon::SoundsAlike);
    }
    if rare && unlike <= RARE_UNLIKE && !impossible {
        return Some(Pardon::RareWord);
    }
    (unlike <= KNOWN_UNLIKE && scored.is_none() && !exact && !agree(views)).then_some(Pardon::SoundsAlike)
}

/// Whether all heard another number of words that sounds like the page.
fn all_parted(views: &[&Seen]) -> bool {
    views.iter().all(|seen| matches!(seen, Seen::Changed { parted: true, .. }))
}

/// Whether two listeners heard the same other word: then it was said.
fn agree(views: &[&Seen]) -> bool {
    let heard: Vec<Vec<Box<str>>> = views
        .iter()
        .filter_map(|seen| match seen {
            Seen::Changed { heard, .. } => {
                Some(atoms([heard.as_str()]).into_iter().map(|atom| atom.canon).collect())
            }
            Seen::Right | Seen::Lost { .. } => None,
        })
        .collect();
    heard.len() > 1 && heard.windows(2).all(|pair| pair[0] == pair[1])
}

/// What was heard beside the text.
fn additions(trusted: &[&Heard<'_>], listener: Listener) -> Vec<Complaint> {
    let [first, others @ ..] = trusted else { return Vec::new() };
    let runs = added_runs(&first.alignment);
    let single = others.is_empty() && listener == Listener::Last;
    let words = &first.alignment.words;
    runs.iter()
        .map(|run| {
            let heard = heard_text(first.hearing, &(run[0].heard.start..run[run.len() - 1].heard.end));
            let (start_ms, end_ms) = (run[0].start_ms, run[run.len() - 1].end_ms);
            let repeated = run.iter().all(|edit| edit.kind == EditKind::Repeated);
            let near = |edit: &Edit| {
                edit.start_ms < end_ms + SAME_PLACE_MS && start_ms < edit.end_ms + SAME_PLACE_MS
            };
            let once = others.iter().any(|other| !added_runs(&other.alignment).concat().iter().any(near));
            // Made to say the text, a recogniser that misses nothing beside it made the words up itself; what
            // no dictionary has it writes in several words.
            let beside = [run[0].text.start.checked_sub(1), Some(run[0].text.start)];
            let unmissed = |heard: &&Heard<'_>| {
                beside
                    .iter()
                    .flatten()
                    .filter_map(|&at| words.get(at as usize))
                    .all(|word| Score::of(word, heard.hearing).is_some_and(Score::misses_nothing))
            };
            let short = end_ms - start_ms < ADDED_MS && !repeated;
            let unsaid = listener == Listener::Last && short && trusted.iter().any(unmissed);
            // A rare word that was not heard itself was heard in several: `+debNuX` as plus Deb new X.
            let changed = |at: u32| {
                let mut edits = first.alignment.edits.iter().filter(|edit| edit.text.contains(&at));
                edits.any(|edit| matches!(edit.kind, EditKind::Changed { .. }))
            };
            let rare = |at: u32| words.get(at as usize).is_some_and(|word| is_rare(&word.text));
            let in_parts = listener == Listener::Last
                && short
                && beside.into_iter().flatten().any(|at| changed(at) && rare(at));
            // One listener alone makes up a word of two letters now and then.
            let slight = single && run.len() == 1 && !repeated && heard.len() <= 3;
            Complaint {
                fault: if repeated { Fault::WordRepeated } else { Fault::WordAdded },
                written: String::new(),
                word: Some(run[0].text.start),
                heard,
                start_ms,
                end_ms,
                pardon: match (once || slight, unsaid, in_parts) {
                    (true, ..) => Some(Pardon::HeardOnce),
                    (_, true, _) => Some(Pardon::Scored),
                    (.., true) => Some(Pardon::RareWord),
                    _ => None,
                },
            }
        })
        .collect()
}

fn added_runs(alignment: &Alignment) -> Vec<Vec<Edit>> {
    let added = |edit: &Edit| matches!(edit.kind, EditKind::Added | EditKind::Repeated);
    alignment
        .edits
        .chunk_by(|one, other| added(one) == added(other))
        .filter(|run| added(&run[0]))
        .map(<[Edit]>::to_vec)
        .collect()
}
