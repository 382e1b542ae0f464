//! What was done to the runs, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// The figures of a soak.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Faults injected, by kind.
    pub injected: BTreeMap<String, u64>,
    /// Faults as the orchestrator named them.
    pub seen: BTreeMap<String, u64>,
    /// How orchestrators ended.
    pub ends: BTreeMap<String, u64>,
    /// Faults in books that passed the audit.
    pub survived: u64,
    pub books: u64,
    /// Books whose audiobook was compared with the undisturbed one, and was the same to the byte.
    pub same_audiobooks: u64,
    pub segments: u64,
    pub done: u64,
    pub quarantined: u64,
    /// Takes compared with what they have to be.
    pub takes_compared: u64,
    /// Words of segments that are neither done, as they have to sound, nor quarantined with a reason.
    pub words_lost: u64,
    /// From a worker's fault to its successor's readiness, in milliseconds.
    #[serde(skip)]
    pub replaced_ms: Vec<u64>,
    /// Most file handles that an orchestrator had open.
    pub most_handles: usize,
}

impl Tally {
    pub fn injected(&mut self, kind: &str) {
        *self.injected.entry(kind.to_owned()).or_default() += 1;
    }

    pub fn saw(&mut self, fault: &str) {
        *self.seen.entry(fault.to_owned()).or_default() += 1;
    }

    pub fn ended(&mut self, how: String) {
        *self.ends.entry(how).or_default() += 1;
    }

    pub fn faults(&self) -> u64 {
        self.injected.values().sum()
    }

    /// Median and worst.
    pub fn replacement_ms(&self) -> Option<(u64, u64)> {
        let mut sorted = self.replaced_ms.clone();
        sorted.sort_unstable();
        Some((*sorted.get(sorted.len() / 2)?, *sorted.last()?))
    }

    /// For people.
    pub fn table(&self, took: Duration) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        let list = |text: &mut String, title: &str, of: &BTreeMap<String, u64>| {
            let _ = writeln!(text, "{title}");
            for (name, count) in of {
                let _ = writeln!(text, "  {count:>7}  {name}");
            }
        };
        list(&mut text, "injected", &self.injected);
        list(&mut text, "as the orchestrator saw it", &self.seen);
        list(&mut text, "how orchestrators ended", &self.ends);
        let faults = self.faults();
        let replaced = self.replacement_ms().map_or("none was lost".to_owned(), |(median, worst)| {
            let seconds = |ms: u64| ms as f64 / 1000.0;
            let count = self.replaced_ms.len();
            format!("median {:.2} s, worst {:.2} s, of {count}", seconds(median), seconds(worst))
        });
        for (name, value) in [
            ("faults injected", faults.to_string()),
            ("faults survived", self.survived.to_string()),
            ("words lost", self.words_lost.to_string()),
            ("time to replace a worker", replaced),
            ("books", self.books.to_string()),
            ("segments", self.segments.to_string()),
            ("  done", self.done.to_string()),
            ("  quarantined with a reason", self.quarantined.to_string()),
            ("takes compared", self.takes_compared.to_string()),
            ("audiobooks the same to the byte", self.same_audiobooks.to_string()),
            ("most file handles of an orchestrator", self.most_handles.to_string()),
            ("time", format!("{:.0} s", took.as_secs_f64())),
        ] {
            let _ = writeln!(text, "{name:<38} {value}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_worst_are_those_of_the_sorted_times() {
        let tally = Tally { replaced_ms: vec![900, 100, 300], ..Tally::default() };
        assert_eq!(tally.replacement_ms(), Some((300, 900)));
        assert_eq!(Tally::default().replacement_ms(), None);
    }
}
