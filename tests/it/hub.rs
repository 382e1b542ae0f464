//! A model comes from the hub whole and verified, whatever happens on the way, or not at all.

use std::path::{Path, PathBuf};

use narrator_tests::checkpoints::hollow;
use narrator_tests::hub::{Asked, COMMIT, Hub, Manner, Mishap, files_of};
use narrator_tests::program::{Desk, Ran, path_text};

const REPOSITORY: &str = "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice";
const NAME: &str = "qwen3-tts-1.7b-custom-voice";

/// A desk whose models are its own, and a checkpoint that can be served.
fn desk() -> (Desk, PathBuf) {
    let desk = Desk::new();
    let checkpoint = desk.path("published");
    hollow(&checkpoint, 3);
    (desk, checkpoint)
}

fn hub(checkpoint: &Path, manner: Manner, mishaps: &[Mishap]) -> Hub {
    Hub::start(REPOSITORY, files_of(checkpoint), manner, mishaps)
}

fn narratord(desk: &Desk, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = desk.narratord(arguments);
    command.env("NARRATOR_HOME", desk.path("home")).envs(variables.iter().copied());
    Ran(command.output().expect("narratord starts"))
}

fn pull(desk: &Desk, hub: &Hub) -> Ran {
    narratord(desk, &[("HF_ENDPOINT", &hub.endpoint)], &["models", "pull", NAME])
}

fn installed(desk: &Desk) -> PathBuf {
    desk.path("home/models").join(NAME)
}

fn assert_whole(desk: &Desk, checkpoint: &Path) {
    for file in files_of(checkpoint).iter().filter(|file| !file.path.starts_with('.')) {
        let here = std::fs::read(installed(desk).join(&file.path)).expect("the file came");
        assert!(here == file.bytes, "{} differs", file.path);
    }
    let left: Vec<_> = std::fs::read_dir(desk.path("home/models/.pull")).expect("a folder").collect();
    assert_eq!(left.len(), 1, "only the lock is left: {left:?}");
}

fn downloads(hub: &Hub) -> Vec<Asked> {
    hub.asked().into_iter().filter(|asked| asked.at_store).collect()
}

/// Where each download began.
fn starts(hub: &Hub) -> Vec<Option<String>> {
    downloads(hub).into_iter().map(|asked| asked.range).collect()
}

#[test]
fn a_pulled_model_is_listed_with_its_voices_and_where_it_came_from() {
    let (desk, checkpoint) = desk();
    let hub = hub(&checkpoint, Manner::default(), &[]);
    let pulled = pull(&desk, &hub).expect(0);
    assert!(pulled.stdout().contains(NAME), "{}", pulled.stdout());
    assert_whole(&desk, &checkpoint);
    let models = narratord(&desk, &[], &["models", "--json"]).expect(0).json();
    assert_eq!(models[0]["name"], NAME);
    assert_eq!(models[0]["kind"], "custom-voice");
    assert_eq!(models[0]["license"], "Apache-2.0");
    assert_eq!(models[0]["voices"][0]["name"], "ryan");
    let source = models[0]["source"].as_str().expect("a source");
    assert!(source.ends_with(&format!("/{REPOSITORY}@{COMMIT}")), "{source}");
    // A second time nothing is fetched.
    let before = hub.asked().len();
    let again = pull(&desk, &hub).expect(0);
    assert!(again.stderr().contains("is here already"), "{}", again.stderr());
    assert_eq!(hub.asked().len(), before + 1, "the listing alone");
}

#[test]
fn a_cut_connection_is_gone_on_from_where_it_ended() {
    let (desk, checkpoint) = desk();
    let mishaps = [Mishap::CutAfter(1_000_000), Mishap::Status(503), Mishap::CutAfter(500_000)];
    let hub = hub(&checkpoint, Manner::default(), &mishaps);
    pull(&desk, &hub).expect(0);
    assert_whole(&desk, &checkpoint);
    let ranges = starts(&hub);
    let expected = [None, Some("bytes=1000000-"), Some("bytes=1000000-"), Some("bytes=1500000-")];
    assert_eq!(ranges[..4], expected.map(|range| range.map(String::from)), "{ranges:?}");
}

