//! The proof that a script says the book: every word once, in order, and nothing else but what a rule
//! with a name put there.
//!
//! It uses none of the code that made the script. From a segment's text it takes every replacement back;
//! what is left must be, byte for byte, the page: the texts of exactly those tokens that the ledger says
//! the segment speaks. `plan` runs it on every script before giving it out, and a stored script can be
//! held against its book with it at any time.

use std::collections::BTreeMap;

use narrator_core::{ContentKey, Fate, Ledger, Manuscript, Script, Segment, SkipRule, SpeechSettings, Token};

use crate::error::ScriptError;

/// Proves `script` and `ledger` against the manuscript. A segment may be longer than `max_chars` only
/// when it is one single word.
pub fn verify(
    manuscript: &Manuscript,
    script: &Script,
    ledger: &Ledger,
    max_chars: u32,
) -> Result<(), ScriptError> {
    ledger.check(manuscript)?;
    let tokens: Vec<&Token> = manuscript.tokens().collect();
    let fates = fates(ledger);
    verify_skips(&tokens, &fates)?;
    verify_chapters(manuscript, script)?;
    let spoken = spoken_by_segment(&fates);
    if let Some(stray) = spoken.keys().find(|&&id| id == 0 || id as usize > script.segments.len()) {
        return Err(ScriptError::Script {
            reason: format!("the ledger names a segment {stray} that is not there"),
        });
    }
    for (index, segment) in script.segments.iter().enumerate() {
        let own = spoken.get(&(index as u32 + 1)).map_or(&[][..], Vec::as_slice);
        verify_segment(segment, index, own, &tokens, &fates, max_chars)
            .map_err(|reason| ScriptError::Segment { segment: segment.id, reason })?;
    }
    Ok(())
}

/// Proves that every content key is the key of its text under `speech`.
pub fn verify_keys(script: &Script, speech: &SpeechSettings) -> Result<(), ScriptError> {
    for segment in &script.segments {
        if segment.key != ContentKey::of(&segment.text, speech) {
            let reason = "its content key is not the key of its text".to_owned();
            return Err(ScriptError::Segment { segment: segment.id, reason });
        }
    }
    Ok(())
}

fn fates(ledger: &Ledger) -> Vec<Fate> {
    ledger.entries.iter().flat_map(|entry| entry.tokens.clone().map(|_| entry.fate)).collect()
}

/// Only what has no letter and no digit may be left out for having no sound.
fn verify_skips(tokens: &[&Token], fates: &[Fate]) -> Result<(), ScriptError> {
    for (index, (token, fate)) in tokens.iter().zip(fates).enumerate() {
        let silent = !token.text.chars().any(char::is_alphanumeric);
        if *fate == Fate::Skipped(SkipRule::NoSpeech) && token.skip.is_none() && !silent {
            let reason =
                format!("token {index}, {:?}, is skipped as if it could not be pronounced", token.text);
            return Err(ScriptError::Script { reason });
        }
    }
    Ok(())
}

/// Chapters are the manuscript's, and their segments follow each other without a gap.
fn verify_chapters(manuscript: &Manuscript, script: &Script) -> Result<(), ScriptError> {
    let titles = script.chapters.iter().map(|chapter| &chapter.title);
    if !titles.eq(manuscript.chapters.iter().map(|chapter| &chapter.title)) {
        return Err(ScriptError::Script { reason: "its chapters are not the book's".to_owned() });
    }
    let mut next_segment = 0;
    let mut next_token = 0;
    for (index, (chapter, source)) in script.chapters.iter().zip(&manuscript.chapters).enumerate() {
        let end_token = next_token + source.blocks.iter().map(|block| block.tokens.len() as u32).sum::<u32>();
        let own = script.segments.get(chapter.segments.start as usize..chapter.segments.end as usize);
        let fits = chapter.segments.start == next_segment
            && own.is_some_and(|own| {
                own.iter().all(|segment| {
                    segment.chapter as usize == index
                        && segment.tokens.start >= next_token
                        && segment.tokens.end <= end_token
                })
            });
        if !fits {
            let reason = format!("the segments of chapter {} are not in their place", index + 1);
            return Err(ScriptError::Script { reason });
        }
        next_segment = chapter.segments.end;
        next_token = end_token;
    }
    if next_segment as usize != script.segments.len() {
        return Err(ScriptError::Script { reason: "a segment is in no chapter".to_owned() });
    }
    Ok(())
}

