//! Identities: segments, slots, incarnations and the dispatches that tie them together.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A segment's number in the script, counted from 1 as people count, in reading order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SegmentId(pub u32);

impl SegmentId {
    /// The segment at `index` (from 0) of the script.
    pub fn from_index(index: usize) -> Self {
        Self(index as u32 + 1)
    }

    /// Position in the script, from 0.
    pub fn index(self) -> usize {
        (self.0 as usize).saturating_sub(1)
    }
}

/// A place for one worker on one device, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotId(pub u16);

/// One worker process in a slot: numbered from 1 for the whole run and never reused, so that whatever
/// arrives late can be told from what is awaited.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

/// One try at one segment by one worker process. Results are accepted from the dispatch that is awaited
/// and from no other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Dispatch {
    pub segment: SegmentId,
    /// Counted from 1; a new dispatch of the same segment has the next number.
    pub attempt: u32,
    pub incarnation: Incarnation,
}

macro_rules! display_as_number {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
display_as_number!(SegmentId, SlotId, Incarnation);
