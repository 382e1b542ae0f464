//! `report.html`: the morning's report as one page, without a network.
//!
//! The page is put together here, text and all, so that it can be read without a script; the script only sorts
//! and keeps two players from playing at once. Takes are linked where they lie in the job folder, and places of
//! the audiobook by their time in it. Everything that came out of a book or a recogniser is escaped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use narrator_core::{Script, Segment};
use narrator_fidelity::audit::Difference;
use narrator_journal::{Replay, Standing, TakeRefused, take_path};

use super::check::notes::{Note, Notes};
use super::report::Report;
use crate::audit::{Outcome, Place, clock};
use crate::error::Failure;
use crate::job::{JobDir, write_whole};
use crate::output;

const PAGE: &str = include_str!("page.html");
/// Rows of doubt that a page shows: a browser sorts some thousands at once.
const MOST_ROWS: usize = 3000;

/// Everything that the page tells.
#[derive(Debug)]
pub struct Page<'a> {
    pub script: &'a Script,
    pub replay: &'a Replay,
    pub notes: &'a Notes,
    pub report: &'a Report,
    pub audit: Option<&'a Outcome>,
    pub job: &'a JobDir,
    pub language: &'a str,
}

/// Writes the page into the job folder.
pub fn write(page: &Page<'_>) -> Result<(), Failure> {
    write_whole(&page.job.page(), page.html().as_bytes())
}

