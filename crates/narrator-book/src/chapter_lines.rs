//! Lines of plain text that announce chapters.
//!
//! Candidates are gathered first and believed together: a chapter line has text after it, a contents list
//! has not; lone numerals are chapters only in sequence; capitals only where nothing else divides the book.
//! When in doubt a line is text. Either way it is spoken.

use narrator_core::roman;

use crate::chapters::{joined_title, same_title};
use crate::layout::{Group, Line};
use crate::numerals::ordinal_or_number_word;

/// A believed announcement: the first `lines` lines of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Heading {
    pub(crate) group: usize,
    pub(crate) lines: usize,
    pub(crate) title: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sort {
    /// `CHAPTER 4`, by the keyword's index in [`KEYWORDS`].
    Keyword(usize),
    /// `PROLOGUE` and the like.
    Named,
    /// `IV`, `4.`, `IV. The Title`.
    Numeral,
    /// `THE OLD HOUSE`.
    Capitals,
    /// The transcriber's words after the book.
    Colophon,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Candidate {
    heading: Heading,
    sort: Sort,
    number: Option<u32>,
    /// Words until the next candidate.
    body: usize,
}

/// Divisions that are numbered. The first ones hold the others.
const KEYWORDS: &[&str] = &[
    "volume",
    "vol",
    "book",
    "part",
    "act",
    "teil",
    "band",
    "tome",
    "partie",
    "parte",
    "livre",
    "libro",
    "deel",
    "chapter",
    "chap",
    "scene",
    "canto",
    "letter",
    "stave",
    "section",
    "episode",
    "kapitel",
    "chapitre",
    "capítulo",
    "capitulo",
    "capitolo",
    "hoofdstuk",
    "глава",
    "часть",
];
/// From this keyword on they are chapters rather than what holds chapters.
const FIRST_CHAPTER_KEYWORD: usize = 13;

const NAMES: &[&str] = &[
    "prologue",
    "epilogue",
    "preface",
    "introduction",
    "foreword",
    "afterword",
    "conclusion",
    "interlude",
    "postscript",
    "appendix",
    "prelude",
    "coda",
    "prolog",
    "epilog",
    "vorwort",
    "nachwort",
    "préface",
    "épilogue",
];

/// A chapter has at least this many words; contents lists have fewer between their lines.
const LEAST_BODY_WORDS: usize = 20;
/// Capitals divide a book only into parts of some length: shorter ones are emphasis or letterheads.
const LEAST_CAPITALS_BODY_WORDS: usize = 100;
const LONGEST_TITLE: usize = 100;

/// The announcements to believe, in order.
pub(crate) fn find(source: &str, groups: &[Group]) -> Vec<Heading> {
    let mut candidates: Vec<Candidate> =
        groups.iter().enumerate().filter_map(|(index, group)| candidate(source, index, group)).collect();
    take_following_titles(source, groups, &mut candidates);
    count_bodies(source, groups, &mut candidates);
    drop_contents_lists(&mut candidates);
    believe(source, groups, candidates).into_iter().map(|candidate| candidate.heading).collect()
}

/// Reads a group's first line as an announcement, and the lines after it as its title.
fn candidate(source: &str, index: usize, group: &Group) -> Option<Candidate> {
    let line = |line: &Line| bare(&source[line.start..line.end]);
    let first = line(&group.lines[0]);
    let keyword_lines =
        group.lines.iter().filter(|l| matches!(keyword(line(l)), Some((Sort::Keyword(_), _, _)))).count();
    if keyword_lines > 2 {
        return None;
    }
    let (sort, number, complete) = keyword(first)
        .or_else(|| numeral(first).filter(|_| group.lines.len() <= 2))
        .or_else(|| capitals(first).filter(|_| group.lines.len() == 1))?;
    let mut lines = 1;
    if !complete && group.lines.len() > 1 {
        // A title on the lines below, up to the group's end, unless the text itself begins there.
        let below = &group.lines[1..];
        let is_title = below.len() <= 3 && below.iter().all(|l| l.length <= 60 && looks_like_title(line(l)));
        if is_title {
            lines = group.lines.len();
        }
    }
    if lines < group.lines.len() && (sort == Sort::Named || sort == Sort::Numeral || complete) {
        return None;
    }
    let title =
        group.lines[..lines].iter().map(line).fold(String::new(), |title, line| joined_title(&title, line));
    Some(Candidate { heading: Heading { group: index, lines, title }, sort, number, body: 0 })
}

/// Without the marks that transcribers set around headings.
fn bare(line: &str) -> &str {
    line.trim_matches(|c: char| matches!(c, '_' | '*' | '=' | '~' | '#' | '-' | '—') || c.is_whitespace())
}

/// `CHAPTER IV`, `Chapter 4: Title`, `PART THE FIRST`, `PROLOGUE`: what sort, which number, and whether the
/// line has its title.
fn keyword(line: &str) -> Option<(Sort, Option<u32>, bool)> {
    if line.chars().count() > LONGEST_TITLE || !line.starts_with(char::is_uppercase) {
        return None;
    }
    if line.starts_with("END OF THE PROJECT GUTENBERG")
        || line.starts_with("End of the Project Gutenberg")
        || line.starts_with("End of Project Gutenberg")
    {
        return Some((Sort::Colophon, None, true));
    }
    let word_end = line.find(|c: char| !c.is_alphabetic()).unwrap_or(line.len());
    let (word, rest) = line.split_at(word_end);
    let lower = word.to_lowercase();
    if NAMES.contains(&lower.as_str()) {
        let title = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let alone = rest.trim_matches(['.', ':', ' ']).is_empty();
        let titled = rest.starts_with([':', '.', ' '])
            && looks_like_title(title)
            && (rest.starts_with(':') || is_capitals(line));
        return (alone || titled).then_some((Sort::Named, None, !alone));
    }
    let index = KEYWORDS.iter().position(|keyword| *keyword == lower)?;
    let rest = rest.trim_start_matches('.').trim_start();
    let number_end = rest
        .find(|c: char| c.is_whitespace() || matches!(c, '.' | ':' | '—' | '–' | ',' | ')'))
        .unwrap_or(rest.len());
    let (mut number_text, mut title) = rest.split_at(number_end);
    if number_text.eq_ignore_ascii_case("the") {
        let after = title.trim_start();
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '.' | ':' | '—' | '–'))
            .unwrap_or(after.len());
        (number_text, title) = after.split_at(end);
    }
    let (number_text, dash_title) = number_text.split_once("--").unwrap_or((number_text, ""));
    let number = number_text
        .parse::<u32>()
        .ok()
        .filter(|n| *n < 10_000)
        .or_else(|| roman::value(number_text))
        .or_else(|| ordinal_or_number_word(number_text))?;
    let separated = title.starts_with(['.', ':', '—', '–', ',', ')'])
        || title.trim_start().starts_with(['-', '—', '–'])
        || !dash_title.is_empty();
    let title = if dash_title.is_empty() { title } else { dash_title };
    let title = title.trim_start_matches(|c: char| {
        c.is_whitespace() || matches!(c, '.' | ':' | '—' | '–' | ',' | ')' | '-')
    });
    let sort = Sort::Keyword(index);
    if title.is_empty() {
        return Some((sort, Some(number), false));
    }
    let short = title.split_whitespace().count() <= 8;
    let titled = if separated {
        starts_like_title(title) && (short || !title.ends_with('.'))
    } else {
        looks_like_title(title)
    };
    titled.then_some((sort, Some(number), true))
}

