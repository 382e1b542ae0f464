//! Checked runs: what is misheard is asked about, what is wrong is spoken again, and what cannot be mended is
//! kept and named. The recognisers are sim workers that hear by script; the voice hums.

use narrator_tests::program::{Desk, Ran, ffmpeg, path_text, program};
use narrator_tests::sim::{
    Birthplace, Deed, ENV_SCRIPT, ENV_STATE, HearDeed, HearRule, SimScript, SpeakRule,
};
use narrator_tests::stage::{BOOK, install};
use serde_json::Value;

/// A desk with models that are nothing but manifests, and a short book.
struct Stage {
    desk: Desk,
    script: SimScript,
}

impl Stage {
    fn new(hear: Vec<HearRule>) -> Self {
        let desk = Desk::new();
        let home = desk.path("home");
        install(&home, "starter-en", "starter", 1);
        install(&home, "whisper-tiny.en", "whisper", 2);
        install(&home, "whisper-base", "whisper", 4);
        std::fs::write(desk.path("book.md"), BOOK).expect("a book");
        std::fs::write(desk.path("settings.toml"), "[check]\naudit = false\nworkers = 1\n")
            .expect("settings");
        std::fs::create_dir_all(desk.path("sim")).expect("a folder");
        Self { desk, script: SimScript { hear, hums: true, ..SimScript::default() } }
    }

    fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec!["run", "book.md", "-o", "book.wav", "--config", "settings.toml"];
        if !more.contains(&"--check") {
            all.extend(["--check", "fast"]);
        }
        all.extend(more);
        all
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.desk.narratord(arguments);
        command
            .env("NARRATOR_HOME", self.desk.path("home"))
            .env("NARRATOR_WORKER", program("narrator-sim-worker"))
            .env("NARRATOR_FFMPEG", ffmpeg())
            .env(ENV_SCRIPT, serde_json::to_string(&self.script).expect("a script"))
            .env(ENV_STATE, self.desk.path("sim"));
        command
    }

    fn run(&self, more: &[&str]) -> Ran {
        Ran(self.command(&Self::arguments(more)).output().expect("narratord starts"))
    }

    /// A run that is killed as soon as it says what is waited for; later ones speak without delay.
    fn run_killed_at(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) {
        self.script.step_ms = 150;
        let mut command = self.command(&Self::arguments(&[]));
        #[expect(clippy::disallowed_methods, reason = "the program under test, killed right here")]
        let mut child = command.spawn().expect("narratord starts");
        self.desk.wait_for("book.narration", what, |events| events.iter().any(&is_it));
        child.kill().expect("killed");
        child.wait().expect("gone");
        self.script.step_ms = 0;
    }

    fn events(&self, name: &str) -> Vec<Value> {
        self.desk.events("book.narration").into_iter().filter(|event| event["event"] == name).collect()
    }

    fn report(&self) -> Value {
        serde_json::from_slice(&self.desk.read("book.narration/report.json")).expect("a report")
    }

    /// How often sim workers did this with a text that holds `part`.
    fn did(&self, what: &str, part: &str) -> usize {
        let record = Birthplace::new(self.desk.path("sim")).read();
        record.iter().filter(|line| line.what == what && line.about.contains(part)).count()
    }
}

#[test]
fn every_take_is_heard_before_it_is_accepted_and_the_words_have_times() {
    let stage = Stage::new(vec![]);
    stage.run(&[]).expect(0);
    let accepted = stage.events("take_accepted").len();
    let report = stage.report();
    assert_eq!(report["segments"], accepted, "{report:#}");
    assert_eq!(report["checks"]["heard"], accepted);
    assert_eq!(stage.events("take_refused").len(), 0, "{:#?}", stage.events("take_refused"));
    let words = String::from_utf8(stage.desk.read("book.narration/words.jsonl")).expect("text");
    assert_eq!(words.lines().count(), accepted);
    let first: Value = serde_json::from_str(words.lines().nth(1).expect("a line")).expect("JSON");
    let first = &first["words"].as_array().expect("words")[0];
    assert!(first["text"].is_string() && first["end_ms"].as_u64() > first["start_ms"].as_u64(), "{first}");
    let page = String::from_utf8(stage.desk.read("book.narration/report.html")).expect("text");
    assert!(page.contains("The lamp was lit") && !page.contains("{{"));
}

