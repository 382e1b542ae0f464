//! Taking segments out of a script so that everything else still fits together: what a hand or a broken splitter
//! would do that no check of segments can see.

use narrator_core::{Fate, Ledger, Script, Segment, SegmentId, SkipRule};

/// What the ledger has in the place of what is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InLedger {
    /// Nothing.
    Hole,
    /// That it was not selected.
    Lie,
}

/// Takes out the segments that `is_it` picks by themselves and their chapter's title, and gives them back. The
/// others are numbered anew, in script, chapters and ledger.
pub fn forget(
    script: &mut Script,
    ledger: &mut Ledger,
    in_ledger: InLedger,
    is_it: impl Fn(&Segment, &str) -> bool,
) -> Vec<Segment> {
    let picked = |segment: &Segment| is_it(segment, &script.chapters[segment.chapter as usize].title);
    let (gone, kept): (Vec<Segment>, Vec<Segment>) = script.segments.drain(..).partition(picked);
    let is_gone = |id: SegmentId| gone.iter().any(|segment| segment.id == id);
    let before = |id: u32| gone.iter().filter(|segment| segment.id.0 < id).count() as u32;
    for chapter in &mut script.chapters {
        // Ranges are of indices, from 0; numbers begin with 1.
        chapter.segments.start -= before(chapter.segments.start + 1);
        chapter.segments.end -= before(chapter.segments.end + 1);
    }
    if in_ledger == InLedger::Hole {
        ledger.entries.retain(|entry| !matches!(entry.fate, Fate::Spoken(id) if is_gone(id)));
    }
    for entry in &mut ledger.entries {
        if let Fate::Spoken(id) = entry.fate {
            entry.fate = if is_gone(id) {
                Fate::Skipped(SkipRule::NotSelected)
            } else {
                Fate::Spoken(SegmentId(id.0 - before(id.0)))
            };
        }
    }
    let renumber =
        |(index, segment): (usize, Segment)| Segment { id: SegmentId::from_index(index), ..segment };
    script.segments = kept.into_iter().enumerate().map(renumber).collect();
    gone
}
