//! A voice is made once and stays: cloned from a clip or designed, checked, kept, found by its name.

use std::path::{Path, PathBuf};

use narrator_tests::checkpoints::forge;
use narrator_tests::program::{Desk, Ran};
use serde_json::Value;

const BOOK: &str = "One bell rang over the water. Nobody had pulled its rope, and the keeper knew it.\n\n\
                    He went down to the boats and counted them twice before he spoke to anybody.\n";

fn narratord(desk: &Desk, arguments: &[&str]) -> Ran {
    let mut command = desk.narratord(arguments);
    command.env("NARRATOR_HOME", desk.path("home"));
    Ran(command.output().expect("narratord starts"))
}

/// A desk with models of these kinds, forged, and a book.
fn desk(kinds: &[&str]) -> Desk {
    let desk = Desk::new();
    for kind in kinds {
        forge(kind, &desk.path("home/models").join(kind));
    }
    std::fs::write(desk.path("book.txt"), BOOK).expect("written");
    desk
}

/// How a clip sounds.
#[derive(Clone, Copy)]
struct Sound {
    seconds: f64,
    loud: f32,
    noise: f32,
    hertz: f64,
}

const GOOD: Sound = Sound { seconds: 6.0, loud: 0.3, noise: 0.0, hertz: 180.0 };

