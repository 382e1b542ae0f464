//! `report.html`: the morning's report as one page, without a network.
//!
//! The page is put together here, text and all, so that it can be read without a script; the script only sorts,
//! filters and plays. Takes are linked where they lie in the job folder, and the audiobook beside it, so that the
//! page works wherever the folder is moved to. Everything that came out of a book or a recogniser is escaped.

mod doubts;
mod text;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use narrator_core::{Script, Segment, SegmentId};
use narrator_journal::{Replay, TakeRefused, take_path};

use super::check::notes::Notes;
use super::places::PlacedSegment;
use super::report::Report;
use crate::audit::Outcome;
use crate::error::Failure;
use crate::job::{JobDir, write_whole};
use crate::output;

const PAGE: &str = include_str!("page.html");

/// Everything that the page tells.
#[derive(Debug)]
pub struct Page<'a> {
    pub script: &'a Script,
    pub replay: &'a Replay,
    pub notes: &'a Notes,
    pub report: &'a Report,
    pub audit: Option<&'a Outcome>,
    /// Where segments are in the audiobook.
    pub places: &'a [PlacedSegment],
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
            ("alarm", self.alarm()),
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
            let mood = match (audit.is_whole() && self.report.ledger.is_none(), given_up) {
                (true, 0) => "",
                (true, _) => "open",
                (false, _) => "lost",
            };
            (sentence, mood)
        } else {
            let sentence =
                format!("{} Nobody listened to the audiobook.{tail}", self.report.tokens.line() + ".");
            (sentence, if self.report.ledger.is_some() { "lost" } else { "open" })
        }
    }

    /// What no count tells: that script and ledger lack something of the book.
    fn alarm(&self) -> String {
        let tell = |fault: &String| {
            format!(
                "<p class=\"alarm\" role=\"alert\">Script and ledger do not account for the book: {}.</p>",
                escaped(fault)
            )
        };
        self.report.ledger.as_ref().map_or_else(String::new, tell)
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
        if let Some(audit) = self.audit {
            facts.push(("Doubts cleared by a second hearing", output::count(audit.cleared.into())));
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
            "<h2>Why takes were spoken again</h2><table class=\"narrow\"><thead><tr><th>Reason</th><th>Takes</th></tr></thead>\
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

    fn chapter(&self, segment: &Segment) -> &str {
        self.script.chapters.get(segment.chapter as usize).map_or("", |chapter| &chapter.title)
    }

    /// The take of a segment that is in the audiobook, as seen from the job folder.
    fn take(&self, segment: &Segment) -> Option<String> {
        let take = self.replay.audible(&segment.key)?;
        Some(take_path(Path::new("takes"), &segment.key, take.take).to_string_lossy().replace('\\', "/"))
    }

    /// When each segment is heard, in milliseconds; of an audiobook in several files nothing.
    fn times(&self) -> HashMap<SegmentId, u64> {
        let one_file = self.report.files.len() == 1;
        self.places.iter().filter(|_| one_file).map(|place| (place.segment, place.start_ms)).collect()
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
    use crate::audit::Place;
    use crate::commands::plan::Tokens;
    use crate::run::check::testing::script_of;
    use narrator_core::{ContentKey, ScriptChapter};
    use narrator_fidelity::audit::{Difference, Discrepancy};
    use narrator_journal::{Digest, Record, SegmentDone};

    #[test]
    fn what_a_book_says_cannot_become_markup() {
        assert_eq!(escaped("<b>\"it's\" & {{title}}"), "&lt;b&gt;&quot;it&#39;s&quot; &amp; {{title}}");
        assert_eq!(encoded("A book #1 (é).m4b"), "A%20book%20%231%20%28%C3%A9%29.m4b");
    }

    /// A report of a script, of which nothing went wrong.
    fn report(script: &Script) -> Report {
        let count = script.segments.len() as u32;
        Report {
            title: "<script>alert(1)</script> & “Co”".into(),
            authors: vec!["A \"B\" <C>".into()],
            finished: "2026-01-02T03:04:05Z".into(),
            model: "starter-en".into(),
            voice: "hibari".into(),
            seed: 1,
            assembly: String::new(),
            files: vec![PathBuf::from("/books/My book.m4b")],
            bytes: 1,
            audio_s: 43_200.0,
            segments: count,
            spoken: count,
            quarantined: Vec::new(),
            tokens: Tokens { total: 1, spoken: 1, skipped: BTreeMap::new() },
            chapters: Vec::new(),
            ledger: Some("tokens 3..9 have no fate in the ledger; in “<One>”".into()),
            loudness: narrator_audio::Measurement::default(),
            checks: None,
            audit: None,
        }
    }

    fn spoken(script: &Script) -> Replay {
        let records: Vec<Record> = script
            .segments
            .iter()
            .map(|segment| Record::SegmentDone(done(segment.id, segment.key)))
            .collect();
        Replay::of(&records)
    }

    fn done(segment: SegmentId, key: ContentKey) -> SegmentDone {
        SegmentDone { segment, key, take: 0, samples: 24_000, rate: 24_000, bytes: 1, audio: Digest([0; 32]) }
    }

    /// As many opening as closing tags of every kind that has both.
    fn balance(html: &str) {
        let body = html.split("<script>").next().unwrap();
        for tag in ["span", "p", "details", "table", "tr", "td", "div", "dl", "audio", "a"] {
            let opened =
                body.matches(&format!("<{tag}>")).count() + body.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, body.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn a_long_book_makes_a_page_that_opens_and_no_title_becomes_markup() {
        let sentence = "It was <late> & \"dark\", and nobody had seen the other side of the hills.";
        let texts: Vec<(&str, u32)> =
            (0..8_000).map(|n| (sentence, if n % 5 == 0 { 900 } else { 300 })).collect();
        let mut script = script_of(&texts);
        let chapter = |n: u32| ScriptChapter {
            title: format!("<img src=x onerror=alert({n})>: “{n}”"),
            segments: n * 100..(n + 1) * 100,
        };
        script.chapters = (0..80).map(chapter).collect();
        let report = report(&script);
        let job = JobDir::new("/books/My book.narration");
        let page = Page {
            script: &script,
            replay: &spoken(&script),
            notes: &Notes::new(),
            report: &report,
            audit: None,
            places: &[],
            job: &job,
            language: "en\" onload=\"",
        };
        let html = page.html();
        assert!(html.len() < 4 << 20, "{} bytes for 120,000 words", html.len());
        assert!(!html.contains("<img") && !html.contains("<late>") && !html.contains("alert(1)</script>"));
        assert!(html.contains("lang=\"en&quot; onload=&quot;\"") && html.contains("have no fate"));
        assert!(html.contains("<span id=\"s8000\" data-t=\""));
        balance(&html);
    }

    #[test]
    fn what_is_in_no_segment_stands_struck_through_in_its_place() {
        let mut script = script_of(&[("The lamp was lit.", 900), ("The bridge held.", 900)]);
        script.segments[0].tokens = 0..4;
        script.segments[1].tokens = 9..12;
        script.chapters = vec![ScriptChapter { title: "One".into(), segments: 0..2 }];
        let lost = Discrepancy {
            kind: Difference::Lost,
            sure: true,
            chapter: 0,
            words: 4..9,
            tokens: 4..9,
            span: script.segments[0].span,
            heard_words: 4..4,
            start_ms: 61_000,
            end_ms: 61_500,
            written: "A storm <rose> over them.".into(),
            heard: String::new(),
            lost: 5,
            breaks_off: false,
            guessed: false,
            settled: None,
            opinions: Vec::new(),
            own_opinions: Vec::new(),
        };
        let audit = Outcome {
            words_in_book: 12,
            words_heard: 7,
            words_lost: 5,
            audio_s: 70.0,
            differences: vec![Place {
                difference: lost,
                chapter_title: "One".into(),
                document: "b.md".into(),
            }],
            unsure: Vec::new(),
            cleared: 0,
            cleared_places: Vec::new(),
            unasked: 0,
            unheard: Vec::new(),
            ledger: None,
            sentence: String::new(),
        };
        let report = Report { ledger: None, ..report(&script) };
        let job = JobDir::new("/books/My book.narration");
        let page = Page {
            script: &script,
            replay: &spoken(&script),
            notes: &Notes::new(),
            report: &report,
            audit: Some(&audit),
            places: &[],
            job: &job,
            language: "en",
        };
        let html = page.html();
        let at = |part: &str| html.rfind(part).unwrap_or_else(|| panic!("{part}"));
        let gone = at("<span class=\"gone\">A storm &lt;rose&gt; over them.</span>");
        assert!(at("The lamp was lit.") < gone && gone < at("The bridge held."));
        assert!(html.contains("12 words in the book, 7 words heard, 5 words lost."));
        assert!(html.contains("src=\"../My%20book.m4b#t=59,63\"") && html.contains("0:01:01"), "{html}");
        balance(&html);
    }

    #[test]
    fn every_place_of_the_template_is_filled() {
        let names = PAGE.split("{{").skip(1).filter_map(|rest| rest.split_once("}}").map(|(name, _)| name));
        let known = [
            "language", "title", "authors", "mood", "sentence", "alarm", "facts", "retries", "doubts", "text",
        ];
        let mut missing: Vec<&str> = names.filter(|name| !known.contains(name)).collect();
        missing.dedup();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(!PAGE.contains("http"), "nothing comes over a network");
    }
}