impl Page<'_> {
    fn html(&self) -> String {
        let (sentence, mood) = self.sentence();
        let parts = [
            ("language", escaped(self.language)),
            ("title", escaped(&self.report.title)),
            ("authors", escaped(&self.report.authors.join(", "))),
            ("mood", mood.to_owned()),
            ("sentence", escaped(&sentence)),
            ("facts", self.facts()),
            ("retries", self.retries()),
            ("doubts", self.doubts()),
            ("text", self.text()),
        ];
        // One pass over the template, so that a book about templates stays what it is.
        let mut html = String::new();
        let mut rest = PAGE;
        while let Some((before, after)) = rest.split_once("{{") {
            html.push_str(before);
            let Some((name, behind)) = after.split_once("}}") else { break };
            if let Some((_, value)) = parts.iter().find(|(known, _)| *known == name) {
                html.push_str(value);
            }
            rest = behind;
        }
        html.push_str(rest);
        html
    }

    /// The sentence for the morning, and how to take it.
    fn sentence(&self) -> (String, &'static str) {
        let given_up = self.report.quarantined.len();
        let tail = match given_up {
            0 => String::new(),
            1 => " One segment has no good take.".to_owned(),
            more => format!(" {more} segments have no good take."),
        };
        if let Some(audit) = self.audit {
            let count = |n: u32| output::count(n.into());
            let sentence = format!(
                "{} words in the book, {} words heard, {} words lost.{tail}",
                count(audit.words_in_book),
                count(audit.words_heard),
                count(audit.words_lost)
            );
            let mood = match (audit.is_whole(), given_up) {
                (true, 0) => "",
                (true, _) => "open",
                (false, _) => "lost",
            };
            (sentence, mood)
        } else {
            let sentence =
                format!("{} Nobody listened to the audiobook.{tail}", self.report.tokens.line() + ".");
            (sentence, "open")
        }
    }

    fn facts(&self) -> String {
        let report = self.report;
        let again: usize = self.script.segments.iter().map(|it| self.replay.refused(&it.key).len()).sum();
        let mut facts = vec![
            ("Length", output::duration(report.audio_s)),
            ("Chapters", report.chapters.len().to_string()),
            ("Segments", output::count(report.segments.into())),
            ("Spoken again", output::count(again as u64)),
            ("Without a good take", report.quarantined.len().to_string()),
            ("Voice", format!("{} ({})", report.voice, report.model)),
        ];
        if let Some(checks) = &report.checks {
            facts.push(("Checks", checks.mode.clone()));
            facts.push(("Heard by", checks.recognisers.join(", ")));
            if checks.unheard > 0 {
                facts.push(("Takes nobody could hear", checks.unheard.to_string()));
            }
        }
        if let Some(lufs) = report.loudness.loudness_lufs {
            facts.push(("Loudness", format!("{lufs:.1} LUFS")));
        }
        facts.push(("Finished", report.finished.clone()));
        let row =
            |(name, value): (&str, String)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escaped(&value));
        facts.into_iter().map(row).collect()
    }

    /// What takes were refused for, by kind.
    fn retries(&self) -> String {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for segment in &self.script.segments {
            for refused in self.replay.refused(&segment.key) {
                *kinds.entry(self.kind(segment, refused)).or_default() += 1;
            }
        }
        if kinds.is_empty() {
            return String::new();
        }
        let mut kinds: Vec<(String, usize)> = kinds.into_iter().collect();
        kinds.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), name.clone()));
        let row = |(name, count): &(String, usize)| {
            format!("<tr><td>{}</td><td class=\"n\">{count}</td></tr>", escaped(name))
        };
        let rows: String = kinds.iter().map(row).collect();
        format!(
            "<h2>Why takes were spoken again</h2><table><thead><tr><th>Reason</th><th>Takes</th></tr></thead>\
             <tbody>{rows}</tbody></table>"
        )
    }

    /// The reason of a refusal as a kind: the fault of its first complaint.
    fn kind(&self, segment: &Segment, refused: &TakeRefused) -> String {
        let note = self.notes.get(&(segment.key, refused.take));
        let fault = note.and_then(|note| note.complaints().first()).map(|complaint| {
            let value = serde_json::to_value(&complaint.fault).unwrap_or_default();
            let kind = |value: &serde_json::Value, field: &str| value[field].as_str().map(str::to_owned);
            match kind(&value["finding"], "kind") {
                Some(finding) => finding,
                None => kind(&value, "fault").unwrap_or_default(),
            }
        });
        fault.filter(|fault| !fault.is_empty()).unwrap_or_else(|| "other".into()).replace('-', " ")
    }

    fn doubts(&self) -> String {
        let mut rows: Vec<String> = Vec::new();
        for segment in &self.script.segments {
            rows.extend(self.row_of_segment(segment));
        }
        if let Some(audit) = self.audit {
            rows.extend(audit.differences.iter().map(|place| self.row_of_place(place, true)));
            rows.extend(audit.unsure.iter().map(|place| self.row_of_place(place, false)));
        }
        let heading = "<h2>What is worth a listen</h2>";
        if rows.is_empty() {
            return format!(
                "{heading}<p class=\"fine\">Nothing: every take was accepted at once, and the audiobook says what the book says.</p>"
            );
        }
        let left_out = rows.len().saturating_sub(MOST_ROWS);
        rows.truncate(MOST_ROWS);
        let more = if left_out > 0 {
            format!("<p class=\"small\">{left_out} more are in report.json.</p>")
        } else {
            String::new()
        };
        let head: String = ["", "Place", "Chapter", "Written", "Heard"]
            .iter()
            .map(|name| {
                if name.is_empty() {
                    "<th><button>What</button></th>".to_owned()
                } else {
                    format!("<th><button>{name}</button></th>")
                }
            })
            .collect();
        format!(
            "{heading}<table class=\"sortable\"><thead><tr>{head}<th></th></tr></thead><tbody>{}</tbody></table>{more}",
            rows.concat()
        )
    }

    /// A segment that was spoken more than once, given up, or never heard.
    fn row_of_segment(&self, segment: &Segment) -> Option<String> {
        let refused = self.replay.refused(&segment.key);
        let audible = self.replay.audible(&segment.key);
        let note = audible.and_then(|take| self.notes.get(&(segment.key, take.take)));
        let given_up = matches!(self.replay.standing(&segment.key), Standing::Quarantined(_));
        let unheard = note.is_some_and(|note| note.outcome == "unheard");
        if refused.is_empty() && !given_up && !unheard {
            return None;
        }
        let (what, class, rank) = match (given_up, unheard) {
            (true, _) if audible.is_some() => ("no good take".to_owned(), "lost", 1),
            (true, _) => ("not spoken".to_owned(), "lost", 0),
            (_, true) => ("not heard".to_owned(), "doubt", 3),
            _ => (format!("spoken {} times", refused.len() + 1), "fine", 6),
        };
        let why = refused.last().map_or("", |refused| refused.reason.as_str());
        let heard = note.map_or_else(|| why.to_owned(), |note| told(note, why));
        let number = segment.id.0;
        let player = audible.map_or_else(String::new, |take| {
            let path = take_path(Path::new("takes"), &segment.key, take.take);
            player(&path.to_string_lossy().replace('\\', "/"))
        });
        Some(row(
            (rank, class, &what),
            (u64::from(number), &format!("<a href=\"#s{number}\">segment {number}</a>")),
            self.chapter(segment),
            &segment.text,
            &heard,
            &player,
        ))
    }

    fn row_of_place(&self, place: &Place, sure: bool) -> String {
        let it = &place.difference;
        let name = match it.kind {
            Difference::Lost => "lost",
            Difference::Added => "added",
            Difference::Changed => "changed",
            Difference::Moved => "moved",
            Difference::Repeated => "said again",
        };
        let (class, rank) = match (sure, it.lost > 0) {
            (true, true) => ("lost", 0),
            (true, false) => ("doubt", 2),
            (false, _) => ("doubt", 4),
        };
        let what = if sure { name.to_owned() } else { format!("perhaps {name}") };
        let from = it.start_ms.saturating_sub(1500) / 1000;
        let player = match self.audiobook() {
            Some(file) => player(&format!("{file}#t={from},{}", it.end_ms / 1000 + 2)),
            None => String::new(),
        };
        let time = u64::from(it.start_ms);
        row(
            (rank, class, &what),
            (time, &clock(it.start_ms)),
            &place.chapter_title,
            &it.written,
            &it.heard,
            &player,
        )
    }

    /// The audiobook as seen from the job folder, when it is one file.
    fn audiobook(&self) -> Option<String> {
        let [file] = self.report.files.as_slice() else { return None };
        let name = |path: &Path| path.file_name().map(|name| encoded(&name.to_string_lossy()));
        let beside = file.parent() == self.job.root.parent();
        if beside {
            Some(format!("../{}", name(file)?))
        } else {
            Some(format!("file://{}", encoded(&absolute(file))))
        }
    }

    fn chapter(&self, segment: &Segment) -> &str {
        self.script.chapters.get(segment.chapter as usize).map_or("", |chapter| &chapter.title)
    }

    /// The whole text, chapter by chapter.
    fn text(&self) -> String {
        let mut html = String::new();
        for chapter in &self.script.chapters {
            let segments =
                &self.script.segments[chapter.segments.start as usize..chapter.segments.end as usize];
            if segments.is_empty() {
                continue;
            }
            let words: usize = segments.iter().map(|it| it.text.split_whitespace().count()).sum();
            let _ = write!(
                html,
                "<details><summary>{} <small>{} words</small></summary><p>",
                escaped(&chapter.title),
                output::count(words as u64)
            );
            for segment in segments {
                self.segment_text(&mut html, segment);
            }
            html.push_str("</p></details>");
        }
        html
    }

    fn segment_text(&self, html: &mut String, segment: &Segment) {
        let given_up = matches!(self.replay.standing(&segment.key), Standing::Quarantined(_));
        let again = !self.replay.refused(&segment.key).is_empty();
        let class = match (given_up, again) {
            (true, _) => " class=\"bad\"",
            (_, true) => " class=\"again\"",
            _ => "",
        };
        let _ = write!(html, "<span id=\"s{}\"{class}>{}</span> ", segment.id.0, escaped(&segment.text));
        let note =
            self.replay.audible(&segment.key).and_then(|take| self.notes.get(&(segment.key, take.take)));
        let heard = note.and_then(|note| note.heard.last()).filter(|heard| !is_same(heard, &segment.text));
        if let Some(heard) = heard {
            let _ = write!(html, "<span class=\"heard\">{}</span>", escaped(heard));
        }
        // The pause says where a paragraph ends, and the script nothing else.
        if segment.pause_after_ms >= 600 {
            html.push_str("</p><p>");
        }
    }
}

