//! Where a run of text without white space is broken into tokens. Pure decisions.
//!
//! A token is what stands between white space. It is broken further after a dash or an ellipsis that has
//! a word on its other side, between ideographs and kana (which are written without spaces), and where a
//! run goes on for longer than any word, so that no token is longer than what can be spoken in a breath.

/// A run without a space is cut here, counted in characters. The longest words of European dictionaries
/// are below 80; web addresses and defective files are what reaches this.
pub(crate) const LONGEST_TOKEN: usize = 200;

/// Whether `next` begins a new token after the characters of `word`, no white space between them.
pub(crate) fn begins_token(word: &str, length: usize, next: char) -> bool {
    let Some(last) = word.chars().next_back() else { return false };
    if length >= LONGEST_TOKEN && (!joins_previous(next) || length >= 2 * LONGEST_TOKEN) {
        return true;
    }
    if is_ideograph(last) || (joins_previous(last) && word.chars().any(is_ideograph)) {
        return (is_ideograph(next) || next.is_alphanumeric()) && !joins_previous(next);
    }
    if is_ideograph(next) {
        return last.is_alphanumeric();
    }
    (next.is_alphanumeric() || opens_quote(next)) && ends_with_break(word)
}

/// A dash or an ellipsis, with whatever closes after it, behind at least one letter or digit.
fn ends_with_break(word: &str) -> bool {
    let open = word.trim_end_matches(['"', '\'', '”', '’', '»', ')', ']', '_', '*']);
    let stem = open.trim_end_matches(['—', '―', '⸺', '⸻', '…', '‥', '.', '-']);
    let tail = &open[stem.len()..];
    let breaks = tail.contains(['—', '―', '⸺', '⸻', '…', '‥']) || tail.contains("--") || tail.contains("...");
    breaks && stem.chars().any(char::is_alphanumeric)
}

fn opens_quote(c: char) -> bool {
    matches!(c, '“' | '‘' | '«' | '(' | '[' | '¿' | '¡')
}

/// Han, kana and bopomofo: written without spaces. Hangul has spaces and is not here.
fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c),
        0x3005..=0x3007 | 0x3021..=0x3029 | 0x3041..=0x3096 | 0x309D..=0x30FA | 0x30FC..=0x30FF
        | 0x3105..=0x312F | 0x31A0..=0x31BF | 0x31F0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF
        | 0xF900..=0xFAFF | 0xFF66..=0xFF9F | 0x1B000..=0x1B16F | 0x20000..=0x3FFFD)
}

/// Characters that never begin a token: combining marks, joiners, small kana and sound marks.
fn joins_previous(c: char) -> bool {
    matches!(u32::from(c),
        0x0300..=0x036F | 0x0483..=0x0489 | 0x0591..=0x05BD | 0x064B..=0x065F | 0x0E31 | 0x0E34..=0x0E3A
        | 0x0E47..=0x0E4E | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x200C | 0x200D | 0x20D0..=0x20FF
        | 0x3005 | 0x303B | 0x3041 | 0x3043 | 0x3045 | 0x3047 | 0x3049 | 0x3063 | 0x3083 | 0x3085 | 0x3087
        | 0x308E | 0x3099..=0x309E | 0x30A1 | 0x30A3 | 0x30A5 | 0x30A7 | 0x30A9 | 0x30C3 | 0x30E3 | 0x30E5
        | 0x30E7 | 0x30EE | 0x30FC..=0x30FE | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F | 0xFF67..=0xFF70
        | 0xFF9E | 0xFF9F | 0xE0100..=0xE01EF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        let mut words: Vec<String> = vec![String::new()];
        for c in text.chars() {
            let word = words.last_mut().expect("one word at least");
            if begins_token(word, word.chars().count(), c) {
                words.push(c.to_string());
            } else {
                word.push(c);
            }
        }
        words
    }

    #[test]
    fn dashes_and_ellipses_end_a_token_when_a_word_follows() {
        assert_eq!(split("lamp—and"), ["lamp—", "and"]);
        assert_eq!(split("lamp--and"), ["lamp--", "and"]);
        assert_eq!(split("no…yes"), ["no…", "yes"]);
        assert_eq!(split("no...yes"), ["no...", "yes"]);
        assert_eq!(split("“Wait—”"), ["“Wait—”"]);
        assert_eq!(split("he—“Wait"), ["he—", "“Wait"]);
        assert_eq!(split("—Yes"), ["—Yes"]);
        assert_eq!(split("well-known"), ["well-known"]);
        assert_eq!(split("3.14"), ["3.14"]);
        assert_eq!(split("e.g."), ["e.g."]);
        assert_eq!(split("1914–1918"), ["1914–1918"]);
    }

    #[test]
    fn ideographs_stand_alone_with_their_marks() {
        assert_eq!(split("東京へ。"), ["東", "京", "へ。"]);
        assert_eq!(split("ちょっと"), ["ちょっ", "と"]);
        assert_eq!(split("第12章"), ["第", "12", "章"]);
        assert_eq!(split("한국어"), ["한국어"]);
    }

    #[test]
    fn an_endless_run_is_cut() {
        let words = split(&"x".repeat(1000));
        assert_eq!(words.len(), 5);
        assert!(words.iter().all(|word| word.len() == LONGEST_TOKEN));
        assert!(split(&"\u{0301}".repeat(1000)).iter().all(|word| word.chars().count() <= 2 * LONGEST_TOKEN));
    }
}
