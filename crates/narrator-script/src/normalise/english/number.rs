//! Numbers as they are written: grouped, decimal, mixed with a fraction, or a range of two.

use super::speller::{And, cardinal, digits, year};
use crate::normalise::{Claim, View};

/// Longer rows of digits are no quantity that anybody would say as one.
const MAX_DIGITS: usize = 15;

/// A number on the page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Number<'a> {
    /// How many lexemes it takes.
    pub(crate) lexemes: usize,
    /// The whole part's digits without separators.
    pub(crate) digits: String,
    pub(crate) grouped: bool,
    /// Digits after the decimal point.
    pub(crate) decimals: Option<&'a str>,
}

impl<'a> Number<'a> {
    /// The number that begins with lexeme `at`: `7`, `1,234,567`, `3.14`, `.5`.
    pub(crate) fn at(view: &View<'a>, at: usize) -> Option<Self> {
        if view.is_mark(at, '.') {
            let decimals = view.digits(at + 1)?;
            return Some(Self {
                lexemes: 2,
                digits: String::new(),
                grouped: false,
                decimals: Some(decimals),
            });
        }
        let first = view.digits(at)?;
        let mut number = Self { lexemes: 1, digits: first.to_owned(), grouped: false, decimals: None };
        while first.len() <= 3
            && view.is_mark(at + number.lexemes, ',')
            && view.digits(at + number.lexemes + 1).is_some_and(|group| group.len() == 3)
        {
            number.digits.push_str(view.digits(at + number.lexemes + 1)?);
            number.lexemes += 2;
            number.grouped = true;
        }
        let point = at + number.lexemes;
        let further = view.is_mark(point + 2, '.') && view.digits(point + 3).is_some();
        if let Some(decimals) = view.digits(point + 1).filter(|_| view.is_mark(point, '.') && !further) {
            number.decimals = Some(decimals);
            number.lexemes += 2;
        }
        Some(number)
    }

    /// Its value, when it is whole and a quantity: not `007`, which is read digit by digit.
    pub(crate) fn whole(&self) -> Option<u64> {
        let is_quantity = self.digits == "0" || !self.digits.starts_with('0');
        if self.decimals.is_some() || !is_quantity || self.digits.len() > MAX_DIGITS {
            return None;
        }
        self.digits.parse().ok()
    }

    /// Four digits without separator, in the time that books are about.
    pub(crate) fn year(&self) -> Option<u64> {
        self.whole().filter(|n| !self.grouped && self.digits.len() == 4 && (1000..2100).contains(n))
    }

    pub(crate) fn is_one(&self) -> bool {
        self.whole() == Some(1)
    }

    pub(crate) fn words(&self, and: And) -> String {
        let whole = match self.digits.as_str() {
            "" => String::new(),
            "0" => "zero".to_owned(),
            all if (all.starts_with('0') && self.decimals.is_none()) || all.len() > MAX_DIGITS => digits(all),
            all => all.parse().map_or_else(|_| digits(all), |n| cardinal(n, and)),
        };
        match self.decimals {
            Some(decimals) => format!("{whole} point {}", digits(decimals)).trim_start().to_owned(),
            None => whole,
        }
    }
}

/// A mark between two numbers that are not one: `[0,59]`, and the hyphen before a year in `1003.1-2017`. Said without a
/// rest, the one runs into the other: one twenty seventeen is heard as a hundred and twenty-seven.
pub(crate) fn claim_between(view: &View<'_>, at: usize) -> Option<Claim> {
    view.digits(at.checked_sub(1)?)?;
    let next = Number::at(view, at + 1).filter(|_| view.digits(at + 1).is_some())?;
    let parts = match view.mark(at)? {
        ',' => true,
        '-' => next.year().is_some() && !view.is_mark(at + 1 + next.lexemes, '-'),
        _ => false,
    };
    parts.then(|| Claim::new(1, ",", "between-numbers"))
}

/// Vulgar fractions with their numerators and denominators.
const VULGAR: [(char, u64, u64); 18] = [
    ('½', 1, 2),
    ('⅓', 1, 3),
    ('⅔', 2, 3),
    ('¼', 1, 4),
    ('¾', 3, 4),
    ('⅕', 1, 5),
    ('⅖', 2, 5),
    ('⅗', 3, 5),
    ('⅘', 4, 5),
    ('⅙', 1, 6),
    ('⅚', 5, 6),
    ('⅐', 1, 7),
    ('⅛', 1, 8),
    ('⅜', 3, 8),
    ('⅝', 5, 8),
    ('⅞', 7, 8),
    ('⅑', 1, 9),
    ('⅒', 1, 10),
];

/// A fraction: its lexemes, numerator and denominator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fraction {
    pub(crate) lexemes: usize,
    pub(crate) numerator: u64,
    pub(crate) denominator: u64,
}

impl Fraction {
    /// `½`, or `3/4` when it is below one and of a size that people halve and quarter things in.
    pub(crate) fn at(view: &View<'_>, at: usize) -> Option<Self> {
        if let Some(mark) = view.mark(at) {
            let &(_, numerator, denominator) = VULGAR.iter().find(|(c, ..)| *c == mark)?;
            return Some(Self { lexemes: 1, numerator, denominator });
        }
        let numerator: u64 = view.digits(at)?.parse().ok()?;
        let slash = view.is_mark(at + 1, '/') || view.is_mark(at + 1, '⁄');
        let denominator: u64 = view.digits(at + 2).filter(|_| slash)?.parse().ok()?;
        let goes_on = ['/', '⁄', '-'].iter().any(|&mark| view.is_mark(at + 3, mark));
        let usual = matches!(denominator, 2..=10 | 12 | 16 | 20 | 32 | 64 | 100);
        (usual && numerator > 0 && numerator < denominator && !goes_on).then_some(Self {
            lexemes: 3,
            numerator,
            denominator,
        })
    }

