//! Signs inside words, which may be spoken or not: `/usr/bin` is read as `slash usr slash bin` or `user bin`.
//!
//! The page writes a sign and a voice says its name, or the page has the name and the recogniser writes the
//! sign (`lists dot org` heard as `lists .org`). Neither is a word too many or too few.

use narrator_core::HeardWord;

use super::{Edit, EditKind, Reason};
use crate::sound::{Sound, unlikeness};
use crate::words::{TextWord, fold};

/// One phoneme of three: further apart nobody takes a word for the name of a sign.
const MISHEARD: f32 = 0.35;

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
    ('#', &["hash", "number"]),
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
                let Some(word) = words.get(edit.text.start as usize).map(|word| fold(&word.text)) else {
                    continue;
                };
                let beside = near(edit.heard.start, |at| heard.get(at).map(|word| word.text.as_str()));
                let unlike = |(at, it): (u32, &str)| Some((at, unlike_sign(it, &word)?));
                let nearest =
                    beside.into_iter().filter_map(unlike).min_by(|one, other| one.1.total_cmp(&other.1));
                if let Some((at, unlike)) = nearest {
                    edit.heard = at..at + 1;
                    edit.kind = match unlike {
                        0.0 => EditKind::Same { reason: Reason::Sign },
                        unlike => EditKind::Changed { unlike },
                    };
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

/// Whether `word` has the sign of that name.
fn writes(word: &str, name: &str) -> bool {
    signs_in(word).any(|names| names.contains(&name))
}

/// How unlike a word the name of a sign in `heard` sounds; none when that is another word altogether. A recogniser
/// that misheard `doc` as the name of a sign writes the sign: `slash doc slash` as `slash .slash`.
fn unlike_sign(heard: &str, word: &str) -> Option<f32> {
    if writes(heard, word) {
        return Some(0.0);
    }
    let sound = Sound::of(word);
    let unlike = signs_in(heard).flatten().map(|name| unlikeness(&sound, &Sound::of(name)));
    unlike.min_by(f32::total_cmp).filter(|&unlike| unlike <= MISHEARD)
}

/// The names of each sign in a word. What ends a sentence or a phrase is a sign only before a letter or a figure.
fn signs_in(word: &str) -> impl Iterator<Item = &'static [&'static str]> {
    let names = |sign: char| NAMES.iter().find(|(it, _)| *it == sign).map(|(_, names)| *names);
    word.char_indices().filter_map(move |(at, sign)| {
        let goes_on = word[at + sign.len_utf8()..].starts_with(char::is_alphanumeric);
        names(sign).filter(|_| goes_on || !matches!(sign, '.' | ':' | '-' | '*'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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
            ("in the folder dpkg-deb/.", "in the folder dpkg -deb slash."),
            ("closes: Bug#12 in it", "closes bug number 12 in it"),
        ] {
            assert_eq!(wrong(text, said), 0, "{text:?} heard as {said:?}");
        }
    }

    #[test]
    fn a_word_misheard_as_a_sign_is_changed_not_lost() {
        let edits = align("at org slash doc slash one", &hearing("at org slash .slash one").words).edits;
        let kinds: Vec<EditKind> =
            edits.iter().map(|edit| edit.kind).filter(|kind| !kind.is_right()).collect();
        assert!(matches!(kinds[..], [EditKind::Changed { unlike }] if unlike < MISHEARD), "{kinds:?}");
    }

    #[test]
    fn a_name_without_its_sign_is_a_word() {
        assert_eq!(wrong("He went home. Now.", "He went home dot now."), 1);
        assert_eq!(wrong("Put a slash there.", "Put a there."), 1);
        assert_eq!(wrong("Make a dash for it.", "Make a for it."), 1);
    }
}
