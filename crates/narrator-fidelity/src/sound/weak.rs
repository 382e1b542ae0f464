//! Weak forms: how English says its small words in passing.
//!
//! A lexicon has `and` as it is said alone. In a sentence it is `ən`, and a recogniser that hears `and till` as until
//! has not misheard anything. The forms are those of any English phonology.

const FORMS: &[(&str, &[&str])] = &[
    ("am", &["əm"]),
    ("an", &["ən"]),
    ("and", &["ən", "ənd"]),
    ("are", &["əɹ"]),
    ("as", &["əz"]),
    ("at", &["ət"]),
    ("but", &["bət"]),
    ("can", &["kən"]),
    ("could", &["kəd"]),
    ("for", &["fəɹ"]),
    ("from", &["fɹəm"]),
    ("had", &["həd", "əd"]),
    ("has", &["həz", "əz"]),
    ("have", &["həv", "əv"]),
    ("he", &["i"]),
    ("her", &["əɹ"]),
    ("him", &["ɪm"]),
    ("his", &["ɪz"]),
    ("must", &["məst", "məs"]),
    ("of", &["əv", "ə"]),
    ("or", &["əɹ"]),
    ("shall", &["ʃəl"]),
    ("should", &["ʃəd"]),
    ("some", &["səm"]),
    ("than", &["ðən"]),
    ("that", &["ðət"]),
    ("them", &["ðəm", "əm"]),
    ("there", &["ðəɹ"]),
    ("to", &["tə"]),
    ("us", &["əs"]),
    ("was", &["wəz"]),
    ("were", &["wəɹ"]),
    ("would", &["wəd"]),
    ("you", &["jə"]),
    ("your", &["jəɹ"]),
];

/// Of a folded word; none for a word that has no other form.
pub(super) fn forms(word: &str) -> Vec<String> {
    let found = FORMS.binary_search_by_key(&word, |(it, _)| it).ok();
    found.map(|at| FORMS[at].1.iter().map(|form| (*form).to_owned()).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(FORMS.is_sorted_by_key(|(word, _)| *word));
        assert_eq!(forms("them"), ["ðəm", "əm"]);
        assert!(forms("garden").is_empty());
    }
}
