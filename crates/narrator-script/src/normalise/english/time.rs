//! Times of day: `7:45 a.m.`, `19:30`, `7.30 p.m.`, `7 a.m.`

use super::English;
use super::speller::cardinal;
use crate::normalise::{Claim, View};

pub(crate) fn claim(english: English, view: &View<'_>, at: usize) -> Option<Claim> {
    let hour: u64 = view.digits(at).filter(|it| it.len() <= 2)?.parse().ok().filter(|hour| *hour <= 24)?;
    if view.is_wordlike(at.checked_sub(1)) {
        return None;
    }
    let colon = view.is_mark(at + 1, ':');
    let minutes = view
        .digits(at + 2)
        .filter(|it| it.len() == 2 && (colon || view.is_mark(at + 1, '.')))
        .and_then(|it| it.parse::<u64>().ok())
        .filter(|minutes| *minutes < 60);
    let mut end = if minutes.is_some() { at + 3 } else { at + 1 };
    let say = |n| cardinal(n, english.and);
    let mut words = match minutes {
        None | Some(0) => say(hour),
        Some(minutes @ 1..=9) => format!("{} oh {}", say(hour), say(minutes)),
        Some(minutes) => format!("{} {}", say(hour), say(minutes)),
    };
    let seconds = view
        .digits(end + 1)
        .filter(|it| it.len() == 2 && colon && minutes.is_some() && view.is_mark(end, ':'));
    if let Some(seconds) = seconds.and_then(|it| it.parse::<u64>().ok()).filter(|n| *n < 60) {
        let zero = if minutes == Some(0) { " zero" } else { "" };
        let oh = if seconds < 10 && seconds > 0 { "oh " } else { "" };
        words = format!("{words}{zero} {oh}{}", say(seconds));
        end += 2;
    }
    let gap = usize::from(view.is_space(end));
    if let Some((lexemes, name)) = meridian(view, end + gap).filter(|_| (1..=12).contains(&hour)) {
        return Some(Claim::new(end + gap + lexemes - at, format!("{words} {name}"), "time"));
    }
    if !colon || minutes.is_none() || view.is_wordlike(Some(end)) {
        return None;
    }
    if minutes == Some(0) && seconds.is_none() {
        let named = if hour <= 12 && hour > 0 { " o’clock" } else { " hundred" };
        // `7:00 o’clock` says it itself.
        let written = view.word_after(end - 1).is_some_and(|word| matches!(word, "o’clock" | "o'clock"));
        words.push_str(if written { "" } else { named });
    }
    Some(Claim::new(end - at, words, "time"))
}

/// `a.m.` and `p.m.` by themselves: after a number in words, or after a range.
pub(crate) fn claim_meridian(view: &View<'_>, at: usize) -> Option<Claim> {
    view.word(at).filter(|word| word.len() == 1)?;
    let free = !view.is_wordlike(at.checked_sub(1))
        && !at.checked_sub(1).is_some_and(|before| view.is_mark(before, '.'));
    let (lexemes, name) = meridian(view, at).filter(|_| free)?;
    Some(Claim::new(lexemes, name, "meridian"))
}

/// Lexemes of the meridian at `at` and its name, which every engine spells. A sentence keeps its end.
fn meridian(view: &View<'_>, at: usize) -> Option<(usize, &'static str)> {
    match view.word(at)? {
        "am" | "AM" if !view.is_mark(at + 1, '.') || !view.is_wordlike(Some(at + 2)) => Some((1, "AM")),
        "pm" | "PM" if !view.is_mark(at + 1, '.') || !view.is_wordlike(Some(at + 2)) => Some((1, "PM")),
        half @ ("a" | "p" | "A" | "P") => {
            let second = at + 2 + usize::from(view.is_space(at + 2));
            let is_m = view.is_mark(at + 1, '.') && matches!(view.word(second), Some("m" | "M"));
            if !is_m || !view.is_mark(second + 1, '.') {
                return None;
            }
            let dot = usize::from(!view.ends_sentence(second + 1));
            Some((second + 1 + dot - at, if half.eq_ignore_ascii_case("a") { "AM" } else { "PM" }))
        }
        _ => None,
    }
}
