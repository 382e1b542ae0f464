//! What must hold for any bytes: shared by the fuzz targets and by the smoke run on a stable compiler.

use narrator_proto::{Frame, FrameDecoder, FrameError, FromWorker, Kind, Message, SizeClass, ToWorker};

/// Decodes a stream in pieces; the frames, and the error that ended them if one did.
fn decode(stream: &[u8], mut next_piece: impl FnMut() -> usize) -> (Vec<Frame>, Option<FrameError>) {
    let mut decoder = FrameDecoder::new();
    let (mut frames, mut rest) = (Vec::new(), stream);
    while !rest.is_empty() {
        let (mut piece, behind) = rest.split_at(next_piece().clamp(1, rest.len()));
        rest = behind;
        while !piece.is_empty() {
            let before = piece.len();
            match decoder.feed(&mut piece) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => assert!(piece.is_empty(), "more is needed, yet some was left"),
                Err(error) => {
                    assert_eq!(decoder.feed(&mut &[0_u8; 64][..]), Err(error.clone()), "an error is final");
                    return (frames, Some(error));
                }
            }
            assert!(piece.len() < before, "every call takes something");
            assert!(decoder.reserved_bytes() <= SizeClass::Pcm.limit_bytes(), "memory is bounded");
        }
    }
    (frames, decoder.finish().err())
}

/// The frames are the same however the stream is cut, and each is the same when it is written again.
/// Gives the frames back.
pub fn splits_do_not_matter(stream: &[u8], next_piece: impl FnMut() -> usize) -> Vec<Frame> {
    let whole = decode(stream, || usize::MAX);
    assert_eq!(whole, decode(stream, next_piece));
    let mut again = Vec::new();
    for frame in &whole.0 {
        frame.encode_into(&mut again);
        message_is_stable(frame);
    }
    assert!(stream.starts_with(&again), "a frame that was read is the bytes that were there");
    whole.0
}

/// A payload of any kind is a message that can be written and read again, or is refused: which of the two,
/// if the number is a kind's.
pub fn payload_is_read_or_refused(kind: u8, request: u64, payload: &[u8]) -> Option<(Kind, bool)> {
    let kind = Kind::from_byte(kind)?;
    let frame = Frame::new(kind, request, payload.to_vec());
    Some((kind, frame.is_ok_and(|frame| message_is_stable(&frame))))
}

/// Whether the frame is a message, of whichever direction.
fn message_is_stable(frame: &Frame) -> bool {
    let from_worker = stable::<FromWorker>(frame);
    let to_worker = stable::<ToWorker>(frame);
    assert!(!(from_worker && to_worker), "a frame has one direction");
    from_worker || to_worker
}

/// Whether the frame is a message of this language; if so it can be written and reads the same. Compared
/// as bytes, since a sample may be a NaN.
fn stable<M: Message>(frame: &Frame) -> bool {
    let Ok(message) = M::from_frame(frame) else { return false };
    let written = message.to_frame().expect("what was read can be written");
    let again = M::from_frame(&written).expect("what was written can be read");
    assert_eq!(written, again.to_frame().expect("and written again"));
    true
}