/// Token indices that each segment speaks, by segment number.
fn spoken_by_segment(fates: &[Fate]) -> BTreeMap<u32, Vec<usize>> {
    let mut spoken: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, fate) in fates.iter().enumerate() {
        if let Fate::Spoken(segment) = fate {
            spoken.entry(segment.0).or_default().push(index);
        }
    }
    spoken
}

fn verify_segment(
    segment: &Segment,
    index: usize,
    own: &[usize],
    tokens: &[&Token],
    fates: &[Fate],
    max_chars: u32,
) -> Result<(), String> {
    if segment.id.index() != index || segment.id.0 == 0 {
        return Err(format!("it stands at place {}", index + 1));
    }
    let (Some(&first), Some(&last)) = (own.first(), own.last()) else {
        return Err("the ledger gives it no word".to_owned());
    };
    if segment.tokens != (first as u32..last as u32 + 1) {
        return Err(format!("its tokens are {:?}, the ledger says {first}..{}", segment.tokens, last + 1));
    }
    let (start, end) = (tokens[first].span, tokens[last].span);
    if start.doc != end.doc || segment.span != start.to(end) {
        return Err("its span is not that of its tokens".to_owned());
    }
    if segment.text.trim() != segment.text || !segment.text.chars().any(char::is_alphanumeric) {
        return Err(format!("there is nothing to say in {:?}, or space around it", segment.text));
    }
    let words = own.iter().filter(|&&at| tokens[at].text.chars().any(char::is_alphanumeric)).count();
    let chars = segment.text.chars().count();
    if chars > max_chars as usize && words > 1 {
        return Err(format!("it has {chars} characters, more than {max_chars}"));
    }
    let said = taken_back(segment)?;
    let page = page(own, tokens, fates);
    if said != page {
        return Err(format!("it says {said:?} where the page has {page:?}"));
    }
    Ok(())
}

/// The segment's text with every replacement undone.
fn taken_back(segment: &Segment) -> Result<String, String> {
    let mut text = segment.text.clone();
    let mut limit = text.len();
    for edit in segment.replaced.iter().rev() {
        let range = edit.at.start as usize..edit.at.end as usize;
        if range.end > limit || text.get(range.clone()) != Some(edit.spoken.as_str()) {
            return Err(format!("the rule {:?} did not leave {:?} where it says", edit.rule, edit.spoken));
        }
        let has_sound = |text: &str| text.chars().any(char::is_alphanumeric);
        if edit.rule.is_empty() || (has_sound(&edit.source) && !has_sound(&edit.spoken)) {
            return Err(format!("the rule {:?} silenced {:?}", edit.rule, edit.source));
        }
        if edit.tokens.start < segment.tokens.start || edit.tokens.end > segment.tokens.end {
            return Err(format!("the rule {:?} reached outside the segment", edit.rule));
        }
        limit = range.start;
        text.replace_range(range, &edit.source);
    }
    Ok(text)
}

/// The page as the tokens have it. Between two of them stands a space where the source has white space,
/// and where an ornament without sound was left out.
fn page(own: &[usize], tokens: &[&Token], fates: &[Fate]) -> String {
    let mut page = String::new();
    let mut before = None;
    for &at in own {
        if let Some(before) = before {
            let dropped =
                |i: usize| fates[i] == Fate::Skipped(SkipRule::NoSpeech) && tokens[i].skip.is_none();
            if (before + 1..=at).any(|i| tokens[i].space_before || dropped(i)) {
                page.push(' ');
            }
        }
        page.push_str(&tokens[at].text);
        before = Some(at);
    }
    page
}
