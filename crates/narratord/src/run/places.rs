//! `places.jsonl`: where each segment is in the finished audiobook, a line a segment.
//!
//! With `words.jsonl` this puts every word on the audiobook's clock: pauses, and the silence that is cut off takes,
//! are in `origin_ms` already.

use narrator_audio::{Finished, PlacedTake};
use narrator_core::{Script, Segment, SegmentId};
use narrator_journal::Replay;
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::job::{JobDir, write_whole};

/// One segment in the audiobook. Times are of its file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlacedSegment {
    pub segment: SegmentId,
    pub take: u32,
    /// Index into `files` of `report.json`.
    pub file: u32,
    pub start_ms: u64,
    pub end_ms: u64,
    /// Where the take's own clock begins: what `words.jsonl` has at `t` is heard at `origin_ms + t`. Below zero when
    /// silence was cut off a take at the very beginning.
    pub origin_ms: i64,
}

/// Segments and their places. The audiobook has the segments with an audible take, in order, and a file a chapter
/// or one for all.
pub fn of(script: &Script, replay: &Replay, finished: &Finished) -> Vec<PlacedSegment> {
    let spoken =
        script.segments.iter().filter_map(|segment| Some((segment, replay.audible(&segment.key)?.take)));
    spoken
        .zip(&finished.placed)
        .map(|((segment, take), placed)| place(segment, take, *placed, finished))
        .collect()
}

fn place(segment: &Segment, take: u32, placed: PlacedTake, finished: &Finished) -> PlacedSegment {
    let chapter = finished.chapters.partition_point(|chapter| chapter.end <= placed.start);
    let in_chapters = finished.files.len() > 1;
    let begins = finished.chapters.get(chapter).filter(|_| in_chapters).map_or(0, |chapter| chapter.start);
    let ms = |samples: u64| samples * 1000 / u64::from(finished.rate.max(1));
    let (start, end) = (placed.start.saturating_sub(begins), placed.end.saturating_sub(begins));
    PlacedSegment {
        segment: segment.id,
        take,
        file: if in_chapters { chapter as u32 } else { 0 },
        start_ms: ms(start),
        end_ms: ms(end),
        origin_ms: ms(start) as i64 - ms(placed.cut) as i64,
    }
}

pub fn write(job: &JobDir, places: &[PlacedSegment]) -> Result<(), Failure> {
    let mut lines = Vec::new();
    for place in places {
        // Numbers: nothing in it can fail to become JSON.
        serde_json::to_writer(&mut lines, place).unwrap_or_default();
        lines.push(b'\n');
    }
    write_whole(&job.places(), &lines)
}

/// What the last assembly wrote; nothing when there is no such file.
pub fn read(job: &JobDir) -> Vec<PlacedSegment> {
    let text = std::fs::read_to_string(job.places()).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use narrator_audio::{FinishedChapter, Measurement};
    use narrator_core::{ContentKey, DocId, SegmentKind, Span};
    use std::path::PathBuf;

    fn segment() -> Segment {
        Segment {
            id: SegmentId(3),
            chapter: 1,
            kind: SegmentKind::Prose,
            text: "Call me".into(),
            tokens: 0..2,
            span: Span { doc: DocId(0), start: 0, end: 7 },
            replaced: Vec::new(),
            pause_after_ms: 0,
            voice: "tone".into(),
            key: ContentKey([0; 32]),
        }
    }

    fn finished(files: &[&str]) -> Finished {
        let chapter = |title: &str, start, end| FinishedChapter { title: title.into(), start, end };
        Finished {
            files: files.iter().map(PathBuf::from).collect(),
            bytes: 0,
            rate: 24_000,
            samples: 120_000,
            chapters: vec![chapter("One", 0, 48_000), chapter("Two", 48_000, 120_000)],
            placed: Vec::new(),
            takes: Measurement::default(),
            delivered: Measurement::default(),
            gain_db: 0.0,
            ceiling_db: 0.0,
            encodes: 1,
            cover: false,
        }
    }

    #[test]
    fn times_are_of_the_file_that_a_segment_is_in() {
        let placed = PlacedTake { start: 60_000, end: 84_000, cut: 2_400 };
        let one = place(&segment(), 1, placed, &finished(&["book.m4b"]));
        assert_eq!((one.file, one.start_ms, one.end_ms, one.origin_ms), (0, 2_500, 3_500, 2_400));
        let two = place(&segment(), 1, placed, &finished(&["1.mp3", "2.mp3"]));
        assert_eq!((two.file, two.start_ms, two.end_ms, two.origin_ms), (1, 500, 1_500, 400));
        let first = place(&segment(), 0, PlacedTake { start: 0, end: 24_000, cut: 2_400 }, &finished(&["b"]));
        assert_eq!((first.start_ms, first.origin_ms), (0, -100));
    }
}
