//! Which recognisers listen, and where.
//!
//! The small one hears everything; the larger one hears what is doubted, or everything when the checks are
//! strict. Without a word from the settings the small one is the smallest that is installed, and the second
//! the smallest that is larger: for a doubt a recogniser is wanted that errs elsewhere, and the book is not to
//! wait for it. Size is the weights' bytes, as the manifests tell.

use narrator_core::settings::{Check, CheckMode};
use narrator_pool::Seat;

use crate::error::Failure;
use crate::exit::Exit;
use crate::home::Home;
use crate::memory::Party;
use crate::models::{self, Model};

/// The engine of recognisers, as manifests name it.
const ENGINE: &str = "whisper";
/// Ending of the names of recognisers that hear English alone.
const ENGLISH_ONLY: &str = ".en";

/// Hypotheses that the second recogniser follows in a search. A search costs about five times what a hearing
/// without one does, which reads the text as a draft; so it is made for what would be refused otherwise, and its
/// word is the last.
pub const SEARCH_BEAMS: u16 = 5;

/// A CPU has weights in twice the width of the files, and joined ones beside their parts while they are loaded;
const WEIGHTS_IN_MEMORY: u64 = 4;
/// and works in so much.
const WORKING_BYTES: u64 = 1 << 30;

/// A recogniser and its seats.
#[derive(Clone, Debug)]
pub struct Hearer {
    pub model: Model,
    pub seats: Vec<Seat>,
    /// Processes on the CPU, should no card have room for it.
    pub on_cpu: usize,
}

impl Hearer {
    fn new(model: Model, devices: Vec<String>, on_cpu: usize) -> Self {
        Self { model, seats: devices.into_iter().map(Seat::on).collect(), on_cpu }
    }

    /// The same with the machine to itself: on a CPU in `count` processes, of one core each, if memory holds them.
    pub fn alone(&self, count: usize) -> Self {
        let memory = sysinfo::MemoryRefreshKind::nothing().with_ram();
        let refresh = sysinfo::RefreshKind::nothing().with_memory(memory);
        let free = sysinfo::System::new_with_specifics(refresh).available_memory();
        let each = WEIGHTS_IN_MEMORY * bytes(&self.model) + WORKING_BYTES;
        let most = usize::try_from(free / each).unwrap_or(count);
        let is_on_cpu = self.seats.iter().all(|seat| seat.device == "cpu");
        let seats =
            if is_on_cpu { vec![Seat::on("cpu"); count.min(most).max(1)] } else { self.seats.clone() };
        Self { seats, ..self.clone() }
    }

    /// What it wants of the devices.
    pub fn party(&self) -> Party {
        Party {
            model: self.model.manifest.name.clone(),
            model_dir: self.model.dir.clone(),
            devices: self.seats.iter().map(|seat| seat.device.clone()).collect(),
            on_cpu: self.on_cpu,
        }
    }
}

/// Who listens in a run.
#[derive(Clone, Debug)]
pub struct Hearers {
    pub first: Hearer,
    /// For doubts; with strict checks for everything.
    pub second: Option<Hearer>,
    pub strict: bool,
}

impl Hearers {
    /// The recognisers' names, in the order of asking.
    pub fn names(&self) -> Vec<&str> {
        let hearers = std::iter::once(&self.first).chain(&self.second);
        hearers.map(|hearer| hearer.model.manifest.name.as_str()).collect()
    }

    /// Those who listen, in the order of asking.
    pub fn each(&mut self) -> impl Iterator<Item = &mut Hearer> {
        std::iter::once(&mut self.first).chain(&mut self.second)
    }

    /// As settings and reports name it.
    pub fn mode(&self) -> &'static str {
        if self.strict { "strict" } else { "fast" }
    }
}

