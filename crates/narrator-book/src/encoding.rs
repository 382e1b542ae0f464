//! Bytes to text: byte order marks, what the document says of itself, and a guess where it says nothing.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How much of a document is looked at for a declaration or for its byte order.
const HEAD: usize = 4096;

/// Decodes without ever failing: what no encoding explains becomes replacement characters, which
/// [`looks_binary`] then counts.
pub(crate) fn decode(bytes: &[u8]) -> String {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[length..]).0.into_owned();
    }
    if let Some(encoding) = sixteen_bit(bytes) {
        return encoding.decode_without_bom_handling(bytes).0.into_owned();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let encoding = declared(bytes).filter(|encoding| *encoding != UTF_8).unwrap_or_else(|| guess(bytes));
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

/// UTF-16 without a mark: the zero bytes of its Latin letters, spaces and line ends stand all on one side.
fn sixteen_bit(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(HEAD) & !1];
    let zeros = |side: usize| head.iter().skip(side).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, pairs) = (zeros(0), zeros(1), head.len() / 2);
    if pairs == 0 || (even == 0) == (odd == 0) || (even + odd) * 8 < pairs {
        return None;
    }
    Some(if odd > 0 { UTF_16LE } else { UTF_16BE })
}

/// `<?xml … encoding="x"?>` or `<meta … charset=x>`, read as ASCII.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]).to_ascii_lowercase();
    if !head.trim_start().starts_with('<') {
        return None;
    }
    let xml = head.find("<?xml").and_then(|at| {
        let declaration = head[at..].split('>').next()?;
        Some(declaration.split_once("encoding")?.1)
    });
    let label = xml.or_else(|| head.split_once("charset").map(|(_, rest)| rest))?;
    let label = label.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let end = label.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))).unwrap_or(label.len());
    // It can be read as ASCII, so it is not of sixteen bits, whatever it says.
    Encoding::for_label(&label.as_bytes()[..end]).filter(|encoding| encoding.is_ascii_compatible())
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(None, chardetng::Utf8Detection::Deny)
}

/// Whether `text` holds what no text has: more than one control character or undecodable byte in fifty.
/// Random bytes have one in nine.
pub(crate) fn looks_binary(text: &str) -> bool {
    let odd = |c: &char| {
        (c.is_control()
            && !matches!(c, '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{1a}' | '\u{1b}'))
            || *c == char::REPLACEMENT_CHARACTER
    };
    let (odds, all) = text.chars().fold((0, 0), |(odds, all), c| (odds + usize::from(odd(&c)), all + 1));
    odds * 50 > all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    }

    #[test]
    fn the_usual_encodings_are_told_apart() {
        let text = "“Où est le café?” asked Zoë.\nNobody knew, for it was late.\n";
        assert_eq!(decode(text.as_bytes()), text);
        assert_eq!(decode(format!("\u{feff}{text}").as_bytes()), text);
        assert_eq!(decode(&utf16(&format!("\u{feff}{text}"), true)), text);
        assert_eq!(decode(&utf16(&format!("\u{feff}{text}"), false)), text);
        assert_eq!(decode(&utf16(text, true)), text);
        assert_eq!(decode(&utf16(text, false)), text);
        let latin = "Le café était fermé à midi; la fenêtre, où l'élève rêvait, donnait sur la forêt.";
        let bytes: Vec<u8> = latin.chars().map(|c| c as u8).collect();
        assert_eq!(decode(&bytes), latin);
    }

    #[test]
    fn a_declaration_counts_where_the_bytes_are_not_utf8() {
        let bytes = b"<?xml version=\"1.0\" encoding=\"ISO-8859-2\"?><p>\xb3\xf3d\xbc</p>";
        assert!(decode(bytes).contains("łódź"));
        let bytes = b"<html><head><meta charset=windows-1251></head><p>\xcf\xf0\xe8\xe2\xe5\xf2</p>";
        assert!(decode(bytes).contains("Привет"));
        assert!(decode(b"<?xml encoding='utf-16'?><p>caf\xe9</p>").contains("café"));
    }

    #[test]
    fn binary_is_not_text() {
        let noise: Vec<u8> = (0..4000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert!(looks_binary(&decode(&noise)));
        assert!(!looks_binary("A line.\r\n\u{c}\tAnother.\u{1a}"));
        assert!(!looks_binary(""));
    }
}
