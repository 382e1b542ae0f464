//! The account of a book: whether script and ledger together hold every word that was asked for.
//!
//! The proof is [`narrator_script::verify`]; a plan is not given out without it. Here it is held once more, against
//! the book's file, over what a job has: when a run ends and by `verify`. What is added is what no plan can know
//! of itself: that it left out no chapter which the person asked for, and where in the book a fault is.

use std::ops::Range;

use narrator_core::{Fate, Ledger, LedgerEntry, LedgerError, Manuscript, Script, SkipRule, Token};
use narrator_script::{ChapterSelection, ScriptError};

/// Words that a passage is known by.
const WORDS_SHOWN: usize = 8;

/// What the person asked for, from the book and their own words alone: an entry for each chapter that is not
/// selected. What a plan says of it is not asked.
pub fn wanted(manuscript: &Manuscript, selection: Option<&ChapterSelection>) -> Ledger {
    let Some(selection) = selection else { return Ledger::default() };
    let (mut entries, mut next) = (Vec::new(), 0_u32);
    for (number, chapter) in (1..).zip(&manuscript.chapters) {
        let first = next;
        next += chapter.blocks.iter().map(|block| block.tokens.len() as u32).sum::<u32>();
        let token = chapter.blocks.iter().flat_map(|block| &block.tokens).next();
        if let (false, Some(token)) = (selection.contains(number), token) {
            // A chapter may lie in several documents; its place is where it begins.
            let (tokens, span) = (first..next, token.span);
            entries.push(LedgerEntry { tokens, span, fate: Fate::Skipped(SkipRule::NotSelected) });
        }
    }
    Ledger { entries }
}

/// What is wrong with script and ledger, in a sentence that names the place; nothing when they account for all of
/// the book that is wanted.
pub fn fault(
    manuscript: &Manuscript,
    wanted: &Ledger,
    script: &Script,
    ledger: &Ledger,
    max_chars: u32,
) -> Option<String> {
    let proof = narrator_script::verify(manuscript, script, ledger, max_chars);
    let (what, tokens) = if let Err(error) = proof {
        (sentence(&error), tokens_of(&error, script))
    } else {
        let tokens = left_out(wanted, ledger)?;
        ("text that was asked for is left out as not selected".to_owned(), Some(tokens))
    };
    let place = tokens.and_then(|tokens| place(manuscript, &tokens));
    Some(place.map_or_else(|| what.clone(), |place| format!("{what}; {place}")))
}

/// Without the request to report it: the files may as well have been changed by hand.
fn sentence(error: &ScriptError) -> String {
    match error {
        ScriptError::Ledger(error) => error.to_string(),
        ScriptError::Segment { segment, reason } => format!("segment {segment} is wrong: {reason}"),
        ScriptError::Script { reason } => reason.clone(),
        other => other.to_string(),
    }
}

fn tokens_of(error: &ScriptError, script: &Script) -> Option<Range<u32>> {
    let one = |at: u32| at..at + 1;
    match error {
        ScriptError::Ledger(LedgerError::Gap { from, to }) => Some(*from..*to),
        ScriptError::Ledger(LedgerError::Length { source_tokens, .. }) => {
            Some(one(source_tokens.saturating_sub(1)))
        }
        ScriptError::Ledger(
            LedgerError::Overlap { at }
            | LedgerError::Order { at, .. }
            | LedgerError::Rule { at, .. }
            | LedgerError::Place { at },
        ) => Some(one(*at)),
        ScriptError::Segment { segment, .. } if segment.0 > 0 => {
            script.segment(*segment).map(|it| it.tokens.clone())
        }
        _ => None,
    }
}

/// The first tokens that the ledger leaves out as not selected though they are.
fn left_out(wanted: &Ledger, ledger: &Ledger) -> Option<Range<u32>> {
    let not_selected = |entry: &&LedgerEntry| entry.fate == Fate::Skipped(SkipRule::NotSelected);
    let unwanted: Vec<Range<u32>> = wanted.entries.iter().map(|entry| entry.tokens.clone()).collect();
    ledger.entries.iter().filter(not_selected).find_map(|entry| {
        let Range { mut start, end } = entry.tokens.clone();
        for range in &unwanted {
            if range.contains(&start) {
                start = range.end;
            }
        }
        let behind = unwanted.iter().map(|range| range.start).find(|from| *from > start);
        (start < end).then(|| start..end.min(behind.unwrap_or(end)))
    })
}

