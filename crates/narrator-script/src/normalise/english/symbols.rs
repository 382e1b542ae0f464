//! Marks that are words: `&`, `%` and `+`, where they stand between words.

use crate::normalise::{Claim, View};

pub(crate) fn claim(view: &View<'_>, at: usize) -> Option<Claim> {
    let mark = view.mark(at)?;
    if mark == '&' {
        return Some(ampersand(view, at));
    }
    let before = at.checked_sub(1);
    let spaced_before = before.is_none_or(|before| view.is_space(before));
    let spaced_after = at + 1 >= view.lexemes.len() || view.is_space(at + 1);
    let between_digits = before.is_some_and(|it| view.digits(it).is_some()) && view.digits(at + 1).is_some();
    let alone = spaced_before && spaced_after;
    let said = match mark {
        '+' if alone || between_digits => "plus",
        '=' if alone || between_digits => "equals",
        '×' => "times",
        '÷' => "divided by",
        '±' => "plus or minus",
        '<' if alone => "less than",
        '>' if alone => "greater than",
        '@' if alone => "at",
        '%' => "percent",
        '°' => "degrees",
        '©' => "copyright",
        '√' => "square root of",
        '∞' => "infinity",
        '$' if alone => "dollars",
        '£' => "pounds",
        '€' => "euros",
        '²' if view.is_wordlike(before) => "squared",
        '³' if view.is_wordlike(before) => "cubed",
        '⁰' | '¹' | '²' | '³' | '⁴' | '⁵' | '⁶' | '⁷' | '⁸' | '⁹' => return None,
        _ => return None,
    };
    Some(Claim::new(1, spaced(view, at, said), "symbol"))
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
