//! One card for voice and recogniser: who may take how much is settled before anybody loads, every worker is told
//! its part, and who does not fit is elsewhere or said to be missing. The card is what a tool of the name of the
//! driver's says it is; no GPU is needed to plan for one.

use std::os::unix::fs::PermissionsExt;

use narrator_tests::program::{Desk, Ran, checkout, ffmpeg, program};
use narrator_tests::sim::{Birthplace, Births, Deed, ENV_SCRIPT, ENV_STATE, SimScript, SpeakRule};
use narrator_tests::stage::{BOOK, install};
use serde_json::{Value, json};

const GIB: u64 = 1 << 30;

/// A machine with a card, models that are nothing but manifests, and a short book.
struct Machine {
    desk: Desk,
    script: SimScript,
}

impl Machine {
    /// A card of so many mebibytes in all and free.
    fn new(total: u64, free: u64) -> Self {
        let desk = Desk::new();
        let home = desk.path("home");
        for (name, engine, megabytes) in
            [("starter-en", "starter", 1), ("whisper-tiny.en", "whisper", 2), ("whisper-base", "whisper", 4)]
        {
            install(&home, name, engine, megabytes);
        }
        let tool = desk.path("bin/nvidia-smi");
        std::fs::create_dir_all(desk.path("bin")).expect("a folder");
        std::fs::write(&tool, format!("#!/bin/sh\necho '{total}, {free}, 8.9'\n")).expect("a tool");
        std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).expect("a program");
        std::fs::write(desk.path("book.md"), BOOK).expect("a book");
        std::fs::create_dir_all(desk.path("sim")).expect("a folder");
        let footprints = [
            ("starter-en".into(), [4 * GIB, 6 * GIB, 40 * GIB]),
            ("whisper-tiny.en".into(), [GIB, 2 * GIB, 3 * GIB]),
            ("whisper-base".into(), [GIB, 3 * GIB, 4 * GIB]),
        ];
        let script = SimScript { hums: true, footprints: footprints.into(), ..SimScript::default() };
        Self { desk, script }
    }

    /// Narrates on the card, all takes heard by both recognisers, the second one on the card as well.
    fn run(&self) -> Ran {
        std::fs::write(self.desk.path("settings.toml"), "[check]\naudit = false\nworkers = 1\n")
            .expect("settings");
        let path = std::env::var("PATH").expect("a path");
        let arguments = [
            "run",
            "book.md",
            "-o",
            "book.wav",
            "--config",
            "settings.toml",
            "--check",
            "strict",
            "--device",
            "cuda:0",
        ];
        let mut command = self.desk.narratord(&arguments);
        command
            .env("NARRATOR_HOME", self.desk.path("home"))
            .env("NARRATOR_WORKER", program("narrator-sim-worker"))
            .env("NARRATOR_FFMPEG", ffmpeg())
            .env("PATH", format!("{}:{path}", self.desk.path("bin").display()))
            .env_remove("CUDA_VISIBLE_DEVICES")
            .env(ENV_SCRIPT, serde_json::to_string(&self.script).expect("a script"))
            .env(ENV_STATE, self.desk.path("sim"));
        Ran(command.output().expect("narratord starts"))
    }

    /// What workers were told of a model, and where it was loaded.
    fn recorded(&self, what: &str) -> Vec<String> {
        let record = Birthplace::new(self.desk.path("sim")).read();
        let mut all: Vec<String> =
            record.into_iter().filter(|line| line.what == what).map(|line| line.about).collect();
        all.sort();
        all
    }

    fn plans(&self) -> Vec<Value> {
        let events = self.desk.events("book.narration");
        events.into_iter().filter(|event| event["event"] == "memory_planned").collect()
    }
}

