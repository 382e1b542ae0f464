//! From the bytes of a file to the records that can be believed, and to what ends them.
//!
//! ```text
//!                      ┌── end of file, or zeros to the end (room made ahead) ──▶ Clean
//! header ─▶ frame ─▶ … ┤
//!                      └── no frame here ─┬─ nothing valid after it ────────────▶ Torn
//!                                         ├─ only frames of the same write ─────▶ Torn
//!                                         └─ a frame of a later write ──────────▶ Damaged
//! ```
//!
//! A write is made only after the one before it was made durable. So a valid frame of a later write
//! proves that the bad one had been acknowledged: damage, which is a person's to decide. Without such a
//! frame the bad bytes are what a power cut leaves of the last write, which nobody was promised.
//!
//! Invariants: no input makes this panic; memory is bounded by the input; time is linear in it (the
//! search for frames behind damage has a budget, and running out of it counts as damage, the answer that
//! throws nothing away).

use serde::Serialize;

use crate::format::{
    self, FileHeader, Frame, HEADER_BYTES, HEADER_CRC_AT, HeaderFault, frame_at, frame_extent, u32_at,
};
use crate::record::{Decoded, Record};

/// Bytes that the search behind damage may run through the checksum, for each byte of the file.
const RESYNC_WORK: usize = 32;

/// A record and its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Located {
    pub offset: u64,
    /// Its whole length in the file.
    pub bytes: u32,
    pub content: Content,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum Content {
    Known(Record),
    /// Sound, but of a kind or version that is newer than this reader and marked as one to pass over.
    Skipped {
        #[serde(rename = "unknown_kind")]
        kind: u8,
        version: u8,
    },
}

/// What comes after the last record that can be believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Tail {
    Clean,
    /// The remains of a last write that was never acknowledged; `bytes` of them, room not counted.
    Torn {
        bytes: u64,
    },
    /// Bad bytes, and behind them a record of a later write at `next_valid`.
    Damaged {
        next_valid: Option<u64>,
    },
    /// A sound record of a newer version that must not be passed over.
    Newer {
        kind: u8,
        version: u8,
    },
    /// A sound record whose content is not what its kind looks like: written by a fault of the program.
    Malformed {
        kind: u8,
    },
}

/// All that a file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Scan {
    pub header: FileHeader,
    pub records: Vec<Located>,
    /// Offset behind the last believed record, where the next is written.
    pub end: u64,
    /// Where the write began that carried that record.
    pub last_write: u64,
    pub tail: Tail,
    /// What the next frame's checksum continues from.
    pub(crate) seed: u32,
}

/// Reads a whole journal file from its bytes. Fails only where the header gives nothing to go by.
pub(crate) fn scan(bytes: &[u8]) -> Result<Scan, HeaderFault> {
    let (header, crc) = FileHeader::decode(bytes)?;
    let mut at = HEADER_BYTES;
    let (end, last_write) = (at as u64, at as u64);
    let mut scan = Scan { header, records: Vec::new(), end, last_write, tail: Tail::Clean, seed: crc };
    while let Some(frame) = frame_at(bytes, at, scan.seed) {
        match locate(at, &frame) {
            Ok(record) => scan.records.push(record),
            Err(tail) => {
                scan.tail = tail;
                return Ok(scan);
            }
        }
        scan.last_write = (at - frame.back) as u64;
        at = frame.end;
        scan.end = at as u64;
        scan.seed = frame.crc;
    }
    scan.tail = tail_after(bytes, at, scan.seed);
    Ok(scan)
}

fn locate(at: usize, frame: &Frame<'_>) -> Result<Located, Tail> {
    let Frame { kind, version, .. } = *frame;
    let content = match Record::decode(kind, version, frame.payload) {
        Decoded::Known(record) => Content::Known(record),
        Decoded::Skipped => Content::Skipped { kind, version },
        Decoded::Newer => return Err(Tail::Newer { kind, version }),
        Decoded::Malformed => return Err(Tail::Malformed { kind }),
    };
    Ok(Located { offset: at as u64, bytes: (frame.end - at) as u32, content })
}

/// Judges what begins at `at`, where there is no valid frame.
fn tail_after(bytes: &[u8], at: usize, seed: u32) -> Tail {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some(last) = rest.iter().rposition(|byte| *byte != 0) else { return Tail::Clean };
    let mut search = Resync::new(bytes, at, seed);
    for (offset, frame) in search.by_ref() {
        if offset - frame.back > at {
            return Tail::Damaged { next_valid: Some(offset as u64) };
        }
    }
    if search.exhausted() {
        Tail::Damaged { next_valid: None }
    } else {
        Tail::Torn { bytes: last as u64 + 1 }
    }
}

/// The valid frames behind a place where there is none: each continues from the CRC that stands before
/// it in the file, or from the one that the bad frame should have had.
#[derive(Debug)]
pub(crate) struct Resync<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the frame after the bad one would stand, and what it would continue from, if nothing but
    /// the bad frame's own checksum is wrong.
    expected: Option<(usize, u32)>,
    budget: usize,
}

impl<'a> Resync<'a> {
    /// Searches behind `bad`, which itself is not looked at.
    pub fn new(bytes: &'a [u8], bad: usize, seed: u32) -> Self {
        let expected =
            frame_extent(bytes, bad).map(|(_, end)| (end, crc32c::crc32c_append(seed, &bytes[bad..end - 8])));
        let budget = bytes.len().saturating_mul(RESYNC_WORK);
        Self { bytes, at: bad.next_multiple_of(8) + 8, expected, budget }
    }

    /// Searches a whole file whose header is not believed.
    pub fn whole(bytes: &'a [u8]) -> Self {
        let expected = bytes.get(..HEADER_CRC_AT).map(|header| (HEADER_BYTES, crc32c::crc32c(header)));
        Self { bytes, at: HEADER_BYTES, expected, budget: bytes.len().saturating_mul(RESYNC_WORK) }
    }

    /// Whether the search ended for want of budget, not of bytes.
    pub fn exhausted(&self) -> bool {
        self.budget == 0
    }
}

impl<'a> Iterator for Resync<'a> {
    type Item = (usize, Frame<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.budget > 0 && self.at + format::FRAME_BYTES <= self.bytes.len() {
            let at = self.at;
            let cost = frame_extent(self.bytes, at).map_or(0, |(_, end)| end - at);
            // The kind comes first: most of what is not a frame is ruled out without its checksum.
            if cost > 0 && self.bytes[at + 4] != 0 {
                self.budget = self.budget.saturating_sub(cost);
                let stored = u32_at(self.bytes, at - 8);
                let found = frame_at(self.bytes, at, stored).or_else(|| {
                    let (_, seed) = self.expected.filter(|(expected, _)| *expected == at)?;
                    frame_at(self.bytes, at, seed)
                });
                if let Some(frame) = found {
                    self.at = frame.end;
                    return Some((at, frame));
                }
            }
            self.at += 8;
        }
        None
    }
}

#[cfg(test)]
mod tests;
