//! The distance of two rows of phonemes: what a mishearing costs.
//!
//! Costs follow phonetics, not data: sounds of one place and manner that differ in voice are close, vowels
//! are closer to each other than to any consonant, and what speakers drop (schwa, h, a final t or d) is
//! cheap to miss.

/// From 0 (the same) to 1: the cheapest edit between them over the longer one's length.
pub(crate) fn distance(one: &str, other: &str) -> f32 {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    let longer = one.len().max(other.len());
    if longer == 0 {
        return 0.0;
    }
    let mut row: Vec<f32> = Vec::with_capacity(other.len() + 1);
    row.push(0.0);
    for &phone in &other {
        row.push(row[row.len() - 1] + missing(phone));
    }
    for &phone in &one {
        let mut diagonal = row[0];
        row[0] += missing(phone);
        for (at, &against) in other.iter().enumerate() {
            let replaced = diagonal + replacing(phone, against);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at + 1] + missing(phone)).min(row[at] + missing(against));
        }
    }
    (row[other.len()] / longer as f32).min(1.0)
}

fn missing(phone: char) -> f32 {
    match phone {
        'ə' | 'h' => 0.4,
        'ɪ' | 'j' | 'w' => 0.6,
        't' | 'd' | 'ɹ' => 0.7,
        _ => 1.0,
    }
}

fn replacing(one: char, other: char) -> f32 {
    if one == other {
        return 0.0;
    }
    let (vowels, of) = (is_vowel(one), is_vowel(other));
    if vowels != of {
        return 1.4;
    }
    let pair = |pairs: &[&str]| pairs.iter().any(|pair| pair.contains(one) && pair.contains(other));
    if vowels {
        // Reduced vowels and neighbours on the chart.
        let near = [
            "əɪ", "əɛ", "əæ", "əɑ", "əʊ", "əɔ", "ɪi", "ɪɛ", "ɛæ", "ɑɔ", "ʊu", "Oɔ", "ɛA", "ɑæ", "Iɑ", "Wɑ",
            "ɔY",
        ];
        return if pair(&near) { 0.3 } else { 0.7 };
    }
    let near = [
        "sz", "td", "pb", "kɡ", "fv", "θð", "ʃʒ", "ʧʤ", "mn", "nŋ", "ʃʧ", "ʒʤ", "θf", "ðv", "θt", "ðd", "ɹw",
        "ɹl", "sʃ", "vw", "sθ",
    ];
    if pair(&near) { 0.4 } else { 1.0 }
}

pub(super) fn is_vowel(phone: char) -> bool {
    "AIOWYiuæɑɔəɛɪʊ".contains(phone)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn likeness_follows_the_ear() {
        assert!(distance("bæt", "bæt") < 0.01);
        assert!(distance("bæt", "bæd") < distance("bæt", "bæs"));
        assert!(distance("hIɪm", "Iɪm") < distance("hIɪm", "hIɪ"));
        assert!(distance("", "bæt") > 0.8);
    }

    proptest! {
        #[test]
        fn it_is_a_measure(one in "[AIOWYiuæɑɔəɛɪʊbdfhjklmnpstvwzŋɡɹʃ]{0,8}", other in "[AIOWYiuæɑɔəɛɪʊbdfhjklmnpstvwzŋɡɹʃ]{0,8}") {
            let there = distance(&one, &other);
            prop_assert!((0.0..=1.0).contains(&there));
            prop_assert!((there - distance(&other, &one)).abs() < 1e-5);
            prop_assert_eq!(there == 0.0, one == other);
        }
    }
}
