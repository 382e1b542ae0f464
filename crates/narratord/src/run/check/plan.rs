//! What the voice is asked for on a rung: texts, and how they are spoken.
//!
//! A plan follows from the script, the segment and the rung alone, so that a run that resumes asks for what
//! the run before it would have asked for.
//!
//! A text that is too short to be spoken alone is spoken with its neighbour, and its own part is cut out of
//! that: the take that is kept, heard and judged is the segment's own and has its key, as any other; the
//! neighbour's take stays what it was. A part that was cut out wrongly has words too many or too few, and is
//! refused for it.

use narrator_core::{Delivery, Script, Segment};
use narrator_fidelity::ladder::{Cut, Rung, cut, joined, own_part};
use narrator_fidelity::signal;

/// Pieces are not shorter than this many words: what is shorter is spoken with its neighbour.
const PIECE_WORDS: usize = 3;

/// What the voice is asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// Spoken one after the other and joined; one is spoken at once.
    pub texts: Vec<String>,
    pub delivery: Delivery,
    /// What of the only text is the segment's own; absent: all of it.
    pub own: Option<Own>,
}

/// A segment's place in a text that it shares with its neighbour.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Own {
    /// Its part of the letters.
    pub share: f32,
    /// It comes second.
    pub behind: bool,
}

impl Plan {
    /// All at once, as usual.
    pub fn whole(text: impl Into<String>) -> Self {
        Self::pieces(vec![text.into()])
    }

    pub fn pieces(texts: Vec<String>) -> Self {
        Self { texts, delivery: Delivery::default(), own: None }
    }

    /// What a rung asks for.
    pub fn of(rung: Rung, script: &Script, segment: &Segment) -> Self {
        let whole = Self::whole(&segment.text);
        match rung {
            Rung::JoinSentence => joined(&segment.text, |_| true).map_or(whole, Self::whole),
            Rung::SplitSentence => Self::pieces(pieces(&segment.text, Cut::Sentence)),
            Rung::SplitClause => Self::pieces(pieces(&segment.text, Cut::Clause)),
            Rung::CalmerSampling => Self { delivery: Delivery { calm: true, ..whole.delivery }, ..whole },
            Rung::OtherReference => {
                Self { delivery: Delivery { timbre_alone: true, ..whole.delivery }, ..whole }
            }
            Rung::MergeNeighbour => neighbour(script, segment).map_or(whole, |other| merged(segment, other)),
            _ => whole,
        }
    }

    /// The segment's own part of what was spoken. All of it where no part can be told: it is heard either way.
    pub fn own_of(&self, pcm: Vec<f32>, rate: u32) -> Vec<f32> {
        let (Some(own), Some(text)) = (self.own, self.texts.first()) else { return pcm };
        let seen = signal::examine(&pcm, rate, text, None);
        let part = own_part(&seen.voice, &seen.silences, seen.audio_ms, own.share, own.behind);
        let Some(part) = part else { return pcm };
        let sample = |ms: u32| ((u64::from(ms) * u64::from(rate) / 1000) as usize).min(pcm.len());
        pcm[sample(part.start)..sample(part.end)].to_vec()
    }
}

fn pieces(text: &str, at: Cut) -> Vec<String> {
    let pieces = cut(text, at, PIECE_WORDS).into_iter().map(|piece| text[piece].trim().to_owned());
    pieces.filter(|piece| !piece.is_empty()).collect()
}

/// The segment beside this one that it is spoken with: of the same chapter and voice, the one that the
/// shorter pause parts it from, for that is the one of its own paragraph.
pub fn neighbour<'a>(script: &'a Script, segment: &Segment) -> Option<&'a Segment> {
    let like = |other: &&Segment| other.chapter == segment.chapter && other.voice == segment.voice;
    let index = segment.id.index();
    let before = index.checked_sub(1).and_then(|at| script.segments.get(at)).filter(like);
    let after = script.segments.get(index + 1).filter(like);
    match (before, after) {
        (Some(before), Some(_)) if before.pause_after_ms <= segment.pause_after_ms => Some(before),
        (_, Some(after)) => Some(after),
        (before, None) => before,
    }
}

