//! Whole books through the real encoder, read back with other readers.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use crate::support::{
    book, comment_chapters, decode, ffmpeg, id3_chapters, names, png, speech, tags, write_take,
};
use narrator_audio::{
    Assembly, AudioErrorKind, ChapterAudio, Finished, Format, Output, Stage, assemble, flac, measure,
};
use narrator_core::Cover;

fn finish(assembly: &Assembly, path: &Path) -> Finished {
    let output = Output::parse(path, None).unwrap();
    assemble(assembly, &output, Some(&ffmpeg()), &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Delivered as promised: −18 LUFS within half a unit, peaks at −3 dB or below, by our meter and by
/// the library's.
fn assert_levels(finished: &Finished, decoded: &[f32], rate: u32) {
    let mut reference = ebur128::EbuR128::new(1, rate, ebur128::Mode::I | ebur128::Mode::TRUE_PEAK).unwrap();
    reference.add_frames_f32(decoded).unwrap();
    let (loudness, peak) = (reference.loudness_global().unwrap(), reference.true_peak(0).unwrap());
    assert!((loudness + 18.0).abs() <= 0.5, "{loudness} LUFS");
    assert!(20.0 * peak.log10() <= -3.0, "{} dBTP", 20.0 * peak.log10());
    assert!((finished.delivered.loudness_lufs.unwrap() - loudness).abs() < 0.05, "{finished:?}");
    assert!((finished.delivered.true_peak_db.unwrap() - 20.0 * peak.log10()).abs() < 0.05, "{finished:?}");
}

#[test]
fn an_m4b_has_chapters_tags_cover_and_the_promised_levels() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("book.m4b");
    let finished = finish(&book(dir.path()), &target);
    assert_eq!(names(dir.path()), ["book.m4b", "takes"]);

    let tag = mp4ameta::Tag::read_from_path(&target).unwrap();
    assert_eq!(tag.title(), Some("The \"Lamp\"; a = b #1 \\ 日本"));
    assert_eq!(tag.album(), tag.title());
    assert_eq!(tag.artist(), Some("Ann O'Neil; Bob"));
    assert_eq!(tag.composer(), Some("Hibari"));
    assert_eq!(tag.genre(), Some("Audiobook"));
    assert_eq!(tag.media_type(), Some(mp4ameta::MediaType::AudioBook));
    assert_eq!((tag.tv_show_name(), tag.grouping()), (Some("Lights"), Some("Lights #2")));
    assert_eq!(tag.artwork().unwrap().data, png());
    assert_eq!(tag.year(), None);

    // The list that older players read and the track that Apple's do say the same.
    for found in [tag.chapter_list(), tag.chapter_track()] {
        assert_eq!(found.len(), 3);
        for (found, expected) in found.iter().zip(&finished.chapters) {
            assert_eq!(found.title, expected.title);
            let start = narrator_audio::samples_to_duration(expected.start, 24_000);
            assert!(found.start.abs_diff(start).as_millis() <= 1, "{found:?} {expected:?}");
        }
    }
    let decoded = decode(&target, 24_000);
    // No priming is heard; decoders of before 2023 leave the padding of the last frame in.
    let whole = finished.samples as usize;
    assert!((whole..whole + 1024).contains(&decoded.len()), "{} {whole}", decoded.len());
    assert_levels(&finished, &decoded[..whole], 24_000);
    assert!(finished.cover && finished.encodes == 1);
}

#[test]
fn other_formats_carry_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let assembly = book(dir.path());
    for (name, rate) in [("b.mp3", 24_000), ("b.opus", 48_000), ("b.flac", 24_000)] {
        let target = dir.path().join(name);
        let finished = finish(&assembly, &target);
        let tags = tags(&target);
        let tag = |key: &str| tags.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| &**v);
        assert_eq!(tag("title"), Some("The \"Lamp\"; a = b #1 \\ 日本"), "{name}");
        assert_eq!(tag("artist"), Some("Ann O'Neil; Bob"), "{name}");
        assert_eq!(tag("composer"), Some("Hibari"), "{name}");
        assert_eq!((tag("series"), tag("series-part")), (Some("Lights"), Some("2")), "{name}");
        assert_eq!(tag("language"), Some("eng"), "{name}");
        let bytes = fs::read(&target).unwrap();
        // ffmpeg shifts the starts by the encoder's delay when it prints them: read what is in the file.
        let found = if name == "b.mp3" { id3_chapters(&bytes) } else { comment_chapters(&bytes) };
        assert_eq!(found.len(), 3, "{name}");
        for (found, expected) in found.iter().zip(&finished.chapters) {
            let start = expected.start * 1000 / 24_000;
            assert!(found.0.abs_diff(start) <= 1, "{name} {found:?} {expected:?}");
            assert_eq!(found.1, expected.title, "{name}");
        }
        let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        if name == "b.opus" {
            assert!(has(b"METADATA_BLOCK_PICTURE=AAAAAwAAAAlpbWFnZS9wbmc"), "the cover of {name}");
        } else {
            assert!(has(&png()), "the cover of {name}");
        }
        let decoded = decode(&target, rate);
        let expected = finished.samples * u64::from(rate) / 24_000;
        assert!(
            (expected..expected + 2304).contains(&(decoded.len() as u64)),
            "{name} {} {expected}",
            decoded.len()
        );
        assert_levels(&finished, &decoded[..expected as usize], rate);
    }
}

