//! Large gaps without anchors: a plain alignment in linear memory (Hirschberg), for the equal runs in it.

use super::anchors::{Block, SMALL};

/// Gaps with more cells than this have nothing in common that is worth the time: another book, or chapters
/// that are not there.
const HOPELESS: usize = 400_000_000;
/// Equal words in a row that are no chance.
const RUN: usize = 2;

/// Appends the equal runs of `book` and `heard`, whose first words stand at the given places.
pub(super) fn blocks(book: &[u32], heard: &[u32], book_at: usize, heard_at: usize, blocks: &mut Vec<Block>) {
    if book.len().saturating_mul(heard.len()) > HOPELESS {
        return;
    }
    let mut pairs = Vec::new();
    pairs_of(book, heard, 0, 0, &mut pairs);
    let mut at = 0;
    while at < pairs.len() {
        let (own, other) = pairs[at];
        let length = (1..pairs.len() - at).take_while(|n| pairs[at + n] == (own + n, other + n)).count() + 1;
        if length >= RUN {
            blocks.push(Block { book: book_at + own, heard: heard_at + other, length });
        }
        at += length;
    }
}

/// Equal pairs of a longest common subsequence, in order.
fn pairs_of(book: &[u32], heard: &[u32], own: usize, other: usize, pairs: &mut Vec<(usize, usize)>) {
    if book.is_empty() || heard.is_empty() {
        return;
    }
    if book.len() == 1 || book.len() * heard.len() <= SMALL {
        return in_full(book, heard, own, other, pairs);
    }
    let middle = book.len() / 2;
    let forward = lengths(book[..middle].iter(), heard);
    let reversed: Vec<u32> = heard.iter().rev().copied().collect();
    let backward = lengths(book[middle..].iter().rev(), &reversed);
    let sum = |at: usize| forward[at] + backward[heard.len() - at];
    let cut = (0..=heard.len()).max_by_key(|&at| sum(at)).unwrap_or(0);
    pairs_of(&book[..middle], &heard[..cut], own, other, pairs);
    pairs_of(&book[middle..], &heard[cut..], own + middle, other + cut, pairs);
}

/// Length of the longest common subsequence with each beginning of `heard`.
fn lengths<'a>(book: impl Iterator<Item = &'a u32>, heard: &[u32]) -> Vec<u32> {
    let mut row = vec![0; heard.len() + 1];
    for word in book {
        let mut diagonal = 0;
        for (at, other) in heard.iter().enumerate() {
            let next = if word == other { diagonal + 1 } else { row[at].max(row[at + 1]) };
            diagonal = row[at + 1];
            row[at + 1] = next;
        }
    }
    row
}

fn in_full(book: &[u32], heard: &[u32], own: usize, other: usize, pairs: &mut Vec<(usize, usize)>) {
    let width = heard.len() + 1;
    let mut table = vec![0_u32; (book.len() + 1) * width];
    for i in (0..book.len()).rev() {
        for j in (0..heard.len()).rev() {
            table[i * width + j] = if book[i] == heard[j] {
                table[(i + 1) * width + j + 1] + 1
            } else {
                table[(i + 1) * width + j].max(table[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < book.len() && j < heard.len() {
        if book[i] == heard[j] {
            pairs.push((own + i, other + j));
            (i, j) = (i + 1, j + 1);
        } else if table[(i + 1) * width + j] >= table[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn linear_memory_finds_as_much_as_the_full_table(
            book in prop::collection::vec(0_u32..6, 0..120),
            heard in prop::collection::vec(0_u32..6, 0..120),
        ) {
            let mut pairs = Vec::new();
            pairs_of(&book, &heard, 0, 0, &mut pairs);
            let mut full = Vec::new();
            in_full(&book, &heard, 0, 0, &mut full);
            prop_assert_eq!(pairs.len(), full.len());
            prop_assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
            prop_assert!(pairs.iter().all(|&(i, j)| book[i] == heard[j]));
        }
    }
}
