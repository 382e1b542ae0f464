//! Writing to stdout and stderr without panics: data goes to stdout, words for people to stderr, and a
//! reader that has gone (a closed pipe) is not an error.

use std::fmt;
use std::io::{self, Write};

/// Writes one line of data to stdout.
pub fn data(line: impl fmt::Display) {
    let mut stdout = io::stdout().lock();
    // A closed pipe means that nobody reads any more: nothing is lost by not telling them.
    let _ = writeln!(stdout, "{line}");
}

/// Writes one line to stderr.
pub fn note(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes `value` as indented JSON to stdout.
pub fn json(value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => data(text),
        Err(error) => note(format_args!("narratord: cannot write JSON: {error}")),
    }
}

/// `1h 02m`, `3m 20s`, `12s`: a duration as people say it.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m {rest:02}s"),
        _ => format!("{hours}h {minutes:02}m"),
    }
}

/// `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_counts_read_as_people_say_them() {
        assert_eq!(duration(0.4), "0s");
        assert_eq!(duration(59.6), "1m 00s");
        assert_eq!(duration(3725.0), "1h 02m");
        assert_eq!(count(7), "7");
        assert_eq!(count(121_567), "121,567");
        assert_eq!(count(1_000_000), "1,000,000");
    }
}
