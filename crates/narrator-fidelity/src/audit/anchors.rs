//! Anchors: where the book and the audio are the same beyond doubt.
//!
//! Rows of words that are in each exactly once are matched, and the longest series of them that rises on
//! both sides is kept (patience). Between two anchors the same is done again with shorter rows, unique in
//! that gap; what is left is small, or has nothing in common. Time and memory are linear in the book, but
//! for the last gaps.

use std::collections::HashMap;
use std::ops::Range;

use super::split;

/// A stretch that is equal on both sides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Block {
    pub(super) book: usize,
    pub(super) heard: usize,
    pub(super) length: usize,
}

/// Lengths of the rows, from the surest down.
const ROWS: [usize; 4] = [7, 4, 3, 2];
/// Gaps with no more cells than this are for the full alignment; below it, rows of two are no surer than
/// its costs.
pub(super) const SMALL: usize = 6_000;

/// Equal stretches of `book` and `heard`, rising on both sides, as far as anchors go.
pub(super) fn blocks(book: &[u32], heard: &[u32]) -> Vec<Block> {
    let mut blocks = Vec::new();
    within(book, heard, 0..book.len(), 0..heard.len(), 0, &mut blocks);
    merge(blocks)
}

fn within(
    book: &[u32],
    heard: &[u32],
    own: Range<usize>,
    other: Range<usize>,
    level: usize,
    blocks: &mut Vec<Block>,
) {
    if own.is_empty() || other.is_empty() {
        return;
    }
    if level > 0 && own.len() * other.len() <= SMALL {
        return;
    }
    let Some(&row) = ROWS.get(level) else {
        split::blocks(&book[own.clone()], &heard[other.clone()], own.start, other.start, blocks);
        return;
    };
    let found = unique(&book[own.clone()], &heard[other.clone()], row);
    let chain = rising(&found);
    let (mut from_own, mut from_other) = (own.start, other.start);
    for (at, to) in chain {
        let (at, to) = (own.start + at, other.start + to);
        if at < from_own || to < from_other {
            // Inside the last anchor, which was grown over it.
            continue;
        }
        let block = grow(book, heard, at, to, row, from_own..own.end, from_other..other.end);
        within(book, heard, from_own..block.book, from_other..block.heard, level + 1, blocks);
        from_own = block.book + block.length;
        from_other = block.heard + block.length;
        blocks.push(block);
    }
    within(book, heard, from_own..own.end, from_other..other.end, level + 1, blocks);
}

/// Rows that stand exactly once on each side, by their place in the book.
fn unique(book: &[u32], heard: &[u32], row: usize) -> Vec<(usize, usize)> {
    let mut places: HashMap<&[u32], (u32, usize, u32, usize)> = HashMap::new();
    for (at, words) in book.windows(row).enumerate() {
        let entry = places.entry(words).or_default();
        (entry.0, entry.1) = (entry.0 + 1, at);
    }
    for (at, words) in heard.windows(row).enumerate() {
        if let Some(entry) = places.get_mut(words) {
            (entry.2, entry.3) = (entry.2 + 1, at);
        }
    }
    let mut found: Vec<(usize, usize)> = places
        .into_values()
        .filter(|(in_book, _, in_heard, _)| (*in_book, *in_heard) == (1, 1))
        .map(|(_, at, _, to)| (at, to))
        .collect();
    found.sort_unstable();
    found
}

/// The longest series that rises on the second side too.
fn rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // For each length, the pair with the smallest end; and for each pair, the one before it.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; pairs.len()];
    for (index, (_, to)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|&end| pairs[end].1 < *to);
        before[index] = length.checked_sub(1).map(|shorter| ends[shorter]);
        if length == ends.len() { ends.push(index) } else { ends[length] = index }
    }
    let mut chain = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(index) = next {
        chain.push(pairs[index]);
        next = before[index];
    }
    chain.reverse();
    chain
}

fn grow(
    book: &[u32],
    heard: &[u32],
    at: usize,
    to: usize,
    row: usize,
    own: Range<usize>,
    other: Range<usize>,
) -> Block {
    let back =
        (1..=(at - own.start).min(to - other.start)).take_while(|n| book[at - n] == heard[to - n]).count();
    let room = (own.end - at).min(other.end - to);
    let on = (row..room).take_while(|n| book[at + n] == heard[to + n]).count();
    Block { book: at - back, heard: to - back, length: back + row + on }
}

/// In order, those that touch as one.
fn merge(mut blocks: Vec<Block>) -> Vec<Block> {
    blocks.sort_unstable_by_key(|block| block.book);
    let mut merged: Vec<Block> = Vec::with_capacity(blocks.len());
    for block in blocks {
        match merged.last_mut() {
            Some(last)
                if last.book + last.length == block.book && last.heard + last.length == block.heard =>
            {
                last.length += block.length;
            }
            _ => merged.push(block),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn blocks_are_equal_and_rise(
            book in prop::collection::vec(0_u32..40, 0..600),
            cuts in prop::collection::vec((0_usize..600, 0_usize..30), 0..4),
        ) {
            let mut heard = book.clone();
            for (at, length) in cuts {
                let at = at.min(heard.len());
                let end = (at + length).min(heard.len());
                heard.drain(at..end);
            }
            let blocks = blocks(&book, &heard);
            let (mut at, mut to) = (0, 0);
            for block in blocks {
                prop_assert!(block.book >= at && block.heard >= to);
                prop_assert!(block.length > 0);
                at = block.book + block.length;
                to = block.heard + block.length;
                prop_assert_eq!(&book[block.book..at], &heard[block.heard..to]);
            }
        }
    }

    #[test]
    fn the_longest_rising_series_is_found() {
        assert_eq!(rising(&[(0, 5), (1, 0), (2, 1), (3, 9), (4, 2)]), [(1, 0), (2, 1), (4, 2)]);
        assert_eq!(rising(&[]), []);
    }
}
