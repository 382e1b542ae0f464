//! Numbers in words, as chapter lines write them.

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
    fn number_words_are_known_to_ninety_nine() {
        assert_eq!(ordinal_or_number_word("One"), Some(1));
        assert_eq!(ordinal_or_number_word("TWENTY-THREE"), Some(23));
        assert_eq!(ordinal_or_number_word("twenty-third"), Some(23));
        assert_eq!(ordinal_or_number_word("Fortieth"), Some(40));
        assert_eq!(ordinal_or_number_word("twenty-eleven"), None);
        assert_eq!(ordinal_or_number_word("house"), None);
    }
}
