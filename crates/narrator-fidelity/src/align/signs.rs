//! Signs inside words, which may be spoken or not: `/usr/bin` is read as `slash usr slash bin` or `user bin`.
//!
//! The page writes a sign and a voice says its name, or the page has the name and the recogniser writes the
//! sign (`lists dot org` heard as `lists .org`). Neither is a word too many or too few.

use narrator_core::HeardWord;

use super::{Edit, EditKind, Reason};
use crate::words::{TextWord, fold};

/// Signs and their names.
const NAMES: &[(char, &[&str])] = &[
    ('/', &["slash"]),
    ('.', &["dot", "point"]),
    ('-', &["dash", "hyphen", "minus"]),
    ('_', &["underscore"]),
    (':', &["colon"]),
    ('\\', &["backslash"]),
    ('~', &["tilde"]),
    ('*', &["star", "asterisk"]),
    ('#', &["hash"]),
    ('=', &["equals"]),
    ('<', &["less"]),
    ('>', &["greater"]),
];

/// Makes lost and added names of signs the same as the signs, where these are written in a word beside them.
pub(super) fn find_signs(edits: &mut [Edit], words: &[TextWord], heard: &[HeardWord]) {
    for edit in edits {
        match edit.kind {
            EditKind::Added => {
                let said = heard.get(edit.heard.start as usize).map(|word| fold(&word.text));
                let beside = near(edit.text.start, |at| words.get(at).map(|word| word.text.as_str()));
                if let Some(at) = said.and_then(|said| beside.into_iter().find(|(_, it)| writes(it, &said))) {
                    edit.text = at.0..at.0 + 1;
                    edit.kind = EditKind::Same { reason: Reason::Sign };
                }
            }
            EditKind::Lost if edit.text.end - edit.text.start == 1 => {
                let name = words.get(edit.text.start as usize).map(|word| fold(&word.text));
                let beside = near(edit.heard.start, |at| heard.get(at).map(|word| word.text.as_str()));
                if let Some(at) = name.and_then(|name| beside.into_iter().find(|(_, it)| writes(it, &name))) {
                    edit.heard = at.0..at.0 + 1;
                    edit.kind = EditKind::Same { reason: Reason::Sign };
                }
            }
            _ => {}
        }
    }
}

/// The words on both sides of the gap before `at`.
fn near<'a>(at: u32, word: impl Fn(usize) -> Option<&'a str>) -> Vec<(u32, &'a str)> {
    let places = [at.checked_sub(1), Some(at)];
    places.into_iter().flatten().filter_map(|at| word(at as usize).map(|word| (at, word))).collect()
}

/// Whether `word` has the sign of that name before a letter or a figure: a full stop at its end is none.
fn writes(word: &str, name: &str) -> bool {
    let Some((sign, _)) = NAMES.iter().find(|(_, names)| names.contains(&name)) else { return false };
    word.match_indices(*sign).any(|(at, it)| word[at + it.len()..].starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use crate::align::align;
    use crate::trust::tests::hearing;

    fn wrong(text: &str, said: &str) -> usize {
        let edits = align(text, &hearing(said).words).edits;
        edits.iter().filter(|edit| !edit.kind.is_right()).count()
    }

    #[test]
    fn signs_and_their_names_are_the_same() {
        for (text, said) in [
            ("Put it in debian/rules now.", "Put it in debian slash rules now."),
            ("Put it in debian/rules now.", "Put it in debian rules now."),
            ("The /var/www directory", "The slash var slash www directory"),
            ("at lists dot debian dot org today", "at lists .debian .org today"),
            ("the debian dash policy list", "the debian -policy list"),
        ] {
            assert_eq!(wrong(text, said), 0, "{text:?} heard as {said:?}");
        }
    }

    #[test]
    fn a_name_without_its_sign_is_a_word() {
        assert_eq!(wrong("He went home. Now.", "He went home dot now."), 1);
        assert_eq!(wrong("Put a slash there.", "Put a there."), 1);
        assert_eq!(wrong("Make a dash for it.", "Make a for it."), 1);
    }
}
