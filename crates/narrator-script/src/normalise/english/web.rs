//! Addresses of the web and of mail, said as people say them: narrator dot example slash books.

use super::speller::{And, cardinal, digits};
use crate::normalise::{Claim, View};

/// Endings that make a row of words with dots an address.
const DOMAINS: [&str; 11] = ["com", "org", "net", "edu", "gov", "io", "uk", "de", "info", "dev", "app"];

/// Nobody listens to a longer one, and looking no further keeps a text without spaces from costing more
/// than its length.
const MAX_BYTES: usize = 300;

/// The longest part of an address that is spelled out.
const MAX_LETTERS: usize = 5;

pub(crate) fn claim(view: &View<'_>, at: usize) -> Option<Claim> {
    let before = at.checked_sub(1);
    if view.is_wordlike(before)
        || before.is_some_and(|it| matches!(view.mark(it), Some('.' | '/' | '@' | '-' | '_')))
    {
        return None;
    }
    let start = view.lexemes[at].start;
    let rest = &view.source.text[start..];
    let window = &rest[..rest.floor_char_boundary(MAX_BYTES)];
    let run = window.split(char::is_whitespace).next()?;
    let address = run.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '/');
    let said = address_of(address)?;
    let end = start + address.len();
    let lexemes = view.lexemes[at..].iter().take_while(|it| it.start < end).count();
    Some(Claim::new(lexemes, said, "address"))
}

fn address_of(text: &str) -> Option<String> {
    let (rest, certain) = match text.split_once("://") {
        Some(("http" | "https" | "ftp" | "HTTP" | "HTTPS", rest)) => (rest, true),
        Some(_) => return None,
        None => (text, text.starts_with("www.")),
    };
    let rest = rest.trim_end_matches('/');
    let host = rest.split(['/', '?', '#', ':']).next()?;
    let is_host_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | '+' | '%');
    let labels: Vec<&str> = host.rsplit(['.', '@']).collect();
    let well_formed =
        labels.len() > 1 && host.chars().all(is_host_char) && labels.iter().all(|it| !it.is_empty());
    let is_mail = host.matches('@').count() == 1;
    if !well_formed || !(certain || is_mail || DOMAINS.contains(labels.first()?)) {
        return None;
    }
    Some(said(rest))
}

fn said(address: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut rest = address;
    while let Some(first) = rest.chars().next() {
        let is_same = |c: char| {
            if first.is_ascii_digit() {
                c.is_ascii_digit()
            } else {
                first.is_alphabetic() && c.is_alphabetic()
            }
        };
        let end = rest.find(|c| !is_same(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let (run, after) = rest.split_at(end);
        rest = after;
        words.push(match first {
            '.' => "dot".to_owned(),
            '/' => "slash".to_owned(),
            '@' => "at".to_owned(),
            '-' => "dash".to_owned(),
            '_' => "underscore".to_owned(),
            ':' => "colon".to_owned(),
            '?' => "question mark".to_owned(),
            '=' => "equals".to_owned(),
            '&' => "and".to_owned(),
            '#' => "hash".to_owned(),
            '%' => "percent".to_owned(),
            '+' => "plus".to_owned(),
            '~' => "tilde".to_owned(),
            _ if first.is_ascii_digit() => match run.parse::<u64>() {
                Ok(n) if run.len() <= 2 && !run.starts_with('0') => cardinal(n, And::Left),
                _ => digits(run),
            },
            _ => named(run),
        });
    }
    words.join(" ")
}

/// A part of an address: a short one that nobody can pronounce, like `www`, by its letters. A lone `w` is slurred by
/// voices behind a bracket; its name is not.
fn named(part: &str) -> String {
    let is_vowel = |c: char| matches!(c.to_ascii_lowercase(), 'a' | 'e' | 'i' | 'o' | 'u' | 'y');
    let unpronounceable = part.chars().all(|c| c.is_ascii_alphabetic() && !is_vowel(c));
    if part.len() > MAX_LETTERS || !unpronounceable {
        return part.to_owned();
    }
    let name =
        |letter: char| if matches!(letter, 'w' | 'W') { "double-u".into() } else { letter.to_string() };
    part.chars().map(name).collect::<Vec<_>>().join(" ")
}

/// `www` in `/var/www`: what nobody can pronounce of a path, by its letters. The slashes are left to the voice, and so
/// are capitals, which voices spell by themselves.
pub(crate) fn claim_path_part(view: &View<'_>, at: usize) -> Option<Claim> {
    let part = view.word(at).filter(|_| at > 0 && view.is_mark(at - 1, '/'))?;
    let plain = part.chars().all(|c| c.is_ascii_lowercase()) && !view.is_wordlike(Some(at + 1));
    let before = &view.source.text[..view.lexemes[at].start];
    let path = before.rsplit(char::is_whitespace).next()?;
    let is_absolute = path.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '/').starts_with('/');
    let said = named(part);
    (plain && is_absolute && said != part).then(|| Claim::new(1, said, "path"))
}
