//! A frame as bytes.
//!
//! ```text
//!  0        2         3      4       6            8         16      20          20+len
//!  ├ magic ─┼ version ┼ kind ┼ flags ┼ header crc ┼ request ┼ len ──┼ payload ──┼ crc32c ─┤
//!    u16      u8        u8     u16     u16          u64       u32     len bytes   u32
//! ```
//! Everything little-endian. The header has its own check, so that a length is believed only when the
//! header is whole; the last word covers header and payload, so that neither can be taken for another's.
//! On a local socket these checks do not look for line noise. They catch a peer that lost its place: two
//! writers in one pipe, C++ printing into the wrong descriptor, memory written over.

use crate::FrameError;
use crate::kind::{Kind, Scope};

/// `Nr`, read as bytes.
pub const MAGIC: u16 = u16::from_le_bytes(*b"Nr");
/// Version of the frame's own layout; the protocol's version travels in `Hello`.
pub const FRAME_VERSION: u8 = 1;
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 20;
/// Bytes after the payload.
pub const TRAILER_BYTES: usize = 4;

/// A request's name on the pipe: chosen by the orchestrator, never 0 and never reused on one connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One frame whose payload keeps to its kind's limit and whose request fits its kind's scope.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    kind: Kind,
    request: u64,
    payload: Vec<u8>,
}

impl Frame {
    pub fn new(kind: Kind, request: u64, payload: Vec<u8>) -> Result<Self, FrameError> {
        check_length(kind, payload.len())?;
        check_request(kind, request)?;
        Ok(Self { kind, request, payload })
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The header's request; 0 for kinds about the whole process.
    pub fn request(&self) -> RequestId {
        RequestId(self.request)
    }

    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Bytes that [`Self::encode_into`] appends.
    pub fn encoded_len(&self) -> usize {
        HEADER_BYTES + self.payload.len() + TRAILER_BYTES
    }

    /// Appends the frame's bytes.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        out.reserve(self.encoded_len());
        let header =
            Header { kind: self.kind, request: self.request, payload_len: self.payload.len() }.to_bytes();
        out.extend_from_slice(&header);
        out.extend_from_slice(&self.payload);
        out.extend_from_slice(&trailer(&header, &self.payload));
    }

    /// The frame's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        out
    }
}

impl std::fmt::Debug for Frame {
    // Payloads are audio or a page of a book: their length says enough.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("kind", &self.kind)
            .field("request", &self.request)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

/// A header that was checked: magic, version, kind, flags, its own checksum, length and request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub kind: Kind,
    pub request: u64,
    pub payload_len: usize,
}

impl Header {
    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..2].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[2] = FRAME_VERSION;
        bytes[3] = self.kind.byte();
        bytes[8..16].copy_from_slice(&self.request.to_le_bytes());
        bytes[16..20].copy_from_slice(&(self.payload_len as u32).to_le_bytes());
        let check = header_check(&bytes);
        bytes[6..8].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// Believes a header only as a whole. Magic and version come first: they tell a stranger and another
    /// age from damage.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, FrameError> {
        let magic = u16::from_le_bytes([bytes[0], bytes[1]]);
        if magic != MAGIC {
            return Err(FrameError::Magic { found: magic });
        }
        if bytes[2] != FRAME_VERSION {
            return Err(FrameError::Version { found: bytes[2] });
        }
        if u16::from_le_bytes([bytes[6], bytes[7]]) != header_check(bytes) {
            return Err(FrameError::HeaderCheck);
        }
        let Some(kind) = Kind::from_byte(bytes[3]) else {
            return Err(FrameError::UnknownKind { found: bytes[3] });
        };
        let flags = u16::from_le_bytes([bytes[4], bytes[5]]);
        if flags != 0 {
            return Err(FrameError::Flags { kind, found: flags });
        }
        let payload_len = u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]) as usize;
        check_length(kind, payload_len)?;
        let mut request = [0; 8];
        request.copy_from_slice(&bytes[8..16]);
        let request = u64::from_le_bytes(request);
        check_request(kind, request)?;
        Ok(Self { kind, request, payload_len })
    }

    pub fn into_frame(self, payload: Vec<u8>) -> Frame {
        Frame { kind: self.kind, request: self.request, payload }
    }
}

/// The last four bytes of a frame: CRC32C over header and payload.
pub(crate) fn trailer(header: &[u8; HEADER_BYTES], payload: &[u8]) -> [u8; TRAILER_BYTES] {
    crc32c::crc32c_append(crc32c::crc32c(header), payload).to_le_bytes()
}

/// Low half of the CRC32C over the header without its own check field.
fn header_check(bytes: &[u8; HEADER_BYTES]) -> u16 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..6]), &bytes[8..]) as u16
}

fn check_length(kind: Kind, len: usize) -> Result<(), FrameError> {
    let limit = kind.limit_bytes();
    if len > limit { Err(FrameError::TooLong { kind, len, limit }) } else { Ok(()) }
}

fn check_request(kind: Kind, request: u64) -> Result<(), FrameError> {
    match (kind.spec().scope, request) {
        (Scope::Process, 0) => Ok(()),
        (Scope::Request, request) if request != 0 => Ok(()),
        _ => Err(FrameError::Request { kind, found: request }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_laid_out_as_documented() {
        let frame = Frame::new(Kind::Cancel, 0x0102_0304_0506_0708, vec![]).expect("a frame");
        let bytes = frame.to_bytes();
        assert_eq!(bytes.len(), 24);
        assert_eq!(bytes[..6], [b'N', b'r', 1, 0x45, 0, 0]);
        assert_eq!(bytes[8..20], [8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0]);
        assert_eq!(bytes[20..], crc32c::crc32c(&bytes[..20]).to_le_bytes());
    }

    #[test]
    fn what_does_not_fit_its_kind_cannot_be_made() {
        let long = Frame::new(Kind::Hello, 0, vec![0; 64 * 1024 + 1]);
        assert!(matches!(long, Err(FrameError::TooLong { len: 65_537, limit: 65_536, .. })));
        assert!(matches!(Frame::new(Kind::Hello, 1, vec![]), Err(FrameError::Request { .. })));
        assert!(matches!(Frame::new(Kind::Speak, 0, vec![]), Err(FrameError::Request { .. })));
    }
}
