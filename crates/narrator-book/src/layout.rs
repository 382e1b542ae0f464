//! Lines of plain text into paragraphs and verse.
//!
//! Three habits are told apart, group by group, a group being lines without a blank one between: prose
//! wrapped at a width, prose with one paragraph a line, and lines that end where they are meant to (verse,
//! addresses, lists). Paragraphs may also be set off by an indented first line.

use narrator_core::BlockKind;

/// A line without its line end and the white space around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Columns of white space before it; a tab counts for eight.
    pub(crate) indent: usize,
    /// In characters.
    pub(crate) length: usize,
}

/// Lines with no blank line between them; never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Group {
    pub(crate) lines: Vec<Line>,
}

impl Group {
    pub(crate) fn start(&self) -> usize {
        self.lines.first().map_or(0, |line| line.start)
    }

    pub(crate) fn end(&self) -> usize {
        self.lines.last().map_or(0, |line| line.end)
    }
}

/// Bytes that make one block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: BlockKind,
}

/// A line longer than this is not wrapped by hand: it is a paragraph.
const LONGEST_WRAPPED: usize = 120;

pub(crate) fn groups(source: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut open = false;
    let mut start = 0;
    // `\r\n` leaves an empty line too many; `\r` alone ends lines of old files.
    for piece in source.split_inclusive(['\n', '\r', '\u{c}', '\u{2028}', '\u{2029}']) {
        let at = start;
        start += piece.len();
        let ended_by = piece.chars().next_back();
        let text = piece.trim();
        if text.is_empty() {
            let half_of_crlf = piece == "\n" && source[..at].ends_with('\r');
            open &= half_of_crlf;
            continue;
        }
        let from = at + (piece.len() - piece.trim_start().len());
        let indent =
            piece.chars().take_while(|c| c.is_whitespace()).map(|c| if c == '\t' { 8 } else { 1 }).sum();
        let line = Line { start: from, end: from + text.len(), indent, length: text.chars().count() };
        match groups.last_mut().filter(|_| open) {
            Some(group) => group.lines.push(line),
            None => groups.push(Group { lines: vec![line] }),
        }
        open = !matches!(ended_by, Some('\u{c}' | '\u{2029}'));
    }
    groups
}

/// The width at which this text is wrapped: nine in ten lines that have a line after them are no longer.
pub(crate) fn wrap_width(groups: &[Group]) -> usize {
    let mut lengths: Vec<usize> = groups
        .iter()
        .flat_map(|group| group.lines.split_last().map_or(&[][..], |(_, wrapped)| wrapped))
        .map(|line| line.length)
        .filter(|length| *length <= LONGEST_WRAPPED)
        .collect();
    lengths.sort_unstable();
    lengths.get(lengths.len() * 9 / 10).copied().unwrap_or(72)
}

/// The blocks that the lines of a group make.
pub(crate) fn parts(source: &str, lines: &[Line], wrap: usize) -> Vec<Part> {
    let whole = |lines: &[Line], kind| {
        let (first, last) = (lines.first()?, lines.last()?);
        Some(Part { start: first.start, end: last.end, kind })
    };
    let each = |kind| lines.iter().map(|line| Part { start: line.start, end: line.end, kind }).collect();
    let least = lines.iter().map(|line| line.indent).min().unwrap_or(0);
    if lines.len() < 2 {
        return whole(lines, BlockKind::Paragraph).into_iter().collect();
    }
    if lines.iter().any(|line| line.length > LONGEST_WRAPPED) {
        return each(BlockKind::Paragraph);
    }
    if ends_lines_on_purpose(lines, wrap) {
        let sentences = lines.iter().filter(|line| ends_sentence(&source[line.start..line.end])).count();
        let prose = sentences * 10 >= lines.len() * 7;
        return each(if prose { BlockKind::Paragraph } else { BlockKind::Verse });
    }
    let indented = |line: &Line| line.indent >= least + 2;
    let first_line_style = indented(&lines[0]) || lines.len() > 40;
    if first_line_style && lines.iter().any(indented) {
        let mut paragraphs: Vec<&[Line]> = Vec::new();
        let mut from = 0;
        for (index, _) in lines.iter().enumerate().skip(1).filter(|(_, line)| indented(line)) {
            paragraphs.push(&lines[from..index]);
            from = index;
        }
        paragraphs.push(&lines[from..]);
        return paragraphs.into_iter().filter_map(|lines| whole(lines, BlockKind::Paragraph)).collect();
    }
    whole(lines, if least >= 4 { BlockKind::Quote } else { BlockKind::Paragraph }).into_iter().collect()
}

/// Wrapped lines fill their width but for the last; of lines that end on purpose most do not.
fn ends_lines_on_purpose(lines: &[Line], wrap: usize) -> bool {
    let Some((last, wrapped)) = lines.split_last() else { return false };
    let reach = |line: &Line| line.length + line.indent;
    let full = wrapped.iter().filter(|line| reach(line) * 10 >= wrap * 7).count();
    full * 2 < wrapped.len() && (lines.len() > 2 || reach(last) * 10 < wrap * 7)
}

fn ends_sentence(line: &str) -> bool {
    line.trim_end_matches(['"', '\'', '”', '’', '»', ')', '_']).ends_with(['.', '!', '?', '…', ':', '—'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(source: &str) -> Vec<(BlockKind, String)> {
        let groups = groups(source);
        let wrap = wrap_width(&groups);
        groups
            .iter()
            .flat_map(|group| parts(source, &group.lines, wrap))
            .map(|part| (part.kind, crate::epub::plain(&source[part.start..part.end])))
            .collect()
    }

    #[test]
    fn wrapped_lines_are_joined_and_blank_lines_part() {
        let source = "The quick brown fox jumped over the lazy dog and then went\nhome to its tea, which was cold by then and had been for\nhours.\r\n\r\nNext.\n";
        let found = blocks(source);
        assert_eq!(found.len(), 2);
        assert!(found[0].1.ends_with("for hours."));
        assert_eq!(found[1], (BlockKind::Paragraph, "Next.".into()));
    }

    #[test]
    fn carriage_returns_do_not_part_lines() {
        let line = "a line of words that is long enough to be a wrapped one, yes";
        assert_eq!(blocks(&format!("{line}\r\n{line}\r\n{line}\r\n")).len(), 1);
        assert_eq!(blocks(&format!("{line}\r{line}\r\r{line}\r")).len(), 2);
    }

    #[test]
    fn indented_first_lines_part_paragraphs() {
        let line = "words that fill the line to its end, as wrapped prose does it";
        let source = format!("   {line}\n{line}\n{line}\n   {line}\n{line}\n   “Yes.”\n   {line}\n");
        assert_eq!(blocks(&source).len(), 4);
    }

    #[test]
    fn verse_keeps_its_lines() {
        let prose = "words that fill the line to its end, as wrapped prose does it, line on line\n".repeat(4);
        let found = blocks(&format!(
            "{prose}\n    Tide at the door,\n      and the lamp at the sill,\n    and the bell\n\n{prose}"
        ));
        assert_eq!(found.len(), 5);
        assert_eq!(found[2], (BlockKind::Verse, "and the lamp at the sill,".into()));
    }

    #[test]
    fn a_paragraph_a_line_is_understood() {
        let long = "It went on and on, sentence after sentence, as such paragraphs do. ".repeat(4);
        assert_eq!(blocks(&format!("{long}\n“No.”\n{long}\n")).len(), 3);
    }
}