/// `IV`, `IV.`, `4`, `IV. The Title`, `4 The Title`.
fn numeral(line: &str) -> Option<(Sort, Option<u32>, bool)> {
    if line.chars().count() > 80 {
        return None;
    }
    let end = line
        .find(|c: char| c.is_whitespace() || matches!(c, '.' | ':' | ')' | '—' | '–'))
        .unwrap_or(line.len());
    let (number, title) = line.split_at(end);
    let upper = number.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let number =
        number.parse::<u32>().ok().filter(|n| *n < 500).or_else(|| roman::value(number)).filter(|_| upper)?;
    let title = title
        .trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '.' | ':' | ')' | '—' | '–' | '-'));
    (title.is_empty() || looks_like_title(title)).then_some((Sort::Numeral, Some(number), !title.is_empty()))
}

fn capitals(line: &str) -> Option<(Sort, Option<u32>, bool)> {
    let letters = line.chars().filter(|c| c.is_alphabetic()).count();
    (is_capitals(line) && letters >= 3 && line.chars().count() <= 60 && looks_like_title(line)).then_some((
        Sort::Capitals,
        None,
        true,
    ))
}

fn is_capitals(line: &str) -> bool {
    line.chars().any(char::is_alphabetic) && !line.chars().any(char::is_lowercase)
}

fn starts_like_title(text: &str) -> bool {
    let first = text.trim_start_matches(['"', '\'', '“', '‘', '«', '(', '[', '_', '…', '.']).chars().next();
    first.is_some_and(|c| c.is_uppercase() || c.is_numeric() || (c.is_alphabetic() && !c.is_lowercase()))
}

/// Most of its longer words are capitalised, and it does not end like a sentence.
fn looks_like_title(text: &str) -> bool {
    let words: Vec<&str> = text
        .split_whitespace()
        .filter(|word| word.chars().filter(|c| c.is_alphabetic()).count() > 3)
        .collect();
    let capital = words.iter().filter(|word| starts_like_title(word)).count();
    let quoted = text.starts_with(['"', '“', '‘', '\'']) && text.ends_with(['"', '”', '’', '\'']);
    starts_like_title(text)
        && !text.ends_with(['.', ',', ';'])
        && capital * 10 >= words.len() * 6
        && (!quoted || is_capitals(text))
}

