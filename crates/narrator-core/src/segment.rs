//! The segment: the unit of speech, of checkpoint and of retry, and the key of its sound.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::ids::SegmentId;
use crate::manuscript::Span;

/// BLAKE3 of everything that decides how a segment sounds. Equal keys mean equal samples.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentKey(pub [u8; 32]);

/// A key is a hash already: eight of its bytes tell keys apart as well as all.
impl std::hash::Hash for ContentKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write(&self.0[..8]);
    }
}

impl ContentKey {
    /// Key of `text` spoken under `speech`. Fields are length-prefixed, so no two inputs share a byte
    /// string.
    pub fn of(text: &str, speech: &SpeechSettings) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("narratord content key v1");
        for field in [text, &speech.engine, &speech.model_hash, &speech.voice, &speech.language] {
            hasher.update(&(field.len() as u64).to_le_bytes()).update(field.as_bytes());
        }
        hasher.update(&speech.speed.to_le_bytes()).update(&speech.seed.to_le_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// The random stream's seed for take number `take` (from 0) of this segment: it depends on the job
    /// seed and the content alone, never on the worker, batch or restart that runs it.
    pub fn row_seed(&self, take: u32) -> u64 {
        let mut hasher = blake3::Hasher::new_derive_key("narratord row seed v1");
        hasher.update(&self.0).update(&take.to_le_bytes());
        let bytes = *hasher.finalize().as_bytes();
        u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]])
    }

    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// The key that 64 hex digits stand for, of either case.
    pub fn from_hex(hex: impl AsRef<[u8]>) -> Option<Self> {
        let digits: &[u8; 64] = hex.as_ref().try_into().ok()?;
        let value = |at: usize| DIGIT_VALUES[usize::from(digits[at])];
        let any = (0..digits.len()).fold(0, |all, at| all | value(at));
        (any < 16).then(|| Self(std::array::from_fn(|at| value(2 * at) << 4 | value(2 * at + 1))))
    }
}

/// Of every byte the value as a hex digit, or 16 and more. A table, because which byte it is cannot be guessed
/// ahead, and a status reads a hundred thousand keys.
const DIGIT_VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
};

impl fmt::Display for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentKey({})", &self.to_hex()[..12])
    }
}

impl Serialize for ContentKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for ContentKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(deserializer)?;
        Self::from_hex(&hex).ok_or_else(|| serde::de::Error::custom("not a content key: 64 hex digits"))
    }
}

/// What, beside the text, decides a segment's sound.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SpeechSettings {
    /// Engine name in the registry, such as `starter` or `qwen3-tts`.
    pub engine: String,
    /// BLAKE3 (hex) of the model's weights and configuration, from its manifest.
    pub model_hash: String,
    pub voice: String,
    /// BCP 47.
    pub language: String,
    /// 1 is the voice's own speed.
    pub speed: f32,
    /// The job's seed.
    pub seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    Heading,
    Prose,
}

/// One edit of the normaliser: which source text became which words, and by what rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Replacement {
    pub rule: String,
    pub tokens: Range<u32>,
    pub source: String,
    pub spoken: String,
    /// Byte range of `spoken` in [`Segment::text`].
    pub at: Range<u32>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Segment {
    pub id: SegmentId,
    /// Index into [`Script::chapters`].
    pub chapter: u32,
    pub kind: SegmentKind,
    /// What is spoken: the source text after normalisation. Never empty.
    pub text: String,
    /// Tokens of the manuscript from the first spoken to the last; some in between may be skipped.
    pub tokens: Range<u32>,
    pub span: Span,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Replacement>,
    pub pause_after_ms: u32,
    pub voice: String,
    pub key: ContentKey,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScriptChapter {
    pub title: String,
    /// Segment indices (from 0), contiguous and in order; empty for a chapter without spoken text.
    pub segments: Range<u32>,
}

/// The ordered list of segments of a book.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Script {
    pub chapters: Vec<ScriptChapter>,
    pub segments: Vec<Segment>,
}

impl Script {
    pub fn segment(&self, id: SegmentId) -> Option<&Segment> {
        self.segments.get(id.index())
    }

    /// BLAKE3 over what is to be said, in order, with its pauses: names this plan in the journal.
    pub fn plan_hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("narratord script v1");
        for segment in &self.segments {
            hasher.update(&segment.id.0.to_le_bytes()).update(&segment.pause_after_ms.to_le_bytes());
            hasher.update(&(segment.text.len() as u64).to_le_bytes()).update(segment.text.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech() -> SpeechSettings {
        SpeechSettings {
            engine: "starter".into(),
            model_hash: "00".into(),
            voice: "hibari".into(),
            language: "en".into(),
            speed: 1.0,
            seed: 1,
        }
    }

    #[test]
    fn a_key_changes_with_everything_that_decides_the_sound() {
        let base = ContentKey::of("Hello.", &speech());
        let others = [
            ContentKey::of("Hello!", &speech()),
            ContentKey::of("Hello.", &SpeechSettings { voice: "other".into(), ..speech() }),
            ContentKey::of("Hello.", &SpeechSettings { model_hash: "01".into(), ..speech() }),
            ContentKey::of("Hello.", &SpeechSettings { speed: 1.1, ..speech() }),
            ContentKey::of("Hello.", &SpeechSettings { seed: 2, ..speech() }),
            ContentKey::of("Hello.", &SpeechSettings { language: "de".into(), ..speech() }),
        ];
        for other in others {
            assert_ne!(base, other);
        }
        assert_eq!(base, ContentKey::of("Hello.", &speech()));
    }

    #[test]
    fn a_key_survives_its_hex_form() {
        let key = ContentKey::of("x", &speech());
        assert_eq!(ContentKey::from_hex(key.to_hex()), Some(key));
        assert_eq!(ContentKey::from_hex(key.to_hex().to_uppercase()), Some(key));
        assert_eq!(ContentKey::from_hex("zz"), None);
        assert_eq!(ContentKey::from_hex("0".repeat(65)), None);
        assert_eq!(ContentKey::from_hex("0".repeat(63) + "g"), None);
        assert_ne!(key.row_seed(0), key.row_seed(1));
    }
}
