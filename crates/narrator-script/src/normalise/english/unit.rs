//! Percent, degrees, and units of measure where they cannot be anything else.

use super::English;
use super::number::Quantity;
use crate::normalise::{Claim, View};

/// How a unit stands behind its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// With or without a space: nothing else is written so.
    Any,
    /// Only after a space: glued, it means something else as well (`5m` is often five million).
    Spaced,
}

/// Symbol, one, many.
const UNITS: [(&str, &str, &str, Place); 42] = [
    ("km", "kilometer", "kilometers", Place::Any),
    ("cm", "centimeter", "centimeters", Place::Any),
    ("mm", "millimeter", "millimeters", Place::Any),
    ("m", "meter", "meters", Place::Spaced),
    ("kg", "kilogram", "kilograms", Place::Any),
    ("mg", "milligram", "milligrams", Place::Any),
    ("g", "gram", "grams", Place::Spaced),
    ("ml", "milliliter", "milliliters", Place::Any),
    ("mL", "milliliter", "milliliters", Place::Any),
    ("ft", "foot", "feet", Place::Any),
    ("lb", "pound", "pounds", Place::Any),
    ("lbs", "pound", "pounds", Place::Any),
    ("oz", "ounce", "ounces", Place::Any),
    ("yd", "yard", "yards", Place::Any),
    ("yds", "yard", "yards", Place::Any),
    ("cwt", "hundredweight", "hundredweight", Place::Any),
    ("mph", "mile per hour", "miles per hour", Place::Any),
    ("kph", "kilometer per hour", "kilometers per hour", Place::Any),
    ("rpm", "revolution per minute", "revolutions per minute", Place::Any),
    ("hr", "hour", "hours", Place::Any),
    ("hrs", "hour", "hours", Place::Any),
    ("min", "minute", "minutes", Place::Any),
    ("mins", "minute", "minutes", Place::Any),
    ("sec", "second", "seconds", Place::Any),
    ("secs", "second", "seconds", Place::Any),
    ("ms", "millisecond", "milliseconds", Place::Any),
    ("Hz", "hertz", "hertz", Place::Any),
    ("kHz", "kilohertz", "kilohertz", Place::Any),
    ("MHz", "megahertz", "megahertz", Place::Any),
    ("GHz", "gigahertz", "gigahertz", Place::Any),
    ("W", "watt", "watts", Place::Spaced),
    ("kW", "kilowatt", "kilowatts", Place::Any),
    ("MW", "megawatt", "megawatts", Place::Any),
    ("kWh", "kilowatt hour", "kilowatt hours", Place::Any),
    ("KB", "kilobyte", "kilobytes", Place::Any),
    ("kB", "kilobyte", "kilobytes", Place::Any),
    ("MB", "megabyte", "megabytes", Place::Any),
    ("GB", "gigabyte", "gigabytes", Place::Any),
    ("TB", "terabyte", "terabytes", Place::Any),
    ("dB", "decibel", "decibels", Place::Any),
    ("ha", "hectare", "hectares", Place::Spaced),
    ("hp", "horsepower", "horsepower", Place::Any),
];

/// A number at `at` with what it is a number of.
pub(crate) fn claim(english: English, view: &View<'_>, at: usize) -> Option<Claim> {
    let quantity = Quantity::at(view, at, english.and)?;
    percent(view, at, &quantity)
        .or_else(|| degrees(english, view, at, &quantity))
        .or_else(|| feet_and_inches(english, view, at, &quantity))
        .or_else(|| measure(view, at, &quantity))
}

fn percent(view: &View<'_>, at: usize, quantity: &Quantity) -> Option<Claim> {
    let gap = usize::from(view.is_space(at + quantity.lexemes));
    let name = match view.mark(at + quantity.lexemes + gap)? {
        '%' => "percent",
        '‰' => "per mille",
        _ => return None,
    };
    Some(Claim::new(quantity.lexemes + gap + 1, format!("{} {name}", quantity.words), "percent"))
}

/// `90°`, `20 °C`, `51° 30′ N` without the N.
fn degrees(english: English, view: &View<'_>, at: usize, quantity: &Quantity) -> Option<Claim> {
    let mut end = at + quantity.lexemes;
    end += usize::from(view.is_space(end) && view.is_mark(end + 1, '°'));
    if !matches!(view.mark(end)?, '°' | 'º') {
        return None;
    }
    end += 1;
    let mut words = format!("{} {}", quantity.words, if quantity.is_one { "degree" } else { "degrees" });
    let scale = match view.word(end) {
        Some("C") => Some("Celsius"),
        Some("F") => Some("Fahrenheit"),
        _ => None,
    };
    if let Some(scale) = scale {
        return Some(Claim::new(end + 1 - at, format!("{words} {scale}"), "degrees"));
    }
    for (mark, one, many) in [('′', "minute", "minutes"), ('″', "second", "seconds")] {
        let gap = usize::from(view.is_space(end));
        let Some(part) = Quantity::at(view, end + gap, english.and) else { break };
        if !view.is_mark(end + gap + part.lexemes, mark) {
            break;
        }
        words = format!("{words} {} {}", part.words, if part.is_one { one } else { many });
        end += gap + part.lexemes + 1;
    }
    Some(Claim::new(end - at, words, "degrees"))
}

