//! What is worth a listen, as a table: segments that gave trouble, and places of the audiobook that differ.

use narrator_core::Segment;
use narrator_fidelity::audit::Difference;
use narrator_journal::Standing;

use super::{Page, escaped};
use crate::audit::{Place, clock};
use crate::run::check::notes::Note;

/// Rows that a page shows, the gravest: a browser sorts some thousands at once.
const MOST_ROWS: usize = 3000;

/// One row.
struct Row {
    /// The gravest first.
    rank: u8,
    class: &'static str,
    what: String,
    /// What the place is sorted by: its time in the audiobook, in milliseconds.
    order: u64,
    place: String,
    chapter: String,
    written: String,
    heard: String,
    player: String,
}

impl Page<'_> {
    pub(super) fn doubts(&self) -> String {
        let times = self.times();
        let time = |segment: &Segment| times.get(&segment.id).copied();
        let mut rows: Vec<Row> =
            self.script.segments.iter().filter_map(|it| self.row_of_segment(it, time(it))).collect();
        if let Some(audit) = self.audit {
            rows.extend(audit.differences.iter().map(|place| self.row_of_place(place, true)));
            rows.extend(audit.unsure.iter().map(|place| self.row_of_place(place, false)));
            rows.extend(audit.unheard.iter().map(|it| self.row_of_unheard(it.start_ms, it.end_ms)));
        }
        let heading = "<h2 id=\"doubts\">What is worth a listen</h2>";
        if rows.is_empty() {
            return format!("{heading}<p class=\"fine\">{}</p>", self.nothing());
        }
        rows.sort_by_key(|row| (row.rank, row.order));
        let left_out = rows.len().saturating_sub(MOST_ROWS);
        rows.truncate(MOST_ROWS);
        let more = if left_out > 0 {
            format!("<p class=\"small\">{left_out} more are in report.json.</p>")
        } else {
            String::new()
        };
        let head: String = ["What", "Place", "Chapter", "Written", "Heard"]
            .map(|name| format!("<th scope=\"col\"><button type=\"button\">{name}</button></th>"))
            .concat();
        let rows: String = rows.iter().map(Row::html).collect();
        format!(
            "{heading}<div class=\"wide\"><table class=\"sortable\"><thead><tr>{head}<th scope=\"col\">Listen</th></tr>\
             </thead><tbody>{rows}</tbody></table></div>{more}"
        )
    }

    fn nothing(&self) -> &'static str {
        match (self.report.checks.is_some(), self.audit.is_some()) {
            (true, true) => {
                "Nothing: every take was accepted at once, and the audiobook says what the book says."
            }
            (true, false) => "Nothing: every take was accepted at once.",
            _ => "Nothing is known: nobody listened.",
        }
    }

    /// A segment that was spoken more than once, given up, or never heard.
    fn row_of_segment(&self, segment: &Segment, time: Option<u64>) -> Option<Row> {
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
        let number = segment.id.0;
        let link = format!("<a href=\"#s{number}\">segment {number}</a>");
        let place = match time {
            Some(ms) => format!("{}<br>{link}", clock(ms as u32)),
            None => link,
        };
        Some(Row {
            rank,
            class,
            what,
            order: time.unwrap_or_else(|| u64::from(number)),
            place,
            chapter: self.chapter(segment).to_owned(),
            written: segment.text.clone(),
            heard: note.map_or_else(|| why.to_owned(), |note| told(note, why)),
            player: self.take(segment).map_or_else(String::new, |take| player(&take, None)),
        })
    }

    fn row_of_place(&self, place: &Place, sure: bool) -> Row {
        let it = &place.difference;
        let name = match it.kind {
            _ if it.breaks_off => "breaks off",
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
        let segment = self.segment_at(it.tokens.start);
        let link = segment.map_or_else(String::new, |segment| {
            format!("<br><a href=\"#s{0}\">segment {0}</a>", segment.id.0)
        });
        Row {
            rank,
            class,
            what: if sure { name.to_owned() } else { format!("perhaps {name}") },
            order: u64::from(it.start_ms),
            place: format!("{}{link}", clock(it.start_ms)),
            chapter: place.chapter_title.clone(),
            written: it.written.clone(),
            heard: it.heard.clone(),
            player: self.player_of(it.start_ms.into(), it.end_ms.into(), segment),
        }
    }

    fn row_of_unheard(&self, start_ms: u64, end_ms: u64) -> Row {
        Row {
            rank: 3,
            class: "doubt",
            what: "not heard".to_owned(),
            order: start_ms,
            place: format!("{} to {}", clock(start_ms as u32), clock(end_ms as u32)),
            chapter: String::new(),
            written: String::new(),
            heard: "every recogniser failed here".to_owned(),
            player: self.player_of(start_ms, end_ms, None),
        }
    }

    /// The segment that speaks this token.
    fn segment_at(&self, token: u32) -> Option<&Segment> {
        let segments = &self.script.segments;
        let at = segments.partition_point(|segment| segment.tokens.end <= token);
        segments.get(at).filter(|segment| segment.tokens.contains(&token))
    }

    /// A stretch of the audiobook; the segment's take where that cannot be played.
    fn player_of(&self, start_ms: u64, end_ms: u64, segment: Option<&Segment>) -> String {
        let take = segment.and_then(|segment| self.take(segment));
        let from = start_ms.saturating_sub(1500) / 1000;
        match (self.audiobook(), take) {
            (Some(file), take) => player(&format!("{file}#t={from},{}", end_ms / 1000 + 2), take.as_deref()),
            (None, Some(take)) => player(&take, None),
            (None, None) => String::new(),
        }
    }
}

impl Row {
    fn html(&self) -> String {
        format!(
            "<tr><td class=\"what {}\" data-v=\"{}\">{}</td><td class=\"n\" data-v=\"{}\">{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{}</td></tr>",
            self.class,
            self.rank,
            escaped(&self.what),
            self.order,
            self.place,
            escaped(&self.chapter),
            escaped(&self.written),
            escaped(&self.heard),
            self.player
        )
    }
}

fn told(note: &Note, why: &str) -> String {
    let heard = note.heard.last().cloned().unwrap_or_default();
    if why.is_empty() { heard } else { format!("{heard} — first: {why}") }
}

/// A player of `source`, or of `instead` where that is not there.
fn player(source: &str, instead: Option<&str>) -> String {
    let instead = instead.map_or_else(String::new, |take| format!(" data-instead=\"{}\"", escaped(take)));
    format!("<audio controls preload=\"none\" src=\"{}\"{instead}></audio>", escaped(source))
}
