//! Abbreviations and titles.
//!
//! Each has a condition, because most of them are words as well: `no.` is a number only before one,
//! `St.` a saint before a name and a street after one, `Co.` a company only behind its name. A full stop
//! that ends the sentence stays, whatever it also was.

use super::context::month;
use super::roman;
use crate::normalise::{Claim, View};

/// When an abbreviation is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    /// Before a name; the dot may be missing.
    BeforeName,
    /// Before a name, with its dot.
    DottedBeforeName,
    /// Before a number in digits or Roman numerals.
    BeforeNumber,
    /// Behind a name.
    AfterName,
    /// With its dot, anywhere.
    Dotted,
}

use When::{AfterName, BeforeName, BeforeNumber, Dotted, DottedBeforeName};

const ABBREVIATIONS: [(&str, &str, When); 86] = [
    ("Mr", "Mister", BeforeName),
    ("Mrs", "Missus", BeforeName),
    ("Messrs", "Messieurs", BeforeName),
    ("Dr", "Doctor", BeforeName),
    ("Prof", "Professor", BeforeName),
    ("Rev", "Reverend", DottedBeforeName),
    ("Revd", "Reverend", BeforeName),
    ("Hon", "Honorable", DottedBeforeName),
    ("Capt", "Captain", BeforeName),
    ("Col", "Colonel", DottedBeforeName),
    ("Gen", "General", DottedBeforeName),
    ("Lt", "Lieutenant", BeforeName),
    ("Lieut", "Lieutenant", BeforeName),
    ("Sgt", "Sergeant", BeforeName),
    ("Serjt", "Serjeant", BeforeName),
    ("Cpl", "Corporal", BeforeName),
    ("Maj", "Major", DottedBeforeName),
    ("Cmdr", "Commander", BeforeName),
    ("Adm", "Admiral", DottedBeforeName),
    ("Gov", "Governor", DottedBeforeName),
    ("Pres", "President", DottedBeforeName),
    ("Sen", "Senator", DottedBeforeName),
    ("Rep", "Representative", DottedBeforeName),
    ("Supt", "Superintendent", DottedBeforeName),
    ("Insp", "Inspector", DottedBeforeName),
    ("Mme", "Madame", BeforeName),
    ("Mlle", "Mademoiselle", BeforeName),
    ("Mt", "Mount", BeforeName),
    ("Ft", "Fort", DottedBeforeName),
    ("Jr", "Junior", AfterName),
    ("Sr", "Senior", AfterName),
    ("Jun", "Junior", AfterName),
    ("Esq", "Esquire", AfterName),
    ("Bros", "Brothers", AfterName),
    ("Co", "Company", AfterName),
    ("Corp", "Corporation", AfterName),
    ("Inc", "Incorporated", AfterName),
    ("Ltd", "Limited", AfterName),
    ("Ave", "Avenue", AfterName),
    ("Blvd", "Boulevard", AfterName),
    ("Rd", "Road", AfterName),
    ("Sq", "Square", AfterName),
    ("No", "number", BeforeNumber),
    ("Nos", "numbers", BeforeNumber),
    ("no", "number", BeforeNumber),
    ("nos", "numbers", BeforeNumber),
    ("Vol", "volume", BeforeNumber),
    ("vol", "volume", BeforeNumber),
    ("Vols", "volumes", BeforeNumber),
    ("vols", "volumes", BeforeNumber),
    ("Ch", "chapter", BeforeNumber),
    ("ch", "chapter", BeforeNumber),
    ("Chap", "chapter", BeforeNumber),
    ("chap", "chapter", BeforeNumber),
    ("p", "page", BeforeNumber),
    ("pp", "pages", BeforeNumber),
    ("pg", "page", BeforeNumber),
    ("Fig", "figure", BeforeNumber),
    ("fig", "figure", BeforeNumber),
    ("Figs", "figures", BeforeNumber),
    ("figs", "figures", BeforeNumber),
    ("Pt", "part", BeforeNumber),
    ("pt", "part", BeforeNumber),
    ("Bk", "book", BeforeNumber),
    ("bk", "book", BeforeNumber),
    ("Sect", "section", BeforeNumber),
    ("sect", "section", BeforeNumber),
    ("Sec", "section", BeforeNumber),
    ("Art", "article", BeforeNumber),
    ("Op", "opus", BeforeNumber),
    ("op", "opus", BeforeNumber),
    ("ca", "circa", BeforeNumber),
    ("c", "circa", BeforeNumber),
    ("etc", "et cetera", Dotted),
    ("vs", "versus", Dotted),
    ("viz", "namely", Dotted),
    ("cf", "compare", Dotted),
    ("Cf", "compare", Dotted),
    ("approx", "approximately", Dotted),
    ("dept", "department", Dotted),
    ("Dept", "Department", Dotted),
    ("govt", "government", Dotted),
    ("Govt", "Government", Dotted),
    ("incl", "including", Dotted),
    ("esp", "especially", Dotted),
    ("ibid", "ibidem", Dotted),
];

