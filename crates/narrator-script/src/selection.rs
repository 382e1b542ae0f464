//! `--chapters 2-5,7,9-`: which chapters a person wants to hear.
//!
//! Chapters are counted from 1, as people and tables of contents count them. A range is closed on both
//! sides; without its end it runs to the last chapter, without its start from the first.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::error::ScriptError;

/// Chapters asked for, as parsed; [`ChapterSelection::check`] holds it against a book.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChapterSelection {
    /// As given, for messages.
    given: String,
    ranges: Vec<RangeInclusive<u32>>,
}

impl ChapterSelection {
    /// Whether chapter `number`, counted from 1, is asked for.
    pub fn contains(&self, number: u32) -> bool {
        self.ranges.iter().any(|range| range.contains(&number))
    }

    /// Refuses a selection that names a chapter which a book of `chapters` chapters has not.
    pub fn check(&self, chapters: u32) -> Result<(), ScriptError> {
        for range in &self.ranges {
            let named = if *range.end() == u32::MAX { *range.start() } else { *range.end() };
            if named > chapters {
                return Err(ScriptError::NoSuchChapter { number: named, last: chapters });
            }
        }
        Ok(())
    }
}

impl fmt::Display for ChapterSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)
    }
}

impl FromStr for ChapterSelection {
    type Err = ScriptError;

    fn from_str(given: &str) -> Result<Self, ScriptError> {
        let refuse = |reason: String| ScriptError::Selection { given: given.to_owned(), reason };
        let mut ranges = Vec::new();
        for part in given.split(',').map(str::trim) {
            let range = match part.split_once('-') {
                None if part.is_empty() => return Err(refuse("a number is missing".to_owned())),
                None => {
                    let number = chapter_number(part).map_err(refuse)?;
                    number..=number
                }
                Some(("", "")) => return Err(refuse("a range needs at least one end".to_owned())),
                Some((from, to)) => {
                    let from = from.trim();
                    let to = to.trim();
                    let start = if from.is_empty() { 1 } else { chapter_number(from).map_err(refuse)? };
                    let end = if to.is_empty() { u32::MAX } else { chapter_number(to).map_err(refuse)? };
                    if start > end {
                        return Err(refuse(format!("{start} comes after {end}")));
                    }
                    start..=end
                }
            };
            ranges.push(range);
        }
        Ok(Self { given: given.to_owned(), ranges })
    }
}

fn chapter_number(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(0) => Err("chapters are counted from 1".to_owned()),
        Ok(u32::MAX) | Err(_) => Err(format!("{text:?} is not a chapter number")),
        Ok(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(given: &str) -> Vec<u32> {
        let selection: ChapterSelection = given.parse().unwrap();
        (1..=10).filter(|&number| selection.contains(number)).collect()
    }

    #[test]
    fn numbers_ranges_and_open_ranges_are_understood() {
        assert_eq!(chosen("2-5,7,9-"), [2, 3, 4, 5, 7, 9, 10]);
        assert_eq!(chosen("3"), [3]);
        assert_eq!(chosen("-2, 4 - 5"), [1, 2, 4, 5]);
        assert_eq!(chosen("1-3,2-4"), [1, 2, 3, 4]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_in_words() {
        let message = |given: &str| given.parse::<ChapterSelection>().unwrap_err().to_string();
        insta::assert_snapshot!(message(""), @r#"cannot read the chapters "": a number is missing; give numbers and ranges such as 2-5,7,9-"#);
        insta::assert_snapshot!(message("0"), @r#"cannot read the chapters "0": chapters are counted from 1; give numbers and ranges such as 2-5,7,9-"#);
        insta::assert_snapshot!(message("5-2"), @r#"cannot read the chapters "5-2": 5 comes after 2; give numbers and ranges such as 2-5,7,9-"#);
        insta::assert_snapshot!(message("two"), @r#"cannot read the chapters "two": "two" is not a chapter number; give numbers and ranges such as 2-5,7,9-"#);
        insta::assert_snapshot!(message("-"), @r#"cannot read the chapters "-": a range needs at least one end; give numbers and ranges such as 2-5,7,9-"#);
        insta::assert_snapshot!(message("1-2-3"), @r#"cannot read the chapters "1-2-3": "2-3" is not a chapter number; give numbers and ranges such as 2-5,7,9-"#);
        insta::assert_snapshot!(message("4294967295"), @r#"cannot read the chapters "4294967295": "4294967295" is not a chapter number; give numbers and ranges such as 2-5,7,9-"#);
    }

    #[test]
    fn a_chapter_that_the_book_has_not_is_named_with_the_bounds() {
        let selection: ChapterSelection = "2-12".parse().unwrap();
        assert!(selection.check(12).is_ok());
        insta::assert_snapshot!(selection.check(9).unwrap_err(), @"chapter 12 was asked for, but the book has chapters 1 to 9; `narratord plan BOOK` lists them");
        let open: ChapterSelection = "10-".parse().unwrap();
        assert!(open.check(9).is_err());
        assert!(open.check(10).is_ok());
    }
}
