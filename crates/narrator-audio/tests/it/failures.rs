//! What goes wrong on the way: each time a clear error, and nothing half-written.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use crate::support::{book, ffmpeg, names};
use narrator_audio::{Assembly, AudioError, AudioErrorKind, Ffmpeg, Output, assemble};

fn attempt(assembly: &Assembly, path: &Path, ffmpeg: Option<&Ffmpeg>) -> AudioError {
    let output = Output::parse(path, None).unwrap();
    assemble(assembly, &output, ffmpeg, &mut |_| ControlFlow::Continue(())).unwrap_err()
}

#[test]
fn damaged_and_missing_takes_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let assembly = book(dir.path());
    let target = dir.path().join("book.m4b");
    let take = &assembly.chapters[1].pieces[2].take;
    let mut bytes = fs::read(take).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(take, &bytes).unwrap();
    let error = attempt(&assembly, &target, Some(&ffmpeg()));
    assert_eq!(error.kind(), AudioErrorKind::Take);
    let said = error.to_string();
    assert!(said.contains("2-2.flac is damaged: ") && said.contains("delete it"), "{said}");

    fs::remove_file(take).unwrap();
    let error = attempt(&assembly, &target, Some(&ffmpeg()));
    assert!(error.to_string().contains("2-2.flac is missing"), "{error}");
    assert_eq!(names(dir.path()), ["takes"]);
}

#[test]
fn nothing_to_assemble_and_settings_that_cannot_work() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("book.m4b");
    let error = attempt(&Assembly::default(), &target, Some(&ffmpeg()));
    assert_eq!(error.kind(), AudioErrorKind::Empty);
    let mut assembly = book(dir.path());
    assembly.settings.bitrate_kbps = 3;
    assert_eq!(attempt(&assembly, &target, Some(&ffmpeg())).kind(), AudioErrorKind::Settings);
    assert_eq!(names(dir.path()), ["takes"]);
}

#[test]
fn places_that_cannot_be_written_are_told_before_the_work() {
    let dir = tempfile::tempdir().unwrap();
    let mut assembly = book(dir.path());
    // Were the takes read first, this would be the error.
    assembly.chapters[0].pieces[0].take = "missing.flac".into();
    let error = attempt(&assembly, &dir.path().join("no/such/book.m4b"), Some(&ffmpeg()));
    assert_eq!(error.kind(), AudioErrorKind::Disk);
    assert!(error.to_string().ends_with("make the folder first"), "{error}");
}

#[test]
fn a_missing_ffmpeg_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let error = attempt(&book(dir.path()), &dir.path().join("book.opus"), None);
    assert_eq!(error.kind(), AudioErrorKind::MissingProgram);
    insta::assert_snapshot!(error, @"ffmpeg is needed to write opus and was not found (looked at NARRATOR_FFMPEG, PATH); install ffmpeg, or set NARRATOR_FFMPEG to it, or ask for a .wav, which needs no other program");
    let gone = Ffmpeg::at("/no/such/ffmpeg");
    let error = attempt(&book(dir.path()), &dir.path().join("book.opus"), Some(&gone));
    assert_eq!(error.kind(), AudioErrorKind::MissingProgram);
    assert_eq!(names(dir.path()), ["takes"]);
}

#[test]
fn the_real_ffmpeg_passes_its_checks() {
    for format in narrator_audio::Format::ALL {
        ffmpeg().check(format).unwrap();
    }
    assert!(ffmpeg().version().unwrap().starts_with("ffmpeg version "));
}

/// Programs in place of ffmpeg that fail in the ways ffmpeg can.
#[cfg(unix)]
mod fakes {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn fake(dir: &Path, script: &str) -> Ffmpeg {
        let path = dir.join("takes/ffmpeg");
        let real = ffmpeg().program().canonicalize().unwrap();
        fs::write(&path, format!("#!/bin/sh\nREAL='{}'\n{script}\n", real.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Ffmpeg::at(path)
    }

    /// Runs the book through `script`, which sees the encoder's run only; other runs are real.
    fn fail(script: &str) -> AudioError {
        let dir = tempfile::tempdir().unwrap();
        let assembly = book(dir.path());
        let target = dir.path().join("book.m4b");
        fs::write(&target, "the book before").unwrap();
        let script = format!("case \"$*\" in *pipe:0*) {script};; esac\nexec \"$REAL\" \"$@\"");
        let error = attempt(&assembly, &target, Some(&fake(dir.path(), &script)));
        assert_eq!(names(dir.path()), ["book.m4b", "takes"]);
        assert_eq!(fs::read_to_string(&target).unwrap(), "the book before");
        error
    }

    #[test]
    fn an_encoder_that_dies_half_way() {
        let error = fail("head -c 100000 >/dev/null; echo 'out of luck' >&2; exit 7");
        assert_eq!(error.kind(), AudioErrorKind::Encoder);
        assert!(error.to_string().ends_with("exit status 7; it said: out of luck"), "{error}");
    }

    #[test]
    fn an_encoder_that_is_killed() {
        let error = fail("head -c 100000 >/dev/null; kill -9 $$");
        assert!(error.to_string().contains("it was killed (signal 9)"), "{error}");
    }

    #[test]
    fn a_file_that_may_not_grow() {
        let error = fail("ulimit -f 16; exec \"$REAL\" \"$@\"");
        assert_eq!(error.kind(), AudioErrorKind::Disk, "{error}");
        assert!(error.to_string().contains("book.m4b.part"), "{error}");
    }

    #[test]
    fn a_full_disk() {
        let error = fail("echo 'Error writing trailer: No space left on device' >&2; exit 228");
        assert_eq!(error.kind(), AudioErrorKind::Disk);
        assert!(error.to_string().ends_with("make room and run the same command again"), "{error}");
    }

    #[test]
    fn an_encoder_that_leaves_the_end_out() {
        // It takes all the sound and writes the first five seconds of it.
        let error = fail(
            "for last; do :; done; exec 3<&0; \"$REAL\" -v error -y -f f32le -ar 24000 -ac 1 -t 5 \
             -i pipe:0 -c:a aac -f ipod \"$last\"; cat >/dev/null; exit 0",
        );
        assert_eq!(error.kind(), AudioErrorKind::Encoder);
        assert!(error.to_string().contains("samples and holds"), "{error}");
    }

    #[test]
    fn a_build_without_the_encoder() {
        let error = fail("echo \"Unknown encoder 'aac'\" >&2; exit 8");
        assert_eq!(error.kind(), AudioErrorKind::MissingProgram);
        assert!(error.to_string().contains("has no encoder aac; install a full build"), "{error}");
    }
}
