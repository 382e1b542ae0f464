//! Units: the smallest pieces of a block that may stand at either end of a segment.
//!
//! A unit is one token, or several that an edit put into words together, with the marks that belong to
//! it. Every unit has something in it that can be pronounced, so every segment has.

use std::ops::Range;

use crate::normalise::Edit;
use crate::sentences::is_opening;
use crate::source::{Source, is_pronounceable};

/// An edit inside a unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct UnitEdit {
    /// Bytes of [`Unit::spoken`] that it put there.
    pub(crate) at: Range<usize>,
    pub(crate) source: String,
    pub(crate) rule: &'static str,
    /// Indices into [`Source::tokens`].
    pub(crate) tokens: Range<usize>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Unit {
    /// Indices into [`Source::tokens`].
    pub(crate) tokens: Range<usize>,
    pub(crate) spoken: String,
    pub(crate) chars: usize,
    pub(crate) space_before: bool,
    pub(crate) edits: Vec<UnitEdit>,
    pub(crate) ends_sentence: bool,
}

/// The units of a block, in order and covering all its tokens; none when nothing in it can be pronounced.
///
/// `starts` are the tokens that begin a sentence. An edit whose words would not fit into a segment of
/// `max_chars` together with what it is bound to is left undone: a long number is better read by the
/// engine than refused.
pub(crate) fn units(source: &Source, edits: &[Edit], starts: &[usize], max_chars: usize) -> Vec<Unit> {
    let bound = bind(source, edits);
    let too_long = |unit: &Unit| unit.chars > max_chars && !unit.edits.is_empty();
    let units = if bound.iter().any(too_long) {
        let spoilt: Vec<Range<usize>> = bound.into_iter().filter(too_long).map(|unit| unit.tokens).collect();
        let is_spoilt = |token: usize| {
            let next = spoilt.partition_point(|tokens| tokens.end <= token);
            spoilt.get(next).is_some_and(|tokens| tokens.contains(&token))
        };
        let fits = |edit: &&Edit| !is_spoilt(source.token_at(edit.range.start)) || is_harmless(source, edit);
        let fitting: Vec<Edit> = edits.iter().filter(fits).cloned().collect();
        bind(source, &fitting)
    } else {
        bound
    };
    mark_sentences(source, units, starts)
}

/// Whether an edit makes nothing longer and ties nothing together: marks taken out, mostly.
fn is_harmless(source: &Source, edit: &Edit) -> bool {
    let one_token = source.token_at(edit.range.start) == source.token_at(last_byte(edit));
    one_token && edit.spoken.chars().count() <= source.text[edit.range.clone()].chars().count()
}

/// The last byte that an edit replaces, or the one behind which it adds.
fn last_byte(edit: &Edit) -> usize {
    edit.range.end.max(edit.range.start + 1) - 1
}

fn bind(source: &Source, edits: &[Edit]) -> Vec<Unit> {
    attach_marks(grouped(source, edits))
}

/// One unit for each token, or for each stretch of tokens that edits tie together.
fn grouped(source: &Source, edits: &[Edit]) -> Vec<Unit> {
    let mut units = Vec::with_capacity(source.tokens.len());
    let mut edits = edits.iter().peekable();
    let mut first = 0;
    while first < source.tokens.len() {
        let mut end = first + 1;
        let mut own = Vec::new();
        while let Some(edit) = edits.peek() {
            // An edit that only adds (a full stop after a heading) stands at a token's end.
            let starts_in = edit.range.start < source.tokens[end - 1].range.end
                || (edit.range.is_empty() && edit.range.start == source.tokens[end - 1].range.end);
            if !starts_in {
                break;
            }
            end = end.max(source.token_at(last_byte(edit)) + 1);
            own.extend(edits.next());
        }
        units.push(unit(source, first..end, &own));
        first = end;
    }
    units
}

fn unit(source: &Source, tokens: Range<usize>, edits: &[&Edit]) -> Unit {
    let start = source.tokens[tokens.start].range.start;
    let end = source.tokens[tokens.end - 1].range.end;
    let mut spoken = String::with_capacity(end - start);
    let mut own = Vec::with_capacity(edits.len());
    let mut at = start;
    for edit in edits {
        spoken.push_str(&source.text[at..edit.range.start]);
        let from = spoken.len();
        spoken.push_str(&edit.spoken);
        own.push(UnitEdit {
            at: from..spoken.len(),
            source: source.text[edit.range.clone()].to_owned(),
            rule: edit.rule,
            tokens: source.token_at(edit.range.start)..source.token_at(last_byte(edit)) + 1,
        });
        at = edit.range.end;
    }
    spoken.push_str(&source.text[at..end]);
    let space_before = source.tokens[tokens.start].space_before;
    let chars = spoken.chars().count();
    Unit { tokens, spoken, chars, space_before, edits: own, ends_sentence: false }
}

