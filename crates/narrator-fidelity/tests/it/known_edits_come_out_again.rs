//! Known edits go in, and the same edits come out, at the same words.

use narrator_fidelity::{EditKind, align};
use proptest::prelude::*;

use crate::support::{STRANGERS, WORDS, heard, text};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Edit {
    Lose,
    Change(usize),
    Add(usize),
    Repeat,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        Just(Edit::Lose),
        (0..STRANGERS.len()).prop_map(Edit::Change),
        (0..STRANGERS.len()).prop_map(Edit::Add),
        Just(Edit::Repeat),
    ]
}

/// What the edits make of the text, and what the alignment must say of it: kind and word of the text.
fn apply(words: &[&'static str], edits: &[(usize, Edit)]) -> (Vec<&'static str>, Vec<(&'static str, u32)>) {
    let (mut said, mut expected) = (Vec::new(), Vec::new());
    for (at, word) in words.iter().enumerate() {
        match edits.iter().find(|(place, _)| *place == at).map(|(_, edit)| *edit) {
            Some(Edit::Lose) => expected.push(("lost", at as u32)),
            Some(Edit::Change(stranger)) => {
                said.push(STRANGERS[stranger]);
                expected.push(("changed", at as u32));
            }
            Some(Edit::Add(stranger)) => {
                said.extend([STRANGERS[stranger], word]);
                expected.push(("added", at as u32));
            }
            Some(Edit::Repeat) => {
                said.extend([*word, *word]);
                expected.push(("repeated", at as u32));
            }
            None => said.push(word),
        }
    }
    (said, expected)
}

fn found(text: &str, said: &[&str]) -> Vec<(&'static str, u32)> {
    align(text, &heard(said))
        .edits
        .iter()
        .filter_map(|edit| {
            let kind = match edit.kind {
                EditKind::Right | EditKind::Same { .. } => return None,
                EditKind::Lost => "lost",
                EditKind::Changed { .. } => "changed",
                EditKind::Added => "added",
                EditKind::Repeated => "repeated",
            };
            Some((kind, edit.text.start))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn edits_apart_from_each_other(
        row in text(12..60),
        places in prop::collection::vec((0_usize..60, edit()), 0..6),
    ) {
        let words: Vec<&str> = row.iter().map(|&index| WORDS[index]).collect();
        let mut edits: Vec<(usize, Edit)> = Vec::new();
        for (at, edit) in places {
            let at = at % words.len();
            if edits.iter().all(|(other, _)| other.abs_diff(at) > 4) {
                edits.push((at, edit));
            }
        }
        let (said, expected) = apply(&words, &edits);
        let mut found = found(&words.join(" "), &said);
        // Of a word and its repetition, either may be the one too many.
        for (found, expected) in found.iter_mut().zip(&expected) {
            if found.0 == "repeated" && found.1 == expected.1 + 1 {
                found.1 -= 1;
            }
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_row_of_words_cut_out(row in text(20..60), at in 0_usize..40, length in 1_usize..12) {
        let words: Vec<&str> = row.iter().map(|&index| WORDS[index]).collect();
        let at = at % (words.len() - length);
        let mut said = words.clone();
        said.drain(at..at + length);
        let lost: Vec<u32> = found(&words.join(" "), &said).into_iter().map(|(kind, word)| {
            assert_eq!(kind, "lost");
            word
        }).collect();
        prop_assert_eq!(lost.len(), length);
        // Equal words at both ends of the cut leave a choice; the text that remains is the same.
        let mut left = words.clone();
        for &word in lost.iter().rev() {
            left.remove(word as usize);
        }
        prop_assert_eq!(left, said);
    }

    #[test]
    fn every_word_is_in_an_edit(text in "[a-zA-Z0-9 '’.,—-]{0,80}", said in prop::collection::vec("[a-zA-Z0-9'.,$-]{1,8}", 0..20)) {
        let alignment = align(&text, &heard(&said));
        let mut words: Vec<u32> = alignment.edits.iter().flat_map(|edit| edit.text.clone()).collect();
        prop_assert!(words.is_sorted());
        words.dedup();
        prop_assert_eq!(words.len(), alignment.words.len());
        prop_assert!(alignment.edits.iter().all(|edit| edit.start_ms <= edit.end_ms));
    }
}