#[test]
fn a_wav_needs_no_ffmpeg_and_holds_the_programme() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("book.wav");
    let output = Output::parse(&target, None).unwrap();
    let assembly = book(dir.path());
    let finished = assemble(&assembly, &output, None, &mut |_| ControlFlow::Continue(())).unwrap();
    let decoded = decode(&target, 24_000);
    assert_eq!(decoded.len() as u64, finished.samples);
    assert_levels(&finished, &decoded, 24_000);
    let tags = tags(&target);
    assert!(tags.iter().any(|(key, value)| key == "artist" && value == "Ann O'Neil; Bob"), "{tags:?}");
    let bytes = fs::read(&target).unwrap();
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(has(b"cue ") && has("Two: the \"road\"; and = all\0".as_bytes()));
    // Each take sounds where it is said to be, sample for sample but for gain and fades.
    let takes: Vec<_> = assembly.chapters.iter().flat_map(|chapter| &chapter.pieces).collect();
    assert_eq!(finished.placed.len(), takes.len());
    for (placed, piece) in finished.placed.iter().zip(takes) {
        let take = flac::decode(&piece.take).unwrap().samples;
        let (from, to) = (placed.start as usize, placed.end as usize);
        let own = &take[placed.cut as usize..placed.cut as usize + (to - from)];
        let product: f64 = own.iter().zip(&decoded[from..to]).map(|(a, b)| f64::from(a * b)).sum();
        let power = |samples: &[f32]| samples.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt();
        let likeness = product / (power(own) * power(&decoded[from..to]));
        assert!(likeness > 0.99, "{placed:?}: {likeness}");
    }
    assert_eq!(fs::metadata(&target).unwrap().len(), finished.bytes);
}

#[test]
fn a_folder_has_one_file_a_chapter_and_the_same_sound_as_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let assembly = book(dir.path());
    let folder = dir.path().join("chapters");
    let output = Output::Folder { path: folder.clone(), format: Format::Flac };
    let finished = assemble(&assembly, &output, Some(&ffmpeg()), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(
        names(&folder),
        [".narratord-files", "01 One.flac", "02 Two the road ; and = all.flac", "03 Three.flac"]
    );
    let mut joined = Vec::new();
    for (number, file) in (1..).zip(&finished.files) {
        joined.extend(decode(file, 24_000));
        let tags = tags(file);
        assert!(tags.contains(&("track".into(), format!("{number}/3"))), "{tags:?}");
        assert!(tags.contains(&("title".into(), finished.chapters[number - 1].title.clone())));
    }
    let whole = dir.path().join("whole.flac");
    finish(&assembly, &whole);
    assert_eq!(joined, decode(&whole, 24_000));
}

#[test]
fn the_same_takes_make_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let assembly = book(dir.path());
    for extension in ["m4b", "mp3", "opus", "flac", "wav"] {
        let [first, second] = ["one", "two"].map(|name| {
            let path = dir.path().join(name).with_extension(extension);
            finish(&assembly, &path);
            fs::read(path).unwrap()
        });
        assert!(first == second, "{extension}");
    }
}

#[test]
fn loud_quiet_silent_and_clicking_takes_come_out_right() {
    let dir = tempfile::tempdir().unwrap();
    let assemble_one = |name: &str, pcm: &[f32]| {
        let piece = write_take(dir.path(), name, pcm);
        let chapters = vec![ChapterAudio { title: "x".into(), pieces: vec![piece] }];
        let target = dir.path().join(name).with_extension("m4b");
        let finished = finish(&Assembly { chapters, ..Assembly::default() }, &target);
        (finished, decode(&target, 24_000))
    };
    let voice = speech(1, 8.0);
    let scaled = |gain: f32| voice.iter().map(|x| (x * gain).clamp(-1.0, 1.0)).collect::<Vec<f32>>();

    for (name, pcm) in [("loud", scaled(6.0)), ("quiet", scaled(0.08))] {
        let (finished, decoded) = assemble_one(name, &pcm);
        assert_levels(&finished, &decoded, 24_000);
    }
    let mut clicking = scaled(0.5);
    for at in (5_000..clicking.len()).step_by(40_000) {
        clicking[at] = 1.0;
    }
    let (finished, decoded) = assemble_one("clicking", &clicking);
    assert_levels(&finished, &decoded, 24_000);

    let (finished, decoded) = assemble_one("silent", &vec![0.0; 48_000]);
    assert_eq!((finished.delivered.loudness_lufs, finished.gain_db), (None, 0.0));
    assert!(decoded.iter().all(|x| x.abs() < 1e-4));
}