/// Abbreviations with dots inside: their letters, and what is said.
const LETTERED: [(&[&str], &str); 5] = [
    (&["e", "g"], "for example"),
    (&["i", "e"], "that is"),
    (&["a", "k", "a"], "also known as"),
    (&["q", "v"], "which see"),
    (&["N", "B"], "nota bene"),
];

pub(crate) fn claim(view: &View<'_>, at: usize) -> Option<Claim> {
    let word = view.word(at)?;
    // Part of another word or number: `B.Mr`, `5No`.
    if view.is_wordlike(at.checked_sub(1)) {
        return None;
    }
    lettered(view, at)
        .or_else(|| saint_or_street(view, at, word))
        .or_else(|| doctor_or_drive(view, at, word))
        .or_else(|| short_month(view, at, word))
        .or_else(|| versus(view, at, word))
        .or_else(|| {
            ABBREVIATIONS
                .iter()
                .filter(|(short, ..)| is_written(short, word))
                .find_map(|&(_, full, when)| with_condition(view, at, full, when))
        })
        .or_else(|| initial(view, at, word))
}

/// As in the table, or all in capitals.
fn is_written(short: &str, word: &str) -> bool {
    short == word
        || (word.len() > 1 && word.chars().all(char::is_uppercase) && short.eq_ignore_ascii_case(word))
}

fn with_condition(view: &View<'_>, at: usize, full: &str, when: When) -> Option<Claim> {
    let dotted = view.is_mark(at + 1, '.');
    let holds = match when {
        BeforeName => is_before_name(view, at + usize::from(dotted)),
        DottedBeforeName => dotted && is_before_name(view, at + 1),
        BeforeNumber => dotted && is_before_number(view, at + 1),
        AfterName => dotted && is_after_name(view, at),
        Dotted => dotted && !view.is_wordlike(Some(at + 2)),
    };
    let is_capital = view.word(at).is_some_and(is_capitalised);
    let spoken = if is_capital { capitalised(full) } else { full.to_owned() };
    holds.then(|| Claim::new(1 + kept_dot(view, at), spoken, "abbreviation"))
}

/// 1 when the dot after `at` goes with the abbreviation, 0 when it also ends the sentence.
fn kept_dot(view: &View<'_>, at: usize) -> usize {
    let goes = view.is_mark(at + 1, '.') && !view.ends_sentence(at + 1);
    usize::from(goes)
}

/// Whether a name follows lexeme `last`: a space and a capital, or another title and then the name.
fn is_before_name(view: &View<'_>, last: usize) -> bool {
    match view.word_after(last) {
        // `Mr. and Mrs. Bennet`
        Some("and" | "or") => view.word_after(last + 2).is_some_and(is_capitalised),
        next => next.is_some_and(is_capitalised),
    }
}

fn is_before_number(view: &View<'_>, dot: usize) -> bool {
    let number = dot + 1 + usize::from(view.is_space(dot + 1));
    if view.digits(number).is_some() {
        return true;
    }
    view.word(number).is_some_and(|word| word != "I" && roman::value(word).is_some_and(|n| n < 400))
        || (view.word(number) == Some("I") && !view.is_space(number + 1))
}

fn is_after_name(view: &View<'_>, at: usize) -> bool {
    // `Smith & Co.`, `Bennet, Esq.`
    let mut before = at;
    if before >= 2 && view.is_space(before - 1) && view.is_mark(before - 2, ',') {
        before -= 1;
        return before.checked_sub(2).and_then(|word| view.word(word)).is_some_and(is_capitalised);
    }
    if before >= 4 && view.is_space(before - 1) && view.is_mark(before - 2, '&') {
        return true;
    }
    view.word_before(before).is_some_and(|word| is_capitalised(word) || word == "and")
}

fn is_capitalised(word: &str) -> bool {
    word.starts_with(char::is_uppercase)
}

