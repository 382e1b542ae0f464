//! Figures as words: every way in which people read them, not only the one that the script chose.
//!
//! The script's own speller chooses one reading, for saying; here all are wanted, for comparing. `and`
//! inside a number and `a` for `one` are left to the comparison.

use super::row;

const BELOW_TWENTY: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const SCALES: [(u64, &str); 4] = [
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1_000, "thousand"),
];
/// More digits are no quantity that anybody says as one.
const MAX_DIGITS: usize = 15;
/// Of more digits not every way is tried to read them as smaller numbers.
const MAX_RUN: usize = 8;

/// The units that a currency sign stands for: the whole, many of it, its hundredth part, many of that.
const MONEY: [(char, [&str; 4]); 3] = [
    ('$', ["dollar", "dollars", "cent", "cents"]),
    ('£', ["pound", "pounds", "penny", "pence"]),
    ('€', ["euro", "euros", "cent", "cents"]),
];

/// Whether a word is part of a number's name.
pub(crate) fn is_number_word(word: &str) -> bool {
    let small = BELOW_TWENTY.iter().chain(&TENS).any(|name| *name == word);
    !word.is_empty() && (small || word == "hundred" || SCALES.iter().any(|(_, name)| *name == word))
}

pub(crate) fn is_unit(word: &str) -> bool {
    MONEY.iter().any(|(_, [one, many, ..])| *one == word || *many == word)
}

/// The plural of a currency's unit.
pub(crate) fn plural_unit(word: &str) -> Box<str> {
    let many = MONEY.iter().find(|(_, units)| units[0] == word).map(|(_, units)| units[1]);
    many.unwrap_or(word).into()
}

/// Readings of a number as written, with its currency sign and its ending.
pub(crate) fn of_number(written: &str) -> Vec<Vec<Box<str>>> {
    let money = MONEY.iter().find(|(sign, _)| written.starts_with(*sign)).map(|(_, units)| *units);
    let number = written.trim_start_matches(['$', '£', '€']);
    let end = number.rfind(|c: char| c.is_ascii_digit()).map_or(0, |at| at + 1);
    let (number, ending) = number.split_at(end);
    let ending = ending.trim_start_matches(['\'', '’']).to_ascii_lowercase();

    let mut said: Vec<String> = Vec::new();
    match number.split_once([':', '.']) {
        _ if number.matches(['.', ':']).count() > 1 => {
            let parts: Vec<String> = number.split(['.', ':']).map(cardinal_of).collect();
            said.extend([digit_by_digit(number), parts.join(" point "), parts.join(" dot ")]);
        }
        Some((hours, minutes)) if number.contains(':') => said.extend(time(hours, minutes)),
        Some((whole, part)) => {
            if let Some(units) = money {
                said.extend(money_with_part(whole, part, units));
            } else {
                let whole = if whole.is_empty() { String::new() } else { cardinal_of(whole) };
                said.push(format!("{whole} point {}", digit_by_digit(part)));
                // `.40` for forty, `5.6.23` broken before its points: a version, or a stray mark.
                let quantity = cardinal_of(part);
                said.push(format!("{whole} point {quantity}"));
                if whole.is_empty() {
                    said.push(quantity);
                    said.extend(run_together(part));
                }
                said.extend(time(&whole_digits(number), part));
            }
        }
        None => said.extend(whole_number(number, &ending)),
    }
    if let Some([one, many, ..]) = money.filter(|_| !number.contains('.')) {
        let digits = whole_digits(number);
        said =
            said.iter().map(|words| format!("{words} {}", if digits == "1" { one } else { many })).collect();
    }
    if ending == "%" {
        said = said
            .iter()
            .flat_map(|words| ["percent", "per cent"].map(|sign| format!("{words} {sign}")))
            .collect();
    }
    said.iter().map(|words| row(words.trim())).collect()
}

/// `IV` as four, the fourth, fourth.
pub(super) fn of_roman(value: u64) -> Vec<Vec<Box<str>>> {
    let ordinal = ordinal(&cardinal(value));
    vec![row(&cardinal(value)), row(&format!("the {ordinal}")), row(&ordinal)]
}

fn whole_digits(number: &str) -> String {
    number.split(['.', ':']).next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect()
}

fn cardinal_of(number: &str) -> String {
    let digits = whole_digits(number);
    match digits.parse() {
        Ok(value) if digits.len() <= MAX_DIGITS => cardinal(value),
        _ => digit_by_digit(&digits),
    }
}

fn whole_number(number: &str, ending: &str) -> Vec<String> {
    let digits = whole_digits(number);
    let Some(value) = digits.parse::<u64>().ok().filter(|_| digits.len() <= MAX_DIGITS) else {
        return vec![digit_by_digit(&digits)];
    };
    let mut said = vec![cardinal(value)];
    said.extend(in_pairs(value, digits.len()));
    match ending {
        "st" | "nd" | "rd" | "th" => return said.iter().map(|words| ordinal(words)).collect(),
        "s" => return said.iter().map(|words| plural(words)).collect(),
        _ => {}
    }
    said.extend(run_together(&digits));
    if digits.len() > MAX_RUN {
        said.push(digit_by_digit(&digits));
    }
    if (1..=31).contains(&value) {
        // A day of the month: June 17 is read as June seventeenth or the seventeenth.
        let day = ordinal(&cardinal(value));
        said.extend([format!("the {day}"), day]);
    }
    said
}

