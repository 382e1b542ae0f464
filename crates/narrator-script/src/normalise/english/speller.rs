//! Numbers as English words.

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
const SCALES: [(u64, &str); 6] = [
    (1_000_000_000_000_000_000, "quintillion"),
    (1_000_000_000_000_000, "quadrillion"),
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1_000, "thousand"),
];

/// `and` as British English puts it: one hundred and five.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum And {
    Spoken,
    Left,
}

pub(crate) fn cardinal(n: u64, and: And) -> String {
    let mut words = Vec::new();
    let mut rest = n;
    for (scale, name) in SCALES {
        if rest >= scale {
            words.push(below_thousand(rest / scale, and));
            words.push(name.to_owned());
            rest %= scale;
        }
    }
    if rest > 0 || words.is_empty() {
        if rest < 100 && !words.is_empty() && and == And::Spoken {
            words.push("and".to_owned());
        }
        words.push(below_thousand(rest, and));
    }
    words.join(" ")
}

fn below_thousand(n: u64, and: And) -> String {
    let rest = n % 100;
    match (n / 100, rest) {
        (0, _) => below_hundred(rest),
        (hundreds, 0) => format!("{} hundred", below_hundred(hundreds)),
        (hundreds, _) => {
            let and = if and == And::Spoken { "and " } else { "" };
            format!("{} hundred {and}{}", below_hundred(hundreds), below_hundred(rest))
        }
    }
}

fn below_hundred(n: u64) -> String {
    let (tens, ones) = ((n / 10) as usize % 10, (n % 10) as usize);
    match (tens, ones) {
        (0 | 1, _) => BELOW_TWENTY[tens * 10 + ones].to_owned(),
        (_, 0) => TENS[tens].to_owned(),
        _ => format!("{}-{}", TENS[tens], BELOW_TWENTY[ones]),
    }
}

pub(crate) fn ordinal(n: u64, and: And) -> String {
    let words = cardinal(n, and);
    let at = words.rfind([' ', '-']).map_or(0, |at| at + 1);
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

/// As years are read: eighteen eighty-seven, nineteen oh five, two thousand five, twenty ten.
pub(crate) fn year(n: u64, and: And) -> String {
    let (high, low) = (n / 100, n % 100);
    if !(1000..10_000).contains(&n) || high % 10 == 0 && low < 10 {
        return cardinal(n, and);
    }
    match low {
        0 => format!("{} hundred", below_hundred(high)),
        1..=9 => format!("{} oh {}", below_hundred(high), below_hundred(low)),
        _ => format!("{} {}", below_hundred(high), below_hundred(low)),
    }
}

/// One digit after the other.
pub(crate) fn digits(digits: &str) -> String {
    let words: Vec<&str> =
        digits.chars().filter_map(|c| c.to_digit(10)).map(|digit| BELOW_TWENTY[digit as usize]).collect();
    words.join(" ")
}

/// The plural of a number's words: nineties, sixes, hundreds.
pub(crate) fn plural(words: &str) -> String {
    match words.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if words.ends_with('x') => format!("{words}es"),
        None => format!("{words}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cardinals() {
        let cases = [
            (0, "zero"),
            (7, "seven"),
            (13, "thirteen"),
            (20, "twenty"),
            (42, "forty-two"),
            (100, "one hundred"),
            (105, "one hundred five"),
            (999, "nine hundred ninety-nine"),
            (1_000, "one thousand"),
            (1_001, "one thousand one"),
            (12_345, "twelve thousand three hundred forty-five"),
            (1_000_000, "one million"),
            (2_000_017, "two million seventeen"),
            (
                u64::MAX,
                "eighteen quintillion four hundred forty-six quadrillion seven hundred forty-four trillion \
                 seventy-three billion seven hundred nine million five hundred fifty-one thousand six hundred fifteen",
            ),
        ];
        for (n, words) in cases {
            assert_eq!(cardinal(n, And::Left), words);
        }
        assert_eq!(cardinal(105, And::Spoken), "one hundred and five");
        assert_eq!(cardinal(2_000_017, And::Spoken), "two million and seventeen");
        assert_eq!(
            cardinal(123_456, And::Spoken),
            "one hundred and twenty-three thousand four hundred and fifty-six"
        );
    }

    #[test]
    fn ordinals() {
        let cases = [
            (1, "first"),
            (2, "second"),
            (3, "third"),
            (5, "fifth"),
            (8, "eighth"),
            (9, "ninth"),
            (12, "twelfth"),
            (14, "fourteenth"),
            (20, "twentieth"),
            (21, "twenty-first"),
            (30, "thirtieth"),
            (100, "one hundredth"),
            (103, "one hundred third"),
            (1000, "one thousandth"),
        ];
        for (n, words) in cases {
            assert_eq!(ordinal(n, And::Left), words);
        }
    }

    #[test]
    fn years() {
        let cases = [
            (476, "four hundred seventy-six"),
            (1000, "one thousand"),
            (1066, "ten sixty-six"),
            (1800, "eighteen hundred"),
            (1805, "eighteen oh five"),
            (1887, "eighteen eighty-seven"),
            (2000, "two thousand"),
            (2005, "two thousand five"),
            (2010, "twenty ten"),
            (2026, "twenty twenty-six"),
        ];
        for (n, words) in cases {
            assert_eq!(year(n, And::Left), words);
        }
    }

    #[test]
    fn plurals_and_digits() {
        assert_eq!(plural("ninety"), "nineties");
        assert_eq!(plural("six"), "sixes");
        assert_eq!(plural("nineteen hundred"), "nineteen hundreds");
        assert_eq!(digits("007"), "zero zero seven");
    }
}