/// `5′ 10″`, `5'10"`, `6 ft. 2 in.`
fn feet_and_inches(english: English, view: &View<'_>, at: usize, quantity: &Quantity) -> Option<Claim> {
    let mut end = at + quantity.lexemes;
    let feet = if quantity.is_one { "foot" } else { "feet" };
    let prime = matches!(view.mark(end), Some('′' | '\'' | '’'));
    if prime {
        end += 1;
        let gap = usize::from(view.is_space(end));
        let inches = Quantity::at(view, end + gap, english.and)
            .filter(|it| matches!(view.mark(end + gap + it.lexemes), Some('″' | '"' | '”')));
        return match inches {
            Some(inches) => {
                let spoken = format!("{} {feet} {}", quantity.words, inches.words);
                Some(Claim::new(end + gap + inches.lexemes + 1 - at, spoken, "feet-and-inches"))
            }
            None if view.is_mark(end - 1, '′') => {
                Some(Claim::new(end - at, format!("{} {feet}", quantity.words), "feet-and-inches"))
            }
            None => None,
        };
    }
    end += usize::from(view.is_space(end));
    if view.word(end) != Some("ft") {
        return None;
    }
    end += 1 + usize::from(view.is_mark(end + 1, '.'));
    let gap = usize::from(view.is_space(end));
    let inches = Quantity::at(view, end + gap, english.and)?;
    end += gap + inches.lexemes;
    end += usize::from(view.is_space(end));
    if view.word(end) != Some("in") {
        return None;
    }
    let name = if inches.is_one { "inch" } else { "inches" };
    let dot = usize::from(view.is_mark(end + 1, '.') && !view.ends_sentence(end + 1));
    let spoken = format!("{} {feet} {} {name}", quantity.words, inches.words);
    Some(Claim::new(end + 1 + dot - at, spoken, "feet-and-inches"))
}

fn measure(view: &View<'_>, at: usize, quantity: &Quantity) -> Option<Claim> {
    let mut end = at + quantity.lexemes;
    let spaced = view.is_space(end);
    let hyphen = view.is_mark(end, '-');
    end += usize::from(spaced || hyphen);
    if spaced && view.word(end) == Some("sq") {
        return square(view, at, end, quantity);
    }
    let symbol = view.word(end)?;
    let &(_, one, many, _) =
        UNITS.iter().find(|(it, _, _, place)| *it == symbol && (spaced || *place == Place::Any))?;
    let single = quantity.is_one || hyphen;
    let joint = if hyphen { "-" } else { " " };
    let mut spoken = format!("{}{joint}{}", quantity.words, if single { one } else { many });
    end += 1;
    match view.mark(end) {
        Some('²') => {
            spoken = format!("{}{joint}square {}", quantity.words, if single { one } else { many });
            end += 1;
        }
        Some('³') => {
            spoken = format!("{}{joint}cubic {}", quantity.words, if single { one } else { many });
            end += 1;
        }
        Some('/') => {
            let per = match view.word(end + 1)? {
                "h" | "hr" => "hour",
                "s" | "sec" => "second",
                "min" => "minute",
                "l" | "L" => "liter",
                _ => return None,
            };
            spoken = format!("{spoken} per {per}");
            end += 2;
        }
        // The dot of `lb.` goes; a sentence keeps its end. `5 g.b` is no gram.
        Some('.' | '\'' | '’') if view.is_wordlike(Some(end + 1)) => return None,
        Some('.') if !view.ends_sentence(end) => end += 1,
        _ if view.is_wordlike(Some(end)) => return None,
        _ => {}
    }
    Some(Claim::new(end - at, spoken, "unit"))
}

/// `40 sq. ft.`
fn square(view: &View<'_>, at: usize, sq: usize, quantity: &Quantity) -> Option<Claim> {
    let mut end = sq + 1 + usize::from(view.is_mark(sq + 1, '.'));
    end += usize::from(view.is_space(end));
    let symbol = view.word(end)?;
    let (one, many) = match symbol {
        "mi" => ("mile", "miles"),
        "in" => ("inch", "inches"),
        _ => UNITS.iter().find(|(it, ..)| *it == symbol).map(|&(_, one, many, _)| (one, many))?,
    };
    end += 1 + usize::from(view.is_mark(end + 1, '.') && !view.ends_sentence(end + 1));
    let spoken = format!("{} square {}", quantity.words, if quantity.is_one { one } else { many });
    Some(Claim::new(end - at, spoken, "unit"))
}
