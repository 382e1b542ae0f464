//! The dynamic programme itself.
//!
//! Time and memory are the product of both lengths, which is right for a segment and for a gap between
//! anchors of the audit; longer rows are the audit's to cut.

use super::Reason;
use super::moves::{self, MAX_ROW, Sounds};
use crate::words::Atom;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum OpKind {
    Right,
    Same(Reason),
    Changed(f32),
    Lost,
    Added,
}

/// One move: so many atoms of the text, so many heard.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Op {
    pub(crate) kind: OpKind,
    pub(crate) written: u32,
    pub(crate) said: u32,
}

#[derive(Clone, Copy)]
struct Cell {
    cost: f32,
    op: Op,
}

const START: Op = Op { kind: OpKind::Right, written: 0, said: 0 };

/// The cheapest moves from `written` to `said`, in order.
pub(crate) fn align_atoms(written: &[Atom], said: &[Atom]) -> Vec<Op> {
    // What is equal at both ends needs no table; it is most of a good take. A few atoms of it are left in,
    // so that a compound, a numeral or a repetition across the edge is still seen.
    let equal = |(one, other): &(&Atom, &Atom)| one.folded == other.folded;
    let right = |count: usize| std::iter::repeat_n(Op { kind: OpKind::Right, written: 1, said: 1 }, count);
    let before = written.iter().zip(said).take_while(equal).count();
    if before == written.len() && before == said.len() {
        return right(before).collect();
    }
    let before = before.saturating_sub(EDGE);
    let (written, said) = (&written[before..], &said[before..]);
    let after = written.iter().rev().zip(said.iter().rev()).take_while(equal).count().saturating_sub(EDGE);
    let mut table = Table::new(&written[..written.len() - after], &said[..said.len() - after]);
    table.fill();
    right(before).chain(table.trace()).chain(right(after)).collect()
}

/// Equal atoms that are left in the table at each end.
const EDGE: usize = 3;

struct Table<'a> {
    written: &'a [Atom],
    said: &'a [Atom],
    sounds: (Sounds, Sounds),
    cells: Vec<Cell>,
}

impl<'a> Table<'a> {
    fn new(written: &'a [Atom], said: &'a [Atom]) -> Self {
        let far = Cell { cost: f32::INFINITY, op: START };
        let mut cells = vec![far; (written.len() + 1) * (said.len() + 1)];
        cells[0].cost = 0.0;
        Self { written, said, sounds: (Sounds::of(written), Sounds::of(said)), cells }
    }

    fn index(&self, i: usize, j: usize) -> usize {
        i * (self.said.len() + 1) + j
    }

    /// Takes the move from (i, j) if it is the cheapest way to where it leads.
    fn relax(&mut self, i: usize, j: usize, cost: f32, op: Op) {
        let (to_i, to_j) = (i + op.written as usize, j + op.said as usize);
        if to_i > self.written.len() || to_j > self.said.len() {
            return;
        }
        let cost = self.cells[self.index(i, j)].cost + cost;
        let to = self.index(to_i, to_j);
        if cost < self.cells[to].cost {
            self.cells[to] = Cell { cost, op };
        }
    }

    fn fill(&mut self) {
        for i in 0..=self.written.len() {
            for j in 0..=self.said.len() {
                if self.cells[self.index(i, j)].cost.is_finite() {
                    self.moves_from(i, j);
                }
            }
        }
    }

