//! The decision about a difference, from what listeners make of its place.
//!
//! Two kinds of evidence: scores (how much better is what is written than what was heard, than nothing) know names
//! and spellings; transcripts of the place know words that sound like each other. Where they contradict each other
//! nothing is decided.

use super::sort::is_slight;
use super::{Difference, Discrepancy, Opinion, Settled};
use crate::sound::{is_rare, unlike_texts};
use crate::times::is_squeezed;
use crate::verdict::Complaint;

/// Where words are really said, leaving them out of the reading costs more than this; where they are not, putting
/// them in gains less than the next, however well they suit the sentence. Of 80 words cut out of good speech by
/// hand the likeliest gained 1.9; left in, the unlikeliest 5.8.
const THERE_NATS: f32 = 4.0;
const NOT_THERE_NATS: f32 = 2.5;
/// On an average of the listeners, what is hardly better than what is written when all hear something there.
const HARDLY_NATS: f32 = 3.5;
/// What a recogniser writes for a name or a rare word that it hears right suits it better by up to this.
const MISSPELT_NATS: f32 = 5.0;
/// Nobody who hears a name that he cannot spell finds it by so much worse than nothing.
const WORSE_THAN_NOTHING_NATS: f32 = -4.0;
/// Nothing that sounds like what is written is that much worse than what was heard.
const SOMETHING_ELSE_NATS: f32 = 10.0;

/// Of a word with something to say that is there, the audio itself says at least so much, beside what the words make
/// likely: of 721 that a good novel was heard to say otherwise the least had 6.2, and twenty less than 11.
const SAID_NATS: f32 = 7.0;
/// Of one that is not there it says next to nothing: of 20 that were cut out the most had 2.1, and of 959 that are there and
/// were heard without confidence the least had 2.2.
const UNSAID_NATS: f32 = 1.5;
/// The same where the word was heard in less time than it takes: the one with 2.1 was, and of those that are there and were
/// the least had 4.5.
const SQUEEZED_NATS: f32 = 3.0;
/// In between, where no transcript has it either.
const HARDLY_SAID_NATS: f32 = 5.0;

/// Less what it says for the word that was heard ([`Opinion::sound`]), of 721 words that are there eight had less than 1,
/// names and homophones (`awed` heard as *odd*), and so had all but two that another was put in the place of.
const SAME_NATS: f32 = 5.0;
/// Something else is said, where no transcript has what is written and the audio does not say much for it (`haven't I` heard
/// as *have an I* has evidence of 14);
const ANOTHER_NATS: f32 = 2.0;
const MUCH_NATS: f32 = 12.0;
/// or whatever they have, since a recogniser that reads writes what is written: where the audio says little for it as well,
const ANOTHER_YET_NATS: f32 = -4.0;
const LITTLE_NATS: f32 = 9.0;
/// and in any case. Of the 721 the least had -5.6, with evidence of 13.
const SURELY_ANOTHER_NATS: f32 = -8.0;
/// What scores and transcripts say is gone may be a name, or a word that nobody hears right, when so much sounds like it.
const SURELY_SAID_NATS: f32 = 12.0;
/// And so much for each word: silence is no reader, and finds any sentence unlikelier than none by hundreds. The least of
/// the names of a good novel (`de Bourgh` as *Daberg*) had 8 for each, a sentence of 45 words that was cut out 3.
const SURELY_EACH_NATS: f32 = 6.0;

/// Two texts nearer than this may be one, written in two ways: `chanced` and chance, `than` and then.
const SPELLING_UNLIKE: f32 = 0.25;

/// What the listeners say of a difference: part `part` of a question, whose transcripts hold `missing` against each part.
/// Their opinions are those of the whole question, and those of this part by itself.
pub(super) fn decide(
    it: &Discrepancy,
    is_alone: bool,
    (opinions, own): (&[Opinion], &[Opinion]),
    missing: Option<&[Vec<Complaint>]>,
    part: usize,
) -> Settled {
    let evidence = mean_of(own, Opinion::evidence);
    if it.guessed {
        // It was written down as it stands in the book: only the audio can speak against it.
        let squeezed = is_squeezed(&it.written, it.end_ms.saturating_sub(it.start_ms));
        let unsaid = if squeezed { SQUEEZED_NATS } else { UNSAID_NATS };
        return if evidence.is_some_and(|nats| nats <= unsaid) {
            Settled::Confirmed
        } else {
            Settled::Cleared
        };
    }
    let scored = scored(it, is_alone, opinions);
    if matches!(it.kind, Difference::Added | Difference::Repeated) {
        return scored;
    }
    let settled = by_scores_and_transcripts(it, scored, opinions, missing, part);
    let (Some(nats), Some(sound), false) =
        (evidence, mean_of(own, Opinion::sound), it.written.split_whitespace().all(is_slight))
    else {
        return settled;
    };
    // Even of a name: the audio is better explained by nothing, by far by what was heard, and says little for it. `Bennet`
    // heard as *Beans* has evidence of 2, `Gouldings` heard as *Gooding* of 13.
    let is_another = nats < LITTLE_NATS
        && mean(opinions, |it| it.to_nothing) < 0.0
        && mean(opinions, |it| it.to_heard) <= -SOMETHING_ELSE_NATS;
    let unheard = is_another
        || missing.is_some_and(|parts| !parts[part].is_empty() && !parts[part].iter().all(is_spelled));
    // Of differences that touch, all together may tell more than each does.
    let together = mean_of(opinions, Opinion::sound).is_some_and(|nats| nats <= ANOTHER_YET_NATS);
    let is_gone = nats <= UNSAID_NATS
        || sound <= SURELY_ANOTHER_NATS
        || sound <= ANOTHER_YET_NATS && nats < LITTLE_NATS
        || unheard && nats < MUCH_NATS && (sound <= ANOTHER_NATS || together && sound < SAID_NATS);
    match settled {
        Settled::Cleared | Settled::Open if is_gone => Settled::Confirmed,
        Settled::Open if nats < HARDLY_SAID_NATS && unheard => Settled::Confirmed,
        Settled::Cleared if nats < SAID_NATS || sound < SAME_NATS => Settled::Open,
        Settled::Confirmed if sound >= SURELY_SAID_NATS.max(SURELY_EACH_NATS * it.words.len() as f32) => {
            Settled::Open
        }
        settled => settled,
    }
}

