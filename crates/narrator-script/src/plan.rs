//! The plan: a manuscript's script and the ledger that accounts for all of its text.
//!
//! Pure and deterministic: the same manuscript, settings and lexicon give the same plan, byte for byte.
//! Chapter titles that stand only in the table of contents are not spoken; a heading in the text is.

use std::ops::Range;

use narrator_core::settings::{Pauses, ScriptSettings};
use narrator_core::{
    Block, BlockKind, ContentKey, Fate, Ledger, LedgerEntry, Manuscript, Replacement, Script, ScriptChapter,
    Segment, SegmentId, SegmentKind, SkipRule, SpeechSettings, Token,
};

use crate::error::ScriptError;
use crate::lexicon::Lexicon;
use crate::normalise;
use crate::segment::split::{Breath, breath_after};
use crate::segment::{Unit, gather, units};
use crate::selection::ChapterSelection;
use crate::sentences::sentence_starts;
use crate::source::Source;
use crate::verify::verify;

/// Below this a segment could not hold a long word with its punctuation.
const MAX_CHARS_FLOOR: u32 = 40;
/// Above this no engine that narratord knows keeps its voice: the speech models drift well before.
const MAX_CHARS_CEILING: u32 = 2000;

/// What will be spoken, and what became of every word of the book.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    pub script: Script,
    pub ledger: Ledger,
}

/// Plans a manuscript, and proves the plan before it is given out: a script that would lose, double or
/// move a word is an error of kind [`Broken`](crate::ErrorKind::Broken), never a plan.
///
/// [`Script::chapters`] has a chapter for each of the manuscript's, in order; those without spoken text,
/// or not selected, have no segments.
pub fn plan(
    manuscript: &Manuscript,
    settings: &ScriptSettings,
    speech: &SpeechSettings,
    lexicon: &Lexicon,
    selection: Option<&ChapterSelection>,
) -> Result<Plan, ScriptError> {
    check_settings(settings)?;
    if let Some(selection) = selection {
        selection.check(manuscript.chapters.len() as u32)?;
    }
    let language = &manuscript.metadata.language;
    let mut planner =
        Planner { settings, speech, lexicon, language, segments: Vec::new(), fates: Vec::new() };
    let mut chapters = Vec::with_capacity(manuscript.chapters.len());
    for (index, chapter) in manuscript.chapters.iter().enumerate() {
        let first = planner.segments.len() as u32;
        if selection.is_some_and(|selection| !selection.contains(index as u32 + 1)) {
            let tokens = chapter.blocks.iter().map(|block| block.tokens.len()).sum();
            planner.skip(tokens, SkipRule::NotSelected);
        } else {
            for block in &chapter.blocks {
                planner.block(index as u32, block);
            }
            planner.end_chapter(first as usize);
        }
        chapters.push(ScriptChapter {
            title: chapter.title.clone(),
            segments: first..planner.segments.len() as u32,
        });
    }
    if planner.segments.is_empty() {
        let what = match selection {
            Some(selection) => format!("the chapters {selection}"),
            None => "this book".to_owned(),
        };
        return Err(ScriptError::NothingToSpeak { what });
    }
    let ledger = ledger(manuscript, &planner.fates);
    let script = Script { chapters, segments: planner.segments };
    verify(manuscript, &script, &ledger, settings.max_chars)?;
    Ok(Plan { script, ledger })
}

fn check_settings(settings: &ScriptSettings) -> Result<(), ScriptError> {
    let max = settings.max_chars;
    if !(MAX_CHARS_FLOOR..=MAX_CHARS_CEILING).contains(&max) {
        let reason = format!("it must lie between {MAX_CHARS_FLOOR} and {MAX_CHARS_CEILING}");
        return Err(ScriptError::Setting { name: "max_chars", value: max, reason });
    }
    if settings.min_chars > max {
        let reason = format!("it must not be more than max_chars, which is {max}");
        return Err(ScriptError::Setting { name: "min_chars", value: settings.min_chars, reason });
    }
    Ok(())
}

struct Planner<'a> {
    settings: &'a ScriptSettings,
    speech: &'a SpeechSettings,
    lexicon: &'a Lexicon,
    language: &'a str,
    segments: Vec<Segment>,
    /// The fate of each token so far, in manuscript order.
    fates: Vec<Fate>,
}