fn merged(segment: &Segment, other: &Segment) -> Plan {
    let behind = other.id < segment.id;
    let (first, second) = if behind { (other, segment) } else { (segment, other) };
    // A voice makes a pause where a sentence ends, and the pause is where the two are parted.
    let stop = if first.text.trim_end().ends_with(char::is_alphanumeric) { "." } else { "" };
    let text = format!("{}{stop} {}", first.text.trim_end(), second.text.trim_start());
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count() as f32;
    let share = letters(&segment.text) / letters(&text).max(1.0);
    Plan { own: Some(Own { share, behind }), ..Plan::whole(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::check::testing::script_of;

    const TEXT: &str =
        "She walked on, and on, until it was late in the day. Then, as nobody came, she went home.";

    fn plan(texts: &[(&str, u32)], at: usize, rung: Rung) -> Plan {
        let script = script_of(texts);
        Plan::of(rung, &script, &script.segments[at])
    }

    #[test]
    fn pieces_are_the_text() {
        let of = |rung| plan(&[(TEXT, 350)], 0, rung).texts;
        assert_eq!(of(Rung::SplitSentence).len(), 2);
        assert_eq!(of(Rung::SplitSentence).join(" "), TEXT);
        assert!(of(Rung::SplitClause).len() > 2);
        assert_eq!(of(Rung::NewSeed), [TEXT]);
    }

    #[test]
    fn a_short_sentence_is_said_with_the_next() {
        let of = |text: &str| plan(&[(text, 350)], 0, Rung::JoinSentence).texts;
        assert_eq!(of("“Oh! But they left."), ["“Oh, But they left."]);
        assert_eq!(of(TEXT), [TEXT], "there is no short one");
    }

    #[test]
    fn a_rung_may_ask_for_another_delivery() {
        let of = |rung| plan(&[(TEXT, 350)], 0, rung);
        assert!(of(Rung::NewSeed).delivery.is_usual());
        assert_eq!(of(Rung::CalmerSampling).delivery, Delivery { calm: true, timbre_alone: false });
        assert_eq!(of(Rung::OtherReference).delivery, Delivery { calm: false, timbre_alone: true });
        assert_eq!(of(Rung::CalmerSampling).texts, [TEXT]);
    }

    #[test]
    fn a_short_text_is_spoken_with_the_neighbour_of_its_paragraph() {
        let texts = [("He stood up.", 350), ("“No!”", 650), ("They left.", 650)];
        let merged = plan(&texts, 1, Rung::MergeNeighbour);
        assert_eq!(merged.texts, ["He stood up. “No!”"]);
        let own = merged.own.expect("a part");
        assert!(own.behind && (own.share - 2.0 / 11.0).abs() < 1e-6, "{own:?}");
        let texts = [("He stood up.", 650), ("No", 350), ("They left.", 650)];
        let merged = plan(&texts, 1, Rung::MergeNeighbour);
        assert_eq!(merged.texts, ["No. They left."]);
        assert!(!merged.own.expect("a part").behind);
        assert_eq!(plan(&[("No!", 350)], 0, Rung::MergeNeighbour), Plan::whole("No!"));
    }

    #[test]
    fn of_two_voices_and_two_chapters_nobody_is_the_neighbour() {
        let mut script = script_of(&[("He stood up.", 350), ("“No!”", 650), ("They left.", 650)]);
        script.segments[0].chapter = 7;
        script.segments[2].voice = "another".into();
        assert_eq!(neighbour(&script, &script.segments[1]), None);
    }

    #[test]
    fn the_own_part_is_cut_out_at_the_pause() {
        let rate = 8_000;
        let sound = |ms: usize| (0..ms * 8).map(|n| (n as f32 * 0.7).sin() * 0.3);
        let pcm: Vec<f32> = sound(2_000).chain(std::iter::repeat_n(0.0, 400 * 8)).chain(sound(400)).collect();
        let whole = plan(&[("He stood up and said.", 350), ("“No!”", 650)], 1, Rung::MergeNeighbour);
        let own = whole.own_of(pcm.clone(), rate);
        let ms = own.len() / 8;
        assert!((590..=610).contains(&ms), "half of the pause and the word: {ms} ms");
        assert_eq!(Plan::whole("x").own_of(pcm.clone(), rate), pcm);
    }
}