/// Whether a transcript is the text but for marks and capitals.
fn is_same(heard: &str, text: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    plain(heard) == plain(text)
}

fn told(note: &Note, why: &str) -> String {
    let heard = note.heard.last().cloned().unwrap_or_default();
    if why.is_empty() { heard } else { format!("{heard} — first: {why}") }
}

fn row(
    (rank, class, what): (u8, &str, &str),
    (order, place): (u64, &str),
    chapter: &str,
    written: &str,
    heard: &str,
    player: &str,
) -> String {
    format!(
        "<tr><td class=\"what {class}\" data-v=\"{rank}\">{}</td><td class=\"n\" data-v=\"{order}\">{place}</td>\
         <td>{}</td><td>{}</td><td>{}</td><td>{player}</td></tr>",
        escaped(what),
        escaped(chapter),
        escaped(written),
        escaped(heard)
    )
}

fn player(source: &str) -> String {
    format!("<audio controls preload=\"none\" src=\"{}\"></audio>", escaped(source))
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)).to_string_lossy().replace('\\', "/")
}

/// A path as a URL: what has a meaning there, or none in ASCII, in percent.
fn encoded(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_book_says_cannot_become_markup() {
        assert_eq!(escaped("<b>\"it's\" & {{title}}"), "&lt;b&gt;&quot;it&#39;s&quot; &amp; {{title}}");
        assert_eq!(encoded("A book #1 (é).m4b"), "A%20book%20%231%20%28%C3%A9%29.m4b");
    }

    #[test]
    fn marks_and_capitals_are_no_difference() {
        assert!(is_same("it’s late he said", "“It’s late,” he said."));
        assert!(!is_same("it is late", "It’s late."));
    }

    #[test]
    fn every_place_of_the_template_is_filled() {
        let names = PAGE.split("{{").skip(1).filter_map(|rest| rest.split_once("}}").map(|(name, _)| name));
        let known =
            ["language", "title", "authors", "mood", "sentence", "facts", "retries", "doubts", "text"];
        let mut missing: Vec<&str> = names.filter(|name| !known.contains(name)).collect();
        missing.dedup();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(!PAGE.contains("http"), "nothing comes over a network");
    }
}