/// Who is to listen: nobody, and why that is, or the recognisers. Where nothing is asked for somebody listens if
/// somebody is there.
pub fn choose(
    home: &Home,
    check: &Check,
    language: &str,
    speaking_on: &[String],
) -> Result<Result<Hearers, String>, Failure> {
    if check.mode == Some(CheckMode::Off) {
        return Ok(Err("the checks are off".into()));
    }
    let ears = suitable(installed(home), language);
    let named = |name: &str| -> Result<Model, Failure> {
        let model = models::find(home, name)?;
        if model.manifest.engine == ENGINE {
            return Ok(model);
        }
        Err(Failure::new(Exit::BadSettings, format!("the model {name} is no recogniser"))
            .hint("check.model and check.second name models that listen: see `narratord models`"))
    };
    let first = match &check.model {
        Some(name) => Some(named(name)?),
        None => ears.first().cloned(),
    };
    let Some(first) = first else {
        let why = "no recogniser is installed that hears this book's language: `scripts/setup` brings one";
        if check.mode.is_none() {
            return Ok(Err(why.into()));
        }
        return Err(Failure::new(Exit::Missing, "the takes cannot be checked").hint(why));
    };
    let second = match &check.second {
        Some(name) => Some(named(name)?),
        None => ears.into_iter().find(|model| bytes(model) > bytes(&first)),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let small_on = check.devices.clone().unwrap_or_else(|| vec!["cpu".into()]);
    // A larger recogniser is slow on a CPU, and fits beside a voice on any GPU that holds one.
    let large_on = check.devices.clone().unwrap_or_else(|| speaking_on.iter().take(1).cloned().collect());
    let second = second.map(|model| Hearer::new(model, one_each(&large_on), 1));
    let strict = check.mode == Some(CheckMode::Strict);
    if strict && second.is_none() {
        return Err(Failure::new(Exit::Missing, "strict checks need a second, larger recogniser")
            .hint("name one with check.second, or use --check fast"));
    }
    let count = check.workers.map_or(cores, usize::from).max(1);
    let first = Hearer::new(first, slots(&small_on, count), count);
    Ok(Ok(Hearers { first, second, strict }))
}

/// A slot a core on a CPU, and one on each other device.
fn slots(devices: &[String], count: usize) -> Vec<String> {
    if devices.iter().all(|device| device == "cpu") {
        return vec!["cpu".into(); count];
    }
    one_each(devices)
}

fn one_each(devices: &[String]) -> Vec<String> {
    devices.iter().map(|device| if device == "cuda" { "cuda:0".into() } else { device.clone() }).collect()
}

/// Every recogniser that is installed whole.
pub fn installed(home: &Home) -> Vec<Model> {
    let models = models::installed(home).into_iter().filter_map(|found| found.model.ok());
    models.filter(|model| model.manifest.engine == ENGINE).collect()
}

/// Those that hear a language, the smallest first; of one size the one for English alone, which hears it
/// better.
fn suitable(mut ears: Vec<Model>, language: &str) -> Vec<Model> {
    let english = primary(language) == "en";
    ears.retain(|model| english || !model.manifest.name.ends_with(ENGLISH_ONLY));
    ears.sort_by_key(|model| {
        let for_all = !model.manifest.name.ends_with(ENGLISH_ONLY);
        (bytes(model) >> 20, for_all, model.manifest.name.clone())
    });
    ears
}

/// `en` of `en-GB`.
pub fn primary(language: &str) -> String {
    language.split(['-', '_']).next().unwrap_or_default().to_lowercase()
}

fn bytes(model: &Model) -> u64 {
    model.manifest.files.iter().map(|file| file.bytes).sum()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn install(home: &Path, name: &str, engine: &str, bytes: usize) {
        let dir = home.join("models").join(name);
        std::fs::create_dir_all(&dir).expect("a folder");
        std::fs::write(dir.join("weights"), vec![0; bytes]).expect("weights");
        let manifest = serde_json::json!({
            "name": name,
            "engine": engine,
            "source": "here",
            "license": "MIT",
            "files": [{ "path": "weights", "bytes": bytes, "sha256": "00" }],
            "sha256": "00",
        });
        std::fs::write(dir.join("manifest.json"), manifest.to_string()).expect("a manifest");
    }

    fn fast() -> Check {
        Check { mode: Some(CheckMode::Fast), ..Check::default() }
    }

    fn home(models: &[(&str, &str, usize)]) -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join("models")).expect("a folder");
        for (name, engine, megabytes) in models {
            install(dir.path(), name, engine, megabytes << 20);
        }
        let home = Home::at(dir.path());
        (dir, home)
    }

    const EARS: &[(&str, &str, usize)] = &[
        ("base", ENGINE, 4),
        ("tiny", ENGINE, 2),
        ("tiny.en", ENGINE, 2),
        ("small.en", ENGINE, 6),
        ("voice", "starter", 1),
    ];

    fn chosen(check: &Check, language: &str) -> (String, Option<String>) {
        let (_dir, home) = home(EARS);
        let ears = choose(&home, check, language, &["cuda:1".into()]).expect("chosen").expect("somebody");
        let name = |hearer: Hearer| hearer.model.manifest.name;
        (name(ears.first), ears.second.map(name))
    }

    #[test]
    fn the_smallest_hears_everything_and_the_next_larger_one_is_asked_in_doubt() {
        let check = fast();
        assert_eq!(chosen(&check, "en-GB"), ("tiny.en".into(), Some("base".into())));
        assert_eq!(chosen(&check, "de"), ("tiny".into(), Some("base".into())));
        let named = Check { model: Some("base".into()), second: Some("tiny".into()), ..check };
        assert_eq!(chosen(&named, "de"), ("base".into(), Some("tiny".into())));
    }

    #[test]
    fn without_a_recogniser_the_checks_are_off_unless_they_were_asked_for() {
        let (_dir, home) = home(&[("voice", "starter", 1)]);
        let cpu = ["cpu".to_owned()];
        let why = choose(&home, &Check::default(), "en", &cpu).expect("no failure").expect_err("nobody");
        assert!(why.contains("scripts/setup"), "{why}");
        assert_eq!(choose(&home, &fast(), "en", &cpu).expect_err("missing").exit, Exit::Missing);
    }

    #[test]
    fn whoever_is_there_listens_unless_the_checks_are_off() {
        let (_dir, home) = home(EARS);
        let listens =
            |check: &Check| choose(&home, check, "en", &["cpu".to_owned()]).expect("no failure").is_ok();
        assert!(listens(&Check::default()));
        assert!(!listens(&Check { mode: Some(CheckMode::Off), ..Check::default() }));
    }

    #[test]
    fn strict_needs_two_and_a_voice_is_no_recogniser() {
        let (_dir, home) = home(&[("tiny.en", ENGINE, 2), ("voice", "starter", 1)]);
        let cpu = ["cpu".to_owned()];
        let strict = Check { mode: Some(CheckMode::Strict), ..fast() };
        assert_eq!(choose(&home, &strict, "en", &cpu).expect_err("one only").exit, Exit::Missing);
        let wrong = Check { model: Some("voice".into()), ..fast() };
        assert_eq!(choose(&home, &wrong, "en", &cpu).expect_err("speaks").exit, Exit::BadSettings);
    }

    #[test]
    fn the_small_one_listens_on_the_cpu_and_the_large_one_where_the_voice_is() {
        let (_dir, home) = home(EARS);
        let check = Check { workers: Some(3), ..fast() };
        let ears = choose(&home, &check, "en", &["cuda:1".into()]).expect("chosen").expect("somebody");
        assert_eq!(ears.first.party().devices, ["cpu"; 3]);
        assert_eq!(ears.second.expect("two").party().devices, ["cuda:1"]);
        let check = Check { devices: Some(vec!["cuda".into()]), ..check };
        let ears = choose(&home, &check, "en", &["cuda:1".into()]).expect("chosen").expect("somebody");
        assert_eq!(ears.first.party().devices, ["cuda:0"]);
        assert_eq!((ears.first.on_cpu, ears.second.expect("two").on_cpu), (3, 1), "should there be no room");
    }
}