    pub(crate) fn words(self, and: And) -> String {
        let of = cardinal(self.numerator, and);
        format!("{of} {}", self.part(and))
    }

    /// After a whole number: two and a half, two and three quarters.
    pub(crate) fn words_after_whole(self, and: And) -> String {
        if self.numerator == 1 {
            let article = if self.denominator == 8 { "an" } else { "a" };
            return format!("and {article} {}", self.part(and));
        }
        format!("and {}", self.words(and))
    }

    fn part(self, and: And) -> String {
        let one = match self.denominator {
            2 => "half".to_owned(),
            4 => "quarter".to_owned(),
            n => super::speller::ordinal(n, and),
        };
        if self.numerator == 1 { one } else { format!("{one}s") }
    }
}

/// What stands before a unit: a number, one with a fraction, or a range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Quantity {
    pub(crate) lexemes: usize,
    pub(crate) words: String,
    pub(crate) is_one: bool,
    pub(crate) rule: &'static str,
}

impl Quantity {
    pub(crate) fn at(view: &View<'_>, at: usize, and: And) -> Option<Self> {
        if let Some(fraction) = Fraction::at(view, at) {
            let words = match view.word_after(at + fraction.lexemes - 1) {
                Some("a" | "an") if fraction.denominator == 2 => "half".to_owned(),
                _ => fraction.words(and),
            };
            return Some(Self { lexemes: fraction.lexemes, words, is_one: true, rule: "fraction" });
        }
        let number = Number::at(view, at)?;
        let end = at + number.lexemes;
        if number.whole().is_some() {
            let gap = usize::from(view.is_space(end));
            let glued_slash = gap == 0 && view.digits(end).is_some();
            if let Some(fraction) = Fraction::at(view, end + gap).filter(|_| !glued_slash) {
                return Some(Self {
                    lexemes: number.lexemes + gap + fraction.lexemes,
                    words: format!("{} {}", number.words(and), fraction.words_after_whole(and)),
                    is_one: false,
                    rule: "fraction",
                });
            }
        }
        if let Some(range) = Self::range(view, at, &number, and) {
            return Some(range);
        }
        let rule = match (&number.decimals, number.whole()) {
            (Some(_), _) => "decimal",
            (None, Some(_)) => "cardinal",
            (None, None) => "digits",
        };
        Some(Self { lexemes: number.lexemes, words: number.words(and), is_one: number.is_one(), rule })
    }

    /// `5–10`, `1914–18`, `1,000-2,000`: rising, or the second shortened.
    fn range(view: &View<'_>, at: usize, first: &Number<'_>, and: And) -> Option<Self> {
        let dash = at + first.lexemes;
        let is_dash = match view.mark(dash)? {
            '–' | '‒' | '-' | '‑' => true,
            '—' => first.year().is_some(),
            _ => false,
        };
        let second = Number::at(view, dash + 1).filter(|_| is_dash && view.digits(dash + 1).is_some())?;
        let end = dash + 1 + second.lexemes;
        let chained = ['–', '-', '/', ':']
            .iter()
            .any(|&mark| view.is_mark(end, mark) && view.digits(end + 1).is_some());
        let before = at.checked_sub(1).and_then(|before| view.mark(before));
        if chained || matches!(before, Some('–' | '-' | '/' | ':' | '+' | '.')) {
            return None;
        }
        if let Some(words) = padded_range(first, &second, and) {
            return Some(Self {
                lexemes: first.lexemes + 1 + second.lexemes,
                words,
                is_one: false,
                rule: "range",
            });
        }
        let (from, to) = (first.whole()?, second.whole()?);
        let shortened = second.digits.len() < first.digits.len()
            && first.digits[first.digits.len() - second.digits.len()..] < *second.digits;
        if from >= to && !shortened {
            return None;
        }
        let years = first.year().is_some()
            && (second.year().is_some() || (shortened && second.digits.len() == 2))
            && !super::context::counts_things(view, end - 1);
        let say = |number: &Number<'_>, n: u64| match number.year() {
            Some(n) if years => year(n, and),
            _ => cardinal(n, and),
        };
        let words = format!("{} to {}", say(first, from), say(&second, to));
        let rule = if years { "year-range" } else { "range" };
        Some(Self { lexemes: first.lexemes + 1 + second.lexemes, words, is_one: false, rule })
    }
}

/// `00-59`: figures of one width, filled up with zeros, rising.
fn padded_range(first: &Number<'_>, second: &Number<'_>, and: And) -> Option<String> {
    let plain = |number: &Number<'_>| number.decimals.is_none() && !number.grouped;
    let padded = first.digits.len() > 1 && first.digits.starts_with('0');
    let rises = first.digits.len() == second.digits.len() && first.digits < second.digits;
    (plain(first) && plain(second) && padded && rises)
        .then(|| format!("{} to {}", first.words(and), second.words(and)))
}
