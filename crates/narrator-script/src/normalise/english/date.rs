//! Days: `12 March`, `March 12`, `1887-03-12`, `25/12/1887`. Years after them are years by their place.

use super::context::{MONTHS, counts_things, month};
use super::speller::{cardinal, ordinal, year};
use super::{And, English};
use crate::normalise::{Claim, View};

pub(crate) fn claim(english: English, view: &View<'_>, at: usize) -> Option<Claim> {
    iso(english, view, at)
        .or_else(|| slashed(english, view, at))
        .or_else(|| day_before_month(view, at))
        .or_else(|| day_after_month(view, at))
}

fn day(view: &View<'_>, at: usize) -> Option<u64> {
    view.digits(at).filter(|it| it.len() <= 2)?.parse().ok().filter(|day| (1..=31).contains(day))
}

/// `12 March`; `the` is said unless it is written, and the month follows by itself.
fn day_before_month(view: &View<'_>, at: usize) -> Option<Claim> {
    let day = day(view, at)?;
    view.word_after(at).and_then(month).filter(|_| !view.is_wordlike(at.checked_sub(1)))?;
    let the =
        if view.word_before(at).is_some_and(|word| word.eq_ignore_ascii_case("the")) { "" } else { "the " };
    Some(Claim::new(1, format!("{the}{} of", ordinal(day, And::Left)), "date"))
}

/// `March 12`, but not `March 12 men came`.
fn day_after_month(view: &View<'_>, at: usize) -> Option<Claim> {
    let day = day(view, at)?;
    let named = view.word_before(at).or_else(|| {
        // `Jan. 5`
        let dot = at.checked_sub(2).filter(|&dot| view.is_space(at - 1) && view.is_mark(dot, '.'))?;
        dot.checked_sub(1).and_then(|word| view.word(word))
    });
    named.and_then(month)?;
    let goes_on = view.is_wordlike(Some(at + 1))
        || ([':', '.', '/', '-', '–', ',']
            .iter()
            .any(|&mark| view.is_mark(at + 1, mark) && view.digits(at + 2).is_some()))
        || matches!(view.mark(at + 1), Some('%' | '°' | '½' | '¼' | '¾'));
    if goes_on || counts_things(view, at) {
        return None;
    }
    Some(Claim::new(1, ordinal(day, And::Left), "date"))
}

/// `1887-03-12`.
fn iso(english: English, view: &View<'_>, at: usize) -> Option<Claim> {
    let n: u64 = view.digits(at).filter(|it| it.len() == 4)?.parse().ok()?;
    let month_text = view.digits(at + 2).filter(|it| it.len() == 2 && view.is_mark(at + 1, '-'))?;
    let day_text = view.digits(at + 4).filter(|it| it.len() == 2 && view.is_mark(at + 3, '-'))?;
    let is_free = !view.is_wordlike(at.checked_sub(1)) && !view.is_wordlike(Some(at + 5));
    let spoken = spoken(english, day_text.parse().ok()?, month_text.parse().ok()?, n).filter(|_| is_free)?;
    Some(Claim::new(5, spoken, "date"))
}

/// `25/12/1887`, `12/25/1887`: by what can be a month, then by the country, else as it stands.
fn slashed(english: English, view: &View<'_>, at: usize) -> Option<Claim> {
    let first = day(view, at)?;
    let second = day(view, at + 2).filter(|_| view.is_mark(at + 1, '/'))?;
    let n: u64 = view.digits(at + 4).filter(|it| it.len() == 4 && view.is_mark(at + 3, '/'))?.parse().ok()?;
    let spoken = match (first > 12, second > 12, english.day_first) {
        (true, true, _) => return None,
        (true, false, _) | (false, false, Some(true)) => spoken(english, first, second, n)?,
        (false, true, _) | (false, false, Some(false)) => spoken(english, second, first, n)?,
        (false, false, None) => {
            let say = |n| cardinal(n, english.and);
            format!("{} {} {}", say(first), say(second), year(n, english.and))
        }
    };
    Some(Claim::new(5, spoken, "date"))
}

fn spoken(english: English, day: u64, month: u64, n: u64) -> Option<String> {
    let (name, _) = MONTHS.get((month as usize).checked_sub(1)?)?;
    let day = ordinal(Some(day).filter(|day| (1..=31).contains(day))?, And::Left);
    let year = year(n, english.and);
    Some(match english.day_first {
        Some(true) => format!("the {day} of {name}, {year}"),
        _ => format!("{name} {day}, {year}"),
    })
}