    fn moves_from(&mut self, i: usize, j: usize) {
        let (written, said) = (self.written, self.said);
        if let Some(atom) = written.get(i) {
            self.relax(i, j, moves::gap(atom), Op { kind: OpKind::Lost, written: 1, said: 0 });
        }
        if let Some(atom) = said.get(j) {
            self.relax(i, j, moves::gap(atom), Op { kind: OpKind::Added, written: 0, said: 1 });
        }
        let (Some(one), Some(other)) = (written.get(i), said.get(j)) else { return };
        if let Some((cost, reason)) = moves::single(one, other) {
            let kind = reason.map_or(OpKind::Right, OpKind::Same);
            self.relax(i, j, cost, Op { kind, written: 1, said: 1 });
            return;
        }
        for (length, cost, reason) in moves::reading(other, &written[i..]) {
            self.relax(i, j, cost, Op { kind: OpKind::Same(reason), written: length as u32, said: 1 });
        }
        for (length, cost, reason) in moves::reading(one, &said[j..]) {
            self.relax(i, j, cost, Op { kind: OpKind::Same(reason), written: 1, said: length as u32 });
        }
        if let Some((cost, reason)) = moves::readings_meet(one, other) {
            self.relax(i, j, cost, Op { kind: OpKind::Same(reason), written: 1, said: 1 });
        }
        self.compounds_from(i, j);
        self.sounds_from(i, j);
    }

    fn compounds_from(&mut self, i: usize, j: usize) {
        let (written, said) = (self.written, self.said);
        // The one row must begin as the other does.
        if written[i].folded.as_bytes().first() != said[j].folded.as_bytes().first() {
            return;
        }
        for rows in 1..=MAX_ROW.min(written.len() - i) {
            for columns in 1..=MAX_ROW.min(said.len() - j) {
                if rows == columns {
                    continue;
                }
                if let Some(cost) = moves::compound(&written[i..i + rows], &said[j..j + columns]) {
                    let kind = OpKind::Same(Reason::Compound);
                    self.relax(i, j, cost, Op { kind, written: rows as u32, said: columns as u32 });
                }
            }
        }
    }

    fn sounds_from(&mut self, i: usize, j: usize) {
        for (rows, columns) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            if i + rows > self.written.len() || j + columns > self.said.len() {
                continue;
            }
            // Of a pair for a pair, one word that is the same leaves the other to be judged by itself.
            let same = |at: usize| self.written[i + at].folded == self.said[j + at].folded;
            if (rows, columns) == (2, 2) && (same(0) || same(1)) {
                continue;
            }
            let unlike = self.sounds.0.unlike(i, rows, &self.sounds.1, j, columns);
            let op = |kind| Op { kind, written: rows as u32, said: columns as u32 };
            if let Some(cost) = moves::homophone(unlike) {
                self.relax(i, j, cost, op(OpKind::Same(Reason::Homophone)));
            } else if rows != columns && unlike < LIKE_IN_ROWS {
                // `Mister Toad` heard as `mist a toad`: rows may be misheard as one, when they sound it.
                self.relax(i, j, ROWS_CHANGED + moves::changed(unlike), op(OpKind::Changed(unlike)));
            } else if (rows, columns) == (2, 2) && unlike < LIKE_IN_PAIRS {
                // `a Netherfield` heard as `another field`: a sound went over to the other word.
                self.relax(i, j, ROWS_CHANGED + moves::changed(unlike), op(OpKind::Changed(unlike)));
            } else if rows == 1 && columns == 1 {
                self.relax(i, j, moves::changed(unlike), op(OpKind::Changed(unlike)));
            }
        }
    }

    fn trace(&self) -> Vec<Op> {
        let mut ops = Vec::new();
        let (mut i, mut j) = (self.written.len(), self.said.len());
        while i > 0 || j > 0 {
            let op = self.cells[self.index(i, j)].op;
            i -= op.written as usize;
            j -= op.said as usize;
            ops.push(op);
        }
        ops.reverse();
        ops
    }
}

/// What a row misheard as another costs more than a word: no less than adding or losing the odd one.
const ROWS_CHANGED: f32 = 0.75;
/// Two words are one mishearing of two others only when hardly anything but the place is changed where they part.
const LIKE_IN_PAIRS: f32 = 0.13;
/// Above this, a row of words is not one mishearing of another row of another length.
const LIKE_IN_ROWS: f32 = 0.3;