/// None where a listener cannot tell, or there is none.
fn mean_of(opinions: &[Opinion], of: fn(&Opinion) -> Option<f32>) -> Option<f32> {
    let sum = opinions.iter().map(of).sum::<Option<f32>>();
    sum.filter(|_| !opinions.is_empty()).map(|sum| sum / opinions.len() as f32)
}

fn mean(opinions: &[Opinion], of: fn(&Opinion) -> f32) -> f32 {
    opinions.iter().map(of).sum::<f32>() / opinions.len() as f32
}

fn by_scores_and_transcripts(
    it: &Discrepancy,
    scored: Settled,
    opinions: &[Opinion],
    missing: Option<&[Vec<Complaint>]>,
    part: usize,
) -> Settled {
    let Some(parts) = missing else { return scored };
    let elsewhere = parts[part].is_empty() && parts.iter().any(|part| !part.is_empty());
    match heard_again(it, scored, &parts[part], opinions) {
        // Scores are about all differences of a question, transcripts about each.
        Settled::Confirmed if elsewhere => Settled::Open,
        settled => settled,
    }
}

/// What the scores say, when the transcripts of the place have their say as well.
fn heard_again(it: &Discrepancy, scored: Settled, missing: &[Complaint], opinions: &[Opinion]) -> Settled {
    let nobody_can_spell_it = opinions.iter().all(|it| it.to_nothing <= WORSE_THAN_NOTHING_NATS)
        && unlike_texts(&it.written, &it.heard) > SPELLING_UNLIKE;
    let better_without = opinions.iter().map(|it| it.to_nothing).sum::<f32>() < 0.0;
    match missing {
        // Somebody hears it, or it sounds like what was heard: of a word that was plainly left out the scores are right.
        [] => match scored {
            // Forgiven as a name that was heard as something like it; but it is nothing like it.
            Settled::Confirmed | Settled::Open if nobody_can_spell_it => Settled::Confirmed,
            Settled::Confirmed if it.kind == Difference::Lost && better_without => Settled::Confirmed,
            Settled::Confirmed => Settled::Open,
            Settled::Cleared | Settled::Open => scored,
        },
        missing if missing.iter().all(Complaint::is_slight) || is_slight_for_slight(it) => Settled::Open,
        missing if missing.iter().all(is_spelled) && !nobody_can_spell_it => Settled::Open,
        _ => {
            let there = opinions.iter().all(|it| it.to_nothing >= THERE_NATS);
            if there && mean(opinions, |it| it.to_heard) >= -HARDLY_NATS {
                Settled::Open
            } else {
                Settled::Confirmed
            }
        }
    }
}

/// What the listeners' scores say together. They are averaged: one may be sure and the other at a loss.
fn scored(it: &Discrepancy, is_alone: bool, opinions: &[Opinion]) -> Settled {
    let (to_heard, to_nothing) = (mean(opinions, |it| it.to_heard), mean(opinions, |it| it.to_nothing));
    let is_there = |nats: f32| match nats {
        nats if nats >= THERE_NATS => Some(true),
        nats if nats <= NOT_THERE_NATS => Some(false),
        _ => None,
    };
    if matches!(it.kind, Difference::Added | Difference::Repeated) {
        return match is_there(-to_heard) {
            Some(true) => Settled::Confirmed,
            Some(false) => Settled::Cleared,
            None => Settled::Open,
        };
    }
    // What sounds like what is written is one listener's spelling of it; what does not has to compete with it, as
    // has a word that is missing beside one that was heard otherwise.
    let competes = if it.kind == Difference::Lost { !is_alone } else { it.lost > 0 };
    match is_there(to_nothing) {
        // As good as what was heard, and hardly worse than nothing: it may be either.
        Some(false) if it.kind == Difference::Changed && to_heard.min(to_nothing) > -NOT_THERE_NATS => {
            Settled::Open
        }
        Some(false)
            if it.kind == Difference::Changed && it.lost == 0 && is_spelling(&it.written, &it.heard) =>
        {
            Settled::Open
        }
        Some(false) => Settled::Confirmed,
        Some(true) if competes && to_heard <= -SOMETHING_ELSE_NATS => Settled::Confirmed,
        Some(true) if !competes || to_heard >= -MISSPELT_NATS => Settled::Cleared,
        _ => Settled::Open,
    }
}

/// Whether what was heard may be how a recogniser spells what is written: of two spellings of one sound it scores
/// its own far better, most of all of a name. Such a word was said, rightly or not; it is listed and not counted.
fn is_spelling(written: &str, heard: &str) -> bool {
    is_rare(written) || unlike_texts(written, heard) <= SPELLING_UNLIKE
}

fn is_spelled(complaint: &Complaint) -> bool {
    !complaint.heard.is_empty() && is_spelling(&complaint.written, &complaint.heard)
}

/// One small word for another: people swallow both, and recognisers guess.
fn is_slight_for_slight(it: &Discrepancy) -> bool {
    [&it.written, &it.heard].iter().all(|text| text.split_whitespace().all(is_slight))
}
