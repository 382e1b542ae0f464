//! What several tests of the checks begin with.

use narrator_core::manuscript::DocId;
use narrator_core::{ContentKey, Script, Segment, SegmentId, SegmentKind, Span, SpeechSettings};

/// A script of one chapter: texts, and the pauses after them.
pub fn script_of(texts: &[(&str, u32)]) -> Script {
    let speech = SpeechSettings {
        engine: "sim".into(),
        model_hash: "00".into(),
        voice: "tone".into(),
        language: "en".into(),
        speed: 1.0,
        seed: 1,
    };
    let segment = |(index, (text, pause_after_ms)): (usize, &(&str, u32))| Segment {
        id: SegmentId::from_index(index),
        chapter: 0,
        kind: SegmentKind::Prose,
        text: (*text).to_owned(),
        tokens: 0..1,
        span: Span { doc: DocId(0), start: 0, end: 1 },
        replaced: Vec::new(),
        pause_after_ms: *pause_after_ms,
        voice: "tone".into(),
        key: ContentKey::of(text, &speech),
    };
    Script { chapters: Vec::new(), segments: texts.iter().enumerate().map(segment).collect() }
}
