//! English spelling to rough phonemes, for words that no lexicon has.
//!
//! Longest match first, left to right. It is wrong about much of English and need not be right: it reads
//! both sides of a comparison, and only for names and rare words.

/// Spellings and their sounds; longer ones first, so that the first match is the longest.
const GRAPHEMES: &[(&str, &str)] = &[
    ("ough", "ɔ"),
    ("augh", "ɔ"),
    ("eigh", "A"),
    ("tion", "ʃən"),
    ("sion", "ʒən"),
    ("cian", "ʃən"),
    ("tch", "ʧ"),
    ("sch", "sk"),
    ("igh", "I"),
    ("dge", "ʤ"),
    ("eau", "O"),
    ("ch", "ʧ"),
    ("sh", "ʃ"),
    ("ph", "f"),
    ("th", "θ"),
    ("ck", "k"),
    ("gh", "ɡ"),
    ("wh", "w"),
    ("wr", "ɹ"),
    ("kn", "n"),
    ("gn", "n"),
    ("rh", "ɹ"),
    ("qu", "kw"),
    ("ng", "ŋ"),
    ("sc", "s"),
    ("ee", "i"),
    ("ea", "i"),
    ("ie", "i"),
    ("ei", "A"),
    ("ey", "i"),
    ("oo", "u"),
    ("ou", "W"),
    ("ow", "O"),
    ("oa", "O"),
    ("oe", "O"),
    ("oi", "Y"),
    ("oy", "Y"),
    ("ai", "A"),
    ("ay", "A"),
    ("au", "ɔ"),
    ("aw", "ɔ"),
    ("ew", "u"),
    ("ue", "u"),
    ("ui", "u"),
    ("er", "əɹ"),
    ("ir", "əɹ"),
    ("ur", "əɹ"),
    ("a", "æ"),
    ("b", "b"),
    ("c", "k"),
    ("d", "d"),
    ("e", "ɛ"),
    ("f", "f"),
    ("g", "ɡ"),
    ("h", "h"),
    ("i", "ɪ"),
    ("j", "ʤ"),
    ("k", "k"),
    ("l", "l"),
    ("m", "m"),
    ("n", "n"),
    ("o", "ɑ"),
    ("p", "p"),
    ("q", "k"),
    ("r", "ɹ"),
    ("s", "s"),
    ("t", "t"),
    ("u", "ə"),
    ("v", "v"),
    ("w", "w"),
    ("x", "ks"),
    ("y", "i"),
    ("z", "z"),
];

/// Names of the consonants.
const NAMES: &[(char, &str)] = &[
    ('b', "bi"),
    ('c', "si"),
    ('d', "di"),
    ('f', "ɛf"),
    ('g', "ʤi"),
    ('h', "Aʧ"),
    ('j', "ʤA"),
    ('k', "kA"),
    ('l', "ɛl"),
    ('m', "ɛm"),
    ('n', "ɛn"),
    ('p', "pi"),
    ('q', "kju"),
    ('r', "ɑɹ"),
    ('s', "ɛs"),
    ('t', "ti"),
    ('v', "vi"),
    ('w', "dəbəlju"),
    ('x', "ɛks"),
    ('z', "zi"),
];

/// A word of nothing but consonants by the names of its letters, the only way to say it: a recogniser writes
/// `piquet` as `PK`.
pub(super) fn names(word: &str) -> Option<String> {
    let name = |letter| NAMES.iter().find(|(it, _)| *it == letter).map(|(_, name)| *name);
    if word.is_empty() { None } else { word.chars().map(name).collect() }
}

pub(super) fn phonemes(word: &str) -> String {
    let letters: String = word.chars().filter(|c| *c != '\'').collect();
    let mut phonemes = String::new();
    let mut rest = letters.as_str();
    while let Some(first) = rest.chars().next() {
        let before = &letters[..letters.len() - rest.len()];
        let soft = rest[first.len_utf8()..].starts_with(['e', 'i', 'y']);
        if rest == "e" && before.len() > 1 {
            break;
        }
        // Double consonants are one sound.
        if before.ends_with(first) && !"aeiou".contains(first) {
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (length, sound) = match first {
            'c' if soft => (1, "s"),
            'g' if soft && !before.is_empty() => (1, "ʤ"),
            'y' if before.is_empty() => (1, "j"),
            _ => GRAPHEMES
                .iter()
                .find(|(spelling, _)| rest.starts_with(spelling))
                .map_or((first.len_utf8(), ""), |(spelling, sound)| (spelling.len(), *sound)),
        };
        phonemes.push_str(sound);
        rest = &rest[length..];
    }
    phonemes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_vowel_is_spelled_out() {
        assert_eq!(names("pk").as_deref(), Some("pikA"));
        assert_eq!((names("pike"), names("")), (None, None));
    }

    #[test]
    fn spelling_is_read_roughly() {
        assert_eq!(phonemes("bennett"), phonemes("bennet"));
        assert_eq!(phonemes("philip"), "fɪlɪp");
        assert_eq!(phonemes("mike"), "mɪk");
        assert_eq!(phonemes("žižek"), "ɪɛk");
    }
}
