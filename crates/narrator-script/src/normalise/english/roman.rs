//! Roman numerals, only where they can be nothing else.
//!
//! `I` is nearly always the pronoun, `MIX` and `DID` are words, `C` and `D` are letters: a numeral is read
//! as one after a word that counts (chapter, volume, page), after the name of a ruler, alone in a
//! heading, before `century`, or when it is of two letters out of I, V and X, which no English word is.

use super::English;
use super::speller::{cardinal, ordinal};
use crate::normalise::{Claim, View};
use narrator_core::BlockKind;

/// Words that are followed by their number.
const COUNTING: [&str; 33] = [
    "chapter", "chap", "ch", "book", "bk", "part", "pt", "volume", "vol", "canto", "act", "scene", "section",
    "sect", "psalm", "letter", "number", "no", "article", "art", "appendix", "stave", "lecture", "phase",
    "war", "page", "plate", "figure", "fig", "table", "type", "p", "pp",
];

/// Names that rulers and popes had more than once.
const RULERS: [&str; 54] = [
    "henry",
    "louis",
    "george",
    "edward",
    "charles",
    "james",
    "william",
    "richard",
    "philip",
    "elizabeth",
    "mary",
    "catherine",
    "peter",
    "paul",
    "alexander",
    "nicholas",
    "ivan",
    "frederick",
    "friedrich",
    "wilhelm",
    "napoleon",
    "ferdinand",
    "francis",
    "joseph",
    "leopold",
    "maximilian",
    "rudolf",
    "otto",
    "conrad",
    "pius",
    "leo",
    "john",
    "gregory",
    "innocent",
    "benedict",
    "clement",
    "urban",
    "boniface",
    "sixtus",
    "julius",
    "christian",
    "gustav",
    "haakon",
    "olaf",
    "albert",
    "alfonso",
    "carlos",
    "pedro",
    "emmanuel",
    "umberto",
    "ptolemy",
    "ramesses",
    "rameses",
    "robert",
];

const THRONES: [&str; 12] = [
    "king", "queen", "pope", "emperor", "empress", "tsar", "czar", "kaiser", "prince", "sultan", "saint",
    "st",
];

/// The value of a numeral, as the speller takes it.
pub(crate) fn value(text: &str) -> Option<u64> {
    narrator_core::roman::value(text).map(u64::from)
}

pub(crate) fn claim(english: English, view: &View<'_>, at: usize) -> Option<Claim> {
    let word = view.word(at)?;
    if view.is_wordlike(at.checked_sub(1)) || view.is_wordlike(Some(at + 1)) {
        return None;
    }
    let (numeral, possessive) = match word.find(['’', '\'']) {
        Some(end) if matches!(&word[end..], "’s" | "'s" | "’S" | "'S") => word.split_at(end),
        Some(_) => return None,
        None => (word, ""),
    };
    let with_suffix = |suffix| numeral.strip_suffix(suffix).and_then(value);
    if let Some(n) = with_suffix("th").filter(|_| numeral.starts_with(char::is_uppercase)) {
        return Some(Claim::new(1, ordinal(n, english.and), "roman-ordinal"));
    }
    let n = value(numeral).filter(|n| *n < 400)?;
    let said = after_counting_word(english, view, at, numeral, n)
        .or_else(|| after_ruler(english, view, at, numeral, n))
        .or_else(|| heads_block(english, view, at, numeral, n))
        .or_else(|| unmistakable(english, view, at, numeral, n))?;
    Some(Claim::new(1, format!("{}{possessive}", said.0), said.1))
}

