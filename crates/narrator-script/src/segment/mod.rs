//! From a block's words to the stretches that are spoken in one go.
//!
//! [`units`] joins what cannot be parted (a word and its dash, `March 12, 1887` once it is one date),
//! [`split`] breaks a sentence that is too long, [`gather`] brings short ones together. All three are pure
//! and see one block at a time: nothing ever crosses a paragraph's end.

pub(crate) mod gather;
pub(crate) mod split;
pub(crate) mod units;

pub(crate) use gather::gather;
pub(crate) use units::{Unit, units};

/// Lengths in characters of any stretch of units, in constant time.
#[derive(Debug)]
pub(crate) struct Lengths {
    /// Characters before unit `i`, spaces included.
    before: Vec<u64>,
    space: Vec<u64>,
}

impl Lengths {
    pub(crate) fn of(units: &[Unit]) -> Self {
        let mut before = Vec::with_capacity(units.len() + 1);
        let mut sum = 0;
        for unit in units {
            before.push(sum);
            sum += unit.chars as u64 + u64::from(unit.space_before);
        }
        before.push(sum);
        Self { before, space: units.iter().map(|unit| u64::from(unit.space_before)).collect() }
    }

    /// Characters of the units `from..to`, spoken together; `from < to`.
    pub(crate) fn of_range(&self, from: usize, to: usize) -> u64 {
        self.before[to] - self.before[from] - self.space[from]
    }
}