#[test]
fn every_word_has_a_time_in_the_audiobook_too() {
    let stage = Stage::new(vec![]);
    stage.run(&[]).expect(0);
    let lines = |name: &str| -> Vec<Value> {
        let text = String::from_utf8(stage.desk.read(&format!("book.narration/{name}"))).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let (words, places) = (lines("words.jsonl"), lines("places.jsonl"));
    assert_eq!(places.len() as u64, stage.report()["segments"].as_u64().expect("a number"));
    let end_ms = stage.report()["audio_s"].as_f64().expect("seconds") * 1000.0;
    let mut last = 0;
    for (words, place) in words.iter().zip(&places) {
        assert_eq!((&words["segment"], &words["take"]), (&place["segment"], &place["take"]));
        let number = |value: &Value| value.as_i64().expect("a number");
        let (start, end, origin) =
            (number(&place["start_ms"]), number(&place["end_ms"]), number(&place["origin_ms"]));
        assert!(last <= start && start < end && end as f64 <= end_ms + 1.0, "{place}");
        for word in words["words"].as_array().expect("words") {
            let at = (origin + number(&word["start_ms"]), origin + number(&word["end_ms"]));
            // What a recogniser believes to hear before the sound was cut off with the silence.
            assert!(at.0 >= start - 1_000 && at.1 <= end + 1_000 && at.0 < at.1, "{word} {place}");
        }
        last = end;
    }
}

#[test]
fn a_word_that_one_recogniser_missed_and_the_other_heard_is_there() {
    let miss = HearDeed::Miss { word: "candlestick".into() };
    let stage = Stage::new(vec![HearRule::on("candlestick", miss).by("tiny")]);
    stage.run(&[]).expect(0);
    assert_eq!(stage.events("take_doubted").len(), 1);
    assert_eq!(stage.events("take_refused").len(), 0);
    assert_eq!(stage.did("accepted", "candlestick"), 1, "spoken once");
}

#[test]
fn a_word_that_nobody_heard_is_spoken_again_with_other_dice() {
    let miss = HearDeed::Miss { word: "candlestick".into() };
    let stage = Stage::new(vec![HearRule::on("candlestick", miss).first(3)]);
    stage.run(&[]).expect(0);
    let refused = stage.events("take_refused");
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert_eq!(refused[0]["next"], "new-seed");
    assert!(refused[0]["reason"].as_str().expect("a reason").contains("candlestick"), "{}", refused[0]);
    assert_eq!(stage.did("accepted", "candlestick"), 2);
    assert_eq!(stage.report()["checks"]["refused"], 1);
}

/// The rungs that refusals led to, in order.
fn rungs(stage: &Stage) -> Vec<String> {
    let refused = stage.events("take_refused");
    refused.iter().map(|event| event["next"].as_str().expect("a rung").to_owned()).collect()
}

/// Everybody misses the word, so many takes long: the first, the second, and the second when it searches.
fn missed(word: &str, text: &str, takes: usize) -> HearRule {
    HearRule::on(text, HearDeed::Miss { word: word.into() }).first(3 * takes)
}

#[test]
fn a_fault_that_two_takes_share_is_spoken_calmly_by_a_voice_that_can() {
    let mut stage = Stage::new(vec![missed("candlestick", "candlestick", 2)]);
    stage.script.abilities.calm = true;
    stage.run(&[]).expect(0);
    assert_eq!(rungs(&stage), ["new-seed", "calmer-sampling"]);
    assert_eq!((stage.did("calm", "candlestick"), stage.did("calm", "")), (1, 1));
    let reasons = stage.events("take_refused");
    assert!(reasons[1]["reason"].as_str().expect("a reason").contains("in two takes alike"), "{reasons:#?}");
    let dump = stage.desk.run(&["checkpoint", "dump", "book.narration"]).expect(0).stdout();
    assert!(dump.contains("calmer-sampling"), "{dump}");
}

#[test]
fn a_voice_that_cannot_be_calmer_is_not_asked_to() {
    let stage = Stage::new(vec![missed("candlestick", "candlestick", 2)]);
    stage.run(&[]).expect(0);
    assert_eq!(rungs(&stage), ["new-seed", "split-sentence"]);
    assert_eq!(stage.did("calm", ""), 0);
    assert!(!stage.desk.path("book.narration/voice.json").exists());
}

#[test]
fn a_clone_is_spoken_with_its_timbre_alone_before_it_is_given_up() {
    let mut stage = Stage::new(vec![missed("candlestick", "candlestick", 4)]);
    stage.script.abilities.timbre_alone = true;
    stage.run(&[]).expect(0);
    assert_eq!(rungs(&stage), ["new-seed", "split-sentence", "split-clause", "other-reference"]);
    assert_eq!(stage.did("timbre alone", ""), 1);
}

/// A book with a text that is too short to be spoken alone.
const SHORT: &str = "# One\n\nHe opened the old green door of the house by the river.\n\nNever again!\n\n\
    The road to the village was long and dark, and nobody came along it.\n";

#[test]
fn a_text_too_short_to_be_spoken_alone_is_spoken_with_its_neighbour_and_cut_out() {
    let stage = Stage::new(vec![missed("again", "Never again", 2)]);
    std::fs::write(stage.desk.path("book.md"), SHORT).expect("a book");
    stage.run(&[]).expect(0);
    assert_eq!(rungs(&stage), ["new-seed", "merge-neighbour"]);
    assert_eq!(stage.did("accepted", "river. Never again!"), 1);
    assert_eq!(stage.did("accepted", "old green door"), 2, "the neighbour's own take is its first");
    let words = String::from_utf8(stage.desk.read("book.narration/words.jsonl")).expect("text");
    let ends = |part: &str| -> Vec<u64> {
        let line = words.lines().find(|line| line.contains(part)).expect("a line");
        let line: Value = serde_json::from_str(line).expect("JSON");
        let words = line["words"].as_array().expect("words");
        words.iter().map(|word| word["end_ms"].as_u64().expect("a time")).collect()
    };
    assert_eq!(ends("Never").len(), 2);
    assert!(ends("Never").iter().all(|end| *end < 1_500), "its own part: {words}");
    assert!(ends("river").iter().any(|end| *end > 2_000), "{words}");
}

#[test]
fn a_run_that_was_killed_on_a_rung_goes_on_from_there() {
    let miss = || missed("again", "Never again", 2);
    let whole = Stage::new(vec![miss()]);
    std::fs::write(whole.desk.path("book.md"), SHORT).expect("a book");
    whole.run(&[]).expect(0);
    let mut stage = Stage::new(vec![miss()]);
    std::fs::write(stage.desk.path("book.md"), SHORT).expect("a book");
    stage.run_killed_at("the rung", |event| event["next"] == "merge-neighbour");
    stage.run(&[]).expect(0);
    assert_eq!(accepted(&stage), accepted(&whole));
    assert_eq!(stage.desk.read("book.wav"), whole.desk.read("book.wav"));
}

#[test]
fn an_unchecked_run_has_no_word_times() {
    let stage = Stage::new(vec![]);
    stage.run(&["--check", "off"]).expect(0);
    assert!(!stage.desk.path("book.narration/words.jsonl").exists());
}

#[test]
fn progress_tells_what_waits_to_be_heard() {
    let stage = Stage::new(vec![]);
    stage.run(&[]).expect(0);
    let progress = stage.events("progress");
    assert_eq!(progress.last().expect("a line")["unheard"], 0, "{progress:#?}");
    let unchecked = Stage::new(vec![]);
    unchecked.run(&["--check", "off"]).expect(0);
    assert!(unchecked.events("progress").iter().all(|event| event.get("unheard").is_none()));
}

#[test]
fn what_nothing_mends_is_kept_and_named_and_the_book_is_finished() {
    let miss = HearDeed::Miss { word: "candlestick".into() };
    let stage = Stage::new(vec![HearRule::on("candlestick", miss)]);
    let ran = stage.run(&[]).expect(3);
    assert!(ran.stderr().contains("DOUBTFUL"), "{}", ran.stderr());
    let report = stage.report();
    let out = &report["quarantined"][0];
    assert!(out["kept"].is_number() && out["text"].as_str().expect("text").contains("candlestick"), "{out}");
    assert_eq!(report["spoken"], report["segments"]);
    // Everything else is as good as ever, and nothing is left to do.
    let again = stage.run(&[]).expect(3);
    assert!(again.stderr().contains("nothing is left to do"), "{}", again.stderr());
}

#[test]
fn a_small_word_that_no_take_is_heard_with_stays_a_doubt() {
    let stage = Stage::new(vec![HearRule::on("lamp", HearDeed::Miss { word: "was".into() })]);
    stage.run(&[]).expect(0);
    let refused = stage.events("take_refused");
    assert!(refused.len() >= 2, "{refused:#?}");
    // The first of equally good takes, as it was spoken whole.
    let kept =
        stage.events("take_accepted").into_iter().find(|event| event["level"] == "warn").expect("a doubt");
    assert!(
        kept["take"] == 0 && kept["summary"].as_str().expect("text").contains("`was` was not heard"),
        "{kept}"
    );
    let report = stage.report();
    assert_eq!(report["spoken"], report["segments"]);
    assert!(report["quarantined"].as_array().is_none_or(Vec::is_empty), "{report:#}");
    let words = String::from_utf8(stage.desk.read("book.narration/words.jsonl")).expect("text");
    assert_eq!(words.lines().count() as u64, report["segments"].as_u64().expect("a number"));
    // It is not asked again.
    let again = stage.run(&[]).expect(0);
    assert!(again.stderr().contains("nothing is left to do"), "{}", again.stderr());
}

#[test]
fn a_quarantined_segment_is_a_pause_when_that_is_wanted() {
    let miss = HearDeed::Miss { word: "candlestick".into() };
    let stage = Stage::new(vec![HearRule::on("candlestick", miss)]);
    let settings = "[check]\naudit = false\nworkers = 1\nquarantine = \"pause\"\n";
    std::fs::write(stage.desk.path("settings.toml"), settings).expect("settings");
    let ran = stage.run(&[]).expect(3);
    assert!(ran.stderr().contains("NOT SPOKEN"), "{}", ran.stderr());
    assert!(stage.report()["quarantined"][0].get("kept").is_none());
}

#[test]
fn a_recogniser_that_dies_of_a_take_does_not_cost_the_take() {
    let stage = Stage::new(vec![HearRule::on("candlestick", HearDeed::Abort).by("tiny")]);
    stage.run(&[]).expect(0);
    let unheard = stage.events("take_unheard");
    assert_eq!(unheard.len(), 1, "{unheard:#?}");
    assert_eq!(stage.did("heard", "candlestick"), 1, "by the second one");
    assert_eq!(stage.events("segment_quarantined").len(), 0);
    assert_eq!(stage.report()["checks"]["unheard"], 0);
}

#[test]
fn a_take_that_kills_every_recogniser_is_in_the_book_and_marked() {
    let stage = Stage::new(vec![HearRule::on("candlestick", HearDeed::Abort)]);
    stage.run(&[]).expect(0);
    assert_eq!(stage.report()["checks"]["unheard"], 1);
    assert_eq!(stage.report()["spoken"], stage.report()["segments"]);
}

#[test]
fn a_transcript_that_cannot_be_trusted_is_not_held_against_the_take() {
    let stage = Stage::new(vec![HearRule::on("storm", HearDeed::Garbage).by("tiny")]);
    stage.run(&[]).expect(0);
    assert_eq!(stage.events("take_refused").len(), 0);
    assert_eq!(stage.did("accepted", "storm"), 1);
}

#[test]
fn strict_checks_ask_both_about_everything() {
    let stage = Stage::new(vec![]);
    stage.run(&["--check", "strict"]).expect(0);
    let segments = stage.report()["segments"].as_u64().expect("a number") as usize;
    assert_eq!(stage.did("heard", ""), 2 * segments);
}

#[test]
fn takes_of_an_unchecked_run_are_heard_by_a_checked_one_and_not_spoken_again() {
    let miss = HearDeed::Miss { word: "candlestick".into() };
    let stage = Stage::new(vec![HearRule::on("candlestick", miss).first(3)]);
    stage.run(&["--check", "off"]).expect(0);
    let spoken = stage.did("accepted", "");
    stage.run(&[]).expect(0);
    assert_eq!(stage.did("accepted", ""), spoken + 1, "only the one that was wrong");
    stage.run(&[]).expect(0);
    assert_eq!(stage.did("accepted", ""), spoken + 1, "and nothing after that");
}

#[test]
fn a_run_that_was_killed_hears_what_is_on_the_disk_and_accepts_the_same_takes() {
    let miss = || HearRule::on("candlestick", HearDeed::Miss { word: "candlestick".into() }).first(3);
    let whole = Stage::new(vec![miss()]);
    whole.run(&[]).expect(0);
    let mut stage = Stage::new(vec![miss()]);
    stage.run_killed_at("an accepted take", |event| event["event"] == "take_accepted");
    stage.run(&[]).expect(0);
    assert_eq!(accepted(&stage), accepted(&whole));
    assert_eq!(stage.desk.read("book.wav"), whole.desk.read("book.wav"));
}

/// The accepted takes of a job, as its journal has them.
fn accepted(stage: &Stage) -> Vec<String> {
    let dump = stage.desk.run(&["checkpoint", "dump", "book.narration"]).expect(0).stdout();
    let done = dump.lines().filter(|line| line.contains("done  "));
    let mut done: Vec<String> =
        done.map(|line| line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")).collect();
    done.sort();
    done
}

#[test]
fn a_voice_that_cannot_say_a_text_again_leaves_its_best_take() {
    let miss = HearDeed::Miss { word: "candlestick".into() };
    let mut stage = Stage::new(vec![HearRule::on("candlestick", miss)]);
    stage.script.speak = vec![SpeakRule { nth: Some(7), ..SpeakRule::on("candlestick", Deed::BadRequest) }];
    stage.run(&["--workers", "1"]).expect(3);
    assert!(stage.report()["quarantined"][0]["kept"].is_number(), "{:#}", stage.report());
}

#[test]
fn a_person_can_have_a_segment_spoken_again() {
    let stage = Stage::new(vec![]);
    stage.run(&[]).expect(0);
    let before = stage.desk.read("book.wav");
    let spoken = stage.did("accepted", "");
    let retake = |arguments: &[&str]| Ran(stage.command(arguments).output().expect("narratord starts"));
    retake(&["retake", "book.narration", "2"]).expect(0);
    assert_eq!(stage.did("accepted", ""), spoken + 1);
    assert_ne!(stage.desk.read("book.wav"), before, "another take");
    retake(&["retake", "book.narration", "99"]).expect(2);
    assert!(path_text(&stage.desk.path("book.wav")).ends_with("book.wav"));
}

/// With the voice and the recogniser that set-up brings: an audiobook out of which ten seconds were cut is
/// told from the book.
#[test]
fn ten_seconds_that_were_cut_out_are_missed_in_their_place() {
    let desk = Desk::new();
    let book = narrator_tests::program::sample();
    let book = path_text(&book);
    desk.run(&["run", book, "-o", "book.m4b", "--check", "off"]).expect(0);
    let cut = "aselect='not(between(t,60,70))',asetpts=N/SR/TB";
    let (from, to) = (desk.path("book.m4b"), desk.path("cut.wav"));
    let made = std::process::Command::new(ffmpeg())
        .args(["-v", "error", "-i", path_text(&from), "-af", cut, path_text(&to)])
        .status()
        .expect("ffmpeg starts");
    assert!(made.success());
    let short = desk.run(&["verify", "--book", book, "--audio", path_text(&to), "--json"]).expect(3);
    let lost = short.json()["words_lost"].as_u64().expect("a number");
    assert!((12..60).contains(&lost), "{lost}");
    let sure = &short.json()["differences"];
    let near = |place: &Value| place["start_ms"].as_u64().is_some_and(|ms| (55_000..75_000).contains(&ms));
    assert!(sure.as_array().expect("a list").iter().any(near), "{sure:#}");
}
