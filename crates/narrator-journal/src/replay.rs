//! What a journal comes to: the state of every segment that it speaks of.
//!
//! Results belong to content, not to numbers: a script that gained a paragraph keeps every take whose
//! text, voice, model and seed are what they were, and two segments that say the same share one take.
//! So everything is kept by content key, and a changed script is no reason to refuse a journal.
//!
//! Replay is idempotent, and records of one key may come twice or late: done outranks quarantined, which
//! outranks faults; of several results the last holds, since its file replaced the others'. Only
//! [`SegmentReopened`](crate::SegmentReopened) takes something back.

use std::collections::HashMap;

use narrator_core::{ContentKey, Fault, Incarnation};

use crate::record::{Record, RunClosed, RunOpened, SegmentDone, SegmentFault, SegmentQuarantined};

/// Where a segment stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing<'a> {
    /// Still to be spoken. What went wrong so far, in the order of the journal.
    Pending(&'a [SegmentFault]),
    Done(&'a SegmentDone),
    Quarantined(&'a SegmentQuarantined),
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Known {
    done: Option<SegmentDone>,
    quarantined: Option<SegmentQuarantined>,
    faults: Vec<SegmentFault>,
}

/// The final state that the records of a journal describe.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Replay {
    segments: HashMap<ContentKey, Known>,
    openings: Vec<RunOpened>,
    closed: Option<RunClosed>,
    last_incarnation: u64,
    records: u64,
}

impl Replay {
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut replay = Self::default();
        for record in records {
            replay.apply(record);
        }
        replay
    }

    /// Takes one more record into account.
    pub fn apply(&mut self, record: &Record) {
        self.records += 1;
        match record {
            Record::RunOpened(opened) => {
                self.openings.push(opened.clone());
                self.closed = None;
            }
            Record::SegmentDone(done) => self.known(done.key).done = Some(done.clone()),
            Record::SegmentFault(fault) => {
                self.saw(fault.incarnation);
                let faults = &mut self.known(fault.key).faults;
                if !faults.contains(fault) {
                    faults.push(fault.clone());
                }
            }
            Record::SegmentQuarantined(given_up) => {
                self.known(given_up.key).quarantined = Some(given_up.clone());
            }
            Record::SegmentReopened(reopened) => {
                self.segments.remove(&reopened.key);
            }
            Record::RunClosed(closed) => self.closed = Some(closed.clone()),
            Record::Dispatched { dispatches } => {
                for dispatch in dispatches {
                    self.saw(dispatch.incarnation);
                }
            }
        }
    }

    /// Where the segment with this content stands; unknown content is pending.
    pub fn standing(&self, key: &ContentKey) -> Standing<'_> {
        match self.segments.get(key) {
            None => Standing::Pending(&[]),
            Some(Known { done: Some(done), .. }) => Standing::Done(done),
            Some(Known { quarantined: Some(given_up), .. }) => Standing::Quarantined(given_up),
            Some(Known { faults, .. }) => Standing::Pending(faults),
        }
    }

    /// The faults that count against a segment by the policy table.
    pub fn charged(&self, key: &ContentKey) -> impl Iterator<Item = &SegmentFault> {
        let faults = self.segments.get(key).map_or(&[][..], |known| &known.faults);
        faults.iter().filter(|fault| Fault::policy(fault.fault).charge)
    }

    /// Every accepted take, in no order.
    pub fn done(&self) -> impl Iterator<Item = &SegmentDone> {
        self.segments.values().filter_map(|known| known.done.as_ref())
    }

    /// Every segment given up, in no order.
    pub fn quarantined(&self) -> impl Iterator<Item = &SegmentQuarantined> {
        self.segments.values().filter(|known| known.done.is_none()).filter_map(|k| k.quarantined.as_ref())
    }

    /// The runs that worked on the job, first to last.
    pub fn openings(&self) -> &[RunOpened] {
        &self.openings
    }

    /// How the last run ended; nothing while it is at work, or when it was killed.
    pub fn closed(&self) -> Option<&RunClosed> {
        self.closed.as_ref()
    }

    /// The highest incarnation named so far: the next run numbers on from here, so that two workers of
    /// one job are never taken for the same.
    pub fn last_incarnation(&self) -> Incarnation {
        Incarnation(self.last_incarnation)
    }

    /// How many records it was made from.
    pub fn records(&self) -> u64 {
        self.records
    }

    fn known(&mut self, key: ContentKey) -> &mut Known {
        self.segments.entry(key).or_default()
    }

    fn saw(&mut self, incarnation: Incarnation) {
        self.last_incarnation = self.last_incarnation.max(incarnation.0);
    }
}
