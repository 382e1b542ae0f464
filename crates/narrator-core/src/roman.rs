//! Roman numerals in their usual form, as books number chapters, rulers and pages.

/// Parts from the largest down; a numeral is read and written by going through them once.
const PARTS: [(&str, u32); 13] = [
    ("M", 1000),
    ("CM", 900),
    ("D", 500),
    ("CD", 400),
    ("C", 100),
    ("XC", 90),
    ("L", 50),
    ("XL", 40),
    ("X", 10),
    ("IX", 9),
    ("V", 5),
    ("IV", 4),
    ("I", 1),
];

/// The longest numeral below 4000, `MMMDCCCLXXXVIII`.
const MAX_LETTERS: usize = 15;

/// The value of a numeral of one case: `XIV`, `iv`; not `IIII`, `IC` or `Mix`.
pub fn value(text: &str) -> Option<u32> {
    let one_case =
        text.chars().all(|c| c.is_ascii_uppercase()) || text.chars().all(|c| c.is_ascii_lowercase());
    if text.is_empty() || text.len() > MAX_LETTERS || !one_case {
        return None;
    }
    let upper = text.to_ascii_uppercase();
    let (mut rest, mut value) = (upper.as_str(), 0);
    for (part, worth) in PARTS {
        while let Some(shorter) = rest.strip_prefix(part) {
            rest = shorter;
            value += worth;
        }
    }
    // Only what reads back as it was written.
    (rest.is_empty() && written(value) == upper).then_some(value)
}

fn written(mut value: u32) -> String {
    let mut text = String::new();
    for (part, worth) in PARTS {
        while value >= worth {
            text.push_str(part);
            value -= worth;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerals_have_one_form() {
        assert_eq!(value("XIV"), Some(14));
        assert_eq!(value("xlix"), Some(49));
        assert_eq!(value("MCMXXXI"), Some(1931));
        for text in ["", "IIII", "IC", "XIVI", "Mix", "CIVIL", "VX", "Ⅳ", "I V"] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for number in 1..4000 {
            assert_eq!(value(&written(number)), Some(number));
            assert_eq!(value(&written(number).to_lowercase()), Some(number));
        }
    }
}
