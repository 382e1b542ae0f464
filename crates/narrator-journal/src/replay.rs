//! What a journal comes to: the state of every segment that it speaks of.
//!
//! Results belong to content, not to numbers: a script that gained a paragraph keeps every take whose
//! text, voice, model and seed are what they were, and two segments that say the same share one take.
//! So everything is kept by content key, and a changed script is no reason to refuse a journal.
//!
//! Replay is idempotent, and records of one key may come twice or late: done outranks quarantined, which
//! outranks faults; of several results the last holds. Takes that were spoken and not accepted are kept
//! beside that, by number. Only [`SegmentReopened`](crate::SegmentReopened) takes something back.

use std::collections::HashMap;

use narrator_core::{ContentKey, Fault, Incarnation};

use crate::record::{
    Record, Reopening, RunClosed, RunOpened, SegmentDone, SegmentFault, SegmentQuarantined, TakeRefused,
};

/// Where a segment stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing<'a> {
    /// Still to be spoken. What went wrong so far, in the order of the journal.
    Pending(&'a [SegmentFault]),
    Done(&'a SegmentDone),
    Quarantined(&'a SegmentQuarantined),
}

/// What is known of a segment. Nearly all are done at once: what else there is to say of a segment lies apart,
/// so that a long book takes little memory and time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Known {
    done: Option<SegmentDone>,
    story: Option<Box<Story>>,
}

/// What befell a segment beside being done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Story {
    quarantined: Option<SegmentQuarantined>,
    faults: Vec<SegmentFault>,
    spoken: Vec<SegmentDone>,
    refused: Vec<TakeRefused>,
    kept: Option<u32>,
    /// Numbers below this are of takes that a person no longer wants.
    first_take: u32,
}

/// Of a segment of which there is nothing to tell.
static NO_STORY: Story = Story {
    quarantined: None,
    faults: Vec::new(),
    spoken: Vec::new(),
    refused: Vec::new(),
    kept: None,
    first_take: 0,
};

impl Known {
    fn story(&self) -> &Story {
        self.story.as_deref().unwrap_or(&NO_STORY)
    }

    fn audible(&self) -> Option<&SegmentDone> {
        let story = self.story();
        let kept = || story.spoken.iter().find(|take| Some(take.take) == story.kept);
        self.done.as_ref().or_else(kept)
    }

    /// The first take's number when everything is to be spoken anew, with other random numbers.
    fn anew(&self) -> u32 {
        let spoken = self.story().spoken.iter().chain(&self.done).map(|take| take.take + 1);
        spoken.max().unwrap_or_default().max(self.story().first_take)
    }
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
        let records = records.into_iter();
        // Most records are each of a segment of its own.
        let segments = HashMap::with_capacity(records.size_hint().1.unwrap_or_default());
        let mut replay = Self { segments, ..Self::default() };
        records.for_each(|record| replay.apply(record));
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
                let faults = &mut self.story(fault.key).faults;
                if !faults.contains(fault) {
                    faults.push(fault.clone());
                }
            }
            Record::SegmentQuarantined(given_up) => {
                self.story(given_up.key).quarantined = Some(given_up.clone());
            }
            Record::SegmentReopened(reopened) => {
                let gone = self.segments.remove(&reopened.key).unwrap_or_default();
                // A take that was lost is made again as it was; one that was not liked is not.
                let first_take = match reopened.why {
                    Reopening::TakeLost => gone.story().first_take,
                    Reopening::Asked | Reopening::Refused => gone.anew(),
                };
                if first_take > 0 {
                    self.story(reopened.key).first_take = first_take;
                }
            }
            Record::TakeSpoken(take) => {
                let spoken = &mut self.story(take.key).spoken;
                spoken.retain(|known| known.take != take.take);
                spoken.push(take.clone());
            }
            Record::TakeRefused(refused) => {
                let known = &mut self.story(refused.key).refused;
                known.retain(|known| known.take != refused.take);
                known.push(refused.clone());
            }
            Record::TakeKept(kept) => self.story(kept.key).kept = Some(kept.take),
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
        let Some(known) = self.segments.get(key) else { return Standing::Pending(&[]) };
        match (&known.done, &known.story().quarantined) {
            (Some(done), _) => Standing::Done(done),
            (None, Some(given_up)) => Standing::Quarantined(given_up),
            (None, None) => Standing::Pending(&known.story().faults),
        }
    }

    /// The faults that count against a segment by the policy table.
    pub fn charged(&self, key: &ContentKey) -> impl Iterator<Item = &SegmentFault> {
        let faults = self.segments.get(key).map_or(&[][..], |known| &known.story().faults);
        faults.iter().filter(|fault| Fault::policy(fault.fault).charge)
    }

    /// Every accepted take, in no order.
    pub fn done(&self) -> impl Iterator<Item = &SegmentDone> {
        self.segments.values().filter_map(|known| known.done.as_ref())
    }

    /// Every segment given up, in no order.
    pub fn quarantined(&self) -> impl Iterator<Item = &SegmentQuarantined> {
        self.segments
            .values()
            .filter(|known| known.done.is_none())
            .filter_map(|k| k.story().quarantined.as_ref())
    }

    /// Takes of this content that are durable and not accepted, in the order in which they were spoken.
    pub fn spoken(&self, key: &ContentKey) -> &[SegmentDone] {
        self.segments.get(key).map_or(&[], |known| &known.story().spoken)
    }

    /// Takes of this content that were heard and refused, in that order.
    pub fn refused(&self, key: &ContentKey) -> &[TakeRefused] {
        self.segments.get(key).map_or(&[], |known| &known.story().refused)
    }

    /// The number from which on takes of this content are wanted.
    pub fn first_take(&self, key: &ContentKey) -> u32 {
        self.segments.get(key).map_or(0, |known| known.story().first_take)
    }

    /// The number of the next take of this content: behind every one that was ever spoken.
    pub fn next_take(&self, key: &ContentKey) -> u32 {
        self.segments.get(key).map_or(0, Known::anew)
    }

    /// The same, of one content alone.
    #[must_use]
    pub fn only(&self, key: &ContentKey) -> Self {
        let known = self.segments.get(key).map(|known| (*key, known.clone()));
        Self { segments: known.into_iter().collect(), ..Self::default() }
    }

    /// The take that is heard of this content: the accepted one, or of a segment in quarantine the one
    /// that was kept.
    pub fn audible(&self, key: &ContentKey) -> Option<&SegmentDone> {
        self.segments.get(key).and_then(Known::audible)
    }

    /// Every take that the audiobook may be made from, in no order.
    pub fn audible_takes(&self) -> impl Iterator<Item = &SegmentDone> {
        self.segments.values().filter_map(Known::audible)
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

    fn story(&mut self, key: ContentKey) -> &mut Story {
        self.known(key).story.get_or_insert_default()
    }

    fn saw(&mut self, incarnation: Incarnation) {
        self.last_incarnation = self.last_incarnation.max(incarnation.0);
    }
}