type Said = (String, &'static str);

/// `Chapter IV`, `vol. ii`, `Part I.`, `p. xii`.
fn after_counting_word(english: English, view: &View<'_>, at: usize, numeral: &str, n: u64) -> Option<Said> {
    let space = at.checked_sub(1).filter(|&space| view.is_space(space))?;
    let mut before = space.checked_sub(1)?;
    let dotted = view.is_mark(before, '.');
    before = before.checked_sub(usize::from(dotted))?;
    let counting = view.word(before)?;
    if !COUNTING.contains(&counting.to_lowercase().as_str()) {
        return None;
    }
    // Short forms want their dot: `no I` and `pp V` are no numbers.
    let is_short = counting.len() <= 4
        && !matches!(counting.to_lowercase().as_str(), "book" | "part" | "act" | "war" | "page" | "type");
    if is_short && !dotted {
        return None;
    }
    let is_heading = matches!(view.kind, BlockKind::Heading(_));
    let is_numeral = match numeral {
        // The pronoun, unless the counting word has a capital and nothing that a person does follows.
        "I" => {
            is_heading || ((is_short || counting.starts_with(char::is_uppercase)) && !is_subject(view, at))
        }
        _ if numeral.len() == 1 && numeral.starts_with(char::is_lowercase) => is_short,
        _ => true,
    };
    is_numeral.then(|| (cardinal(n, english.and), "roman"))
}

/// Whether the `I` at `at` is followed by a word that makes it the one who acts.
fn is_subject(view: &View<'_>, at: usize) -> bool {
    view.word_after(at).is_some_and(|next| {
        next.starts_with(char::is_lowercase)
            && !matches!(next, "of" | "and" | "or" | "to" | "in" | "is" | "was")
    })
}

/// `Henry VIII`, `Queen Elizabeth I`, `Louis XIV’s`.
fn after_ruler(english: English, view: &View<'_>, at: usize, numeral: &str, n: u64) -> Option<Said> {
    let name = view.word_before(at).filter(|name| name.starts_with(char::is_uppercase))?;
    if n > 30 || !numeral.starts_with(char::is_uppercase) || !RULERS.contains(&name.to_lowercase().as_str()) {
        return None;
    }
    let throne = at.checked_sub(2).and_then(|name| view.word_before(name));
    let enthroned = throne.is_some_and(|word| THRONES.contains(&word.to_lowercase().as_str()));
    // `told Elizabeth I was late`: only a throne, or an end, makes this `I` the First.
    let ends = view.word_after(at).is_none_or(|next| next == "of");
    if numeral == "I" && !enthroned && !ends {
        return None;
    }
    Some((format!("the {}", title_case(&ordinal(n, english.and))), "roman-ordinal"))
}

fn title_case(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `IV`, `IV.` alone, and `IV. In which …` or `XII: The Letter` at a heading's beginning.
fn heads_block(english: English, view: &View<'_>, at: usize, numeral: &str, n: u64) -> Option<Said> {
    let is_heading = matches!(view.kind, BlockKind::Heading(_));
    if !numeral.starts_with(char::is_uppercase) || !view.begins_block(at) {
        return None;
    }
    let alone = !view.lexemes[at + 1..].iter().any(|it| it.text.chars().any(char::is_alphanumeric));
    let one_letter = numeral.len() == 1;
    if one_letter && !matches!(numeral, "I" | "V" | "X") {
        return None;
    }
    let marked = matches!(view.mark(at + 1), Some('.' | ':' | '—' | '–' | ')'))
        || (view.is_space(at + 1) && matches!(view.mark(at + 2), Some('—' | '–' | '-' | ':')));
    let holds = (alone && (is_heading || !one_letter)) || (is_heading && marked);
    holds.then(|| (cardinal(n, english.and), "roman"))
}

/// Two letters and more of I, V and X in capitals; `century` makes any numeral one.
fn unmistakable(english: English, view: &View<'_>, at: usize, numeral: &str, n: u64) -> Option<Said> {
    let next = view.word_after(at).map(str::to_lowercase);
    let century = matches!(next.as_deref(), Some("century" | "centuries"));
    if century && numeral.starts_with(char::is_uppercase) && numeral != "I" {
        return Some((ordinal(n, english.and), "roman-ordinal"));
    }
    let bracketed = view.is_mark(at + 1, ')') && at.checked_sub(1).is_some_and(|it| view.is_mark(it, '('));
    let capital = numeral.starts_with(char::is_uppercase);
    let sure =
        numeral.len() > 1 && numeral.chars().all(|c| matches!(c.to_ascii_uppercase(), 'I' | 'V' | 'X'));
    (sure && (capital || bracketed)).then(|| (cardinal(n, english.and), "roman"))
}
