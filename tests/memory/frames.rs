//! Frames and messages.

use narrator_proto::{Frame, FrameDecoder, FromWorker, Kind, Message, ProtocolVersion, SizeClass, ToWorker};
use narrator_tests::program::checkout;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::peak_of;

/// One payload of the largest kind, and what errors and small buffers need.
const DECODER_BYTES: usize = SizeClass::Pcm.limit_bytes() + 16 * 1024;
/// A message in memory against its payload: an empty voice is three bytes of payload and 72 of memory, and
/// a list that grows holds its old self beside the new for a moment.
const MESSAGE_FACTOR: usize = 80;
/// What serde makes room for at most when a list announces more elements than have come.
const LIST_AHEAD_BYTES: usize = 1 << 20;

fn golden() -> Vec<Vec<u8>> {
    let folder = checkout().join(format!("proto/golden/v{}", ProtocolVersion::CURRENT.major));
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the golden frames")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a golden frame")).collect()
}

/// The frame's own checks over what it now holds.
fn sealed(kind: u8, request: u64, length: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = golden()[0][..4].to_vec();
    bytes[3] = kind;
    bytes.extend([0; 4]);
    bytes.extend(request.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    let check = crc32c::crc32c_append(crc32c::crc32c(&bytes[..6]), &bytes[8..20]) as u16;
    bytes[6..8].copy_from_slice(&check.to_le_bytes());
    bytes.extend(payload);
    let trailer = crc32c::crc32c(&bytes);
    bytes.extend(trailer.to_le_bytes());
    bytes
}

fn decode(stream: &[u8], piece: usize) {
    let mut decoder = FrameDecoder::new();
    for mut piece in stream.chunks(piece.max(1)) {
        while !piece.is_empty() {
            match decoder.feed(&mut piece) {
                // Frames that are whole are the reader's; it takes them one by one.
                Ok(frame) => drop(frame),
                Err(_) => return,
            }
        }
    }
}

#[test]
fn a_header_alone_reserves_at_most_its_kinds_limit_and_a_bad_one_nothing() {
    for kind in 0..=u8::MAX {
        let limit = Kind::from_byte(kind).map_or(0, Kind::limit_bytes);
        for length in [0, 1, limit as u32, limit as u32 + 1, 1 << 24, u32::MAX] {
            for request in [0, 1] {
                let stream = sealed(kind, request, length, &[]);
                let peak = peak_of(|| decode(&stream, 7));
                let allowed = if length as usize <= limit { length as usize } else { 0 };
                assert!(peak <= allowed + 4096, "kind {kind:#x}, length {length}: {peak} bytes");
            }
        }
    }
}

#[test]
fn any_stream_in_any_pieces_holds_one_payload_at_most() {
    let golden = golden();
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..4000 {
        let mut stream: Vec<u8> = Vec::new();
        for _ in 0..dice.random_range(1..8) {
            stream.extend(&golden[dice.random_range(0..golden.len())]);
        }
        for _ in 0..dice.random_range(0..6) {
            let at = dice.random_range(0..stream.len());
            stream[at] = dice.random();
        }
        let piece = dice.random_range(1..200);
        let peak = peak_of(|| decode(&stream, piece));
        assert!(peak <= DECODER_BYTES, "{peak} bytes");
    }
}

#[test]
fn any_payload_becomes_no_more_than_a_multiple_of_itself() {
    let mut dice = ChaCha8Rng::seed_from_u64(2);
    let edges = [0, 1, 0x7f, 0xfa, 0xfb, 0xfc, 0xfd, 0xff];
    let read = |kind: Kind, payload: Vec<u8>| {
        let bytes = payload.len();
        for request in [0, 1] {
            let Ok(frame) = Frame::new(kind, request, payload.clone()) else { continue };
            let peak = peak_of(|| (FromWorker::from_frame(&frame).ok(), ToWorker::from_frame(&frame).ok()));
            assert!(
                peak <= MESSAGE_FACTOR * bytes + LIST_AHEAD_BYTES + 64 * 1024,
                "{kind:?}: {peak} bytes out of {bytes}"
            );
        }
    };
    for kind in Kind::ALL {
        // The whole limit in the bytes that make the most of the least: empty texts, lists of them.
        for fill in edges {
            read(*kind, vec![fill; kind.limit_bytes()]);
        }
        for _ in 0..300 {
            let bytes = dice.random_range(0..2000);
            let dense = dice.random_bool(0.5);
            let byte = |dice: &mut ChaCha8Rng| {
                if dense { edges[dice.random_range(0..edges.len())] } else { dice.random() }
            };
            let payload = (0..bytes).map(|_| byte(&mut dice)).collect();
            read(*kind, payload);
        }
    }
    // Lists of the emptiest things: read while they are within the limit, refused beyond it, and never more
    // than their share of memory.
    let mut outcomes = Vec::new();
    for count in [1_000, 10_000, 80_000] {
        let mut payload = vec![0, 0xfb];
        payload.extend(24_000_u16.to_le_bytes());
        payload.extend([1, 0xfc]);
        payload.extend(u32::to_le_bytes(count));
        payload.resize(payload.len() + 3 * count as usize + 5, 0);
        let frame = Frame::new(Kind::Ready, 0, payload.clone()).expect("a frame");
        outcomes.push(FromWorker::from_frame(&frame).is_ok());
        read(Kind::Ready, payload);
    }
    assert!(outcomes[0] && !outcomes[2], "{outcomes:?}");
}