/// `CHAPTER I`, a blank line, `The Title`, a blank line: the second group is the title.
fn take_following_titles(source: &str, groups: &[Group], candidates: &mut Vec<Candidate>) {
    let taken: Vec<usize> =
        candidates.iter().filter(|c| c.sort != Sort::Capitals).map(|c| c.heading.group).collect();
    let mut titles: Vec<Candidate> = Vec::new();
    for candidate in candidates.iter().filter(|c| matches!(c.sort, Sort::Keyword(_))) {
        let group = candidate.heading.group;
        let own = &groups[group];
        let complete =
            own.lines.len() > 1 || keyword(bare(&source[own.start()..own.end()])).is_none_or(|found| found.2);
        let (Some(next), true) = (groups.get(group + 1), group + 2 < groups.len() && !complete) else {
            continue;
        };
        let text = crate::epub::plain(&source[next.start()..next.end()]);
        let fits = next.lines.len() <= 2 && text.chars().count() <= 80 && looks_like_title(bare(&text));
        if fits && !taken.contains(&(group + 1)) {
            let heading =
                Heading { group: group + 1, lines: next.lines.len(), title: bare(&text).to_owned() };
            titles.push(Candidate { heading, sort: candidate.sort, number: None, body: 0 });
        }
    }
    candidates.retain(|c| titles.iter().all(|title| title.heading.group != c.heading.group));
    candidates.append(&mut titles);
    candidates.sort_by_key(|candidate| candidate.heading.group);
}

fn count_bodies(source: &str, groups: &[Group], candidates: &mut [Candidate]) {
    let words = |group: &Group, from: usize| -> usize {
        group.lines[from..].iter().map(|line| source[line.start..line.end].split_whitespace().count()).sum()
    };
    for index in 0..candidates.len() {
        let Heading { group, lines, .. } = candidates[index].heading;
        // Capitals may prove to be text, so they do not end a chapter's body.
        let capitals = candidates[index].sort == Sort::Capitals;
        let next = candidates[index + 1..].iter().find(|c| capitals || c.sort != Sort::Capitals);
        let end = next.map_or(groups.len(), |next| next.heading.group);
        let rest: usize = groups[group + 1..end].iter().map(|group| words(group, 0)).sum();
        candidates[index].body = words(&groups[group], lines) + rest;
    }
}

/// Three announcements in a row with hardly a word between are a list of contents, but for those that do
/// not come again: the list may run into the first part and chapter. The one after the list belongs to it
/// too if it comes again.
fn drop_contents_lists(candidates: &mut Vec<Candidate>) {
    let numbered = |c: &Candidate| matches!(c.sort, Sort::Keyword(_) | Sort::Numeral | Sort::Named);
    let recurs = |index: usize| {
        let this = &candidates[index];
        candidates[index + 1..].iter().any(|later| {
            later.sort == this.sort
                && later.number == this.number
                && (this.number.is_some() || same_title(&later.heading.title, &this.heading.title))
        })
    };
    let mut listed = vec![false; candidates.len()];
    let mut run = 0;
    for index in 0..=candidates.len() {
        if candidates.get(index).is_some_and(|c| numbered(c) && c.body < LEAST_BODY_WORDS) {
            run += 1;
            continue;
        }
        if run >= 3 {
            let list = index - run..index;
            let none_recurs = !list.clone().any(recurs);
            for entry in list {
                listed[entry] = none_recurs || recurs(entry);
            }
            if index < candidates.len() {
                listed[index] = recurs(index);
            }
        }
        run = 0;
    }
    let mut listed = listed.into_iter();
    candidates.retain(|_| !listed.next().unwrap_or(false));
}

/// Which sorts divide this book.
fn believe(source: &str, groups: &[Group], candidates: Vec<Candidate>) -> Vec<Candidate> {
    let is_chapter =
        |c: &&Candidate| matches!(c.sort, Sort::Keyword(index) if index >= FIRST_CHAPTER_KEYWORD);
    let chapters = candidates.iter().filter(is_chapter).count();
    let sequence = if chapters < 2 { numeral_sequence(&candidates) } else { Vec::new() };
    let other =
        chapters > 0 || !sequence.is_empty() || candidates.iter().any(|c| matches!(c.sort, Sort::Keyword(_)));
    let title_page = groups.first().map_or(0, |group| source[group.start()..group.end()].len());
    let capitals: Vec<usize> = candidates
        .iter()
        .filter(|c| c.sort == Sort::Capitals && c.body >= LEAST_CAPITALS_BODY_WORDS && !other)
        .filter(|c| c.heading.group > 0 || title_page == 0)
        .map(|c| c.heading.group)
        .collect();
    let divides = |c: &Candidate| match c.sort {
        Sort::Keyword(_) | Sort::Colophon => true,
        Sort::Named => c.body >= LEAST_BODY_WORDS,
        Sort::Numeral => sequence.contains(&c.heading.group),
        Sort::Capitals => capitals.len() > 1 && capitals.contains(&c.heading.group),
    };
    candidates.into_iter().filter(divides).collect()
}

/// Groups of numerals that count from one, each with text after it; they may begin again.
fn numeral_sequence(candidates: &[Candidate]) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let mut last = 0;
    for candidate in candidates.iter().filter(|c| c.sort == Sort::Numeral && c.body >= LEAST_BODY_WORDS) {
        let Some(number) = candidate.number else { continue };
        if number == last + 1 || (number == 1 && last > 1) {
            found.push(candidate.heading.group);
            last = number;
        }
    }
    if found.len() < 2 { Vec::new() } else { found }
}
