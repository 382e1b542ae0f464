//! What else a piece of a word may be said as: numbers, contractions, abbreviations, Roman numerals.
//!
//! A reading is a row of folded words. The alignment holds the readings of one side against the atoms of
//! the other, so it does not matter whether the page or the recogniser wrote the figures.

mod contractions;
mod numbers;

use crate::spelling;
use crate::words::{Atom, fold};

pub(crate) use numbers::{is_number_word, of_number};

/// Words that may be left out, or put in, inside a number: one hundred and five.
pub(crate) const LINK: &str = "and";

/// The word a lone sign is said as.
pub(crate) fn sign(char: char) -> Option<&'static str> {
    Some(match char {
        '&' => "and",
        '%' => "percent",
        '+' => "plus",
        '=' => "equals",
        '@' => "at",
        _ => return None,
    })
}

/// Readings of a piece that has letters only. `written` still has its case.
pub(crate) fn of_letters(written: &str, folded: &str) -> Vec<Vec<Box<str>>> {
    let mut readings = contractions::of(folded);
    if let Some(full) = spelling::unabbreviated(folded) {
        readings.push(row(full));
    }
    match folded {
        "etc" | "etcetera" => readings.push(row("et cetera")),
        "st" => readings.push(row("street")),
        "mt" => readings.push(row("mountain")),
        "eg" => readings.extend([row("for example"), row("e g")]),
        "ie" => readings.extend([row("that is"), row("i e")]),
        "viz" => readings.push(row("namely")),
        "no" if written.starts_with('N') => readings.push(row("number")),
        "nos" => readings.push(row("numbers")),
        "percent" => readings.push(row("per cent")),
        "pp" => readings.push(row("pages")),
        _ => {}
    }
    readings.extend(by_letters(folded));
    if let Some(value) = roman(written) {
        readings.extend(numbers::of_roman(value));
    }
    readings
}

/// Letters that are no word, with the one whose name is more than a letter: the script has `double-u` for `w`, and a
/// recogniser writes `www`.
fn by_letters(folded: &str) -> Option<Vec<Box<str>>> {
    let unsayable = folded.contains('w') && !folded.contains(['a', 'e', 'i', 'o', 'u', 'y', '\'']);
    let name = |letter: char| if letter == 'w' { "double u".to_owned() } else { letter.to_string() };
    unsayable.then(|| row(&folded.chars().map(name).collect::<Vec<_>>().join(" ")))
}

/// Whether two words say the same inside a reading.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let zero = |word: &str| matches!(word, "zero" | "oh" | "o" | "nought" | "naught");
    one == other
        || (zero(one) && zero(other))
        || (one == "one" && other == "a")
        || (one == "a" && other == "one")
}

/// `£1 million` and its kind: the unit is said behind the scale, so both become one atom.
pub(crate) fn join_scaled_money(atoms: &mut Vec<Atom>) {
    let mut at = 0;
    while at + 1 < atoms.len() {
        let scale = &*atoms[at + 1].folded;
        if !matches!(scale, "hundred" | "thousand" | "million" | "billion" | "trillion") {
            at += 1;
            continue;
        }
        let scale: Box<str> = scale.into();
        let mut joined = false;
        for reading in &mut atoms[at].readings {
            if let Some(unit) = reading.last().filter(|word| numbers::is_unit(word)).cloned() {
                reading.pop();
                reading.extend([scale.clone(), numbers::plural_unit(&unit)]);
                joined = true;
            }
        }
        if joined {
            let removed = atoms.remove(at + 1);
            atoms[at].last_word = removed.last_word;
            atoms[at].folded = format!("{}{scale}", atoms[at].folded).into();
            atoms[at].canon = atoms[at].folded.clone();
        }
        at += 1;
    }
}

fn row(words: &str) -> Vec<Box<str>> {
    words.split([' ', '-']).map(|word| fold(word).into()).collect()
}

/// The value of a Roman numeral in capitals, below 400; `I` by itself is the pronoun, not a numeral.
fn roman(written: &str) -> Option<u64> {
    if written.len() < 2 && written != "V" && written != "X" {
        return None;
    }
    let digit = |char| match char {
        'I' => Some(1),
        'V' => Some(5),
        'X' => Some(10),
        'L' => Some(50),
        'C' => Some(100),
        _ => None,
    };
    let digits: Vec<u64> = written.chars().map(digit).collect::<Option<_>>()?;
    let mut value = 0;
    for (at, &one) in digits.iter().enumerate() {
        let before_larger = digits.get(at + 1).is_some_and(|&next| next > one);
        value = if before_larger { value - one as i64 } else { value + one as i64 };
    }
    // Only what writes back to the same letters is a numeral: not `IIX`, not `VIX`.
    let value = u64::try_from(value).ok().filter(|value| (1..400).contains(value))?;
    (as_roman(value) == written).then_some(value)
}

fn as_roman(mut value: u64) -> String {
    const STEPS: [(u64, &str); 9] =
        [(100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")];
    let mut letters = String::new();
    for (step, text) in STEPS {
        while value >= step {
            letters.push_str(text);
            value -= step;
        }
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::atoms;

    fn says(text: &str, reading: &str) -> bool {
        let atoms = atoms(text.split_whitespace());
        assert_eq!(atoms.len(), 1, "{text}");
        atoms[0].readings.contains(&row(reading))
    }

    #[test]
    fn figures_are_read_in_the_ways_that_people_read_them() {
        for (text, reading) in [
            ("1842", "eighteen forty two"),
            ("1842", "one thousand eight hundred forty two"),
            ("1805", "eighteen oh five"),
            ("1900", "nineteen hundred"),
            ("2005", "two thousand five"),
            ("2026", "twenty twenty six"),
            ("10,000", "ten thousand"),
            ("1,500", "fifteen hundred"),
            ("7", "seven"),
            ("007", "zero zero seven"),
            ("059", "zero fifty nine"),
            ("0060", "zero zero sixty"),
            ("32017", "three twenty seventeen"),
            (".2017", "twenty seventeen"),
            ("www", "double u double u double u"),
            ("3.14", "three point one four"),
            (".40", "forty"),
            (".23", "point twenty three"),
            ("5.6.23", "five point six point twenty three"),
            ("21st", "twenty first"),
            ("17", "seventeenth"),
            ("1840s", "eighteen forties"),
            ("10:30", "ten thirty"),
            ("9:05", "nine oh five"),
            ("5:00", "five o'clock"),
            ("£5", "five pounds"),
            ("$1", "one dollar"),
            ("$5.50", "five dollars fifty"),
            ("$5.50", "five dollars fifty cents"),
            ("$1 million", "one million dollars"),
            ("5%", "five percent"),
            ("IV", "four"),
            ("VIII", "the eighth"),
            ("Mr.", "mister"),
            ("etc.", "et cetera"),
            ("don't", "do not"),
            ("he'd", "he would"),
            ("he'd", "he had"),
            ("won't", "will not"),
            ("'tis", "it is"),
            ("it’s", "it is"),
            ("let's", "let us"),
        ] {
            assert!(says(text, reading), "{text}: {reading}");
        }
    }

    #[test]
    fn what_is_no_numeral_has_no_reading() {
        for text in ["I", "MIX", "LIVID", "IIX", "VIX", "dog"] {
            assert!(atoms([text])[0].readings.is_empty(), "{text}");
        }
    }
}
