//! Frames out of a stream of bytes, however the stream was cut.
//!
//! Invariants, held for any input:
//! - memory never passes one payload of the largest kind, because a length is believed only after the
//!   header's own check and its kind's limit;
//! - a byte is consumed once, and none behind the frame that was returned;
//! - the frames do not depend on how the bytes were split;
//! - after an error every later call gives the same error: a stream that lost its place has no next frame.

use crate::FrameError;
use crate::frame::{Frame, HEADER_BYTES, Header, TRAILER_BYTES, trailer};

/// An incremental decoder.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    header: [u8; HEADER_BYTES],
    header_filled: usize,
    /// The header in hand, once it is complete.
    current: Option<Header>,
    payload: Vec<u8>,
    trailer: [u8; TRAILER_BYTES],
    trailer_filled: usize,
    broken: Option<FrameError>,
}

impl FrameDecoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes from the front of `input` until a frame is complete or `input` is empty. `None` means
    /// that all of it was taken and more is needed.
    pub fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        self.advance(input).inspect_err(|error| {
            self.payload = Vec::new();
            self.broken = Some(error.clone());
        })
    }

    /// To be called at the end of the stream: an error when it ended inside a frame.
    pub fn finish(&self) -> Result<(), FrameError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let have = self.header_filled + self.payload.len() + self.trailer_filled;
        if have == 0 {
            return Ok(());
        }
        let payload_len = self.current.map_or(0, |header| header.payload_len);
        Err(FrameError::Truncated { have, need: HEADER_BYTES + payload_len + TRAILER_BYTES })
    }

    /// Bytes held for the frame in hand.
    pub fn reserved_bytes(&self) -> usize {
        self.payload.capacity()
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        let Some(header) = self.header_from(input)? else { return Ok(None) };
        let (now, rest) = input.split_at(input.len().min(header.payload_len - self.payload.len()));
        self.payload.extend_from_slice(now);
        *input = rest;
        if self.payload.len() < header.payload_len
            || !fill(&mut self.trailer, &mut self.trailer_filled, input)
        {
            return Ok(None);
        }
        if trailer(&self.header, &self.payload) != self.trailer {
            return Err(FrameError::PayloadCheck { kind: header.kind });
        }
        let payload = std::mem::take(&mut self.payload);
        *self = Self::default();
        Ok(Some(header.into_frame(payload)))
    }

    /// The header in hand, read from `input` if it is not there yet. Only a header that was believed
    /// reserves anything.
    fn header_from(&mut self, input: &mut &[u8]) -> Result<Option<Header>, FrameError> {
        if self.current.is_none() && fill(&mut self.header, &mut self.header_filled, input) {
            let header = Header::parse(&self.header)?;
            self.payload = Vec::with_capacity(header.payload_len);
            self.current = Some(header);
        }
        Ok(self.current)
    }
}

/// Moves bytes from `input` to `target[filled..]`; true when the target is full.
fn fill<const N: usize>(target: &mut [u8; N], filled: &mut usize, input: &mut &[u8]) -> bool {
    let (now, rest) = input.split_at(input.len().min(N - *filled));
    target[*filled..*filled + now.len()].copy_from_slice(now);
    *filled += now.len();
    *input = rest;
    *filled == N
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    fn sample() -> Vec<u8> {
        Frame::new(Kind::Speak, 7, b"hello".to_vec()).expect("a frame").to_bytes()
    }

    fn error_of(bytes: &[u8]) -> FrameError {
        FrameDecoder::new().feed(&mut &*bytes).expect_err("refused")
    }

    #[test]
    fn every_single_flipped_bit_is_noticed() {
        let good = sample();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let mut decoder = FrameDecoder::new();
            // A longer length that passes the header's check does not exist for one flipped bit, so that
            // every answer is an error now, not a wait.
            assert!(decoder.feed(&mut &*bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_truncation_is_a_wait_and_an_error_at_the_end() {
        let good = sample();
        for len in 1..good.len() {
            let mut decoder = FrameDecoder::new();
            assert_eq!(decoder.feed(&mut &good[..len]), Ok(None));
            assert!(matches!(decoder.finish(), Err(FrameError::Truncated { have, .. }) if have == len));
        }
        assert_eq!(FrameDecoder::new().finish(), Ok(()));
    }

    #[test]
    fn each_wrong_field_has_its_own_error() {
        let resealed = |edit: fn(&mut [u8])| {
            let mut bytes = sample();
            edit(&mut bytes);
            let check = crc32c::crc32c_append(crc32c::crc32c(&bytes[..6]), &bytes[8..20]) as u16;
            bytes[6..8].copy_from_slice(&check.to_le_bytes());
            error_of(&bytes)
        };
        assert_eq!(error_of(b"GET / HTTP/1.1\r\nHost:"), FrameError::Magic { found: 0x4547 });
        assert_eq!(resealed(|b| b[2] = 9), FrameError::Version { found: 9 });
        assert_eq!(resealed(|b| b[3] = 0xee), FrameError::UnknownKind { found: 0xee });
        assert_eq!(resealed(|b| b[4] = 1), FrameError::Flags { kind: Kind::Speak, found: 1 });
        assert_eq!(resealed(|b| b[8] = 0), FrameError::Request { kind: Kind::Speak, found: 0 });
        let limit = 256 * 1024;
        let long = resealed(|b| b[16..20].copy_from_slice(&u32::MAX.to_le_bytes()));
        assert_eq!(long, FrameError::TooLong { kind: Kind::Speak, len: u32::MAX as usize, limit });
        let mut payload = sample();
        payload[22] ^= 1;
        assert_eq!(error_of(&payload), FrameError::PayloadCheck { kind: Kind::Speak });
    }

    #[test]
    fn a_broken_stream_stays_broken() {
        let mut decoder = FrameDecoder::new();
        assert!(decoder.feed(&mut &[0_u8; 20][..]).is_err());
        let good = sample();
        let mut input = &*good;
        assert_eq!(decoder.feed(&mut input), Err(FrameError::Magic { found: 0 }));
        assert_eq!(input.len(), good.len(), "and takes nothing");
        assert!(decoder.finish().is_err());
    }
}
