//! Marks that are words: `&`, `%` and `+` where they stand between words, letters that are symbols, and digits off
//! the line.

use super::speller::{And, cardinal, digits};
use crate::normalise::{Claim, View};

pub(crate) fn claim(view: &View<'_>, at: usize) -> Option<Claim> {
    let mark = view.mark(at)?;
    if mark == '&' {
        return Some(ampersand(view, at));
    }
    let before = at.checked_sub(1);
    let spaced_before = before.is_none_or(|before| view.is_space(before));
    let spaced_after = at + 1 >= view.lexemes.len() || view.is_space(at + 1);
    let follows_digits = before.is_some_and(|it| view.digits(it).is_some());
    let between_digits = follows_digits && view.digits(at + 1).is_some();
    let next_is_small = view.mark(at + 1).and_then(small_digit).is_some();
    let alone = spaced_before && spaced_after;
    let compares =
        !view.is_wordlike(before) && (!view.is_wordlike(Some(at + 2)) || view.digits(at + 2).is_some());
    if let Some(said) = comparison(mark, view.mark(at + 1)).filter(|_| compares) {
        return Some(Claim::new(2, spaced(view, at, said), "symbol"));
    }
    let said = match mark {
        '+' if alone || between_digits => "plus",
        '=' if alone || between_digits || quoted(view, at) => "equals",
        '×' => "times",
        '÷' => "divided by",
        '±' => "plus or minus",
        '≤' => LESS_OR_EQUAL,
        '≥' => GREATER_OR_EQUAL,
        '≠' => "is not equal to",
        '≈' => "is about",
        '<' if alone || quoted(view, at) => "less than",
        '>' if alone || quoted(view, at) => "greater than",
        '@' if alone => "at",
        '%' => "percent",
        '°' => "degrees",
        '©' => "copyright",
        '√' => "square root of",
        '∞' => "infinity",
        '$' if alone => "dollars",
        '£' => "pounds",
        '€' => "euros",
        '²' if follows_digits && !next_is_small => "squared",
        '³' if follows_digits && !next_is_small => "cubed",
        _ => return small_digits(view, at),
    };
    Some(Claim::new(1, spaced(view, at, said), "symbol"))
}

const LESS_OR_EQUAL: &str = "less than or equal to";
const GREATER_OR_EQUAL: &str = "greater than or equal to";

/// Whether a mark stands in quotes, as one that is spoken of does.
fn quoted(view: &View<'_>, at: usize) -> bool {
    let is = |at: Option<usize>, quotes: &str| {
        at.and_then(|at| view.mark(at)).is_some_and(|mark| quotes.contains(mark))
    };
    is(at.checked_sub(1), "“‘\"'`") && is(Some(at + 1), "”’\"'`")
}

/// Comparisons of two marks: `>= 1.5`.
fn comparison(first: char, second: Option<char>) -> Option<&'static str> {
    match (first, second?) {
        ('<', '=') => Some(LESS_OR_EQUAL),
        ('>', '=') => Some(GREATER_OR_EQUAL),
        ('!', '=') => Some("not equal to"),
        ('=', '=') => Some("equals"),
        ('<', '<') => Some("less than less than"),
        ('>', '>') => Some("greater than greater than"),
        _ => None,
    }
}

/// A Greek letter by itself is a symbol, and English says its name.
pub(crate) fn claim_greek(view: &View<'_>, at: usize) -> Option<Claim> {
    const SMALL: &str = "αβγδεζηθικλμνξοπρστυφχψω";
    const NAMES: [&str; 24] = [
        "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda",
        "mu", "nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
    ];
    let mut letters = view.word(at)?.chars();
    let letter = letters.next().filter(|_| letters.next().is_none())?.to_lowercase().next()?;
    let name = NAMES[SMALL.chars().position(|it| it == letter)?];
    Some(Claim::new(1, name, "symbol"))
}

/// Digits above or below the line, and in circles: `H₂O`, `10⁶`, `①`.
fn small_digits(view: &View<'_>, at: usize) -> Option<Claim> {
    if let Some(circled) = view.mark(at).filter(|mark| ('①'..='⑳').contains(mark)) {
        let n = u64::from(circled as u32 - '①' as u32 + 1);
        return Some(Claim::new(1, cardinal(n, And::Left), "small-digits"));
    }
    let row: String = (at..).map_while(|it| view.mark(it).and_then(small_digit)).collect();
    let n: u64 = row.parse().ok()?;
    let said = if row.len() > 1 && row.starts_with('0') { digits(&row) } else { cardinal(n, And::Left) };
    Some(Claim::new(row.chars().count(), said, "small-digits"))
}

fn small_digit(c: char) -> Option<char> {
    let above = "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|digit| digit == c);
    let below = "₀₁₂₃₄₅₆₇₈₉".chars().position(|digit| digit == c);
    above.or(below).and_then(|n| char::from_digit(n as u32, 10))
}

/// `&c.` and `&`; a sentence keeps its end.
fn ampersand(view: &View<'_>, at: usize) -> Claim {
    if matches!(view.word(at + 1), Some("c" | "C")) {
        let dot = usize::from(view.is_mark(at + 2, '.') && !view.ends_sentence(at + 2));
        return Claim::new(2 + dot, spaced(view, at, "et cetera"), "abbreviation");
    }
    Claim::new(1, spaced(view, at, "and"), "symbol")
}

/// With a space towards a word that the mark touches; the rest is done for every claim.
fn spaced(view: &View<'_>, at: usize, said: &str) -> String {
    let closing = |it: usize| matches!(view.mark(it), Some(')' | '”' | '"' | '.'));
    let touches = at.checked_sub(1).is_some_and(closing) && !view.is_token_edge(view.lexemes[at].start);
    if touches { format!(" {said}") } else { said.to_owned() }
}
