//! What a recogniser heard, spelt as the lexicon has it said.
//!
//! A person who respells `museum` as `mew zee um` gets the right sound, and a recogniser writes it down as the word
//! on the page. Held against what was to be said that would be a word lost and three changed; so a word of the page
//! that is heard is given its respelling before anything is compared. What is heard as the respelling itself is left
//! as it is.
//!
//! A word that is also said unchanged (`Reading`, the town, and `reading`) is respelt only where it is heard with
//! the same capitals.

use std::collections::HashSet;

use narrator_core::{HeardWord, Hearing, Segment};

/// The rule that a lexicon's replacements go by in a script.
const RULE: &str = "lexicon";

/// One entry of a lexicon, as it was used.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Respelling {
    /// The words on the page, without marks.
    page: Vec<String>,
    spoken: Vec<String>,
    /// The page has them unchanged as well: capitals decide.
    exact: bool,
}

/// The respellings of some segments.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Respellings(Vec<Respelling>);

impl Respellings {
    pub fn of<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> Self {
        let (mut found, mut plain) = (Vec::<Respelling>::new(), HashSet::new());
        for segment in segments {
            let mut from = 0;
            for replaced in segment.replaced.iter().filter(|replaced| replaced.rule == RULE) {
                let (start, end) = (replaced.at.start as usize, replaced.at.end as usize);
                plain.extend(
                    segment.text.get(from..start).into_iter().flat_map(words).map(|it| it.to_lowercase()),
                );
                from = end;
                let one = Respelling {
                    page: words(&replaced.source).collect(),
                    spoken: replaced.spoken.split_whitespace().map(str::to_owned).collect(),
                    exact: false,
                };
                if !one.page.is_empty() && !one.spoken.is_empty() && !found.contains(&one) {
                    found.push(one);
                }
            }
            plain.extend(segment.text.get(from..).into_iter().flat_map(words).map(|it| it.to_lowercase()));
        }
        for one in &mut found {
            one.exact = one.page.iter().all(|word| plain.contains(&word.to_lowercase()));
        }
        // The longest first, as the lexicon has them.
        found.sort_by_key(|one| std::cmp::Reverse(one.page.len()));
        Self(found)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn hearing(&self, hearing: &Hearing) -> Hearing {
        Hearing { words: self.words(&hearing.words), ..hearing.clone() }
    }

    /// The same stretch of time, in the lexicon's words.
    pub fn words(&self, heard: &[HeardWord]) -> Vec<HeardWord> {
        let mut out = Vec::with_capacity(heard.len());
        let mut rest = heard;
        while let [first, others @ ..] = rest {
            if let Some(one) = self.0.iter().find(|one| one.is_heard(rest)) {
                let (now, later) = rest.split_at(one.page.len());
                one.spell(now, &mut out);
                rest = later;
            } else {
                out.push(first.clone());
                rest = others;
            }
        }
        out
    }
}

impl Respelling {
    fn is_heard(&self, heard: &[HeardWord]) -> bool {
        let same = |page: &String, heard: &HeardWord| {
            let heard: String = words(&heard.text).collect();
            if self.exact { *page == heard } else { page.to_lowercase() == heard.to_lowercase() }
        };
        heard.len() >= self.page.len() && self.page.iter().zip(heard).all(|(page, heard)| same(page, heard))
    }

    /// The time of what was heard is shared out evenly.
    fn spell(&self, heard: &[HeardWord], out: &mut Vec<HeardWord>) {
        let (Some(first), Some(last)) = (heard.first(), heard.last()) else { return };
        let length = u64::from(last.end_ms.saturating_sub(first.start_ms));
        let at = |part: usize| first.start_ms + (length * part as u64 / self.spoken.len() as u64) as u32;
        out.extend(self.spoken.iter().enumerate().map(|(part, text)| HeardWord {
            text: text.clone(),
            start_ms: at(part),
            end_ms: at(part + 1),
            log_prob: last.log_prob,
        }));
    }
}

/// The words of a text, without marks; a possessive belongs to its word.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let bare = |word: &str| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    text.split_whitespace().map(bare).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::check::testing::script_of;
    use narrator_core::Replacement;

    fn plain(text: &str) -> Segment {
        script_of(&[(text, 0)]).segments.remove(0)
    }

    /// A segment in which `page` is said as `spoken`, wherever it stands.
    fn segment(text: &str, entries: &[(&str, &str)]) -> Segment {
        let (mut said, mut replaced) = (text.to_owned(), Vec::new());
        for (page, spoken) in entries {
            let at = said.find(page).unwrap();
            said.replace_range(at..at + page.len(), spoken);
            replaced.push(Replacement {
                rule: RULE.into(),
                tokens: 0..1,
                source: (*page).into(),
                spoken: (*spoken).into(),
                at: at as u32..(at + spoken.len()) as u32,
            });
        }
        Segment { replaced, ..plain(&said) }
    }

    fn heard(text: &str) -> Vec<HeardWord> {
        let word = |(at, text): (u32, &str)| HeardWord {
            text: text.into(),
            start_ms: 300 * at,
            end_ms: 300 * (at + 1),
            log_prob: -0.1,
        };
        (0..).zip(text.split_whitespace()).map(word).collect()
    }

    fn said(segment: &Segment, text: &str) -> String {
        let words = Respellings::of([segment]).words(&heard(text));
        words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_word_of_the_page_is_spelt_as_it_is_said() {
        let one = segment(
            "The museum at St. Ives, he said.",
            &[("museum", "mew zee um"), ("St. Ives", "Saint Eyves")],
        );
        assert_eq!(said(&one, "The Museum, at St. Ives, he said."), "The mew zee um at Saint Eyves he said.");
        assert_eq!(said(&one, "The mew zee um at Saint Ives."), "The mew zee um at Saint Ives.");
        let words = Respellings::of([&one]).words(&heard("The museum at"));
        let times: Vec<(u32, u32)> = words.iter().map(|word| (word.start_ms, word.end_ms)).collect();
        assert_eq!(times, [(0, 300), (300, 400), (400, 500), (500, 600), (600, 900)]);
    }

    #[test]
    fn capitals_decide_where_a_word_is_said_both_ways() {
        let one = segment("In Reading he was reading.", &[("Reading", "Redding")]);
        assert_eq!(said(&one, "In Reading, he was reading."), "In Redding he was reading.");
    }

    #[test]
    fn without_a_lexicon_nothing_is_respelt() {
        assert!(Respellings::of([&plain("The museum.")]).is_empty());
    }
}
