//! What the tests share: a small book of synthetic speech, and readers other than the writer.

use std::fs;
use std::path::Path;
use std::process::Command;

use narrator_audio::{Assembly, ChapterAudio, Ffmpeg, Piece, flac};
use narrator_core::{Cover, Metadata};

pub fn ffmpeg() -> Ffmpeg {
    let candidate = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps/bin/ffmpeg");
    Ffmpeg::find(&[candidate]).expect("the tests need ffmpeg: scripts/setup brings it")
}

/// Something with the shape of speech: syllables of harmonics, hiss before and after.
pub fn speech(seed: u32, seconds: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 - 0.5
    };
    let mut pcm: Vec<f32> = (0..7_000).map(|_| noise() * 3e-4).collect();
    let mut phase = 0.0_f32;
    for n in 0..(seconds * 24_000.0) as usize {
        let t = n as f32 / 24_000.0;
        phase += (120.0 + 30.0 * (t * 2.0 + seed as f32).sin()) / 24_000.0;
        let syllable = (t * std::f32::consts::PI * 3.7).sin().abs().powf(0.6);
        let wave: f32 =
            (1..12_u8).map(|k| (phase * std::f32::consts::TAU * f32::from(k)).cos() / f32::from(k)).sum();
        pcm.push(syllable * (0.11 * wave + 0.01 * noise()));
    }
    pcm.extend((0..10_000).map(|_| noise() * 3e-4));
    pcm
}

pub fn write_take(dir: &Path, name: &str, pcm: &[f32]) -> Piece {
    let takes = dir.join("takes");
    fs::create_dir_all(&takes).unwrap();
    let take = takes.join(name).with_extension("flac");
    fs::write(&take, flac::encode(pcm, 24_000).unwrap()).unwrap();
    Piece { take, pause_after_ms: 350 }
}

/// A PNG of one red pixel.
pub fn png() -> Vec<u8> {
    const HEX: &str = "89504e470d0a1a0a0000000d49484452000000010000000108020000009077\
        53de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082";
    let digits: Vec<u8> = HEX.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Three chapters of half a minute in all, with everything that a book may say of itself.
pub fn book(dir: &Path) -> Assembly {
    let chapter = |n: u32, title: &str, takes: u32| ChapterAudio {
        title: title.to_owned(),
        pieces: (0..takes)
            .map(|take| write_take(dir, &format!("{n}-{take}"), &speech(n * 10 + take, 2.5)))
            .collect(),
    };
    Assembly {
        chapters: vec![
            chapter(1, "One", 3),
            chapter(2, "Two: the \"road\"; and = all", 4),
            chapter(3, "Three", 2),
        ],
        metadata: Metadata {
            title: "The \"Lamp\"; a = b #1 \\ 日本".into(),
            authors: vec!["Ann O'Neil".into(), "Bob".into()],
            language: "en-GB".into(),
            publisher: Some("Press".into()),
            series: Some("Lights".into()),
            series_index: Some("2".into()),
        },
        narrator: Some("Hibari".into()),
        cover: Some(Cover { media_type: "image/png".into(), bytes: png() }),
        ..Assembly::default()
    }
}

pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn run(path: &Path, args: &[&str]) -> Vec<u8> {
    let run = Command::new(ffmpeg().program())
        .args(["-hide_banner", "-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(args)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    run.stdout
}

pub fn decode(path: &Path, rate: u32) -> Vec<f32> {
    let args = format!("-map 0:a -ar {rate} -ac 1 -f f32le pipe:1");
    let bytes = run(path, &args.split(' ').collect::<Vec<_>>());
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

pub type Texts = Vec<(String, String)>;

/// The tags, as ffmpeg prints them.
pub fn tags(path: &Path) -> Texts {
    // Ogg keeps its tags with the stream, the others with the file.
    let of_stream = path.extension().is_some_and(|extension| extension == "opus");
    let from = if of_stream { "0:s:a:0" } else { "0" };
    let printed = run(path, &["-map_metadata", from, "-f", "ffmetadata", "pipe:1"]);
    let text = String::from_utf8(printed).unwrap();
    let tags = text.split("[CHAPTER]").next().unwrap_or_default();
    let pairs = tags.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (unescape(key), unescape(value))).collect()
}

/// Chapters in Vorbis comments: start in milliseconds and title.
pub fn comment_chapters(file: &[u8]) -> Vec<(u64, String)> {
    let comment = |key: &str| {
        let key = format!("{key}=");
        let at = file.windows(key.len()).position(|window| window == key.as_bytes())?;
        let size = u32::from_le_bytes(file[at - 4..at].try_into().unwrap()) as usize;
        String::from_utf8(file[at + key.len()..at + size].to_vec()).ok()
    };
    let chapter = |index: usize| {
        let at = comment(&format!("CHAPTER{index:03}"))?;
        let numbers: Vec<u64> = at.split([':', '.']).map(|number| number.parse().unwrap()).collect();
        let ms = ((numbers[0] * 60 + numbers[1]) * 60 + numbers[2]) * 1000 + numbers[3];
        Some((ms, comment(&format!("CHAPTER{index:03}NAME"))?))
    };
    (0..).map_while(chapter).collect()
}

/// The CHAP frames of an ID3v2.3 tag: start in milliseconds and title.
pub fn id3_chapters(file: &[u8]) -> Vec<(u64, String)> {
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
    assert_eq!(&file[..4], b"ID3\x03");
    let (mut at, mut chapters) = (10, Vec::new());
    while file[at].is_ascii_uppercase() {
        let size = number(&file[at + 4..]);
        let body = &file[at + 10..at + 10 + size];
        if &file[at..at + 4] == b"CHAP" {
            let times = &body[body.iter().position(|b| *b == 0).unwrap() + 1..];
            let title = &times[16..];
            assert_eq!(&title[..4], b"TIT2");
            let text: String = if title[10] == 0 {
                title[11..].iter().map(|b| char::from(*b)).collect()
            } else {
                let units = title[11..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
                char::decode_utf16(units).map(Result::unwrap).collect()
            };
            chapters.push((number(times) as u64, text.trim_matches(['\u{feff}', '\0']).to_owned()));
        }
        at += 10 + size;
    }
    chapters
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    out
}