/// As years and house numbers are read: eighteen forty two, nineteen oh five, fifteen hundred, one oh five.
fn in_pairs(value: u64, digits: usize) -> Vec<String> {
    let (high, low) = (value / 100, value % 100);
    if !(3..=4).contains(&digits) || high == 0 {
        return Vec::new();
    }
    let high = below_hundred(high);
    match low {
        0 if digits == 4 => vec![format!("{high} hundred")],
        0 => Vec::new(),
        1..=9 => vec![
            format!("{high} oh {}", below_hundred(low)),
            format!("{high} hundred {}", below_hundred(low)),
        ],
        _ => vec![format!("{high} {}", below_hundred(low)), format!("{high} hundred {}", below_hundred(low))],
    }
}

/// Numbers that were written as one: `059` for zero fifty nine, `127` for one twenty seven, `007` digit by digit.
fn run_together(digits: &str) -> Vec<String> {
    if digits.len() < 2 || digits.len() > MAX_RUN {
        return Vec::new();
    }
    let mut all: Vec<(String, usize)> = vec![(String::new(), 0)];
    let mut whole = Vec::new();
    while let Some((said, at)) = all.pop() {
        if at == digits.len() {
            whole.push(said);
            continue;
        }
        for length in [1, 2] {
            let Some(group) = digits.get(at..at + length).filter(|it| length == 1 || !it.starts_with('0'))
            else {
                continue;
            };
            let number = below_hundred(group.parse().unwrap_or_default());
            all.push((format!("{said} {number}").trim_start().to_owned(), at + length));
        }
    }
    whole
}

fn time(hours: &str, minutes: &str) -> Vec<String> {
    let (Ok(hours), Ok(minutes)) = (hours.parse::<u64>(), minutes.parse::<u64>()) else { return Vec::new() };
    if hours > 24 || minutes > 59 {
        return Vec::new();
    }
    let hour = below_hundred(hours);
    match minutes {
        0 => vec![hour.clone(), format!("{hour} o'clock"), format!("{hour} hundred")],
        1..=9 => vec![
            format!("{hour} oh {}", below_hundred(minutes)),
            format!("{hour} {}", below_hundred(minutes)),
        ],
        _ => vec![format!("{hour} {}", below_hundred(minutes))],
    }
}

fn money_with_part(whole: &str, part: &str, [one, many, cent, cents]: [&str; 4]) -> Vec<String> {
    let Ok(value) = part.parse::<u64>() else { return Vec::new() };
    let unit = if whole_digits(whole) == "1" { one } else { many };
    let whole = cardinal_of(whole);
    let small = if value == 1 { cent } else { cents };
    let value = cardinal(value);
    vec![
        format!("{whole} {unit} {value}"),
        format!("{whole} {unit} {value} {small}"),
        format!("{whole} {value}"),
        format!("{whole} point {} {many}", digit_by_digit(part)),
    ]
}

fn cardinal(value: u64) -> String {
    let mut words = Vec::new();
    let mut rest = value;
    for (scale, name) in SCALES {
        if rest >= scale {
            words.push(format!("{} {name}", below_thousand(rest / scale)));
            rest %= scale;
        }
    }
    if rest > 0 || words.is_empty() {
        words.push(below_thousand(rest));
    }
    words.join(" ")
}

fn below_thousand(value: u64) -> String {
    match (value / 100, value % 100) {
        (0, rest) => below_hundred(rest),
        (hundreds, 0) => format!("{} hundred", below_hundred(hundreds)),
        (hundreds, rest) => format!("{} hundred {}", below_hundred(hundreds), below_hundred(rest)),
    }
}

fn below_hundred(value: u64) -> String {
    let (tens, ones) = ((value / 10 % 10) as usize, (value % 10) as usize);
    match (tens, ones) {
        (0 | 1, _) => BELOW_TWENTY[tens * 10 + ones].to_owned(),
        (_, 0) => TENS[tens].to_owned(),
        _ => format!("{} {}", TENS[tens], BELOW_TWENTY[ones]),
    }
}

fn digit_by_digit(number: &str) -> String {
    let words: Vec<&str> =
        number.chars().filter_map(|c| c.to_digit(10)).map(|digit| BELOW_TWENTY[digit as usize]).collect();
    words.join(" ")
}

fn ordinal(words: &str) -> String {
    let at = words.rfind(' ').map_or(0, |at| at + 1);
    let last = match &words[at..] {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        last => match last.strip_suffix('y') {
            Some(stem) => format!("{stem}ieth"),
            None => format!("{last}th"),
        },
    };
    format!("{}{last}", &words[..at])
}

fn plural(words: &str) -> String {
    match words.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if words.ends_with('x') => format!("{words}es"),
        None => format!("{words}s"),
    }
}