impl Planner<'_> {
    fn skip(&mut self, tokens: usize, rule: SkipRule) {
        self.fates.resize(self.fates.len() + tokens, Fate::Skipped(rule));
    }

    fn block(&mut self, chapter: u32, block: &Block) {
        // The block's first token in the manuscript.
        let base = self.fates.len();
        let unspoken = |token: &Token| Fate::Skipped(token.skip.unwrap_or(SkipRule::NoSpeech));
        self.fates.extend(block.tokens.iter().map(unspoken));

        let source = Source::of(&block.tokens);
        let starts = sentence_starts(&source, self.language);
        let edits = normalise::edits(&source, &starts, block.kind, self.language, self.lexicon);
        let units = units(&source, &edits, &starts, self.settings.max_chars as usize);
        let ranges = gather(&units, self.settings.min_chars.into(), self.settings.max_chars.into());
        let count = ranges.len();
        for (number, range) in ranges.into_iter().enumerate() {
            let id = SegmentId::from_index(self.segments.len());
            let (Some(first), Some(last)) = (units.get(range.start), units.get(range.end - 1)) else {
                continue;
            };
            let spoken = &source.tokens[first.tokens.start..last.tokens.end];
            for token in spoken {
                self.fates[base + token.index] = Fate::Spoken(id);
            }
            let pause = if number + 1 == count {
                block_pause(block.kind, &self.settings.pauses)
            } else {
                inner_pause(last, units.get(range.end), &self.settings.pauses)
            };
            let (text, replaced) = spoken_text(&units[range], |tokens| global(base, &source, tokens));
            let tokens = global(base, &source, first.tokens.start..last.tokens.end);
            let local = tokens.start as usize - base..tokens.end as usize - base;
            self.segments.push(Segment {
                id,
                chapter,
                kind: match block.kind {
                    BlockKind::Heading(_) => SegmentKind::Heading,
                    _ => SegmentKind::Prose,
                },
                span: block.tokens[local.start].span.to(block.tokens[local.end - 1].span),
                tokens,
                replaced,
                pause_after_ms: pause,
                voice: self.speech.voice.clone(),
                key: ContentKey::of(&text, self.speech),
                text,
            });
        }
    }

    fn end_chapter(&mut self, first: usize) {
        if let Some(last) = self.segments[first..].last_mut() {
            last.pause_after_ms = self.settings.pauses.chapter_ms;
        }
    }
}

/// Source tokens as token indices of the manuscript.
fn global(base: usize, source: &Source, tokens: Range<usize>) -> Range<u32> {
    let first = source.tokens[tokens.start].index;
    let last = source.tokens[tokens.end - 1].index;
    (base + first) as u32..(base + last + 1) as u32
}

/// The units' text as one, with its replacements.
fn spoken_text(units: &[Unit], global: impl Fn(Range<usize>) -> Range<u32>) -> (String, Vec<Replacement>) {
    let mut text = String::new();
    let mut replaced = Vec::new();
    for unit in units {
        if unit.space_before && !text.is_empty() {
            text.push(' ');
        }
        let shift = text.len();
        text.push_str(&unit.spoken);
        replaced.extend(unit.edits.iter().map(|edit| Replacement {
            rule: edit.rule.to_owned(),
            tokens: global(edit.tokens.clone()),
            source: edit.source.clone(),
            spoken: unit.spoken[edit.at.clone()].to_owned(),
            at: (shift + edit.at.start) as u32..(shift + edit.at.end) as u32,
        }));
    }
    (text, replaced)
}

/// The pause after the last segment of a block.
fn block_pause(kind: BlockKind, pauses: &Pauses) -> u32 {
    match kind {
        BlockKind::Heading(_) => pauses.heading_ms,
        // A line of verse is a clause of its stanza.
        BlockKind::Verse => pauses.sentence_ms,
        _ => pauses.paragraph_ms,
    }
}

/// The pause between two segments of one block; none where a sentence had to be cut between two words.
fn inner_pause(last: &Unit, next: Option<&Unit>, pauses: &Pauses) -> u32 {
    match breath_after(last, next) {
        Breath::Stop => pauses.sentence_ms,
        Breath::Clause | Breath::Comma => pauses.clause_ms,
        Breath::Conjunction | Breath::None => 0,
    }
}

