//! Money: `$1,234.50`, `£3.5m`, `€5 million`, `5¢`, `£5 10s. 6d.`, `US$20`.

use super::English;
use super::number::{Number, Quantity};
use super::speller::cardinal;
use crate::normalise::{Claim, View};

struct Currency {
    mark: char,
    one: &'static str,
    many: &'static str,
    /// A hundredth of it, if it has one that is spoken.
    cent: Option<(&'static str, &'static str)>,
}

const CURRENCIES: [Currency; 5] = [
    Currency { mark: '$', one: "dollar", many: "dollars", cent: Some(("cent", "cents")) },
    Currency { mark: '£', one: "pound", many: "pounds", cent: Some(("penny", "pence")) },
    Currency { mark: '€', one: "euro", many: "euros", cent: Some(("cent", "cents")) },
    Currency { mark: '¥', one: "yen", many: "yen", cent: None },
    Currency { mark: '₹', one: "rupee", many: "rupees", cent: Some(("paisa", "paise")) },
];

/// What money words follow adjectivally: a five-dollar bill.
const THINGS_WORTH: [&str; 10] =
    ["bill", "bills", "note", "notes", "coin", "coins", "piece", "pieces", "banknote", "banknotes"];

fn currency(view: &View<'_>, at: usize) -> Option<&'static Currency> {
    let mark = view.mark(at)?;
    CURRENCIES.iter().find(|currency| currency.mark == mark)
}

/// An amount after its sign.
pub(crate) fn claim(english: English, view: &View<'_>, at: usize) -> Option<Claim> {
    let currency = currency(view, at)?;
    let free = !view.is_wordlike(at.checked_sub(1));
    let (lexemes, words) = amount(english, view, at + 1, currency, "").filter(|_| free)?;
    Some(Claim::new(1 + lexemes, words, "money"))
}

/// `US$5`: the country's dollars.
pub(crate) fn claim_foreign_dollars(english: English, view: &View<'_>, at: usize) -> Option<Claim> {
    let country = match view.word(at)? {
        "US" => "US ",
        "A" | "AU" => "Australian ",
        "C" | "CA" => "Canadian ",
        "NZ" => "New Zealand ",
        "HK" => "Hong Kong ",
        _ => return None,
    };
    let currency = currency(view, at + 1).filter(|currency| currency.mark == '$')?;
    let (lexemes, words) = amount(english, view, at + 2, currency, country)?;
    Some(Claim::new(2 + lexemes, words, "money"))
}

/// An amount before its sign: `5 €`, `50¢`, and the shillings of `10s. 6d.`
pub(crate) fn claim_after(english: English, view: &View<'_>, at: usize) -> Option<Claim> {
    if let Some((lexemes, words)) = shillings(english, view, at, true) {
        return Some(Claim::new(lexemes, words, "money"));
    }
    let number = Number::at(view, at)?;
    let gap = usize::from(view.is_space(at + number.lexemes));
    let sign = at + number.lexemes + gap;
    if view.is_mark(sign, '¢') {
        let name = if number.is_one() { "cent" } else { "cents" };
        return Some(Claim::new(
            number.lexemes + gap + 1,
            format!("{} {name}", number.words(english.and)),
            "money",
        ));
    }
    // A sign after the number that has a number of its own belongs to that one.
    let currency = currency(view, sign).filter(|_| Number::at(view, sign + 1).is_none())?;
    let words = money_words(english, &number, currency, "");
    Some(Claim::new(number.lexemes + gap + 1, words, "money"))
}

/// Lexemes and words of the amount that begins at `at`, after its sign.
fn amount(
    english: English,
    view: &View<'_>,
    at: usize,
    currency: &Currency,
    country: &str,
) -> Option<(usize, String)> {
    let number = Number::at(view, at).filter(|_| view.digits(at).is_some())?;
    let end = at + number.lexemes;
    if let Some((lexemes, scale)) = magnitude(view, end) {
        let words = format!("{} {scale} {country}{}", number.words(english.and), currency.many);
        return Some((number.lexemes + lexemes, words));
    }
    if let Some(range) = range(english, view, at, currency, country, &number) {
        return Some(range);
    }
    let is_glued = view.is_wordlike(Some(end));
    if is_glued {
        return None;
    }
    if currency.mark == '£' {
        let gap = usize::from(view.is_space(end));
        if let Some((lexemes, words)) =
            shillings(english, view, end + gap, false).filter(|_| number.whole().is_some())
        {
            let pounds = money_words(english, &number, currency, country);
            return Some((number.lexemes + gap + lexemes, format!("{pounds} {words}")));
        }
    }
    if number.whole().is_some() && view.word_after(end - 1).is_some_and(|word| THINGS_WORTH.contains(&word)) {
        let spoken = format!("{}-{country}{}", number.words(english.and), currency.one);
        return Some((number.lexemes, spoken));
    }
    Some((number.lexemes, money_words(english, &number, currency, country)))
}

/// `$5–10`, `$5-$10`.
fn range(
    english: English,
    view: &View<'_>,
    at: usize,
    currency: &Currency,
    country: &str,
    number: &Number<'_>,
) -> Option<(usize, String)> {
    let dash = at + number.lexemes;
    if !matches!(view.mark(dash)?, '–' | '-' | '‒') {
        return None;
    }
    let sign = usize::from(view.is_mark(dash + 1, currency.mark));
    let second = Number::at(view, dash + 1 + sign).filter(|_| view.digits(dash + 1 + sign).is_some())?;
    let end = dash + 1 + sign + second.lexemes;
    let (from, to) = (number.whole()?, second.whole()?);
    if from >= to || (view.is_wordlike(Some(end)) && magnitude(view, end).is_none()) {
        return None;
    }
    let (lexemes, scale) = magnitude(view, end).unwrap_or((0, ""));
    let scale = if scale.is_empty() { String::new() } else { format!("{scale} ") };
    let words = format!(
        "{} to {} {scale}{country}{}",
        cardinal(from, english.and),
        cardinal(to, english.and),
        currency.many
    );
    Some((end + lexemes - at, words))
}

/// `m`, `bn` and `k` glued to an amount, or ` million` after it.
fn magnitude(view: &View<'_>, at: usize) -> Option<(usize, &'static str)> {
    if let Some(word) = view.word(at) {
        let scale = match word {
            "k" | "K" => "thousand",
            "m" | "M" | "mn" | "mm" => "million",
            "bn" | "b" | "B" => "billion",
            "tn" => "trillion",
            _ => return None,
        };
        return Some((1, scale));
    }
    let joined = view.is_space(at) || view.is_mark(at, '-');
    match view.word(at + 1).filter(|_| joined)? {
        "hundred" => Some((2, "hundred")),
        "thousand" => Some((2, "thousand")),
        "million" => Some((2, "million")),
        "billion" => Some((2, "billion")),
        "trillion" => Some((2, "trillion")),
        _ => None,
    }
}

fn money_words(english: English, number: &Number<'_>, currency: &Currency, country: &str) -> String {
    let name = |one: bool| if one { currency.one } else { currency.many };
    let whole = |n: u64| format!("{} {country}{}", cardinal(n, english.and), name(n == 1));
    let cents = number.decimals.filter(|decimals| decimals.len() == 2).and_then(|it| it.parse::<u64>().ok());
    let units = match number.digits.as_str() {
        "" => Some(0),
        digits if digits.len() <= 15 => digits.parse::<u64>().ok(),
        _ => None,
    };
    match (units, cents, currency.cent) {
        (Some(n), None, _) if number.decimals.is_none() => whole(n),
        (Some(n), Some(0), Some(_)) => whole(n),
        (Some(0), Some(cents), Some((one, many))) => {
            format!("{} {}", cardinal(cents, english.and), if cents == 1 { one } else { many })
        }
        (Some(n), Some(cents), Some((one, many))) => {
            let part = if cents == 1 { one } else { many };
            format!("{} and {} {part}", whole(n), cardinal(cents, english.and))
        }
        _ => format!("{} {country}{}", number.words(english.and), currency.many),
    }
}

/// `10s. 6d.`, and after pounds each alone. `20s` alone are the twenties, so both parts are asked for.
fn shillings(english: English, view: &View<'_>, at: usize, both: bool) -> Option<(usize, String)> {
    let first = Quantity::at(view, at, english.and)?;
    let mut end = at + first.lexemes;
    let letter = view.word(end)?;
    let dot = |end: usize| usize::from(view.is_mark(end, '.') && !view.ends_sentence(end));
    if letter == "d" && !both {
        return Some((end + 1 + dot(end + 1) - at, format!("and {}", pence(&first))));
    }
    if letter != "s" {
        return None;
    }
    let name = if first.is_one { "shilling" } else { "shillings" };
    let words = format!("{} {name}", first.words);
    end += 1;
    let comma = usize::from(view.is_mark(end, '.'));
    let gap = usize::from(view.is_space(end + comma));
    let second = end + comma + gap;
    let pennies =
        Quantity::at(view, second, english.and).filter(|it| view.word(second + it.lexemes) == Some("d"));
    match pennies {
        Some(pennies) => {
            let end = second + pennies.lexemes + 1;
            Some((end + dot(end) - at, format!("{words} and {}", pence(&pennies))))
        }
        None if both => None,
        None => Some((end + dot(end) - at, words)),
    }
}

fn pence(quantity: &Quantity) -> String {
    if quantity.is_one && quantity.rule != "fraction" {
        "one penny".to_owned()
    } else {
        format!("{} pence", quantity.words)
    }
}
