//! The segments that are out on lease: who waits, who is in hand, who is on the way to the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use narrator_core::{Fault, SegmentId};

use super::messages::Ticket;
use crate::event::What;
use crate::rules::blame::Record;

/// A segment between its lease and its end.
#[derive(Debug)]
pub(super) struct Entry {
    pub audio_s: f64,
    pub attempts: u32,
    pub record: Record,
}

/// Something on its way to the sink.
#[derive(Debug)]
pub(super) struct Storing {
    pub segment: SegmentId,
    pub bytes: u64,
    /// The last try found no room.
    pub refused: bool,
    pub what: Stored,
}

#[derive(Clone, Debug)]
pub(super) enum Stored {
    Take {
        attempt: u32,
        audio_ms: u64,
        compute_ms: u64,
    },
    /// What was heard, and what is told when it is safe.
    Hearing {
        audio_ms: u64,
        compute_ms: u64,
        told: Box<What>,
    },
    Quarantine {
        fault: Fault,
        tries: u32,
        why: String,
    },
}

/// All segments on lease.
#[derive(Debug, Default)]
pub(super) struct Desk {
    entries: BTreeMap<SegmentId, Entry>,
    /// May go to any worker, in the order of the script.
    plain: BTreeSet<SegmentId>,
    /// Must go alone, or not to a certain worker; served first, since what waits for their verdict is
    /// the health of a slot.
    special: BTreeSet<SegmentId>,
    pub storing: BTreeMap<Ticket, Storing>,
    pub held_bytes: u64,
    /// The source has nothing more, ever.
    pub exhausted: bool,
    /// A lease was asked for and not answered.
    pub asked: bool,
    /// The source has nothing just now; asked again with the next tick.
    pub nothing_now: bool,
    pub full_since: Option<Duration>,
    pub retry_at: Duration,
}

impl Desk {
    /// Takes a leased segment in; false when it is here already.
    pub fn lease(&mut self, segment: SegmentId, audio_s: f64) -> bool {
        let entry = Entry { audio_s, attempts: 0, record: Record::default() };
        let new = self.entries.insert(segment, entry).is_none();
        if new {
            self.plain.insert(segment);
        }
        new
    }

    pub fn entry(&self, segment: SegmentId) -> Option<&Entry> {
        self.entries.get(&segment)
    }

    pub fn entry_mut(&mut self, segment: SegmentId) -> Option<&mut Entry> {
        self.entries.get_mut(&segment)
    }

    /// Puts a segment back in the queue.
    pub fn wait_again(&mut self, segment: SegmentId, tries: u32) {
        if let Some(entry) = self.entries.get(&segment) {
            let special = entry.record.must_be_alone() || entry.record.not_by(tries).is_some();
            if special {
                self.special.insert(segment)
            } else {
                self.plain.insert(segment)
            };
        }
    }

    /// The first segment that may go anywhere.
    pub fn next_plain(&self) -> Option<SegmentId> {
        self.plain.first().copied()
    }

    pub fn specials(&self) -> impl Iterator<Item = SegmentId> {
        self.special.iter().copied()
    }

    pub fn has_specials(&self) -> bool {
        !self.special.is_empty()
    }

    /// Takes a segment out of the queue, into somebody's hands.
    pub fn hand_out(&mut self, segment: SegmentId) {
        self.plain.remove(&segment);
        self.special.remove(&segment);
    }

    /// Ends a segment here: done, quarantined or given back.
    pub fn settle(&mut self, segment: SegmentId) -> Option<Entry> {
        self.hand_out(segment);
        self.entries.remove(&segment)
    }

    pub fn waiting(&self) -> usize {
        self.plain.len() + self.special.len()
    }

    /// Segments that still need a worker.
    pub fn unspoken(&self) -> usize {
        self.entries.len() - self.storing.len()
    }

    pub fn unsettled(&self) -> usize {
        self.entries.len()
    }

    /// Everything that was leased has ended, and nothing more will come.
    pub fn is_finished(&self) -> bool {
        self.exhausted && self.entries.is_empty()
    }

    /// Nothing is under way to the disk just now.
    pub fn store_is_quiet(&self) -> bool {
        self.storing.values().all(|storing| storing.refused)
    }

    /// Ends every segment that is not on its way to the disk.
    pub fn give_up(&mut self) -> Vec<SegmentId> {
        let kept: BTreeSet<_> = self.storing.values().map(|storing| storing.segment).collect();
        let all: Vec<_> = self.entries.keys().copied().filter(|segment| !kept.contains(segment)).collect();
        for segment in &all {
            self.settle(*segment);
        }
        all
    }
}
