//! What a scan makes of every truncation and every flipped bit, of newer versions, and of rubbish.

use narrator_core::{ContentKey, Dispatch, Fault, Incarnation, SegmentId};
use proptest::prelude::*;

use super::*;
use crate::format::{MAX_PAYLOAD_BYTES, MAY_SKIP, push_frame};
use crate::record::{
    Digest, Reopening, RunClosed, RunId, RunOpened, SegmentDone, SegmentFault, SegmentQuarantined,
    SegmentReopened, TakeKept, TakeRefused,
};

fn key(n: u32) -> ContentKey {
    ContentKey(Digest::of(&n.to_le_bytes()).0)
}

fn opened() -> RunOpened {
    RunOpened {
        run: RunId(*b"0123456789abcdef"),
        plan: Digest([0x11; 32]),
        settings: Digest([0x22; 32]),
        at_ms: 1_700_000_000_000,
        build: "0.1.0".into(),
        model_hash: "abcd".into(),
    }
}

/// One of every kind in turn, mostly results.
fn record(n: u32) -> Record {
    let (segment, key) = (SegmentId(n), key(n));
    match n % 8 {
        0 if n == 0 => Record::RunOpened(opened()),
        1 => Record::SegmentFault(SegmentFault {
            segment,
            key,
            fault: Fault::HandshakeRefused,
            incarnation: Incarnation(u64::from(n)),
            attempt: 2,
        }),
        2 => Record::SegmentQuarantined(SegmentQuarantined { segment, key, reason: "it ended".into() }),
        3 => Record::SegmentReopened(SegmentReopened { segment, key, why: Reopening::Asked }),
        4 => {
            let dispatch = Dispatch { segment, attempt: 1, incarnation: Incarnation(7) };
            Record::Dispatched { dispatches: vec![dispatch] }
        }
        5 => Record::RunClosed(RunClosed { run: opened().run, at_ms: 5, exit_code: 3 }),
        _ => Record::SegmentDone(SegmentDone {
            segment,
            key,
            take: 0,
            samples: 48_000,
            rate: 24_000,
            bytes: 1234,
            audio: Digest::of(b"take"),
        }),
    }
}

/// A file of `writes`, each of so many records; and where each write begins.
fn file(writes: &[u32]) -> (Vec<u8>, Vec<usize>) {
    let header = FileHeader::new(opened().run, &opened().plan.0, &opened().settings.0);
    let mut bytes = header.encode().to_vec();
    let mut seed = u32_at(&bytes, HEADER_CRC_AT);
    let (mut n, mut starts) = (0, Vec::new());
    for count in writes {
        let mut write = Vec::new();
        for _ in 0..*count {
            let (kind, version, payload) = record(n).encode();
            seed = push_frame(&mut write, seed, kind, version, &payload);
            n += 1;
        }
        starts.push(bytes.len());
        bytes.append(&mut write);
    }
    (bytes, starts)
}

/// 200 records in writes of one to four.
fn long_file() -> (Vec<u8>, Vec<usize>) {
    let writes: Vec<u32> = [1, 1, 2, 1, 4, 1].into_iter().cycle().take(120).collect();
    assert_eq!(writes.iter().sum::<u32>(), 200);
    file(&writes)
}

#[test]
fn a_file_cut_at_any_byte_gives_exactly_the_whole_records_before_the_cut() {
    let (bytes, _) = long_file();
    let truth = scan(&bytes).unwrap();
    assert_eq!((truth.records.len(), &truth.tail), (200, &Tail::Clean));
    for cut in 0..bytes.len() {
        let Ok(found) = scan(&bytes[..cut]) else {
            assert!(cut < HEADER_BYTES, "cut at {cut}: a whole header is refused");
            continue;
        };
        let whole = truth.records.partition_point(|r| r.offset + u64::from(r.bytes) <= cut as u64);
        assert_eq!(found.records, truth.records[..whole], "cut at {cut}");
        // What is left of a record that begins with zeros reads as room; both are cut off the same way.
        assert!(matches!(found.tail, Tail::Clean | Tail::Torn { .. }), "cut at {cut}: {:?}", found.tail);
        if found.end == cut as u64 {
            assert_eq!(found.tail, Tail::Clean, "cut at {cut}");
        }
    }
}