/// Gives every unit without sound to a neighbour: what opens to the next, the rest to the one before.
fn attach_marks(groups: Vec<Unit>) -> Vec<Unit> {
    let mut out: Vec<Unit> = Vec::with_capacity(groups.len());
    // Marks that wait for the unit they open.
    let mut waiting: Option<Unit> = None;
    let mut groups = groups.into_iter().peekable();
    while let Some(group) = groups.next() {
        if is_pronounceable(&group.spoken) {
            out.push(match waiting.take() {
                Some(marks) => joined(marks, group),
                None => group,
            });
            continue;
        }
        let glued_after = groups.peek().is_some_and(|next| !next.space_before);
        let goes_on = waiting.is_some()
            || out.is_empty()
            || (is_opening(&group.spoken) && groups.peek().is_some())
            || (group.space_before && glued_after);
        if goes_on {
            waiting = Some(match waiting.take() {
                Some(marks) => joined(marks, group),
                None => group,
            });
        } else if let Some(last) = out.pop() {
            out.push(joined(last, group));
        }
    }
    match (waiting, out.pop()) {
        (Some(marks), Some(last)) => out.push(joined(last, marks)),
        (None, Some(last)) => out.push(last),
        (_, None) => {}
    }
    out
}

fn joined(mut first: Unit, second: Unit) -> Unit {
    if second.space_before {
        first.spoken.push(' ');
        first.chars += 1;
    }
    let shift = first.spoken.len();
    first.spoken.push_str(&second.spoken);
    first.chars += second.chars;
    first.tokens.end = second.tokens.end;
    first.edits.extend(
        second
            .edits
            .into_iter()
            .map(|edit| UnitEdit { at: edit.at.start + shift..edit.at.end + shift, ..edit }),
    );
    first
}

/// Carries the sentence starts over to the units. A start that an edit swallowed was none.
fn mark_sentences(source: &Source, mut units: Vec<Unit>, starts: &[usize]) -> Vec<Unit> {
    let is_mark = |token: usize| !is_pronounceable(&source.text[source.tokens[token].range.clone()]);
    for &start in starts {
        let at = units.partition_point(|unit| unit.tokens.end <= start);
        let Some(unit) = units.get(at) else { continue };
        if (unit.tokens.start..start).all(is_mark) {
            if at > 0 {
                units[at - 1].ends_sentence = true;
            }
        } else if (start..unit.tokens.end).all(is_mark) {
            units[at].ends_sentence = true;
        }
    }
    if let Some(last) = units.last_mut() {
        last.ends_sentence = true;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tokens;

    fn edit(range: Range<usize>, spoken: &str) -> Edit {
        Edit { range, spoken: spoken.into(), rule: "test" }
    }

    fn spoken(text: &str, edits: &[Edit], max: usize) -> Vec<String> {
        units(&Source::of(&tokens(text)), edits, &[], max).into_iter().map(|unit| unit.spoken).collect()
    }

    #[test]
    fn marks_go_with_the_word_they_belong_to() {
        assert_eq!(spoken("one — two", &[], 99), ["one —", "two"]);
        assert_eq!(spoken("— Oui, dit-il.", &[], 99), ["— Oui,", "dit-il."]);
        assert_eq!(spoken("he said « Oui » twice", &[], 99), ["he", "said", "« Oui »", "twice"]);
    }

    #[test]
    fn an_edit_over_several_words_ties_them() {
        assert_eq!(spoken("on March 12, 1887 he", &[edit(3..17, "the day")], 99), ["on", "the day", "he"]);
    }

    #[test]
    fn an_edit_that_outgrows_a_segment_is_left_undone() {
        let long = "very ".repeat(20);
        assert_eq!(spoken("a 123 b", &[edit(2..5, &long)], 40), ["a", "123", "b"]);
        assert_eq!(spoken("a 1 2 b c", &[edit(2..5, &long), edit(6..7, "B")], 40), ["a", "1", "2", "B", "c"]);
    }

    #[test]
    fn an_edit_may_add_at_the_end() {
        assert_eq!(spoken("THE END", &[edit(7..7, ".")], 99), ["THE", "END."]);
    }
}
