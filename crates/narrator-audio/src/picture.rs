//! Cover images: what they are, and their form in Ogg comments.

/// Base64 by RFC 4648, for the one place that needs it.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * digit)) as usize & 63];
            out.push(if digit > chunk.len() { '=' } else { letter as char });
        }
    }
    out
}

/// The media type by the first bytes; what a book's catalogue says of its cover is often wrong.
pub(crate) fn media_type(image: &[u8]) -> Option<&'static str> {
    match image {
        [0xFF, 0xD8, 0xFF, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some("image/png"),
        _ => None,
    }
}

/// A FLAC picture block of the front cover as a comment's value. Sizes and depth may be zero: readers
/// take them from the image.
pub(crate) fn comment_value(image: &[u8]) -> Option<String> {
    const FRONT_COVER: u32 = 3;
    let media_type = media_type(image)?;
    let mut block = Vec::with_capacity(image.len() + 64);
    block.extend(FRONT_COVER.to_be_bytes());
    block.extend((media_type.len() as u32).to_be_bytes());
    block.extend(media_type.as_bytes());
    // No description; width, height, depth and colours left open.
    block.extend([0; 20]);
    block.extend((image.len() as u32).to_be_bytes());
    block.extend(image);
    Some(base64(&block))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_by_the_examples_of_its_standard() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in cases {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn images_are_known_by_their_bytes() {
        assert_eq!(media_type(b"\xFF\xD8\xFF\xE0rest"), Some("image/jpeg"));
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\nrest"), Some("image/png"));
        assert_eq!(media_type(b"<svg/>"), None);
        assert_eq!(comment_value(b"GIF89a"), None);
    }
}