#[test]
fn chapters_without_sound_are_left_out_and_odd_titles_survive() {
    let dir = tempfile::tempdir().unwrap();
    let chapter = |n: u32, title: &str| ChapterAudio {
        title: title.to_owned(),
        pieces: vec![write_take(dir.path(), &format!("t{n}"), &speech(n, 1.0))],
    };
    let long = "long ".repeat(200);
    let chapters = vec![
        ChapterAudio { title: "no sound".into(), pieces: vec![] },
        chapter(1, "  \n "),
        chapter(2, &long),
        chapter(3, "[CHAPTER]\nTIMEBASE=1/1\ntitle=fooled"),
    ];
    let target = dir.path().join("odd.m4b");
    let finished = finish(&Assembly { chapters, ..Assembly::default() }, &target);
    let tag = mp4ameta::Tag::read_from_path(&target).unwrap();
    let titles: Vec<_> = tag.chapter_list().iter().map(|chapter| &*chapter.title).collect();
    assert_eq!(titles.len(), 3);
    assert_eq!(titles[0], "Chapter 2");
    assert!(titles[1].starts_with("long long") && titles[1].ends_with('…'));
    assert_eq!(titles[2], "[CHAPTER] TIMEBASE=1/1 title=fooled");
    assert_eq!(finished.chapters.len(), 3);
    assert_eq!(tag.artist(), None);
}

#[test]
fn more_chapters_than_the_old_list_holds_are_all_in_the_track() {
    let dir = tempfile::tempdir().unwrap();
    let piece = write_take(dir.path(), "t", &speech(3, 0.3));
    let chapter = |n| ChapterAudio { title: format!("Chapter {n}"), pieces: vec![piece.clone()] };
    let target = dir.path().join("many.m4b");
    let finished =
        finish(&Assembly { chapters: (1..=300).map(chapter).collect(), ..Assembly::default() }, &target);
    let tag = mp4ameta::Tag::read_from_path(&target).unwrap();
    assert_eq!((finished.chapters.len(), tag.chapter_track().len()), (300, 300));
    assert_eq!(tag.chapter_track()[299].title, "Chapter 300");
}

#[test]
fn a_cover_that_is_no_image_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut broken = png();
    broken.truncate(40);
    for bytes in [b"<svg/>".to_vec(), broken] {
        let cover = Some(Cover { media_type: "image/png".into(), bytes });
        let target = dir.path().join("book.m4b");
        let finished = finish(&Assembly { cover, ..book(dir.path()) }, &target);
        assert!(!finished.cover);
        assert!(mp4ameta::Tag::read_from_path(&target).unwrap().artwork().is_none());
    }
}

#[test]
fn progress_goes_through_the_stages_and_can_stop_everything() {
    let dir = tempfile::tempdir().unwrap();
    let assembly = book(dir.path());
    let output = Output::parse(&dir.path().join("book.m4b"), None).unwrap();
    let mut stages = Vec::new();
    assemble(&assembly, &output, Some(&ffmpeg()), &mut |now| {
        assert!(now.done <= now.total, "{now:?}");
        stages.push(now.stage);
        ControlFlow::Continue(())
    })
    .unwrap();
    stages.dedup();
    assert_eq!(stages, [Stage::Measure, Stage::Rehearse, Stage::Encode, Stage::Verify]);

    fs::remove_file(output.path()).unwrap();
    for stage in stages {
        let stop = &mut |now: narrator_audio::Progress| {
            if now.stage == stage { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let error = assemble(&assembly, &output, Some(&ffmpeg()), stop).unwrap_err();
        assert_eq!(error.kind(), AudioErrorKind::Cancelled);
        assert_eq!(names(dir.path()), ["takes"], "stopped at {stage:?}");
    }
}

#[test]
fn a_take_measures_the_same_alone_and_from_its_file() {
    let pcm = speech(5, 2.0);
    let back = flac::decode_bytes(&flac::encode(&pcm, 24_000).unwrap(), Path::new("t.flac")).unwrap();
    let (before, after) = (measure(&pcm, 24_000).unwrap(), measure(&back.samples, 24_000).unwrap());
    assert!((before.loudness_lufs.unwrap() - after.loudness_lufs.unwrap()).abs() < 0.01);
}
