//! `narratord` with a broken splitter: it leaves text out of the script, without the proof that would refuse such
//! a plan.
//!
//! `NARRATOR_FORGETS` is a part of the text of the segments that fall out, or `chapter:` and a part of a chapter's
//! title. `NARRATOR_LEDGER` says what the ledger has in their place: `hole`, nothing; `lie`, that they were not
//! selected.

use std::process::ExitCode;

use narrator_core::settings::ScriptSettings;
use narrator_core::{Manuscript, SpeechSettings};
use narrator_script::{ChapterSelection, Lexicon, Plan, ScriptError};
use narrator_tests::forget::{InLedger, forget};

fn main() -> ExitCode {
    narratord::run_command_line_with(forgetful)
}

fn forgetful(
    manuscript: &Manuscript,
    settings: &ScriptSettings,
    speech: &SpeechSettings,
    lexicon: &Lexicon,
    selection: Option<&ChapterSelection>,
) -> Result<Plan, ScriptError> {
    let mut plan = narrator_script::plan(manuscript, settings, speech, lexicon, selection)?;
    let what = std::env::var("NARRATOR_FORGETS").expect("NARRATOR_FORGETS");
    let in_ledger = match std::env::var("NARRATOR_LEDGER").expect("NARRATOR_LEDGER").as_str() {
        "hole" => InLedger::Hole,
        _ => InLedger::Lie,
    };
    let forgotten = forget(&mut plan.script, &mut plan.ledger, in_ledger, |segment, title| {
        match what.strip_prefix("chapter:") {
            Some(part) => title.contains(part),
            None => segment.text.contains(&what),
        }
    });
    assert!(!forgotten.is_empty(), "nothing in the book is {what}");
    Ok(plan)
}