/// A stereo WAV at 44.1 kHz: syllables of a buzz, four a second, with silence around them.
fn clip(path: &Path, sound: Sound) {
    const RATE: usize = 44_100;
    let Sound { seconds, loud, noise, hertz } = sound;
    let length = (seconds * RATE as f64) as usize;
    let mut state = 1_u32;
    let mut samples: Vec<i16> = Vec::new();
    for n in 0..length + RATE {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = noise * (f64::from(state) / f64::from(u32::MAX) - 0.5) as f32;
        let at = n.wrapping_sub(RATE / 2);
        let voiced = at < length && at % 11_025 < 8_000;
        let phase = (n as f64 * hertz / RATE as f64).fract() as f32;
        let value = hiss + if voiced { loud * (1.0 - 2.0 * phase) } else { 0.0 };
        let value = (value * 32_767.0).clamp(-32_768.0, 32_767.0) as i16;
        samples.extend([value, value]);
    }
    let data = samples.len() * 2;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    bytes.extend((RATE as u32).to_le_bytes());
    bytes.extend((RATE as u32 * 4).to_le_bytes());
    bytes.extend(b"\x04\0\x10\0data");
    bytes.extend((data as u32).to_le_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    std::fs::write(path, bytes).expect("written");
}

fn voice_folder(desk: &Desk, name: &str) -> PathBuf {
    desk.path("data/narratord/voices").join(name)
}

fn prompts(desk: &Desk, name: &str) -> Vec<String> {
    let entries = std::fs::read_dir(voice_folder(desk, name).join("prompts")).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

fn keys(desk: &Desk, voice: &str) -> Vec<Value> {
    let plan = narratord(desk, &["plan", "book.txt", "--json", "--voice", voice]).expect(0).json();
    plan["segments"].as_array().expect("segments").iter().map(|segment| segment["key"].clone()).collect()
}

#[test]
fn a_clip_becomes_a_voice_that_a_book_is_narrated_with() {
    let desk = desk(&["base"]);
    // One sentence: a row alone is the same on every processor, in bfloat16 as well.
    std::fs::write(desk.path("book.txt"), "One bell rang over the water.\n").expect("written");
    clip(&desk.path("ada.wav"), GOOD);
    let add =
        ["voices", "add", "ada", "--clip", "ada.wav", "--text", "The bell rang over the harbour that night."];
    let added = narratord(&desk, &add).expect(0);
    assert!(added.stderr().contains("ada: 6."), "{}", added.stderr());
    assert_eq!(prompts(&desk, "ada").len(), 1, "what the model made of it is kept");
    let listed = narratord(&desk, &["voices", "--json"]).expect(0).json();
    let ada = listed.as_array().expect("a list").iter().find(|row| row["name"] == "ada").expect("ada");
    assert_eq!((&ada["yours"], &ada["model"]), (&Value::Bool(true), &Value::from("base")));

    let ran = narratord(&desk, &["run", "book.txt", "-o", "book.wav", "--voice", "ada"]).expect(0);
    assert!(ran.stderr().contains("voice ada"), "{}", ran.stderr());
    assert!(!ran.stderr().contains("listens to the voice"), "the voice was made once: {}", ran.stderr());
    let first = desk.read("book.wav");
    let preview =
        narratord(&desk, &["voices", "preview", "ada", "-o", "ada-says.wav", "--text", "Good evening."]);
    assert!(preview.expect(0).stdout().contains("ada-says.wav"));
    assert!(desk.read("ada-says.wav").starts_with(b"RIFF"));

    // What can be made again is made again, and the book with it, sample for sample.
    std::fs::remove_dir_all(voice_folder(&desk, "ada").join("prompts")).expect("removed");
    std::fs::remove_dir_all(desk.path("book.narration")).expect("removed");
    std::fs::remove_file(desk.path("book.wav")).expect("removed");
    let again = narratord(&desk, &["run", "book.txt", "-o", "book.wav", "--voice", "ada"]).expect(0);
    assert!(again.stderr().contains("listens to the voice ada, once"), "{}", again.stderr());
    assert!(desk.read("book.wav") == first, "the audio differs");
}

#[test]
fn another_clip_or_other_words_under_the_same_name_are_another_voice() {
    let desk = desk(&["base"]);
    clip(&desk.path("low.wav"), GOOD);
    clip(&desk.path("high.wav"), Sound { hertz: 260.0, ..GOOD });
    let add = |clip: &str, more: &[&str]| {
        narratord(&desk, &[&["voices", "add", "ada", "--clip", clip], more].concat())
    };
    add("low.wav", &["--text", "The bell rang over the harbour."]).expect(0);
    let low = keys(&desk, "ada");
    assert_eq!(low, keys(&desk, "ada"));
    let taken = add("high.wav", &["--text", "The bell rang over the harbour."]).expect(2);
    assert!(taken.stderr().contains("--replace"), "{}", taken.stderr());
    add("high.wav", &["--replace", "--text", "The bell rang over the harbour."]).expect(0);
    let high = keys(&desk, "ada");
    add("high.wav", &["--replace", "--text", "A bell rang over the harbour."]).expect(0);
    let words = keys(&desk, "ada");
    add("high.wav", &["--replace"]).expect(0);
    let timbre = keys(&desk, "ada");
    for (a, b) in [(&low, &high), (&high, &words), (&words, &timbre)] {
        assert!(a.iter().zip(b).all(|(a, b)| a != b));
    }
    narratord(&desk, &["voices", "remove", "ada"]).expect(0);
    narratord(&desk, &["voices", "remove", "ada"]).expect(69);
    let gone = narratord(&desk, &["run", "book.txt", "-o", "book.wav", "--voice", "ada"]);
    assert_ne!(gone.code(), 0);
}

#[test]
fn a_clip_that_cannot_give_a_good_voice_is_refused_with_what_to_do() {
    let desk = desk(&[]);
    let cases = [
        (Sound { loud: 0.0, ..GOOD }, "silent", "nearer to the microphone"),
        (Sound { seconds: 1.5, ..GOOD }, "only 1.", "5 to 15 seconds"),
        (Sound { seconds: 45.0, ..GOOD }, "s of speech", "cut out the best"),
        (Sound { loud: 3.0, ..GOOD }, "overdriven", "less gain"),
        (Sound { noise: 0.4, ..GOOD }, "noise", "quiet room"),
    ];
    for (sound, what, advice) in cases {
        clip(&desk.path("clip.wav"), sound);
        let refused = narratord(&desk, &["voices", "add", "ada", "--clip", "clip.wav"]).expect(65);
        assert!(refused.stderr().contains(what), "{what}: {}", refused.stderr());
        assert!(refused.stderr().contains(advice), "{what}: {}", refused.stderr());
        assert!(!voice_folder(&desk, "ada").exists());
    }
    std::fs::write(desk.path("text.wav"), b"RIFF\0\0\0\0WAVEno sound at all").expect("written");
    narratord(&desk, &["voices", "add", "ada", "--clip", "text.wav"]).expect(65);
    let absent = narratord(&desk, &["voices", "add", "ada", "--clip", "nothing.wav"]).expect(69);
    assert!(absent.stderr().contains("nothing.wav"), "{}", absent.stderr());
    for name in ["../ada", "a/b", "", "-x", "a b"] {
        narratord(&desk, &["voices", "add", "--clip", "clip.wav", "--", name]).expect(2);
    }
}

#[test]
fn a_designed_voice_is_locked_as_a_clone() {
    let desk = desk(&["base", "voice_design"]);
    let design = |name: &str, more: &[&str]| {
        let instruct = "An old man from the coast, calm and warm";
        narratord(&desk, &[&["voices", "design", name, "--instruct", instruct], more].concat())
    };
    design("keeper", &[]).expect(0);
    let kept = std::fs::read_to_string(voice_folder(&desk, "keeper").join("voice.toml")).expect("read");
    assert!(kept.contains("how = \"designed\"") && kept.contains("An old man from the coast"), "{kept}");
    assert_eq!(prompts(&desk, "keeper").len(), 1);
    // The same description and seed give the same clip; another seed gives another.
    let clip = |name: &str| std::fs::read(voice_folder(&desk, name).join("clip.wav")).expect("a clip");
    design("twin", &[]).expect(0);
    design("cousin", &["--seed", "9"]).expect(0);
    assert!(clip("keeper") == clip("twin") && clip("keeper") != clip("cousin"));
    assert_eq!(keys(&desk, "keeper").len(), keys(&desk, "cousin").len());
    let ran = narratord(&desk, &["run", "book.txt", "-o", "book.wav", "--voice", "keeper"]).expect(0);
    assert!(ran.stderr().contains("voice keeper"), "{}", ran.stderr());
}

#[test]
fn what_is_missing_for_a_voice_is_named_with_how_to_get_it() {
    let desk = desk(&[]);
    clip(&desk.path("ada.wav"), GOOD);
    let kept = narratord(&desk, &["voices", "add", "ada", "--clip", "ada.wav"]).expect(0);
    assert!(kept.stderr().contains("models pull qwen3-tts-1.7b-base"), "{}", kept.stderr());
    let designer = narratord(&desk, &["voices", "design", "old", "--instruct", "an old man"]).expect(69);
    assert!(designer.stderr().contains("models pull qwen3-tts-1.7b-voice-design"), "{}", designer.stderr());
    let listed = narratord(&desk, &["voices"]).expect(0);
    assert!(listed.stdout().contains("(needs a base model)"), "{}", listed.stdout());
    // A voice that was damaged says so, and can be made again.
    std::fs::write(voice_folder(&desk, "ada").join("voice.toml"), "language = 1").expect("written");
    let looked = narratord(&desk, &["doctor"]);
    assert!(looked.stdout().contains("the voice ada cannot be used"), "{}", looked.stdout());
    narratord(&desk, &["voices", "add", "ada", "--clip", "ada.wav", "--replace"]).expect(0);
}
