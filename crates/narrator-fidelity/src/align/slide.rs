//! One place for each gap, where several cost the same.
//!
//! Of `a b c | a b c` with three words too many, any three neighbours may be called added; and a passage cut
//! from a text that says some of its words again may come out in two pieces with an equal word between them.
//! Each gap is slid to the left as far as its words allow, which gives equal damage equal places and joins
//! what was one cut. Costs do not change.

use super::table::{Op, OpKind};
use crate::words::Atom;

/// Right words between two gaps over which the first is slid to the right to join the second.
const ISLAND: usize = 4;

pub(crate) fn slide(ops: &mut [Op], written: &[Atom], said: &[Atom]) {
    for kind in [OpKind::Lost, OpKind::Added] {
        let side = if kind == OpKind::Lost { written } else { said };
        to_the_left(ops, kind, side);
        over_islands(ops, kind, side);
    }
}

/// How many atoms of the gap's side an op takes.
fn taken(op: &Op, kind: OpKind) -> usize {
    if kind == OpKind::Lost { op.written as usize } else { op.said as usize }
}

fn to_the_left(ops: &mut [Op], kind: OpKind, side: &[Atom]) {
    let (mut at, mut place) = (0, 0);
    while at < ops.len() {
        if ops[at].kind != kind {
            place += taken(&ops[at], kind);
            at += 1;
            continue;
        }
        let end = at + ops[at..].iter().take_while(|op| op.kind == kind).count();
        let after = place + end - at;
        let (mut first, mut first_place, mut last) = (at, place, end);
        while first > 0 {
            match ops[first - 1].kind {
                OpKind::Right
                    if side[first_place - 1].folded == side[first_place + last - first - 1].folded =>
                {
                    ops.swap(first - 1, last - 1);
                    (first, last) = (first - 1, last - 1);
                    first_place -= 1;
                }
                before if before == kind => {
                    first -= 1;
                    first_place -= 1;
                }
                _ => break,
            }
        }
        (at, place) = (end, after);
    }
}

/// Gap, a few right words, gap: one gap, where the first can go over the words.
fn over_islands(ops: &mut [Op], kind: OpKind, side: &[Atom]) {
    let (mut at, mut place) = (0, 0);
    while at < ops.len() {
        if ops[at].kind != kind {
            place += taken(&ops[at], kind);
            at += 1;
            continue;
        }
        let gap = ops[at..].iter().take_while(|op| op.kind == kind).count();
        let island = ops[at + gap..].iter().take_while(|op| op.kind == OpKind::Right).count();
        let joins = ops.get(at + gap + island).is_some_and(|op| op.kind == kind);
        let slides = (0..island).all(|step| side[place + step].folded == side[place + gap + step].folded);
        if joins && island <= ISLAND && slides {
            for step in 0..island {
                ops.swap(at + step, at + gap + step);
            }
            at += island;
            place += island;
        } else {
            at += gap;
            place += gap;
        }
    }
}
