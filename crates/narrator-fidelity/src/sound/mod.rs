//! How words sound, as far as it takes to say that two are alike.
//!
//! Phonemes come from misaki's American lexicon, which is large and names every pronunciation that a
//! heteronym has. Words that it lacks, names above all, are read by rules ([`letters`]), coarse and the
//! same for both sides, so that `Bennet` and `Bennett` meet although neither is a known word.
//!
//! The lexicon is read on first use (about 6 MB of JSON): a book in which everything is heard right at once
//! never pays for it.

mod distance;
mod letters;
mod weak;

use std::sync::LazyLock;

use misaki_rs::lexicon::PhonemeEntry;
use misaki_rs::{Language, Lexicon};

use crate::words::atoms;

pub(crate) use distance::distance;

/// Each word more multiplies the ways to say a row.
const BREATH_WORDS: usize = 4;

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(Language::EnglishUS));

/// A word's pronunciations.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sound {
    /// From the lexicon; empty for a word it lacks.
    pub(crate) known: Vec<String>,
    /// By the rules of spelling.
    pub(crate) ruled: String,
    /// As said in passing, where that is otherwise.
    pub(crate) weak: Vec<String>,
}

impl Sound {
    /// Of a folded word.
    pub(crate) fn of(word: &str) -> Self {
        let mut known = from_lexicon(word);
        if known.is_empty() {
            known.extend(letters::names(word));
        }
        Self { known, ruled: letters::phonemes(word), weak: weak::forms(word) }
    }

    /// The lexicon's readings, or that of the rules where it has none; empty for what has no sound.
    fn all(&self) -> &[String] {
        match (self.known.as_slice(), self.ruled.is_empty()) {
            ([], true) => &[],
            ([], false) => std::slice::from_ref(&self.ruled),
            (known, _) => known,
        }
    }

    /// Of words said in one breath.
    pub(crate) fn join(one: &Self, other: &Self) -> Self {
        let rows = |one: &[String], other: &[String]| -> Vec<String> {
            one.iter().flat_map(|first| other.iter().map(move |second| format!("{first}{second}"))).collect()
        };
        let known = if one.known.is_empty() && other.known.is_empty() {
            Vec::new()
        } else {
            rows(one.all(), other.all())
        };
        let weak = [rows(&one.weak, other.all()), rows(one.all(), &other.weak), rows(&one.weak, &other.weak)]
            .concat();
        Self { known, ruled: format!("{}{}", one.ruled, other.ruled), weak }
    }
}

/// Whether the lexicon has the word: what it lacks is a name or rare, and a recogniser cannot spell it.
pub fn is_known_word(folded: &str) -> bool {
    !from_lexicon(folded).is_empty()
}

/// Whether a text has a part that no dictionary has: recognisers spell it as they like.
pub(crate) fn is_rare(text: &str) -> bool {
    atoms([text]).iter().any(|atom| !is_known_word(&atom.folded))
}

/// Whether `heard` is `written` without a final consonant that runs into the sound with which `next` begins: nobody
/// who says `liked to` or `this speech` says it twice. A vowel may be heard as its neighbour: `the` for this.
pub(crate) fn swallows(written: &str, heard: &str, next: &str) -> bool {
    let (Some(written), Some(heard), Some(next)) = (breath(written), breath(heard), breath(next)) else {
        return false;
    };
    let into =
        |last: char| next.all().iter().any(|phones| phones.starts_with(|first| runs_into(last, first)));
    let rest =
        |phones: &str| phones.char_indices().next_back().filter(|&(_, last)| into(last)).map(|(at, _)| at);
    let mut shortened = written.all().iter().filter_map(|phones| phones.get(..rest(phones)?));
    let alike = |one: &str, other: &str| {
        distance(one, other) * one.chars().count().max(other.chars().count()) as f32 <= ONE_VOWEL
    };
    shortened.any(|rest| heard.all().iter().any(|phones| alike(phones, rest)))
}

/// What two neighbouring vowels are apart, and no more.
const ONE_VOWEL: f32 = 0.31;

/// Whether a consonant at the end of a word is one sound with what the next begins with: made at the same place.
fn runs_into(last: char, first: char) -> bool {
    match last {
        't' | 'd' => "tdʧʤθð".contains(first),
        's' | 'z' => "szʃʒ".contains(first),
        _ => last == first && !distance::is_vowel(last),
    }
}

/// How unlike two short texts sound, said in one breath each; longer ones have nothing in common.
pub(crate) fn unlike_texts(one: &str, other: &str) -> f32 {
    match (breath(one), breath(other)) {
        (Some(one), Some(other)) => unlikeness_in_passing(&one, &other),
        _ => 1.0,
    }
}

fn breath(text: &str) -> Option<Sound> {
    let atoms = atoms([text]);
    let sounds = atoms.iter().map(|atom| Sound::of(&atom.folded));
    if atoms.len() > BREATH_WORDS { None } else { sounds.reduce(|one, next| Sound::join(&one, &next)) }
}

