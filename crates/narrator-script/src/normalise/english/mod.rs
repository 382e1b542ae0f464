//! English.
//!
//! Rules are asked in a fixed order at every lexeme, the more particular before the more general: a date
//! before a time, a time before a number, an abbreviation before a word in capitals. Where a reading
//! cannot be known from the page (12/3/1887 without a country, `St.` between two names) the rule takes
//! the one that cannot mislead, or leaves the text to the engine.

mod abbreviations;
mod capitals;
mod context;
mod date;
mod money;
mod number;
mod quantity;
mod roman;
mod speller;
mod symbols;
#[cfg(test)]
mod tests;
mod time;
mod unit;
mod web;

use super::lexeme::Kind;
use super::{Claim, View};
pub(crate) use abbreviations::wants_more;
use speller::And;

/// English as one country speaks it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct English {
    pub(crate) and: And,
    /// Whether 12/3 is the twelfth of March, the third of December, or nobody knows.
    pub(crate) day_first: Option<bool>,
}

impl English {
    pub(crate) fn for_language(language: &str) -> Option<Self> {
        if crate::sentences::primary_subtag(language) != "en" {
            return None;
        }
        let region = language.rsplit(['-', '_']).next().unwrap_or_default();
        Some(match region.to_ascii_uppercase().as_str() {
            "US" => Self { and: And::Left, day_first: Some(false) },
            "GB" | "AU" | "NZ" | "IE" | "IN" | "ZA" => Self { and: And::Spoken, day_first: Some(true) },
            _ => Self { and: And::Left, day_first: None },
        })
    }

    /// What English says for the text at lexeme `at`.
    pub(crate) fn claim(self, view: &View<'_>, at: usize) -> Option<Claim> {
        let claim = match view.lexemes[at].kind {
            Kind::Word => web::claim(view, at)
                .or_else(|| web::claim_path_part(view, at))
                .or_else(|| money::claim_foreign_dollars(self, view, at))
                .or_else(|| time::claim_meridian(view, at))
                .or_else(|| roman::claim(self, view, at))
                .or_else(|| abbreviations::claim(view, at))
                .or_else(|| symbols::claim_greek(view, at))
                .or_else(|| capitals::claim(view, at)),
            Kind::Digits => date::claim(self, view, at)
                .or_else(|| time::claim(self, view, at))
                .or_else(|| quantity::claim_phone(view, at))
                .or_else(|| quantity::claim(self, view, at)),
            Kind::Mark => money::claim(self, view, at)
                .or_else(|| quantity::claim_marked(self, view, at))
                .or_else(|| number::claim_between(view, at))
                .or_else(|| symbols::claim(view, at)),
            Kind::Space => None,
        };
        claim.map(|claim| apart(view, at, claim))
    }
}

/// Words put in for a number must not run together with a letter beside it: `B12`, `4x4`. A comma stands on the left.
fn apart(view: &View<'_>, at: usize, mut claim: Claim) -> Claim {
    let end = at + claim.lexemes;
    let (Some(first), Some(last)) = (view.lexemes.get(at), view.lexemes.get(end - 1)) else { return claim };
    let is_comma = claim.spoken == ",";
    if view.is_wordlike(at.checked_sub(1)) && !view.is_token_edge(first.start) && !is_comma {
        claim.spoken.insert(0, ' ');
    }
    if view.is_wordlike(Some(end)) && !view.is_token_edge(last.end()) {
        claim.spoken.push(' ');
    }
    claim
}
