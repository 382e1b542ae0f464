//! Languages as books name them (BCP 47) and as checkpoints do (English names).

/// The ten languages that Qwen3-TTS was taught.
const NAMES: [(&str, &str); 11] = [
    ("zh", "chinese"),
    ("cmn", "chinese"),
    ("en", "english"),
    ("de", "german"),
    ("it", "italian"),
    ("pt", "portuguese"),
    ("es", "spanish"),
    ("ja", "japanese"),
    ("ko", "korean"),
    ("fr", "french"),
    ("ru", "russian"),
];

/// What a tag says of the language alone: `en` of `en-GB`.
pub fn primary(tag: &str) -> String {
    tag.split(['-', '_']).next().unwrap_or_default().to_lowercase()
}

/// The name under which a checkpoint's configuration has the language of a tag.
pub fn name(tag: &str) -> Option<&'static str> {
    let primary = primary(tag);
    NAMES.iter().find(|(tag, _)| *tag == primary).map(|(_, name)| *name)
}

/// A language that is not said.
pub fn is_open(tag: &str) -> bool {
    matches!(primary(tag).as_str(), "" | "und" | "mul")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_any_length_name_their_language() {
        assert_eq!(name("en-GB"), Some("english"));
        assert_eq!(name("zh_CN"), Some("chinese"));
        assert_eq!(name("nl"), None);
        assert!(is_open("und") && is_open("") && !is_open("en"));
    }
}