fn lettered(view: &View<'_>, at: usize) -> Option<Claim> {
    LETTERED.iter().find_map(|(letters, full)| {
        let mut end = at;
        for (index, letter) in letters.iter().enumerate() {
            let capital = index == 0 && view.word(end).is_some_and(|word| word.to_lowercase() == *letter);
            if !(view.word(end) == Some(letter) || capital) || !view.is_mark(end + 1, '.') {
                return None;
            }
            end += 2;
            // `e. g.` is one too.
            let more = index + 1 < letters.len();
            end += usize::from(more && view.is_space(end) && view.word(end + 1) == Some(letters[index + 1]));
        }
        if view.is_wordlike(Some(end)) {
            return None;
        }
        let dot = usize::from(!view.ends_sentence(end - 1));
        let capital =
            view.word(at).is_some_and(|word| word.chars().all(char::is_uppercase)) && *full != "nota bene";
        let full = if capital { capitalised(full) } else { (*full).to_owned() };
        Some(Claim::new(end - 1 + dot - at, full, "abbreviation"))
    })
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A saint before a name; a street behind one, or behind its number.
fn saint_or_street(view: &View<'_>, at: usize, word: &str) -> Option<Claim> {
    if !is_written("St", word) {
        return None;
    }
    let dotted = view.is_mark(at + 1, '.');
    let last = at + usize::from(dotted);
    let ends = dotted && view.ends_sentence(at + 1);
    let after_name = view.word_before(at).is_some_and(is_capitalised) && !begins_sentence(view, at);
    let before_name = is_before_name(view, last) && !ends;
    let full = match (before_name, after_name) {
        // `on Baker St. Holmes` ends a sentence and was caught by that; two names in a row are a saint's.
        (true, _) => "Saint",
        (false, true) => "Street",
        (false, false) => return None,
    };
    Some(Claim::new(1 + kept_dot(view, at), full, "abbreviation"))
}

/// Whether the word before `at` is the first of its sentence, and so has its capital from there.
fn begins_sentence(view: &View<'_>, at: usize) -> bool {
    at.checked_sub(2).is_none_or(|word| {
        view.begins_block(word) || (word >= 2 && view.is_space(word - 1) && view.ends_sentence(word - 2))
    })
}

/// `Dr.` behind a name and before none is a drive; anywhere else it is a doctor.
fn doctor_or_drive(view: &View<'_>, at: usize, word: &str) -> Option<Claim> {
    if word != "Dr"
        || !view.is_mark(at + 1, '.')
        || (is_before_name(view, at + 1) && !view.ends_sentence(at + 1))
    {
        return None;
    }
    let after_name = view.word_before(at).is_some_and(is_capitalised) && !begins_sentence(view, at);
    Some(Claim::new(1 + kept_dot(view, at), if after_name { "Drive" } else { "Doctor" }, "abbreviation"))
}

/// `Jan. 5`, `5 Sept. 1887`; a month by itself is left, it may be a name.
fn short_month(view: &View<'_>, at: usize, word: &str) -> Option<Claim> {
    let full = month(word).filter(|full| *full != word && !full.eq_ignore_ascii_case(word))?;
    let dot = usize::from(view.is_mark(at + 1, '.'));
    let before = view.is_space(at + 1 + dot) && view.digits(at + 2 + dot).is_some();
    let behind = at >= 2 && view.is_space(at - 1) && view.digits(at - 2).is_some();
    let behind_ordinal =
        view.word_before(at).is_some_and(|it| matches!(it, "st" | "nd" | "rd" | "th" | "of"));
    // `Mar 5` without its dot is too little after a word that may be a name.
    (before || behind || (behind_ordinal && dot == 1))
        .then(|| Claim::new(1 + kept_dot(view, at), full, "abbreviation"))
}

/// `Roe v. Wade`.
fn versus(view: &View<'_>, at: usize, word: &str) -> Option<Claim> {
    let between = word == "v"
        && view.is_mark(at + 1, '.')
        && view.word_before(at).is_some_and(is_capitalised)
        && is_before_name(view, at + 1);
    between.then(|| Claim::new(2, "versus", "abbreviation"))
}

/// `J. R. Smith`: the dots of initials are no ends; without them no engine stops there.
fn initial(view: &View<'_>, at: usize, word: &str) -> Option<Claim> {
    let mut chars = word.chars();
    let is_initial = chars.next().is_some_and(char::is_uppercase) && chars.next().is_none();
    let dotted = view.is_mark(at + 1, '.') && !view.ends_sentence(at + 1);
    let inside = at.checked_sub(1).is_some_and(|before| view.is_mark(before, '.'));
    if !is_initial || inside || !dotted || !is_before_name(view, at + 1) {
        return None;
    }
    // `It was I. Then` is no initial; `I. M. Smith` is.
    let next_is_initial =
        view.word_after(at + 1).is_some_and(|next| next.chars().count() == 1 && view.is_mark(at + 4, '.'));
    (word != "I" || next_is_initial).then(|| Claim::new(2, word, "initial"))
}

/// Titles before a name, and words before a number: whatever sentencex thinks of them.
pub(crate) fn wants_more(word: &str, after: &str) -> bool {
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let Some(short) = word.strip_suffix('.') else { return false };
    let mut rows = ABBREVIATIONS.iter().filter(|(it, ..)| is_written(it, short));
    rows.any(|(_, _, when)| match when {
        BeforeName | DottedBeforeName => after.starts_with(char::is_uppercase),
        BeforeNumber => begins_with_number(after),
        AfterName | Dotted => false,
    })
}

fn begins_with_number(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    let first = &text[..end];
    // `I` with more behind it is the pronoun.
    let pronoun = first == "I" && text[end..].starts_with(char::is_whitespace);
    first.starts_with(|c: char| c.is_ascii_digit())
        || (!pronoun && roman::value(first).is_some_and(|n| n < 400))
}