#[cfg(test)]
mod tests {
    use narrator_core::SegmentId;

    use super::*;
    use crate::record::{Digest, SegmentReopened, TakeKept};

    const KEY: ContentKey = ContentKey([7; 32]);
    const SEGMENT: SegmentId = SegmentId(3);

    fn facts(take: u32) -> SegmentDone {
        let audio = Digest::of(&take.to_le_bytes());
        SegmentDone { segment: SEGMENT, key: KEY, take, samples: 9, rate: 24_000, bytes: 5, audio }
    }

    fn refused(take: u32, faults: u32) -> Record {
        let (next, reason) = ("new_seed".to_owned(), "a word is missing".to_owned());
        Record::TakeRefused(TakeRefused { segment: SEGMENT, key: KEY, take, faults, next, reason })
    }

    fn reopened(why: Reopening) -> Record {
        Record::SegmentReopened(SegmentReopened { segment: SEGMENT, key: KEY, why })
    }

    #[test]
    fn a_spoken_take_is_nobodys_result() {
        let replay = Replay::of(&[Record::TakeSpoken(facts(0)), Record::TakeSpoken(facts(0)), refused(0, 2)]);
        assert_eq!(replay.standing(&KEY), Standing::Pending(&[]));
        assert_eq!((replay.spoken(&KEY).len(), replay.refused(&KEY).len()), (1, 1));
        assert_eq!(replay.audible(&KEY), None);
    }

    #[test]
    fn a_quarantined_segment_is_heard_with_the_take_that_was_kept() {
        let given_up = SegmentQuarantined { segment: SEGMENT, key: KEY, reason: "why".into() };
        let kept = Record::TakeKept(TakeKept { segment: SEGMENT, key: KEY, take: 1 });
        let records = [Record::TakeSpoken(facts(0)), Record::TakeSpoken(facts(1)), kept];
        let mut replay = Replay::of(&records);
        replay.apply(&Record::SegmentQuarantined(given_up.clone()));
        assert_eq!(replay.standing(&KEY), Standing::Quarantined(&given_up));
        assert_eq!(replay.audible(&KEY), Some(&facts(1)));
        replay.apply(&Record::SegmentDone(facts(0)));
        assert_eq!(replay.audible(&KEY), Some(&facts(0)), "a result is better");
    }

    #[test]
    fn what_a_person_did_not_like_is_not_made_again_and_what_was_lost_is() {
        let mut replay = Replay::of(&[Record::SegmentDone(facts(2)), reopened(Reopening::TakeLost)]);
        assert_eq!(replay.first_take(&KEY), 0);
        replay.apply(&Record::SegmentDone(facts(2)));
        replay.apply(&reopened(Reopening::Asked));
        assert_eq!((replay.first_take(&KEY), replay.standing(&KEY)), (3, Standing::Pending(&[])));
        replay.apply(&reopened(Reopening::Asked));
        assert_eq!(replay.first_take(&KEY), 3, "asked twice, wanted once");
    }
}
