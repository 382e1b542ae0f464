//! What stands around a number: does it count things, or does it name a year?

use crate::normalise::View;

pub(crate) const MONTHS: [(&str, &str); 12] = [
    ("January", "Jan"),
    ("February", "Feb"),
    ("March", "Mar"),
    ("April", "Apr"),
    ("May", "May"),
    ("June", "Jun"),
    ("July", "Jul"),
    ("August", "Aug"),
    ("September", "Sept"),
    ("October", "Oct"),
    ("November", "Nov"),
    ("December", "Dec"),
];

/// The month that `word` names, in full or shortened, with capitals as a month has them.
pub(crate) fn month(word: &str) -> Option<&'static str> {
    let upper = word.chars().all(char::is_uppercase) && word.len() > 2;
    let same = |name: &str| word == name || (upper && word.eq_ignore_ascii_case(name));
    MONTHS
        .iter()
        .find(|(name, short)| same(name) || same(short) || (*short == "Sept" && same("Sep")))
        .map(|(name, _)| *name)
}

/// Small words that end in `s` and are no plurals.
const NO_PLURALS: [&str; 22] = [
    "is",
    "was",
    "has",
    "as",
    "his",
    "its",
    "this",
    "thus",
    "us",
    "does",
    "yes",
    "less",
    "unless",
    "across",
    "always",
    "perhaps",
    "besides",
    "towards",
    "afterwards",
    "sometimes",
    "whereas",
    "plus",
];
/// Plurals without `s`, and words that only stand between a number and what it counts.
const COUNTED: [&str; 19] = [
    "people", "men", "women", "children", "feet", "sheep", "cattle", "horse", "foot", "teeth", "mice",
    "head", "more", "million", "billion", "thousand", "percent", "per", "of",
];

/// Whether the word after the number that ends with lexeme `last` is something it counts.
pub(crate) fn counts_things(view: &View<'_>, last: usize) -> bool {
    let Some(word) = view.word_after(last) else { return false };
    word.starts_with(char::is_lowercase)
        && (COUNTED.contains(&word)
            || (word.ends_with('s') && !word.ends_with("ss") && !NO_PLURALS.contains(&word)))
}

/// Words before a number that make it a year.
const BEFORE_YEARS: [&str; 27] = [
    "in",
    "of",
    "since",
    "by",
    "until",
    "till",
    "from",
    "before",
    "after",
    "during",
    "circa",
    "year",
    "spring",
    "summer",
    "autumn",
    "fall",
    "winter",
    "early",
    "late",
    "mid",
    "christmas",
    "anno",
    "domini",
    "ad",
    "about",
    "around",
    "between",
];

/// Whether what stands before lexeme `at` makes the number there a year.
pub(crate) fn follows_year_word(view: &View<'_>, at: usize) -> bool {
    let mut before = at;
    // `March, 1887`, `A.D. 1066`.
    if before >= 2 && view.is_space(before - 1) && matches!(view.mark(before - 2), Some(',' | '.')) {
        let Some(word) = before.checked_sub(3).and_then(|word| view.word(word)) else { return false };
        return month(word).is_some() || (word == "D" && view.is_mark(before - 2, '.'));
    }
    if before >= 2 && view.is_space(before - 1) {
        before -= 2;
    }
    view.word(before)
        .is_some_and(|word| month(word).is_some() || BEFORE_YEARS.contains(&word.to_lowercase().as_str()))
}

/// Whether the text before the number at `at` ends with a day of a month: `March 12, 1887`.
pub(crate) fn follows_day(view: &View<'_>, at: usize) -> bool {
    let Some(mut before) = at.checked_sub(2).filter(|_| view.is_space(at.wrapping_sub(1))) else {
        return false;
    };
    if view.is_mark(before, ',') && before > 0 {
        before -= 1;
    }
    // The suffix of `12th`.
    if view.word(before).is_some_and(|word| matches!(word, "st" | "nd" | "rd" | "th")) && before > 0 {
        before -= 1;
    }
    view.digits(before).is_some_and(|day| day.len() <= 2)
        && view.word_before(before).is_some_and(|word| month(word).is_some())
}
