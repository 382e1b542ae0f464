//! Every message as bytes, kept in `golden/`. A difference means that another build would misread this
//! one: give the change a new kind, or raise the major version and start a folder of that name. The files
//! are written anew when `NARRATOR_BLESS` is set.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use narrator_proto::{FRAME_VERSION, FrameDecoder, FromWorker, Kind, Message, ProtocolVersion, ToWorker};

use crate::samples;

fn folder() -> PathBuf {
    let version = ProtocolVersion::CURRENT.major;
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("v{version}"))
}

#[test]
fn messages_are_the_bytes_that_they_were() {
    let samples: BTreeMap<_, _> = samples::all()
        .into_iter()
        .map(|(name, frame)| (format!("{}.bin", name.to_lowercase()), frame))
        .collect();
    let folder = folder();
    if std::env::var_os("NARRATOR_BLESS").is_some() {
        fs::create_dir_all(&folder).expect("a folder");
        for (name, frame) in &samples {
            fs::write(folder.join(name), frame.to_bytes()).expect("written");
        }
    }
    let files: BTreeSet<String> = fs::read_dir(&folder)
        .expect("the golden folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    assert!(files.iter().eq(samples.keys()), "files and samples differ: {files:?} {:?}", samples.keys());
    for (name, frame) in &samples {
        let golden = fs::read(folder.join(name)).expect("read");
        assert_eq!(frame.to_bytes(), golden, "{name} changed");
        let mut input = &*golden;
        let read = FrameDecoder::new().feed(&mut input).expect("believed").expect("whole");
        assert_eq!((&read, input.len()), (frame, 0), "{name}");
        assert!(
            FromWorker::from_frame(&read).is_ok() != ToWorker::from_frame(&read).is_ok(),
            "{name} is a message of one direction"
        );
    }
    let kinds: BTreeSet<Kind> = samples.values().map(narrator_proto::Frame::kind).collect();
    assert!(kinds.iter().eq(Kind::ALL), "a kind has no sample");
}

/// The page says what the table in the source says.
#[test]
fn the_page_lists_every_kind_as_it_is() {
    let page = include_str!("../../PROTOCOL.md");
    for kind in Kind::ALL {
        let spec = kind.spec();
        let row = format!(
            "| `{:#04x}` | {} | {:?} | {} KiB |",
            kind.byte(),
            spec.name,
            spec.scope,
            spec.size.limit_bytes() / 1024
        );
        assert!(page.contains(&row), "PROTOCOL.md lacks a row that begins: {row}");
    }
    assert!(page.contains(&format!("frame version {FRAME_VERSION}, protocol {}", ProtocolVersion::CURRENT)));
}
