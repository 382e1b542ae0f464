//! Contractions and their long forms.

use super::row;

/// Whole words that no ending explains.
const WHOLE: &[(&str, &[&str])] = &[
    ("won't", &["will not"]),
    ("shan't", &["shall not"]),
    ("can't", &["can not", "cannot"]),
    ("cannot", &["can not"]),
    ("ain't", &["is not", "am not", "are not"]),
    ("let's", &["let us"]),
    ("'tis", &["it is"]),
    ("tis", &["it is"]),
    ("'twas", &["it was"]),
    ("twas", &["it was"]),
    ("'twill", &["it will"]),
    ("'twould", &["it would"]),
    ("'em", &["them"]),
    ("'cause", &["because"]),
    ("'til", &["until"]),
    ("till", &["until"]),
    ("ma'am", &["madam"]),
    ("o'er", &["over"]),
    ("e'er", &["ever"]),
    ("ne'er", &["never"]),
    ("e'en", &["even"]),
    ("tho'", &["though"]),
    ("thro'", &["through"]),
    ("gonna", &["going to"]),
    ("wanna", &["want to"]),
    ("gotta", &["got to"]),
    ("o'clock", &["of the clock"]),
];

/// Endings and what they stand for.
const ENDINGS: &[(&str, &[&str])] = &[
    ("n't", &["not"]),
    ("'re", &["are"]),
    ("'ve", &["have"]),
    ("'ll", &["will", "shall"]),
    ("'d", &["had", "would", "did"]),
    ("'m", &["am"]),
    ("'s", &["is", "has"]),
];

/// The long forms of a folded word.
pub(super) fn of(folded: &str) -> Vec<Vec<Box<str>>> {
    if let Some((_, long)) = WHOLE.iter().find(|(short, _)| *short == folded) {
        return long.iter().map(|words| row(words)).collect();
    }
    for (ending, long) in ENDINGS {
        if let Some(stem) = folded.strip_suffix(ending)
            && !stem.is_empty()
        {
            return long.iter().map(|words| row(&format!("{stem} {words}"))).collect();
        }
    }
    Vec::new()
}
