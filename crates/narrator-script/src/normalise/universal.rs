//! Rules that hold in every language: marks of plain-text typography and invisible characters.

use narrator_core::BlockKind;

use super::lexeme::Kind;
use super::{Claim, Edit, View};
use crate::source::{is_invisible, is_vanishing};

/// Marks that show on the page, or do not, and that no voice can say.
pub(crate) fn claim(view: &View<'_>, at: usize) -> Option<Claim> {
    let lexeme = &view.lexemes[at];
    match lexeme.kind {
        Kind::Mark => match lexeme.text.chars().next()? {
            '_' | '*' => Some(emphasis(view, at)),
            c if is_invisible(c) => Some(Claim::new(1, "", "invisible")),
            _ => None,
        },
        Kind::Space => space_in_token(view, at),
        _ => None,
    }
}

/// White space inside a token, which an ingester should not leave there: one space, and none at an edge.
fn space_in_token(view: &View<'_>, at: usize) -> Option<Claim> {
    let lexeme = &view.lexemes[at];
    let token = &view.source.tokens[view.source.token_at(lexeme.start)];
    let inside = token.range.start <= lexeme.start && lexeme.end() <= token.range.end;
    let vanishes = |range: std::ops::Range<usize>| {
        view.source.text.get(range).is_some_and(|text| text.chars().all(is_vanishing))
    };
    let at_edge = vanishes(token.range.start..lexeme.start) || vanishes(lexeme.end()..token.range.end);
    match (inside, at_edge) {
        (true, true) => Some(Claim::new(1, "", "space")),
        (true, false) if lexeme.text != " " => Some(Claim::new(1, " ", "space")),
        _ => None,
    }
}

/// `_so_` and `*so*`, as plain-text books mark italics: the marks go, and part two words that only they
/// parted.
fn emphasis(view: &View<'_>, at: usize) -> Claim {
    let mark = |lexeme: &&super::Lexeme<'_>| lexeme.text == "_" || lexeme.text == "*";
    let count = view.lexemes[at..].iter().take_while(mark).count();
    let inside = view.is_wordlike(at.checked_sub(1))
        && view.is_wordlike(Some(at + count))
        && !view.is_token_edge(view.lexemes[at].start)
        && !view.is_token_edge(view.lexemes[at + count - 1].end());
    Claim::new(count, if inside { " " } else { "" }, "emphasis")
}

/// A full stop after a block that ends in a word: without it a voice does not fall, and a model may not
/// stop. A line of verse runs on and gets a comma.
pub(crate) fn final_stop(view: &View<'_>, language: &str) -> Option<Edit> {
    let core = view.source.text.trim_end_matches(['”', '’', '"', '\'', '»', ')', ']', '_', '*']);
    if !core.chars().next_back().is_some_and(char::is_alphanumeric) {
        return None;
    }
    let mark = match (view.kind, language) {
        (BlockKind::Verse, "ja" | "zh" | "yue") => "、",
        (BlockKind::Verse, _) => ",",
        (_, "ja" | "zh" | "yue") => "。",
        (_, "hi" | "bn" | "pa" | "mr") => "।",
        _ => ".",
    };
    let end = view.source.text.len();
    Some(Edit { range: end..end, spoken: mark.to_owned(), rule: "final-stop" })
}
