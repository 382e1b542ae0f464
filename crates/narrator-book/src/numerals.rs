//! Numbers as chapter lines write them.

/// A Roman numeral in its usual form, of one case: `XIV`, `iv`, not `IIII` or `IC`.
pub(crate) fn roman(text: &str) -> Option<u32> {
    const FORMS: &[(u32, &str)] = &[
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let one_case =
        text.chars().all(|c| c.is_ascii_uppercase()) || text.chars().all(|c| c.is_ascii_lowercase());
    if text.is_empty() || text.len() > 12 || !one_case {
        return None;
    }
    let upper = text.to_ascii_uppercase();
    let (mut rest, mut value) = (upper.as_str(), 0);
    for (amount, form) in FORMS {
        let most = if form.len() == 2 || amount.to_string().starts_with('5') { 1 } else { 3 };
        for _ in 0..most {
            if let Some(shorter) = rest.strip_prefix(form) {
                rest = shorter;
                value += amount;
            }
        }
    }
    // Writing it back refuses XIVI and its like.
    (rest.is_empty() && value > 0 && written(value, FORMS) == upper).then_some(value)
}

fn written(mut value: u32, forms: &[(u32, &str)]) -> String {
    let mut text = String::new();
    for (amount, form) in forms {
        while value >= *amount {
            text.push_str(form);
            value -= amount;
        }
    }
    text
}

/// `One`, `TWENTY-THREE`, `Third`.
pub(crate) fn ordinal_or_number_word(text: &str) -> Option<u32> {
    const UNITS: &[(&str, &str)] = &[
        ("one", "first"),
        ("two", "second"),
        ("three", "third"),
        ("four", "fourth"),
        ("five", "fifth"),
        ("six", "sixth"),
        ("seven", "seventh"),
        ("eight", "eighth"),
        ("nine", "ninth"),
        ("ten", "tenth"),
        ("eleven", "eleventh"),
        ("twelve", "twelfth"),
        ("thirteen", "thirteenth"),
        ("fourteen", "fourteenth"),
        ("fifteen", "fifteenth"),
        ("sixteen", "sixteenth"),
        ("seventeen", "seventeenth"),
        ("eighteen", "eighteenth"),
        ("nineteen", "nineteenth"),
    ];
    const TENS: &[(&str, &str)] = &[
        ("twenty", "twentieth"),
        ("thirty", "thirtieth"),
        ("forty", "fortieth"),
        ("fifty", "fiftieth"),
        ("sixty", "sixtieth"),
        ("seventy", "seventieth"),
        ("eighty", "eightieth"),
        ("ninety", "ninetieth"),
    ];
    let place = |words: &[(&str, &str)], word: &str| {
        words.iter().position(|(one, other)| *one == word || *other == word)
    };
    let lower = text.to_ascii_lowercase();
    if let Some(unit) = place(UNITS, &lower) {
        return Some(unit as u32 + 1);
    }
    let (ten, unit) = lower.split_once('-').map_or((lower.as_str(), None), |(ten, unit)| (ten, Some(unit)));
    let tens = (place(TENS, ten)? as u32 + 2) * 10;
    match unit {
        None => Some(tens),
        Some(unit) => place(&UNITS[..9], unit).map(|unit| tens + unit as u32 + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roman_numerals_have_one_form() {
        assert_eq!(roman("XIV"), Some(14));
        assert_eq!(roman("xlix"), Some(49));
        assert_eq!(roman("MCMXXXI"), Some(1931));
        for text in ["", "IIII", "IC", "XIVI", "Mix", "CIVIL", "VX"] {
            assert_eq!(roman(text), None, "{text}");
        }
    }

    #[test]
    fn number_words_are_known_to_ninety_nine() {
        assert_eq!(ordinal_or_number_word("One"), Some(1));
        assert_eq!(ordinal_or_number_word("TWENTY-THREE"), Some(23));
        assert_eq!(ordinal_or_number_word("twenty-third"), Some(23));
        assert_eq!(ordinal_or_number_word("Fortieth"), Some(40));
        assert_eq!(ordinal_or_number_word("twenty-eleven"), None);
        assert_eq!(ordinal_or_number_word("house"), None);
    }
}