#[test]
fn a_pull_that_gave_up_is_gone_on_with_by_the_same_command() {
    let (desk, checkpoint) = desk();
    let hub = hub(&checkpoint, Manner::default(), &[Mishap::CutAfter(2_000_000), Mishap::Status(500)]);
    std::fs::write(desk.path("one-try.toml"), "[hub]\ntries = 1\n").expect("written");
    let command = ["models", "pull", NAME, "--endpoint", &hub.endpoint, "--config", "one-try.toml"];
    let stopped = narratord(&desk, &[], &command).expect(75);
    assert!(stopped.stderr().contains("stopped at byte 2000000"), "{}", stopped.stderr());
    assert!(!installed(&desk).exists());
    narratord(&desk, &[], &command).expect(0);
    assert_whole(&desk, &checkpoint);
    assert_eq!(starts(&hub)[2].as_deref(), Some("bytes=2000000-"));
}

#[test]
fn a_server_that_knows_no_ranges_is_read_from_the_start() {
    let (desk, checkpoint) = desk();
    let manner = Manner { no_ranges: true, ..Manner::default() };
    let hub = hub(&checkpoint, manner, &[Mishap::CutAfter(1_000_000)]);
    pull(&desk, &hub).expect(0);
    assert_whole(&desk, &checkpoint);
}

#[test]
fn a_file_with_another_hash_is_fetched_again_and_never_kept() {
    let (desk, checkpoint) = desk();
    let hub = hub(&checkpoint, Manner::default(), &[Mishap::Corrupt, Mishap::Corrupt]);
    let failed = pull(&desk, &hub).expect(69);
    assert!(failed.stderr().contains("another hash than the hub lists"), "{}", failed.stderr());
    assert!(!installed(&desk).exists());
    hub.will_fail(&[Mishap::Corrupt]);
    let healed = pull(&desk, &hub).expect(0);
    assert!(healed.stderr().contains("fetching it again"), "{}", healed.stderr());
    assert_whole(&desk, &checkpoint);
}

#[test]
fn a_token_opens_the_hub_and_goes_nowhere_else() {
    let (desk, checkpoint) = desk();
    let manner = Manner { token: Some("hf_secret".into()), ..Manner::default() };
    let hub = hub(&checkpoint, manner, &[]);
    let without = pull(&desk, &hub).expect(69);
    assert!(without.stderr().contains("without a token (401)"), "{}", without.stderr());
    assert!(without.stderr().contains("HF_TOKEN"), "{}", without.stderr());
    let endpoint = ("HF_ENDPOINT", hub.endpoint.as_str());
    let command = ["models", "pull", NAME];
    let wrong = narratord(&desk, &[endpoint, ("HF_TOKEN", "hf_wrong")], &command).expect(69);
    assert!(wrong.stderr().contains("the owner of this token"), "{}", wrong.stderr());
    let right = narratord(&desk, &[endpoint, ("HF_TOKEN", "hf_secret")], &command).expect(0);
    assert_whole(&desk, &checkpoint);
    assert!(downloads(&hub).iter().all(|asked| asked.authorization.is_none()), "the store saw the token");
    for said in [wrong, right] {
        assert!(!said.stderr().contains("hf_") && !said.stdout().contains("hf_"));
    }
    // From a file that the settings name, it opens the hub as well.
    std::fs::write(desk.path("token"), "hf_secret\n").expect("written");
    let settings = format!("[hub]\nendpoint = \"{}\"\ntoken_file = \"token\"\n", hub.endpoint);
    std::fs::write(desk.path("hub.toml"), settings).expect("written");
    let again = narratord(&desk, &[], &["models", "pull", NAME, "--config", "hub.toml"]).expect(0);
    assert!(again.stderr().contains("is here already"), "{}", again.stderr());
}

