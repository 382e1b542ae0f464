//! Version 1 of the file: the header, and the frame around every record.
//!
//! `docs/checkpoint-format.md` is the same in words. Everything is little-endian; every header and frame
//! starts and ends on a multiple of 8 bytes, so that a length is never torn between two sectors.
//!
//! ```text
//! header  0 magic[8] | 8 version u16 | 10 length u16 | 12 zero u32 | 16 run[16]
//!        32 script[12] | 44 settings[12] | 56 crc u32 | 60 zero u32
//! frame   0 length u32 | 4 kind u8 | 5 version u8 | 6 back u16
//!         8 payload, zeros to a multiple of 8 | crc u32 | zero u32
//! ```
//!
//! A frame's CRC32C continues from the CRC of the frame before it (the first one's from the header's), so
//! a frame proves that its predecessor is the one it was written after. The predecessor's CRC always
//! stands 8 bytes before a frame: that is what lets [`crate::scan`] find its feet again after damage.
//!
//! `back` says how far before this frame, in units of 8 bytes, the write began that carried it: 0 for the
//! first frame of a write. A disk may keep the second page of a write that a power cut interrupted and
//! lose the first; only with `back` can such a torn write be told from damage to what was acknowledged.

use narrator_core::ContentKey;

pub(crate) const MAGIC: [u8; 8] = *b"NARRCKPT";
pub(crate) const FORMAT_VERSION: u16 = 1;
pub(crate) const HEADER_BYTES: usize = 64;
/// A frame's own bytes, around its payload.
pub(crate) const FRAME_BYTES: usize = 16;
/// Longest payload: a thousand times what a result needs, and small enough to believe before reading.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
/// Longest write: what `back` can span.
pub(crate) const MAX_WRITE_BYTES: usize = u16::MAX as usize * 8;
/// Longest file that is read: some nine million results.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 30;
/// Kinds with this bit may be skipped by a reader that does not know them.
pub(crate) const MAY_SKIP: u8 = 0x80;

/// The header's checksum stands where a frame's would: 8 bytes before the first frame.
pub(crate) const HEADER_CRC_AT: usize = 56;
/// How much of each BLAKE3 the header keeps; [`crate::RunOpened`] has them whole.
const HASH_PREFIX: usize = 12;

/// What the first 64 bytes say: for which run, script and settings the file was begun. Information;
/// whether a result is still good is decided by its content key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileHeader {
    pub run: crate::RunId,
    pub script: [u8; HASH_PREFIX],
    pub settings: [u8; HASH_PREFIX],
}

/// Why 64 bytes are not a header that can be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum HeaderFault {
    NotAJournal,
    Newer(u16),
    Damaged(&'static str),
}

impl FileHeader {
    pub(crate) fn new(run: crate::RunId, script: &[u8; 32], settings: &[u8; 32]) -> Self {
        Self { run, script: prefix(script), settings: prefix(settings) }
    }

    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&(HEADER_BYTES as u16).to_le_bytes());
        bytes[16..32].copy_from_slice(&self.run.0);
        bytes[32..44].copy_from_slice(&self.script);
        bytes[44..56].copy_from_slice(&self.settings);
        let crc = crc32c::crc32c(&bytes[..HEADER_CRC_AT]);
        bytes[56..60].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header and gives the CRC that the first frame continues from.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, u32), HeaderFault> {
        let Some(header) = bytes.get(..HEADER_BYTES) else {
            return Err(if MAGIC.starts_with(bytes) || bytes.starts_with(&MAGIC) {
                HeaderFault::Damaged("the file ends inside its header")
            } else {
                HeaderFault::NotAJournal
            });
        };
        let crc = u32_at(header, HEADER_CRC_AT);
        let sound = crc32c::crc32c(&header[..HEADER_CRC_AT]) == crc;
        if header[..8] != MAGIC {
            // One flipped bit in the mark, everything else in order: damaged, not foreign.
            return Err(if crc_with_magic(header) == crc {
                HeaderFault::Damaged("the journal's mark is wrong")
            } else {
                HeaderFault::NotAJournal
            });
        }
        if !sound {
            return Err(HeaderFault::Damaged("the header's checksum is wrong"));
        }
        // Believed only now: a flipped bit must not look like a newer version.
        let version = u16::from_le_bytes([header[8], header[9]]);
        if version > FORMAT_VERSION {
            return Err(HeaderFault::Newer(version));
        }
        if version == 0 || header[10..16] != [64, 0, 0, 0, 0, 0] || header[60..64] != [0; 4] {
            return Err(HeaderFault::Damaged("the header's fixed fields are wrong"));
        }
        let run = crate::RunId(array_at(header, 16));
        Ok((Self { run, script: array_at(header, 32), settings: array_at(header, 44) }, crc))
    }
}

