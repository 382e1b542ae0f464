//! From moves over atoms to edits over words, with times, and what was said twice.

use narrator_core::HeardWord;

use super::{Edit, EditKind, Op, OpKind};
use crate::words::Atom;

pub(crate) fn edits(ops: &[Op], written: &[Atom], said: &[Atom], heard: &[HeardWord]) -> Vec<Edit> {
    let (mut i, mut j) = (0, 0);
    let mut edits = Vec::with_capacity(ops.len());
    for op in ops {
        let kind = match op.kind {
            OpKind::Right => EditKind::Right,
            OpKind::Same(reason) => EditKind::Same { reason },
            OpKind::Changed(unlike) => EditKind::Changed { unlike },
            OpKind::Lost => EditKind::Lost,
            OpKind::Added => EditKind::Added,
        };
        let text = word_range(written, i, op.written as usize);
        let words = word_range(said, j, op.said as usize);
        let (start_ms, end_ms) = times(heard, &words);
        edits.push(Edit { kind, text, heard: words, start_ms, end_ms });
        i += op.written as usize;
        j += op.said as usize;
    }
    edits
}

/// The words of `count` atoms from `at`; an empty range at the right place when there are none.
fn word_range(atoms: &[Atom], at: usize, count: usize) -> std::ops::Range<u32> {
    let row = &atoms[at..at + count];
    if let (Some(first), Some(last)) = (row.first(), row.last()) {
        return first.word..last.last_word + 1;
    }
    let here = at.checked_sub(1).map_or(0, |before| atoms[before].last_word + 1);
    here..here
}

fn times(heard: &[HeardWord], words: &std::ops::Range<u32>) -> (u32, u32) {
    let at = |index: u32| heard.get(index as usize);
    if words.is_empty() {
        let start = words.start.checked_sub(1).and_then(at).map_or(0, |word| word.end_ms);
        let end = at(words.start).map_or(start, |word| word.start_ms);
        return (start, end.max(start));
    }
    let start = at(words.start).map_or(0, |word| word.start_ms);
    (start, at(words.end - 1).map_or(start, |word| word.end_ms))
}

/// Turns runs of added words that say again what stands right before or after them into repeats.
pub(crate) fn find_repeats(edits: &mut [Edit], ops: &[Op], written: &[Atom], said: &[Atom]) {
    let mut runs = Vec::new();
    let (mut i, mut j) = (0, 0);
    let mut at = 0;
    while at < ops.len() {
        if ops[at].kind == OpKind::Added {
            let (first, from) = (at, j);
            while at < ops.len() && ops[at].kind == OpKind::Added {
                j += 1;
                at += 1;
            }
            runs.push((first..at, i, from..j));
        } else {
            i += ops[at].written as usize;
            j += ops[at].said as usize;
            at += 1;
        }
    }
    for (ops, text_at, said_at) in runs {
        let run = &said[said_at];
        let before = text_at >= run.len() && rows_equal(run, &written[text_at - run.len()..text_at]);
        let after = rows_equal(run, written.get(text_at..text_at + run.len()).unwrap_or_default());
        if before || after {
            edits[ops].iter_mut().for_each(|edit| edit.kind = EditKind::Repeated);
        }
    }
}

fn rows_equal(one: &[Atom], other: &[Atom]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.canon == other.canon)
}