#[test]
fn a_file_with_any_one_bit_flipped_is_refused_or_loses_its_last_write_alone() {
    let (bytes, starts) = long_file();
    let truth = scan(&bytes).unwrap();
    let last_write = *starts.last().unwrap();
    let before_last = truth.records.iter().filter(|r| (r.offset as usize) < last_write).count();
    let halves = [0..bytes.len() / 2, bytes.len() / 2..bytes.len()];
    std::thread::scope(|scope| {
        for half in halves {
            let (mut bytes, truth) = (bytes.clone(), &truth);
            scope.spawn(move || {
                for at in half {
                    for bit in 0..8 {
                        bytes[at] ^= 1 << bit;
                        match scan(&bytes) {
                            Err(HeaderFault::Damaged(_)) => assert!(at < HEADER_BYTES, "byte {at}"),
                            Err(other) => panic!("byte {at} bit {bit}: {other:?}"),
                            Ok(found) => {
                                let n = found.records.len();
                                assert!(n < 200, "byte {at} bit {bit} went unnoticed");
                                assert_eq!(found.records, truth.records[..n], "byte {at} bit {bit}");
                                if at < last_write {
                                    let refused = matches!(found.tail, Tail::Damaged { next_valid: Some(_) });
                                    assert!(refused, "byte {at} bit {bit}: {:?}", found.tail);
                                } else {
                                    assert!(n >= before_last, "byte {at} bit {bit} took {n}");
                                    assert!(matches!(found.tail, Tail::Torn { .. }), "byte {at} bit {bit}");
                                }
                            }
                        }
                        bytes[at] ^= 1 << bit;
                    }
                }
            });
        }
    });
}

#[test]
fn a_write_that_lost_its_beginning_is_torn_and_not_damaged() {
    let (bytes, starts) = file(&[1, 2, 4]);
    for hole in starts[2]..bytes.len() {
        let mut holed = bytes.clone();
        holed[starts[2]..=hole].fill(0);
        let found = scan(&holed).unwrap();
        assert_eq!(found.records.len(), 3, "zeros to {hole}");
        assert!(matches!(found.tail, Tail::Torn { .. } | Tail::Clean), "zeros to {hole}: {:?}", found.tail);
    }
    let mut holed = bytes;
    holed[starts[1]..starts[1] + 8].fill(0);
    let found = scan(&holed).unwrap();
    assert_eq!(found.tail, Tail::Damaged { next_valid: Some(starts[2] as u64) });
}

#[test]
fn zeros_behind_the_last_record_are_room() {
    let (mut bytes, _) = file(&[1, 2]);
    let end = bytes.len() as u64;
    bytes.resize(bytes.len() + 4099, 0);
    let found = scan(&bytes).unwrap();
    assert_eq!((found.records.len(), found.end, found.tail), (3, end, Tail::Clean));
}

#[test]
fn a_newer_kind_is_passed_over_or_refused_as_it_asks() {
    let (mut bytes, _) = file(&[1]);
    let sound = scan(&bytes).unwrap();
    let mut write = Vec::new();
    push_frame(&mut write, sound.seed, MAY_SKIP | 0x70, 3, b"from the future");
    bytes.append(&mut write);
    let skipped = scan(&bytes).unwrap();
    assert_eq!(skipped.records[1].content, Content::Skipped { kind: 0xf0, version: 3 });
    assert_eq!(skipped.tail, Tail::Clean);

    for (kind, version) in [(0x70, 1), (2, 2)] {
        let mut write = Vec::new();
        push_frame(&mut write, skipped.seed, kind, version, b"x");
        let mut bytes = bytes.clone();
        bytes.append(&mut write);
        assert_eq!(scan(&bytes).unwrap().tail, Tail::Newer { kind, version });
    }
}

#[test]
fn a_fault_that_a_later_version_names_is_newer_and_a_wrong_length_makes_no_sense() {
    let (bytes, _) = file(&[1]);
    let seed = scan(&bytes).unwrap().seed;
    let with = |kind: u8, payload: &[u8]| {
        let (mut bytes, mut write) = (bytes.clone(), Vec::new());
        push_frame(&mut write, seed, kind, 1, payload);
        bytes.append(&mut write);
        scan(&bytes).unwrap().tail
    };
    let (kind, _, mut payload) = record(1).encode();
    *payload.last_mut().unwrap() = 0xee;
    assert_eq!(with(kind, &payload), Tail::Newer { kind, version: 1 });
    payload.push(0);
    assert_eq!(with(kind, &payload), Tail::Malformed { kind });
    assert_eq!(with(kind, &payload[..10]), Tail::Malformed { kind });
}