#[test]
fn every_worker_on_the_card_is_told_its_part_a_restarted_one_too() {
    let mut machine = Machine::new(24_576, 22_528);
    machine.script.speak =
        vec![SpeakRule { births: Births::All, text: None, nth: Some(3), deed: Deed::Kill }];
    machine.run().expect(0);
    // 22 GiB less a twentieth of 24: the recogniser has its good share, the voice the rest.
    let usable = (22 * GIB).saturating_sub(24 * GIB / 20);
    let (ear, voice) = (3 * GIB, usable - 3 * GIB);
    let home = machine.desk.path("home/models");
    let line = |name: &str, bytes: u64| {
        let share = (bytes - GIB / 2) * 10_000 / (24 * GIB);
        let share = share as f64 / 10_000.0;
        format!("{} cuda:0 {bytes} per_process_memory_fraction:{share:.4}", home.join(name).display())
    };
    let told = machine.recorded("budget");
    assert!(told.contains(&line("whisper-base", ear)), "{told:#?}");
    let voices = told.iter().filter(|told| **told == line("starter-en", voice)).count();
    assert!(voices >= 2 && voices + 1 == told.len(), "{told:#?}");
    let plans = machine.plans();
    assert_eq!(plans.len(), 1, "{plans:#?}");
    assert_eq!(
        plans[0]["shares"],
        json!([
            { "model": "starter-en", "processes": 1, "bytes": voice },
            { "model": "whisper-base", "processes": 1, "bytes": ear },
        ])
    );
    let sum = voice + ear + plans[0]["reserve_bytes"].as_u64().expect("a number");
    assert!(sum <= plans[0]["free_bytes"].as_u64().expect("a number"));
}

#[test]
fn a_recogniser_for_which_there_is_no_room_listens_on_the_cpu_and_the_first_lines_say_so() {
    let machine = Machine::new(8_192, 7_680);
    let ran = machine.run().expect(0);
    let told = machine.recorded("budget");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("starter-en"), "{told:#?}");
    assert_eq!(machine.recorded("loading"), ["cpu", "cpu", "cuda:0"]);
    let said = String::from_utf8_lossy(&ran.0.stderr).into_owned() + &String::from_utf8_lossy(&ran.0.stdout);
    let line = "cuda:0: 8.1 of 8.6 GB free, 7.5 GB for starter-en; no room for whisper-base (3.2 GB).";
    assert!(said.contains(line), "{said}");
}

#[test]
fn a_voice_that_does_not_fit_is_said_with_figures_before_anything_is_loaded() {
    let machine = Machine::new(8_192, 3_072);
    let ran = machine.run().expect(69);
    let said = String::from_utf8_lossy(&ran.0.stderr).into_owned();
    assert!(
        said.contains("starter-en needs 4.3 GB of cuda:0 at least, of which 3.2 of 8.6 GB are free"),
        "{said}"
    );
    assert!(said.contains("--device cpu"), "{said}");
    assert_eq!(machine.recorded("loading"), [""; 0]);
}

/// The real worker, of the recognisers that set-up brings: figures from their own files.
#[test]
fn the_worker_weighs_published_models_without_a_gpu() {
    let models = checkout().join(".deps/models");
    let weighed = |arguments: &[&str]| {
        let output = std::process::Command::new(program("narrator-worker"))
            .args(["weigh", "--card-bytes", "25769803776"])
            .args(arguments.iter().map(|name| models.join(name)))
            .output()
            .expect("the worker starts");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"), output.stderr)
    };
    let (code, said, _) = weighed(&["whisper-tiny.en", "whisper-base"]);
    assert_eq!(code, Some(0));
    let figures: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let bytes = |at: usize, name: &str| figures[at][name].as_u64().expect("bytes");
    assert_eq!(figures.len(), 2);
    for at in 0..2 {
        assert!(bytes(at, "least_bytes") < bytes(at, "good_bytes"));
        assert!(bytes(at, "good_bytes") < bytes(at, "most_bytes") && bytes(at, "most_bytes") < 3 * GIB);
    }
    assert!(bytes(1, "least_bytes") > bytes(0, "least_bytes"), "base is the larger one");
    let (code, _, told) = weighed(&["starter-en"]);
    assert_eq!(code, Some(78), "it speaks on the CPU alone");
    assert!(String::from_utf8_lossy(&told).contains("set the device to cpu"));
}
