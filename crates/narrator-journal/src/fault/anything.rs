//! What must be true of any bytes whatever: shared by the fuzz target and its smoke.

use crate::format::{FileHeader, HEADER_BYTES, MAX_PAYLOAD_BYTES, push_frame};
use crate::inspect::Report;
use crate::journal::header_crc;
use crate::record::RunId;
use crate::scan::{Content, Located, Scan, Tail, scan};

/// Scans `bytes` and panics when a promise of the scan does not hold: what is believed comes first,
/// without gaps, inside the file; and what is believed of a file is believed of its beginning alone.
#[expect(clippy::panic, reason = "this is how a fuzz target speaks")]
pub fn check_any_bytes(bytes: &[u8]) {
    let report = Report::of(bytes);
    let Ok(found) = scan(bytes) else {
        assert!(report.records == 0 && report.header.is_none(), "records without a header");
        return;
    };
    let mut at = HEADER_BYTES as u64;
    for record in &found.records {
        assert_eq!(record.offset, at, "a gap before a record");
        at += u64::from(record.bytes);
    }
    assert_eq!(at, found.end, "the end is not where the last record ends");
    assert!(found.end as usize <= bytes.len(), "a record behind the end of the file");
    assert_eq!(report.records, found.records.len() as u64, "the report tells another story");
    let believed = bytes.get(..found.end as usize).unwrap_or_default();
    let Ok(again) = scan(believed) else { panic!("the believed part of a file is not believed alone") };
    assert_same(&found, &again);
}

/// A sound file whose last record is of any kind, version and content: its checksum is right, so that
/// only reading the fields stands between it and the replay.
pub fn check_any_record(kind: u8, version: u8, payload: &[u8]) {
    let payload = payload.get(..MAX_PAYLOAD_BYTES).unwrap_or(payload);
    let header = FileHeader::new(RunId([1; 16]), &[2; 32], &[3; 32]);
    let (mut bytes, mut write) = (header.encode().to_vec(), Vec::new());
    push_frame(&mut write, header_crc(&header), kind, version, payload);
    bytes.append(&mut write);
    check_any_bytes(&bytes);
    // What is read back is what would be written: no two contents mean the same record.
    let Ok(found) = scan(&bytes) else { panic!("a sound header is refused") };
    if let [Located { content: Content::Known(record), .. }] = &found.records[..] {
        assert_eq!(record.encode(), (kind, version, payload.to_vec()), "{record:?} is written otherwise");
    }
}

fn assert_same(found: &Scan, again: &Scan) {
    assert_eq!(found.header, again.header);
    assert_eq!(found.records, again.records);
    assert_eq!(again.tail, Tail::Clean);
    assert_eq!((found.end, found.last_write), (again.end, again.last_write));
}
