//! The book's text, chapter by chapter, with what was heard where that is something else, and with what is in the
//! book and in no segment.

use std::fmt::Write as _;

use narrator_core::Segment;
use narrator_journal::Standing;

use super::{Page, escaped};
use crate::audit::Place;
use crate::output;

/// A pause as long as this ends a paragraph: the script says nothing else of it.
const PARAGRAPH_MS: u32 = 600;

impl Page<'_> {
    pub(super) fn text(&self) -> String {
        let mut html = String::new();
        for (index, chapter) in self.script.chapters.iter().enumerate() {
            let segments =
                &self.script.segments[chapter.segments.start as usize..chapter.segments.end as usize];
            let mut lost = self.lost_in(index as u32);
            if segments.is_empty() && lost.is_empty() {
                continue;
            }
            let words: usize = segments.iter().map(|it| it.text.split_whitespace().count()).sum();
            let missing: u32 = lost.iter().map(|place| place.difference.lost).sum();
            let missing = if missing > 0 { format!(", {missing} lost") } else { String::new() };
            let _ = write!(
                html,
                "<details><summary>{} <small>{} words{missing}</small></summary><p>",
                escaped(&chapter.title),
                output::count(words as u64)
            );
            for segment in segments {
                lost = write_lost(&mut html, lost, segment.tokens.end);
                self.segment_text(&mut html, segment);
            }
            write_lost(&mut html, lost, u32::MAX);
            html.push_str("</p></details>");
        }
        html
    }

    /// What of a chapter is surely not in the audiobook, in order.
    fn lost_in(&self, chapter: u32) -> &[Place] {
        let Some(audit) = self.audit else { return &[] };
        let all = &audit.differences;
        let from = all.partition_point(|place| place.difference.chapter < chapter);
        let to = all.partition_point(|place| place.difference.chapter <= chapter);
        all.get(from..to).unwrap_or_default()
    }

    fn segment_text(&self, html: &mut String, segment: &Segment) {
        let given_up = matches!(self.replay.standing(&segment.key), Standing::Quarantined(_));
        let again = !self.replay.refused(&segment.key).is_empty();
        let class = match (given_up, again) {
            (true, _) => " class=\"bad\"",
            (_, true) => " class=\"again\"",
            _ => "",
        };
        // The script makes the rest of the take's path: thousands of them are most of the page.
        let take = self.take(segment).map_or_else(String::new, |take| {
            let name = take.trim_start_matches("takes/").trim_end_matches(".flac");
            format!(" data-t=\"{}\"", escaped(name))
        });
        let _ =
            write!(html, "<span id=\"s{}\"{class}{take}>{}</span> ", segment.id.0, escaped(&segment.text));
        let note =
            self.replay.audible(&segment.key).and_then(|take| self.notes.get(&(segment.key, take.take)));
        let heard = note.and_then(|note| note.heard.last()).filter(|heard| !is_same(heard, &segment.text));
        if let Some(heard) = heard {
            let _ = write!(html, "<span class=\"heard\">{}</span>", escaped(heard));
        }
        if segment.pause_after_ms >= PARAGRAPH_MS {
            html.push_str("</p><p>");
        }
    }
}

/// Writes what is lost before token `before`; what is left comes back.
fn write_lost<'a>(html: &mut String, lost: &'a [Place], before: u32) -> &'a [Place] {
    let count = lost.partition_point(|place| place.difference.tokens.start < before);
    let (now, later) = lost.split_at(count);
    for place in now.iter().filter(|place| place.difference.lost > 0) {
        let _ = write!(html, "<span class=\"gone\">{}</span> ", escaped(&place.difference.written));
    }
    later
}

/// Whether a transcript is the text but for marks and capitals.
fn is_same(heard: &str, text: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    plain(heard) == plain(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_capitals_are_no_difference() {
        assert!(is_same("it’s late he said", "“It’s late,” he said."));
        assert!(!is_same("it is late", "It’s late."));
    }
}
