//! The main job, end to end, with the real programs: a book in, an audiobook out, nothing lost.

use std::path::Path;
use std::process::Command;

use narrator_tests::program::{Desk, checkout, sample};
use serde_json::Value;

/// Runs the sample through `narratord run` and gives the desk back.
fn narrated(output: &str) -> Desk {
    let desk = Desk::new();
    desk.narrate(output);
    desk
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the file is there");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn the_sample_becomes_an_audiobook_with_its_chapters_and_tags() {
    let desk = narrated("book.m4b");
    let plan = desk.run(&["plan", sample().to_str().unwrap(), "--json"]).expect(0).json();
    let titles: Vec<&str> =
        plan["chapters"].as_array().unwrap().iter().map(|c| c["title"].as_str().unwrap()).collect();
    assert!(titles.len() >= 4, "{titles:?}");

    // Read back with a reader that had no part in the writing.
    let tag = mp4ameta::Tag::read_from_path(desk.path("book.m4b")).expect("a readable M4B");
    assert_eq!(tag.title().unwrap(), plan["title"].as_str().unwrap());
    assert_eq!(tag.artist().unwrap(), plan["authors"][0].as_str().unwrap());
    assert!(tag.artwork().is_some(), "the cover is there");
    let chapters: Vec<&str> = tag.chapters().iter().map(|chapter| chapter.title.as_str()).collect();
    assert_eq!(chapters, titles);

    // The audio is as long as the takes and pauses that it was made from, to a tenth of a second.
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(desk.path("book.narration/report.json")).unwrap())
            .unwrap();
    let seconds = tag.duration().as_secs_f64();
    assert!((seconds - report["audio_s"].as_f64().unwrap()).abs() < 0.1, "{seconds} {report:#}");
    assert!(seconds > 240.0, "a story of over a thousand words lasts minutes: {seconds}");

    // A take for each segment, and the ledger has every token of the book.
    let job = desk.path("book.narration");
    let segments = lines(&job.join("script.jsonl"));
    let keys: Vec<&str> = segments.iter().filter_map(|segment| segment["key"].as_str()).collect();
    assert!(keys.len() > 30);
    for key in keys {
        assert!(job.join("takes").join(&key[..2]).join(format!("{key}.flac")).is_file(), "{key}");
    }
    let mut next = 0;
    for entry in lines(&job.join("ledger.jsonl")).iter().filter(|entry| entry["tokens"].is_object()) {
        assert_eq!(entry["tokens"]["start"].as_u64(), Some(next));
        next = entry["tokens"]["end"].as_u64().unwrap();
    }
    assert_eq!(Some(next), report["tokens"]["total"].as_u64());

    // The person's view of the finished job.
    let status = desk.run(&["status", "book.m4b", "--json"]).expect(0).json();
    assert_eq!(status["state"], "finished");
    assert_eq!(status["done"], status["segments"]);
    desk.run(&["checkpoint", "verify", "book.narration"]).expect(0);
    let events = desk.run(&["logs", "--json"]).expect(0).stdout();
    for event in ["run_started", "worker_ready", "segment_done", "run_finished"] {
        assert!(events.contains(&format!("\"event\":\"{event}\"")), "{event} is not among the events");
    }
}

#[test]
fn a_finished_job_has_nothing_left_to_do() {
    let desk = narrated("book.wav");
    let first = std::fs::read(desk.path("book.wav")).unwrap();
    let again = desk.run(&["run", sample().to_str().unwrap(), "-o", "book.wav"]).expect(0);
    assert!(again.stderr().contains("nothing is left to do"), "{}", again.stderr());
    assert_eq!(first, std::fs::read(desk.path("book.wav")).unwrap());
    // Without the audiobook it is made again from the takes, and nothing is spoken.
    std::fs::remove_file(desk.path("book.wav")).unwrap();
    let spoken = desk.events("book.narration").len();
    desk.run(&["run", sample().to_str().unwrap(), "-o", "book.wav"]).expect(0);
    assert!(
        desk.events("book.narration")[spoken..].iter().all(|event| event["event"] != "segment_dispatched")
    );
    assert_eq!(first, std::fs::read(desk.path("book.wav")).unwrap());
}

#[test]
fn two_runs_with_one_seed_give_the_same_samples() {
    let (one, two) = (narrated("book.wav"), narrated("book.wav"));
    assert_eq!(std::fs::read(one.path("book.wav")).unwrap(), std::fs::read(two.path("book.wav")).unwrap());
}

#[test]
fn a_changed_lexicon_renders_just_the_segments_it_changes() {
    let desk = narrated("book.wav");
    let before = desk.events("book.narration").len();
    let keys = |desk: &Desk| -> Vec<String> {
        let segments = lines(&desk.path("book.narration/script.jsonl"));
        segments.iter().filter_map(|segment| segment["key"].as_str().map(str::to_string)).collect()
    };
    let old = keys(&desk);
    std::fs::write(desk.path("words.toml"), "[words]\nmuseum = \"mew zee um\"\n").unwrap();
    let book = sample();
    desk.run(&["run", book.to_str().unwrap(), "-o", "book.wav", "--lexicon", "words.toml"]).expect(0);
    let new = keys(&desk);
    let changed = new.iter().filter(|key| !old.contains(key)).count();
    assert!(changed > 0 && changed < new.len() / 2, "{changed} of {}", new.len());
    let done =
        desk.events("book.narration")[before..].iter().filter(|e| e["event"] == "segment_done").count();
    assert_eq!(done, changed);
}

#[test]
fn every_output_format_is_written_and_can_be_read() {
    let desk = narrated("book.mp3");
    let ffmpeg = narrator_tests::program::ffmpeg();
    for output in ["book.opus", "book.flac", "book.m4b", "chapters/"] {
        desk.run(&["run", sample().to_str().unwrap(), "-o", output, "--job", "book.narration"]).expect(0);
    }
    let mut files: Vec<_> =
        ["book.mp3", "book.opus", "book.flac", "book.m4b"].iter().map(|name| desk.path(name)).collect();
    let chapters = std::fs::read_dir(desk.path("chapters")).unwrap().map(|entry| entry.unwrap().path());
    files.extend(chapters.filter(|path| path.extension().is_some_and(|ending| ending == "mp3")));
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        let decoded = Command::new(&ffmpeg)
            .args(["-v", "error", "-i", file.to_str().unwrap(), "-map", "0:a", "-f", "null", "-"])
            .output()
            .unwrap();
        assert!(decoded.status.success() && decoded.stderr.is_empty(), "{}: {decoded:?}", file.display());
    }
}

#[test]
fn the_checkout_holds_the_models_that_the_tests_speak_with() {
    let manifest = checkout().join(".deps/models/starter-en/manifest.json");
    assert!(manifest.is_file(), "run scripts/setup first");
}
