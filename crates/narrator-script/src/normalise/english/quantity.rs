//! Numbers in running text: cardinals, ordinals, years, decades, percent, units, rows of digits.

use super::context::{counts_things, follows_day, follows_year_word};
use super::number::{Number, Quantity};
use super::speller::{digits, ordinal, plural, year};
use super::{English, money, unit};
use crate::normalise::{Claim, View};

/// No telephone number has more groups of digits.
const MAX_GROUPS: usize = 6;

/// What is said for the digits at `at`.
pub(crate) fn claim(english: English, view: &View<'_>, at: usize) -> Option<Claim> {
    let number = Number::at(view, at)?;
    dotted(view, at)
        .or_else(|| claim_ordinal(english, view, at, &number))
        .or_else(|| money::claim_after(english, view, at))
        .or_else(|| claim_plural(english, view, at, &number))
        .or_else(|| unit::claim(english, view, at))
        .or_else(|| claim_year(english, view, at, &number))
        .or_else(|| claim_reference(english, view, at))
        .or_else(|| {
            let quantity = Quantity::at(view, at, english.and)?;
            Some(Claim::new(quantity.lexemes, quantity.words, quantity.rule))
        })
}

/// Numbers that begin with a mark: `½`, `.5`, `#5`, `№ 5`, `−5`, `’80s`, `§ 5`.
pub(crate) fn claim_marked(english: English, view: &View<'_>, at: usize) -> Option<Claim> {
    let mark = view.mark(at)?;
    let free_before = !view.is_wordlike(at.checked_sub(1));
    match mark {
        '#' | '№' => {
            let gap = usize::from(mark == '№' && view.is_space(at + 1));
            let number = Number::at(view, at + 1 + gap).filter(|_| free_before)?;
            let spoken = format!("number {}", number.words(english.and));
            Some(Claim::new(1 + gap + number.lexemes, spoken, "number-sign"))
        }
        '§' => {
            let many = usize::from(view.is_mark(at + 1, '§'));
            let name = if many == 1 { "sections" } else { "section" };
            Some(Claim::new(1 + many, name, "section-sign"))
        }
        '−' | '-' if free_before && starts_word(view, at) => {
            view.digits(at + 1)?;
            let quantity = unit::claim(english, view, at + 1)
                .map(|claim| (claim.lexemes, claim.spoken))
                .or_else(|| Quantity::at(view, at + 1, english.and).map(|it| (it.lexemes, it.words)))?;
            Some(Claim::new(1 + quantity.0, format!("minus {}", quantity.1), "minus"))
        }
        '’' | '\'' | '‘' if free_before => {
            let short = view.digits(at + 1).filter(|short| short.len() == 2)?;
            if view.word(at + 2) == Some("s") {
                let tens: u64 = short.parse().ok().filter(|n| n % 10 == 0 && *n > 10)?;
                return Some(Claim::new(3, plural(&super::speller::cardinal(tens, english.and)), "decade"));
            }
            let free_after = !view.is_wordlike(Some(at + 2))
                && !['’', '\'', '.', ':']
                    .iter()
                    .any(|&m| view.is_mark(at + 2, m) && view.digits(at + 3).is_some());
            let n: u64 = short.parse().ok().filter(|_| free_after && mark != '‘')?;
            let spoken = if n < 10 {
                format!("oh {}", digits(&short[1..]))
            } else {
                super::speller::cardinal(n, english.and)
            };
            Some(Claim::new(2, spoken, "year"))
        }
        '+' if free_before => claim_phone(view, at),
        '(' => claim_phone(view, at),
        '.' if free_before && starts_word(view, at) => {
            let quantity = Quantity::at(view, at, english.and).filter(|it| it.rule == "decimal")?;
            Some(Claim::new(quantity.lexemes, quantity.words, "decimal"))
        }
        _ => {
            // Only a vulgar fraction begins with a mark here.
            let quantity = Quantity::at(view, at, english.and).filter(|it| it.rule == "fraction")?;
            unit::claim(english, view, at).or(Some(Claim::new(
                quantity.lexemes,
                quantity.words,
                quantity.rule,
            )))
        }
    }
}

/// Whether lexeme `at` has white space, an opening mark or nothing before it.
fn starts_word(view: &View<'_>, at: usize) -> bool {
    at.checked_sub(1).is_none_or(|before| {
        view.is_space(before)
            || view.mark(before).is_some_and(|mark| matches!(mark, '(' | '[' | '“' | '‘' | '"'))
    })
}