/// Chapter, document and byte of these tokens, and their first words.
fn place(manuscript: &Manuscript, tokens: &Range<u32>) -> Option<String> {
    let mut next = 0_u32;
    for chapter in &manuscript.chapters {
        let own: Vec<&Token> = chapter.blocks.iter().flat_map(|block| &block.tokens).collect();
        let first = next;
        next += own.len() as u32;
        if !(first..next).contains(&tokens.start) {
            continue;
        }
        let from = (tokens.start - first) as usize;
        let to = ((tokens.end.min(next) - first) as usize).max(from + 1);
        let passage = &own[from..to];
        let span = passage.first()?.span;
        let document = manuscript.documents.get(usize::from(span.doc.0)).map_or("", |it| &it.path);
        let mut words: Vec<&str> = passage.iter().take(WORDS_SHOWN).map(|it| it.text.as_str()).collect();
        if passage.len() > WORDS_SHOWN {
            words.push("…");
        }
        let (title, words) = (&chapter.title, words.join(" "));
        return Some(format!("in “{title}” ({document}, byte {}): “{words}”", span.start));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use narrator_core::SpeechSettings;
    use narrator_core::settings::ScriptSettings;
    use narrator_script::{Lexicon, Plan};

    const BOOK: &str = "# One\n\nThe lamp was lit before they came.\n\n# Two\n\nA storm rose over the hills.\n\n\
        # Three\n\nThe bridge held until the morning.\n";

    fn planned(chapters: Option<&str>) -> (Manuscript, Plan, Ledger) {
        let manuscript = narrator_book::read_bytes("book.md", BOOK.as_bytes()).unwrap();
        let selection: Option<ChapterSelection> = chapters.map(|given| given.parse().unwrap());
        let speech = SpeechSettings {
            engine: "starter".into(),
            model_hash: "00".into(),
            voice: "tone".into(),
            language: "en".into(),
            speed: 1.0,
            seed: 1,
        };
        let settings = ScriptSettings::default();
        let lexicon = Lexicon::default();
        let plan =
            narrator_script::plan(&manuscript, &settings, &speech, &lexicon, selection.as_ref()).unwrap();
        let wanted = wanted(&manuscript, selection.as_ref());
        (manuscript, plan, wanted)
    }

    fn found(manuscript: &Manuscript, plan: &Plan, wanted: &Ledger) -> Option<String> {
        fault(manuscript, wanted, &plan.script, &plan.ledger, ScriptSettings::default().max_chars)
    }

    #[test]
    fn a_sound_plan_accounts_for_what_was_asked_for() {
        for chapters in [None, Some("2"), Some("1,3")] {
            let (manuscript, plan, wanted) = planned(chapters);
            assert_eq!(found(&manuscript, &plan, &wanted), None, "{chapters:?}");
        }
    }

    #[test]
    fn a_hole_in_the_ledger_is_named_with_chapter_and_place() {
        let (manuscript, mut plan, wanted) = planned(None);
        let at =
            plan.ledger.entries.iter().position(|entry| matches!(entry.fate, Fate::Spoken(id) if id.0 == 4));
        plan.ledger.entries.remove(at.unwrap());
        let found = found(&manuscript, &plan, &wanted).unwrap();
        assert!(found.contains("have no fate"), "{found}");
        assert!(
            found.contains("in “Two” (book.md, byte ") && found.contains("“A storm rose over"),
            "{found}"
        );
    }

    #[test]
    fn a_chapter_that_was_asked_for_cannot_be_left_out_as_not_selected() {
        let (manuscript, plan, _) = planned(Some("1,3"));
        let all = wanted(&manuscript, None);
        let found = found(&manuscript, &plan, &all).unwrap();
        assert!(found.contains("not selected") && found.contains("in “Two”"), "{found}");
    }
}