#[test]
fn what_the_hub_does_not_have_and_a_hub_that_is_not_there_are_told_apart() {
    let (desk, checkpoint) = desk();
    let hub = hub(&checkpoint, Manner::default(), &[]);
    let endpoint = [("HF_ENDPOINT", hub.endpoint.as_str())];
    let absent = narratord(&desk, &endpoint, &["models", "pull", "somebody/no-such-model"]).expect(69);
    assert!(absent.stderr().contains("does not have somebody/no-such-model (404)"), "{}", absent.stderr());
    let unknown = narratord(&desk, &endpoint, &["models", "pull", "no-such-name"]).expect(2);
    assert!(unknown.stderr().contains("qwen3-tts-1.7b-base"), "{}", unknown.stderr());
    // Nobody listens on the discard port.
    let nowhere = [("HF_ENDPOINT", "http://127.0.0.1:9")];
    let unreachable = narratord(&desk, &nowhere, &["models", "pull", NAME]).expect(69);
    assert!(unreachable.stderr().contains("cannot be reached"), "{}", unreachable.stderr());
    assert!(!desk.path("home/models").join(NAME).exists());
}

#[test]
fn a_disk_without_room_is_seen_before_anything_is_fetched() {
    let (desk, checkpoint) = desk();
    let manner = Manner { listed_bytes_more: 1 << 50, ..Manner::default() };
    let hub = hub(&checkpoint, manner, &[]);
    let refused = pull(&desk, &hub).expect(74);
    assert!(refused.stderr().contains("GB free; the model needs"), "{}", refused.stderr());
    assert_eq!(hub.asked().len(), 1, "the listing alone");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_on_the_way_ends_the_pull_with_its_own_code() {
    let (desk, checkpoint) = desk();
    let hub = hub(&checkpoint, Manner::default(), &[]);
    let files = files_of(&checkpoint);
    let weights = files.iter().find(|file| file.path == "model.safetensors").expect("weights");
    let folder = desk.path("home/models/.pull").join(NAME);
    std::fs::create_dir_all(&folder).expect("made");
    // Every byte that is written here finds no space left.
    let part = folder.join(format!("model.safetensors.{}.part", &weights.sha256()[..12]));
    std::os::unix::fs::symlink("/dev/full", &part).expect("a link");
    let full = pull(&desk, &hub).expect(74);
    assert!(full.stderr().contains("free some space"), "{}", full.stderr());
    std::fs::remove_file(part).expect("the link goes");
    pull(&desk, &hub).expect(0);
    assert_whole(&desk, &checkpoint);
}

#[test]
fn an_imported_folder_is_the_same_model_as_the_folder_itself() {
    let (desk, checkpoint) = desk();
    std::fs::write(desk.path("book.txt"), "One sentence is enough to name a sound.\n").expect("written");
    let keys = |arguments: &[&str]| {
        let plan =
            narratord(&desk, &[], &[&["plan", "book.txt", "--json"], arguments].concat()).expect(0).json();
        plan["segments"].as_array().expect("segments").iter().map(|s| s["key"].clone()).collect::<Vec<_>>()
    };
    let by_folder = keys(&["--model", path_text(&checkpoint)]);
    narratord(&desk, &[], &["models", "import", path_text(&checkpoint), "--name", "mine-1.7b"]).expect(0);
    assert_eq!(keys(&["--model", "mine-1.7b"]), by_folder);
    // It is the best that is installed, and speaks with its own default voice.
    assert_eq!(keys(&[]), by_folder);
    assert_eq!(keys(&["--voice", "Ryan"]), by_folder);
    assert_ne!(keys(&["--voice", "vivian"]), by_folder);
    // Linked, not copied: the source may go.
    std::fs::remove_dir_all(&checkpoint).expect("removed");
    assert_eq!(keys(&["--model", "mine-1.7b"]), by_folder);
    narratord(&desk, &[], &["models", "remove", "mine-1.7b"]).expect(0);
    let gone = narratord(&desk, &[], &["models", "--json"]).expect(0).json();
    assert_eq!(gone.as_array().map(Vec::len), Some(0));
    narratord(&desk, &[], &["models", "remove", "../published"]).expect(2);
}
