//! A desk where the real narratord works with sim workers: whole jobs in a second or two, and every bad
//! habit on order.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::program::{Desk, Ran, Running, program};
use crate::sim::{Birthplace, ENV_SCRIPT, ENV_STATE, SimScript};

/// The job of [`SimDesk::run_arguments`], relative to the desk.
pub const JOB: &str = "book.narration";

/// A desk with a model called `sim` and a book, whose workers do what the script says.
#[derive(Debug)]
pub struct SimDesk {
    desk: Desk,
    script: SimScript,
}

impl SimDesk {
    /// A book of so many segments: each is a [`paragraph`].
    pub fn new(paragraphs: usize, script: SimScript) -> Self {
        let desk = Desk::new();
        let model = desk.path("home/models/sim");
        std::fs::create_dir_all(&model).expect("a folder");
        let manifest = json!({
            "name": "sim",
            "engine": "sim",
            "source": "the tests",
            "license": "MIT",
            "voices": [{ "name": "tone", "language": "en", "description": "a tone" }],
            "files": [],
            "sha256": "00",
        });
        std::fs::write(model.join("manifest.json"), manifest.to_string()).expect("a manifest");
        std::fs::create_dir_all(desk.path("births")).expect("a folder");
        let paragraphs: Vec<String> = (1..=paragraphs).map(paragraph).collect();
        std::fs::write(desk.path("book.txt"), paragraphs.join("\n\n") + "\n").expect("a book");
        Self { desk, script }
    }

    /// From here on workers do as this says.
    pub fn script(&mut self, script: SimScript) {
        self.script = script;
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.desk.path(name)
    }

    /// The job's folder.
    pub fn job(&self) -> PathBuf {
        self.desk.path(JOB)
    }

    pub fn place(&self) -> Birthplace {
        Birthplace::new(self.desk.path("births"))
    }

    /// The command that narrates the book, with one worker.
    pub fn run_arguments(&self) -> [&'static str; 7] {
        ["run", "book.txt", "-o", "book.wav", "--model", "sim", "--workers=1"]
    }

    pub fn narratord(&self, arguments: &[&str]) -> Command {
        let mut command = self.desk.narratord(arguments);
        command
            .env("NARRATOR_HOME", self.path("home"))
            .env("NARRATOR_WORKER", program("narrator-sim-worker"))
            .env(ENV_SCRIPT, serde_json::to_string(&self.script).expect("a script"))
            .env(ENV_STATE, self.path("births"));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran(self.narratord(arguments).output().expect("narratord starts"))
    }

    /// Narrates the book to its end.
    pub fn narrate(&self) -> Ran {
        self.run(&self.run_arguments())
    }

    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.narratord(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    pub fn events(&self) -> Vec<Value> {
        self.desk.events(JOB)
    }

    /// Waits until the job's live log satisfies `enough`.
    pub fn wait_for(&self, what: &str, enough: impl Fn(&[Value]) -> bool) {
        self.desk.wait_for(JOB, what, enough);
    }

    /// Waits until so many events of this name are in the job's live log.
    pub fn wait_for_events(&self, name: &str, enough: usize) {
        self.wait_for(name, |events| count(events, name) >= enough);
    }

    /// The only job in the catalog, as `narratord jobs --json` tells it.
    pub fn only_job(&self) -> Value {
        let jobs = self.run(&["jobs", "--json"]).expect(0).json();
        let [job] = jobs.as_array().expect("a list").as_slice() else { panic!("not one job: {jobs:#}") };
        job.clone()
    }
}

/// The `n`-th paragraph, which begins like no other. Its number is in words, since digits are not spoken as
/// they are written.
pub fn paragraph(n: usize) -> String {
    const ONES: [&str; 20] = [
        "",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 10] =
        ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    assert!((1..100).contains(&n), "a short book");
    let number = match n {
        1..20 => ONES[n].to_string(),
        _ => format!("{} {}", TENS[n / 10], ONES[n % 10]).trim_end().to_string(),
    };
    format!("Paragraph {number}, of the book.")
}

/// What a rule is to look for that is for the `n`-th paragraph alone.
pub fn only_in(n: usize) -> String {
    let whole = paragraph(n);
    whole[..whole.find(',').map_or(whole.len(), |at| at + 1)].to_string()
}

/// How many events have this name.
pub fn count(events: &[Value], name: &str) -> usize {
    events.iter().filter(|event| event["event"] == name).count()
}