/// The fates as runs of neighbours in one document.
fn ledger(manuscript: &Manuscript, fates: &[Fate]) -> Ledger {
    let mut entries: Vec<LedgerEntry> = Vec::new();
    for (index, (token, &fate)) in manuscript.tokens().zip(fates).enumerate() {
        match entries.last_mut() {
            Some(last) if last.fate == fate && last.span.doc == token.span.doc => {
                last.tokens.end = index as u32 + 1;
                last.span = last.span.to(token.span);
            }
            _ => entries.push(LedgerEntry { tokens: index as u32..index as u32 + 1, span: token.span, fate }),
        }
    }
    Ledger { entries }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{book, speech};

    fn planned(chapters: &[&[(BlockKind, &str)]], selection: Option<&str>) -> Result<Plan, ScriptError> {
        let selection = selection.map(|given| given.parse().unwrap());
        plan(
            &book("en", chapters),
            &ScriptSettings::default(),
            &speech(),
            &Lexicon::default(),
            selection.as_ref(),
        )
    }

    fn lines(plan: &Plan) -> Vec<String> {
        plan.script
            .segments
            .iter()
            .map(|s| format!("{}.{} {:?} {:?} {}", s.chapter, s.id, s.kind, s.text, s.pause_after_ms))
            .collect()
    }

    #[test]
    fn headings_paragraphs_and_chapters_have_their_pauses() {
        let plan = planned(
            &[
                &[
                    (BlockKind::Heading(1), "The Trap: A “Quoted” Title"),
                    (BlockKind::Paragraph, "It was a bright cold day in April, and the clocks were striking. He ran home as fast as his short legs would go."),
                    (BlockKind::Paragraph, "* * *"),
                    (BlockKind::Paragraph, "No."),
                ],
                &[],
                &[(BlockKind::Heading(2), "7"), (BlockKind::TableRow, "Name Age")],
            ],
            None,
        )
        .unwrap();
        insta::assert_debug_snapshot!(lines(&plan));
        let (spoken, skipped) = plan.ledger.counts();
        assert_eq!((spoken, skipped.into_iter().collect::<Vec<_>>()), (33, vec![(SkipRule::NoSpeech, 3)]));
    }

    /// The three lost pages: what a splitter by pattern stumbles over is said in full.
    #[test]
    fn the_trap_of_three_pages() {
        let plan = planned(
            &[
                &[
                    (BlockKind::Heading(1), "Book II: The Return"),
                    (BlockKind::Heading(2), "CHAPTER 7: “WHO WAS IT?”"),
                    (BlockKind::Paragraph, "He came."),
                ],
                &[(BlockKind::Heading(1), "1984")],
                &[],
                &[(BlockKind::Heading(1), "XII")],
                &[
                    (BlockKind::Heading(1), "* * *"),
                    (BlockKind::TableRow, "1. | Anna | £5"),
                    (BlockKind::TableRow, "2. | Ben | £10"),
                ],
                &[
                    (BlockKind::Heading(1), "NOTES"),
                    (BlockKind::Note, "1 See p. 45, n. 3: “No.”"),
                    (BlockKind::Caption, "Fig. 2: The house"),
                    (BlockKind::Verse, "Tyger Tyger, burning bright"),
                ],
            ],
            None,
        )
        .unwrap();
        insta::assert_debug_snapshot!(lines(&plan));
        assert_eq!(
            plan.script.chapters.iter().map(|it| it.segments.len()).collect::<Vec<_>>(),
            [3, 1, 0, 1, 2, 4]
        );
    }

    /// A paragraph of a whole book's length is planned in the time that its length asks for.
    #[test]
    fn a_very_long_paragraph_is_no_trap_either() {
        let sentences =
            "The quick brown fox (so it is said) jumped over; “the dog” slept at 5 p.m. on 12 March. "
                .repeat(600);
        let words = "word ".repeat(6000);
        let unspaced = "a,1-".repeat(10_000);
        let plan = planned(
            &[
                &[(BlockKind::Paragraph, &sentences)],
                &[(BlockKind::Paragraph, &words), (BlockKind::Paragraph, &unspaced)],
            ],
            None,
        )
        .unwrap();
        let longest =
            plan.script.segments.iter().map(|segment| segment.text.len()).filter(|&length| length > 500);
        assert_eq!(longest.collect::<Vec<_>>(), [unspaced.len()]);
    }

    #[test]
    fn chapters_not_selected_are_in_the_ledger_as_such() {
        let chapters: &[&[_]] = &[&[(BlockKind::Paragraph, "One two.")], &[(BlockKind::Paragraph, "Three.")]];
        let plan = planned(chapters, Some("2")).unwrap();
        assert_eq!(plan.script.chapters[0].segments, 0..0);
        assert_eq!(plan.script.chapters[1].segments, 0..1);
        assert_eq!(plan.ledger.entries[0].fate, Fate::Skipped(SkipRule::NotSelected));
        assert_eq!(plan.script.segments[0].chapter, 1);
        assert!(matches!(
            planned(chapters, Some("3")),
            Err(ScriptError::NoSuchChapter { number: 3, last: 2 })
        ));
    }

    #[test]
    fn a_book_without_a_word_is_refused() {
        let error = planned(&[&[(BlockKind::Paragraph, "* * *")]], None).unwrap_err();
        assert_eq!(error.to_string(), "there is nothing to speak in this book");
        let error = planned(&[&[(BlockKind::Paragraph, "A.")], &[]], Some("2")).unwrap_err();
        assert_eq!(error.to_string(), "there is nothing to speak in the chapters 2");
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let with = |min_chars, max_chars| {
            let settings = ScriptSettings { min_chars, max_chars, ..ScriptSettings::default() };
            let manuscript = book("en", &[&[(BlockKind::Paragraph, "A.")]]);
            plan(&manuscript, &settings, &speech(), &Lexicon::default(), None).unwrap_err().to_string()
        };
        insta::assert_snapshot!(with(1, 10), @"script.max_chars = 10 cannot be used: it must lie between 40 and 2000");
        insta::assert_snapshot!(with(90, 80), @"script.min_chars = 90 cannot be used: it must not be more than max_chars, which is 80");
    }
}