/// `1.2.3`: a section, a version, an address.
fn dotted(view: &View<'_>, at: usize) -> Option<Claim> {
    let mut parts = vec![view.digits(at)?];
    while view.is_mark(at + parts.len() * 2 - 1, '.') {
        let Some(part) = view.digits(at + parts.len() * 2) else { break };
        parts.push(part);
    }
    if parts.len() < 3 {
        return None;
    }
    let words: Vec<String> = parts
        .iter()
        .map(|part| match part.parse::<u64>() {
            Ok(n) if part.len() <= 4 && !(part.len() > 1 && part.starts_with('0')) => {
                super::speller::cardinal(n, super::And::Left)
            }
            _ => digits(part),
        })
        .collect();
    Some(Claim::new(parts.len() * 2 - 1, words.join(" point "), "dotted-number"))
}

/// `5th`, `1,000TH`.
fn claim_ordinal(english: English, view: &View<'_>, at: usize, number: &Number<'_>) -> Option<Claim> {
    let suffix = view.word(at + number.lexemes)?;
    let is_suffix = ["st", "nd", "rd", "th"].iter().any(|it| it.eq_ignore_ascii_case(suffix));
    let n = number.whole().filter(|_| is_suffix)?;
    Some(Claim::new(number.lexemes + 1, ordinal(n, english.and), "ordinal"))
}

/// `1880s`, `1900’s`, `80s`, `747s`.
fn claim_plural(english: English, view: &View<'_>, at: usize, number: &Number<'_>) -> Option<Claim> {
    let end = at + number.lexemes;
    let apostrophe = view.is_mark(end, '’') || view.is_mark(end, '\'');
    if view.word(end + usize::from(apostrophe)) != Some("s") {
        return None;
    }
    let n = number.whole()?;
    let lexemes = number.lexemes + 1 + usize::from(apostrophe);
    let is_round = n % 10 == 0 && n > 10;
    match number.year() {
        Some(decade) if is_round && decade >= 1100 => {
            Some(Claim::new(lexemes, plural(&year(decade, english.and)), "decade"))
        }
        _ if apostrophe => None,
        _ => Some(Claim::new(lexemes, plural(&number.words(english.and)), "plural")),
    }
}

/// Four digits are a year unless they count something.
fn claim_year(english: English, view: &View<'_>, at: usize, number: &Number<'_>) -> Option<Claim> {
    let n = number.year()?;
    let last = at + number.lexemes - 1;
    let after_dash = ['–', '-', '—', '/']
        .iter()
        .any(|&mark| view.is_mark(last + 1, mark) && view.digits(last + 2).is_some());
    if after_dash && Quantity::at(view, at, english.and).is_some_and(|it| it.lexemes > number.lexemes) {
        return None;
    }
    let named = follows_year_word(view, at) || follows_day(view, at);
    if counts_things(view, last) || (n < 1100 && !named) {
        return None;
    }
    Some(Claim::new(number.lexemes, year(n, english.and), "year"))
}

/// `3:16`, `5:4`: two numbers side by side, whatever the colon means.
fn claim_reference(english: English, view: &View<'_>, at: usize) -> Option<Claim> {
    let first = Number::at(view, at)?.whole()?;
    let second =
        Number::at(view, at + 2).filter(|_| view.is_mark(at + 1, ':') && view.digits(at + 2).is_some())?;
    let say = |n| super::speller::cardinal(n, english.and);
    let spoken = format!("{} {}", say(first), say(second.whole()?));
    Some(Claim::new(2 + second.lexemes, spoken, "reference"))
}

/// `555-1234`, `212-555-1234`, `(212) 555-1234`, `+44 20 7946 0958`: digit by digit, with a pause
/// between the groups.
pub(crate) fn claim_phone(view: &View<'_>, at: usize) -> Option<Claim> {
    let plus = view.is_mark(at, '+');
    let bracket = view.is_mark(at, '(');
    let mut end = at + usize::from(plus || bracket);
    let mut groups = vec![view.digits(end)?];
    end += 1;
    if bracket {
        if groups[0].len() != 3 || !view.is_mark(end, ')') {
            return None;
        }
        end += 1 + usize::from(view.is_space(end + 1));
        groups.push(view.digits(end)?);
        end += 1;
    }
    while groups.len() <= MAX_GROUPS {
        let parted = ['-', '‑'].iter().any(|&mark| view.is_mark(end, mark)) || (plus && view.is_space(end));
        let Some(group) = view.digits(end + 1).filter(|_| parted) else { break };
        groups.push(group);
        end += 2;
    }
    let sizes: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let total: usize = sizes.iter().sum();
    let is_phone = match sizes.as_slice() {
        [3, 4] | [3, 3, 4] | [1, 3, 3, 4] => !plus,
        _ => plus && sizes.len() > 1 && (7..=15).contains(&total),
    };
    let free = !view.is_wordlike(at.checked_sub(1)) && !view.is_wordlike(Some(end));
    if !is_phone || !free {
        return None;
    }
    let words: Vec<String> = groups.iter().map(|group| digits(group)).collect();
    let plus = if plus { "plus " } else { "" };
    Some(Claim::new(end - at, format!("{plus}{}", words.join(", ")), "phone"))
}