#[test]
fn a_newer_file_and_another_file_are_told_apart_from_damage() {
    let (bytes, _) = file(&[1]);
    let mut newer = bytes.clone();
    newer[8] = 2;
    let crc = crc32c::crc32c(&newer[..HEADER_CRC_AT]);
    newer[HEADER_CRC_AT..HEADER_CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(scan(&newer), Err(HeaderFault::Newer(2)));
    assert_eq!(
        scan(b"PK\x03\x04 and so on, for quite a while, as archives do, far past the header"),
        Err(HeaderFault::NotAJournal)
    );
    assert_eq!(scan(b"hello"), Err(HeaderFault::NotAJournal));
    assert!(matches!(scan(b""), Err(HeaderFault::Damaged(_))));
}

#[test]
fn the_search_behind_damage_has_an_end() {
    // Eight-byte steps that each promise the longest payload: every one would cost a checksum of 64 KiB.
    let (mut bytes, starts) = file(&[1, 1, 1]);
    bytes[starts[1] + 8] ^= 1;
    let mut trap = (MAX_PAYLOAD_BYTES as u32).to_le_bytes().to_vec();
    trap.extend_from_slice(&[2, 1, 0, 0]);
    bytes.truncate(starts[2]);
    bytes.extend(trap.iter().copied().cycle().take(1 << 20));
    assert_eq!(scan(&bytes).unwrap().tail, Tail::Damaged { next_valid: None });
}

#[test]
fn text_is_cut_at_a_character_and_never_stops_a_record() {
    let reason = "ü".repeat(600);
    let (kind, version, payload) =
        Record::SegmentQuarantined(SegmentQuarantined { segment: SegmentId(1), key: key(1), reason })
            .encode();
    let Decoded::Known(Record::SegmentQuarantined(read)) = Record::decode(kind, version, &payload) else {
        panic!("a long reason is not read back");
    };
    assert_eq!(read.reason, "ü".repeat(512));
}

fn any_record() -> impl Strategy<Value = Record> {
    (any::<u32>(), any::<[u64; 3]>(), ".{0,40}", 0..10_u8).prop_map(|(n, [a, b, c], text, kind)| {
        let (segment, key) = (SegmentId(n), key(n));
        match kind {
            0 => Record::RunOpened(RunOpened { build: text.clone(), model_hash: text, at_ms: a, ..opened() }),
            1 => {
                let fault = Fault::ALL[a as usize % Fault::ALL.len()];
                let incarnation = Incarnation(b);
                Record::SegmentFault(SegmentFault { segment, key, fault, incarnation, attempt: c as u32 })
            }
            2 => Record::SegmentQuarantined(SegmentQuarantined { segment, key, reason: text }),
            3 => Record::SegmentReopened(SegmentReopened { segment, key, why: Reopening::TakeLost }),
            4 => {
                let dispatch = Dispatch { segment, attempt: a as u32, incarnation: Incarnation(b) };
                Record::Dispatched { dispatches: vec![dispatch; c as usize % 50] }
            }
            6 => Record::TakeKept(TakeKept { segment, key, take: c as u32 }),
            7 => {
                let (take, faults, next) = (a as u32, b as u32, text.clone());
                Record::TakeRefused(TakeRefused { segment, key, take, faults, next, reason: text })
            }
            5 => Record::RunClosed(RunClosed { run: RunId([a as u8; 16]), at_ms: b, exit_code: c as u8 }),
            _ => {
                let (take, rate) = (n, c as u32);
                let audio = Digest::of(text.as_bytes());
                let facts = SegmentDone { segment, key, take, samples: a, rate, bytes: b, audio };
                if kind == 8 { Record::TakeSpoken(facts) } else { Record::SegmentDone(facts) }
            }
        }
    })
}

proptest! {
    #[test]
    fn every_record_reads_back_as_it_was_written(record in any_record()) {
        let (kind, version, payload) = record.encode();
        prop_assert!(payload.len() <= MAX_PAYLOAD_BYTES);
        prop_assert_eq!(Record::decode(kind, version, &payload), Decoded::Known(record));
    }

    #[test]
    fn rubbish_is_never_believed(start in 0..400_usize, rubbish in prop::collection::vec(any::<u8>(), 1..2000)) {
        let (mut bytes, _) = file(&[1, 1, 2]);
        let truth = scan(&bytes).unwrap();
        let start = start.min(bytes.len());
        bytes.splice(start.., rubbish);
        if let Ok(found) = scan(&bytes) {
            prop_assert!(found.records.len() <= truth.records.len());
            prop_assert_eq!(&found.records[..], &truth.records[..found.records.len()]);
        }
    }
}

/// The files under `tests/data`, made from [`record`]; a version's file is never made again.
mod golden {
    use super::*;

    /// A golden file. One that is missing is made, when `NARRATOR_WRITE_GOLDEN` is set: for new versions.
    fn golden(name: &str, make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        if !path.exists() && std::env::var_os("NARRATOR_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, make()).unwrap();
        }
        std::fs::read(path).expect("golden files are in the repository")
    }

    fn v1() -> Vec<u8> {
        file(&[1, 1, 2, 4]).0
    }

    #[test]
    fn version_1_is_written_as_ever() {
        assert_eq!(v1(), golden("v1.ckpt", v1), "the format changed: that needs a new version");
    }

    #[test]
    fn version_1_is_read_as_ever() {
        let found = scan(&golden("v1.ckpt", v1)).unwrap();
        assert_eq!(found.tail, Tail::Clean);
        let records: Vec<Content> = found.records.into_iter().map(|located| located.content).collect();
        assert_eq!(records, (0..8).map(|n| Content::Known(record(n))).collect::<Vec<_>>());
    }

    /// A segment on the ladder: two takes refused, the second kept.
    fn ladder() -> Vec<u8> {
        let (mut bytes, _) = file(&[1]);
        let mut seed = scan(&bytes).unwrap().seed;
        for record in on_the_ladder() {
            let (kind, version, payload) = record.encode();
            let mut write = Vec::new();
            seed = push_frame(&mut write, seed, kind, version, &payload);
            bytes.append(&mut write);
        }
        bytes
    }

    fn on_the_ladder() -> Vec<Record> {
        let (segment, key) = (SegmentId(9), key(9));
        let audio = Digest::of(b"a take");
        let spoken = |take| {
            Record::TakeSpoken(SegmentDone {
                segment,
                key,
                take,
                samples: 24_000,
                rate: 24_000,
                bytes: 6,
                audio,
            })
        };
        let refused = |take, next: &str| {
            let (next, reason) = (next.to_owned(), "“nicht” was not heard".to_owned());
            Record::TakeRefused(TakeRefused { segment, key, take, faults: 3 - take, next, reason })
        };
        let kept = Record::TakeKept(TakeKept { segment, key, take: 1 });
        vec![spoken(0), refused(0, "new_seed"), spoken(1), refused(1, "quarantine"), kept]
    }

    #[test]
    fn takes_on_the_ladder_are_written_and_read_as_ever() {
        let golden = golden("v1-ladder.ckpt", ladder);
        assert_eq!(ladder(), golden, "the format changed: that needs a new kind");
        let found = scan(&golden).unwrap();
        let records: Vec<Content> = found.records.into_iter().map(|located| located.content).collect();
        let expected = std::iter::once(record(0)).chain(on_the_ladder());
        assert_eq!(records, expected.map(Content::Known).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_later_version_may_add_is_passed_over() {
        let found = scan(&golden("v1-later-kind.ckpt", || {
            let (mut bytes, _) = file(&[1]);
            let mut seed = scan(&bytes).unwrap().seed;
            for (kind, payload) in
                [(MAY_SKIP | 0x70, b"from a later version".to_vec()), (2, record(7).encode().2)]
            {
                let mut write = Vec::new();
                seed = push_frame(&mut write, seed, kind, 1, &payload);
                bytes.append(&mut write);
            }
            bytes
        }))
        .unwrap();
        assert_eq!(found.tail, Tail::Clean);
        assert!(matches!(found.records[1].content, Content::Skipped { .. }));
        assert_eq!(found.records[2].content, Content::Known(record(7)));
    }

    #[test]
    fn version_2_is_refused_as_newer() {
        let v2 = golden("v2-header.ckpt", || {
            let mut bytes = v1();
            bytes[8] = 2;
            let crc = crc32c::crc32c(&bytes[..HEADER_CRC_AT]);
            bytes[HEADER_CRC_AT..HEADER_CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
            bytes
        });
        assert_eq!(scan(&v2), Err(HeaderFault::Newer(2)));
    }
}