fn from_lexicon(word: &str) -> Vec<String> {
    // Articles are read by what stands around them, which the lexicon does not say.
    match word {
        "a" => return vec!["A".to_owned(), "ə".to_owned()],
        "the" => return vec!["ði".to_owned(), "ðə".to_owned()],
        _ => {}
    }
    let mut known: Vec<String> = Vec::new();
    for table in [&LEXICON.golds, &LEXICON.silvers] {
        let entry = table.get(word).or_else(|| table.get(&capitalised(word)));
        match entry {
            Some(PhonemeEntry::Simple(phonemes)) => known.push(plain(phonemes)),
            Some(PhonemeEntry::Tagged(by_tag)) => {
                known.extend(by_tag.values().flatten().map(|phonemes| plain(phonemes)));
            }
            None => continue,
        }
        break;
    }
    if known.is_empty() && word.len() > 1 {
        // Regular endings: dogs, walked, walking. The lexicon would take `systemd` for a past tense.
        let past = Some(word).filter(|word| word.ends_with("ed"));
        let stemmed = LEXICON
            .stem_s(word, "NN", None, None)
            .or_else(|| LEXICON.stem_ed(past?, "VB", None, None))
            .or_else(|| LEXICON.stem_ing(word, "VB", None, None));
        known.extend(stemmed.map(|(phonemes, _)| plain(&phonemes)));
    }
    known.retain(|phonemes| !phonemes.is_empty());
    known.sort();
    known.dedup();
    known
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Without stress, and with one sign for the sounds that only a speaker's ease tells apart.
fn plain(phonemes: &str) -> String {
    let fold = |phone| match phone {
        'ˈ' | 'ˌ' | 'ː' | ' ' => None,
        'ᵊ' | 'ʌ' | 'ɜ' => Some('ə'),
        'ᵻ' => Some('ɪ'),
        'ɾ' | 'ʔ' => Some('t'),
        'ɒ' | 'Q' => Some('ɑ'),
        _ => Some(phone),
    };
    phonemes.chars().filter_map(fold).collect()
}

/// Phonemes of a row of folded words.
pub(crate) fn length<'a>(words: impl IntoIterator<Item = &'a str>) -> usize {
    let longest = |word: &str| Sound::of(word).all().iter().map(|it| it.chars().count()).max().unwrap_or(0);
    words.into_iter().map(longest).sum()
}

/// How unlike two words sound: 0 is the same, 1 has nothing in common.
pub(crate) fn unlikeness(one: &Sound, other: &Sound) -> f32 {
    // Rules read both words with the same mistakes, so they may only judge what the lexicon cannot.
    let both_known = !one.known.is_empty() && !other.known.is_empty();
    let mut least = 1.0;
    if !both_known && !one.ruled.is_empty() && !other.ruled.is_empty() {
        least = distance(&one.ruled, &other.ruled);
    }
    for first in one.all() {
        for second in other.all() {
            least = least.min(distance(first, second));
        }
    }
    least
}

/// The same where either may have been said in passing: `and till` for until. Two weak forms say nothing of each
/// other; most are one vowel and a consonant.
pub(crate) fn unlikeness_in_passing(one: &Sound, other: &Sound) -> f32 {
    let weak = |weak: &Sound, full: &Sound| {
        let pairs = weak.weak.iter().flat_map(|first| full.all().iter().map(move |second| (first, second)));
        pairs.map(|(first, second)| distance(first, second)).fold(1.0, f32::min)
    };
    unlikeness(one, other).min(weak(one, other)).min(weak(other, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unlike(one: &str, other: &str) -> f32 {
        unlikeness(&Sound::of(one), &Sound::of(other))
    }

    #[test]
    fn homophones_sound_the_same() {
        for (one, other) in [
            ("their", "there"),
            ("write", "right"),
            ("see", "sea"),
            ("to", "two"),
            ("knew", "new"),
            ("Bennet", "Bennett"),
            ("heir", "air"),
            ("its", "it's"),
        ] {
            let (one, other) = (one.to_lowercase(), other.to_lowercase());
            assert!(unlike(&one, &other) < 0.1, "{one}, {other}: {}", unlike(&one, &other));
        }
    }

    #[test]
    fn misheard_names_sound_alike_and_other_words_do_not() {
        for (one, other) in
            [("bingley", "bingly"), ("darcy", "darcie"), ("lucas", "lukas"), ("wickham", "wickam")]
        {
            assert!(unlike(one, other) < 0.3, "{one}, {other}: {}", unlike(one, other));
        }
        for (one, other) in [("not", "very"), ("house", "garden"), ("mother", "letter")] {
            assert!(unlike(one, other) > 0.35, "{one}, {other}: {}", unlike(one, other));
        }
    }

    #[test]
    fn a_d_behind_a_word_is_no_past_tense() {
        assert!(is_known_word("walked") && is_known_word("requited"));
        assert!(!is_known_word("systemd"));
    }

    #[test]
    fn a_final_stop_runs_into_the_next_word() {
        assert!(swallows("liked", "like", "to"));
        assert!(swallows("versioned", "version", "dependency"));
        assert!(swallows("this", "the", "speech"));
        assert!(!swallows("this", "the", "word") && !swallows("his", "her", "son"));
        assert!(!swallows("liked", "like", "apples"), "before a vowel it is heard");
        assert!(!swallows("liked", "lie", "to"));
        assert!(!swallows("like", "liked", "to"), "what was said too much is no swallowed stop");
    }

    #[test]
    fn words_said_in_one_breath_are_one_sound() {
        let joined = Sound::join(&Sound::of("a"), &Sound::of("while"));
        assert!(unlikeness(&joined, &Sound::of("awhile")) < 0.15);
    }
}
