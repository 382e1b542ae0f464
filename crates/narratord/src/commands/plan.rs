//! `narratord plan`: what would be spoken, and what is skipped under which rule.

use std::collections::BTreeMap;

use narrator_core::{Ledger, Metadata, Script, ScriptChapter, Segment, SkipRule};
use serde::{Deserialize, Serialize};

use crate::cli::PlanArgs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::home::Home;
use crate::models::Wanted;
use crate::planning::{self, Planned};
use crate::{config, models, output};

/// Characters spoken a second, for an estimate before anything is spoken: the middle of what the starter
/// voice and published narrators do.
const CHARACTERS_A_SECOND: f64 = 15.0;

#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    metadata: &'a Metadata,
    chapters: Vec<ChapterRow<'a>>,
    segments: &'a [Segment],
    tokens: Tokens,
    estimated_audio_s: f64,
}

#[derive(Debug, Serialize)]
struct ChapterRow<'a> {
    number: usize,
    title: &'a str,
    segments: u32,
    characters: u64,
    estimated_audio_s: f64,
}

/// What became of the book's tokens: the ledger in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tokens {
    pub total: u32,
    pub spoken: u32,
    pub skipped: BTreeMap<SkipRule, u32>,
}

impl Tokens {
    pub fn of(ledger: &Ledger) -> Self {
        let (spoken, skipped) = ledger.counts();
        Self { total: spoken + skipped.values().sum::<u32>(), spoken, skipped }
    }

    /// `1,234 words of the book: 1,200 spoken, 34 skipped (20 navigation, 14 head)`.
    pub fn line(&self) -> String {
        let mut line = format!(
            "{} words of the book: {} spoken",
            output::count(self.total.into()),
            output::count(self.spoken.into())
        );
        let skipped: u32 = self.skipped.values().sum();
        if skipped > 0 {
            let rules: Vec<String> = self
                .skipped
                .iter()
                .map(|(rule, n)| format!("{} {}", output::count((*n).into()), rule_name(*rule)))
                .collect();
            line.push_str(&format!(", {} skipped ({})", output::count(skipped.into()), rules.join(", ")));
        }
        line
    }
}

fn rule_name(rule: SkipRule) -> String {
    serde_json::to_value(rule).ok().and_then(|name| name.as_str().map(str::to_string)).unwrap_or_default()
}

pub fn plan(args: &PlanArgs) -> Result<Exit, Failure> {
    let settings = config::for_book(&args.book)?;
    // A plan can be looked at before any model is installed; a model that was named must be there.
    let named = args.book.model.is_some() || args.book.voice.is_some();
    let wanted = Wanted {
        model: settings.speech.model.as_deref(),
        voice: settings.speech.voice.as_deref(),
        before: None,
    };
    let model = match models::choose(&Home::find(), wanted) {
        Ok(model) => Some(model),
        Err(failure) if named => return Err(failure),
        Err(_) => None,
    };
    let planned = planning::plan(&args.book, &settings, model.as_ref())?;
    let shown = shown(&planned);
    if args.json {
        output::json(&shown);
    } else {
        print(&shown);
    }
    Ok(Exit::Done)
}

fn shown(planned: &Planned) -> Shown<'_> {
    let Script { chapters, segments } = &planned.plan.script;
    let row = |(index, chapter): (usize, &'_ ScriptChapter)| {
        let range = chapter.segments.start as usize..chapter.segments.end as usize;
        let seconds: f64 = segments[range.clone()].iter().map(estimated_seconds).sum();
        let characters = segments[range].iter().map(|segment| segment.text.chars().count() as u64).sum();
        (index + 1, chapter.segments.end - chapter.segments.start, characters, seconds)
    };
    let chapters: Vec<ChapterRow<'_>> = chapters
        .iter()
        .enumerate()
        .map(|(index, chapter)| {
            let (number, segments, characters, estimated_audio_s) = row((index, chapter));
            ChapterRow { number, title: &chapter.title, segments, characters, estimated_audio_s }
        })
        .collect();
    Shown {
        metadata: &planned.manuscript.metadata,
        estimated_audio_s: chapters.iter().map(|chapter| chapter.estimated_audio_s).sum(),
        chapters,
        segments,
        tokens: Tokens::of(&planned.plan.ledger),
    }
}

/// Length of a segment before it is spoken, its pause included.
pub fn estimated_seconds(segment: &Segment) -> f64 {
    segment.text.chars().count() as f64 / CHARACTERS_A_SECOND + f64::from(segment.pause_after_ms) / 1000.0
}

fn print(shown: &Shown<'_>) {
    let authors = shown.metadata.authors.join(", ");
    let by = if authors.is_empty() { String::new() } else { format!(", by {authors}") };
    output::data(format_args!("{}{by} ({})", shown.metadata.title, shown.metadata.language));
    for chapter in &shown.chapters {
        output::data(format_args!(
            "{:>4}  {:<48} {:>6} segments  {:>8}",
            chapter.number,
            shorten(chapter.title, 48),
            output::count(chapter.segments.into()),
            output::duration(chapter.estimated_audio_s)
        ));
    }
    output::data(format_args!(
        "{} segments, about {} of audio",
        output::count(shown.segments.len() as u64),
        output::duration(shown.estimated_audio_s)
    ));
    output::data(shown.tokens.line());
}

fn shorten(title: &str, chars: usize) -> String {
    if title.chars().count() <= chars {
        return title.to_string();
    }
    title.chars().take(chars - 1).chain(['…']).collect()
}