fn crc_with_magic(header: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&MAGIC), &header[8..HEADER_CRC_AT])
}

fn prefix(hash: &[u8; 32]) -> [u8; HASH_PREFIX] {
    array_at(hash, 0)
}

/// One record as it stands in the file, its checksum proven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Frame<'a> {
    pub kind: u8,
    pub version: u8,
    /// Bytes between the beginning of its write and this frame.
    pub back: usize,
    pub payload: &'a [u8],
    /// Offset of the byte after it.
    pub end: usize,
    pub crc: u32,
}

/// The frame at `at`, if there is a whole one that continues from `seed`. Every length is checked before
/// it is used.
pub(crate) fn frame_at(bytes: &[u8], at: usize, seed: u32) -> Option<Frame<'_>> {
    let (length, end) = frame_extent(bytes, at)?;
    let [kind, version, back_low, back_high] = array_at(bytes, at + 4);
    let back = usize::from(u16::from_le_bytes([back_low, back_high])) * 8;
    if kind == 0 || version == 0 || at < HEADER_BYTES + back || u32_at(bytes, end - 4) != 0 {
        return None;
    }
    let crc = u32_at(bytes, end - 8);
    if crc32c::crc32c_append(seed, &bytes[at..end - 8]) != crc {
        return None;
    }
    Some(Frame { kind, version, back, payload: &bytes[at + 8..at + 8 + length], end, crc })
}

/// Payload length and end of what would be a frame at `at`, when it could be one and lies in the file.
pub(crate) fn frame_extent(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if bytes.len() < at.checked_add(FRAME_BYTES)? {
        return None;
    }
    let length = u32_at(bytes, at) as usize;
    if length > MAX_PAYLOAD_BYTES {
        return None;
    }
    let end = at + FRAME_BYTES + length.next_multiple_of(8);
    (end <= bytes.len()).then_some((length, end))
}

/// Appends a frame to `out`, the bytes of one write, and gives its CRC.
pub(crate) fn push_frame(out: &mut Vec<u8>, seed: u32, kind: u8, version: u8, payload: &[u8]) -> u32 {
    let start = out.len();
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&[kind, version]);
    out.extend_from_slice(&((start / 8) as u16).to_le_bytes());
    out.extend_from_slice(payload);
    out.resize(out.len().next_multiple_of(8), 0);
    let crc = crc32c::crc32c_append(seed, &out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    crc
}

/// Bytes that a payload takes in the file.
pub(crate) fn framed_bytes(payload: usize) -> usize {
    FRAME_BYTES + payload.next_multiple_of(8)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

/// `N` bytes at `at`; zeros where the slice ends, which callers have ruled out.
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|part| part.try_into().ok()).unwrap_or([0; N])
}

/// Writes the fields of a payload.
#[derive(Debug, Default)]
pub(crate) struct Pack(pub Vec<u8>);

impl Pack {
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    pub fn key(self, key: &ContentKey) -> Self {
        self.bytes(&key.0)
    }

    /// Length and UTF-8, cut at a character's end to `limit` bytes: a message must not stop a record.
    pub fn text(self, text: &str, limit: u16) -> Self {
        let mut end = text.len().min(usize::from(limit));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.bytes(&(end as u16).to_le_bytes()).bytes(&text.as_bytes()[..end])
    }
}

/// Reads the fields of a payload; `None` once it is shorter than what is asked of it.
#[derive(Debug)]
pub(crate) struct Unpack<'a>(pub &'a [u8]);

impl<'a> Unpack<'a> {
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn key(&mut self) -> Option<ContentKey> {
        self.array().map(ContentKey)
    }

    /// Text of at most `limit` bytes, as [`Pack::text`] writes it.
    pub fn text(&mut self, limit: u16) -> Option<&'a str> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        if length > usize::from(limit) {
            return None;
        }
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(head).ok()
    }
}
