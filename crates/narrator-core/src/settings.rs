//! The effective settings of a job: defaults, then the configuration file, then the command line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// All settings. A configuration file gives any part of it; unknown keys are refused by name.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub speech: Speech,
    pub script: ScriptSettings,
    pub workers: Workers,
    pub audio: Audio,
    pub check: Check,
    pub hub: Hub,
}

/// Who speaks, and how.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Speech {
    /// A model's name in the model folder, or the path of a checkpoint folder; absent: the best that is
    /// installed, or the one that the job began with.
    pub model: Option<String>,
    /// A voice of that model; the model's own default when absent.
    pub voice: Option<String>,
    /// 0.5 to 2; 1 is the voice's own speed.
    pub speed: f32,
    pub seed: u64,
}

impl Default for Speech {
    fn default() -> Self {
        Self { model: None, voice: None, speed: 1.0, seed: 1 }
    }
}

/// How text becomes segments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptSettings {
    /// Sentences are gathered until a segment has at least this many characters.
    pub min_chars: u32,
    /// A segment is never longer, counted in characters of the spoken text.
    pub max_chars: u32,
    pub pauses: Pauses,
}

impl Default for ScriptSettings {
    fn default() -> Self {
        Self { min_chars: 60, max_chars: 400, pauses: Pauses::default() }
    }
}

/// Silence after a segment, by what ends there, in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pauses {
    pub clause_ms: u32,
    pub sentence_ms: u32,
    pub paragraph_ms: u32,
    pub heading_ms: u32,
    pub chapter_ms: u32,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { clause_ms: 150, sentence_ms: 350, paragraph_ms: 650, heading_ms: 1200, chapter_ms: 2000 }
    }
}

/// Worker processes and their supervision.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workers {
    /// How many; absent: one a GPU, or as many as the CPU's cores hold on a CPU.
    pub count: Option<u16>,
    /// `cpu` or `cuda:0` and so on; several give a worker each.
    pub devices: Vec<String>,
    /// Threads that each worker's libtorch uses on a CPU; absent: the engine's own choice. Another number
    /// may change the last bits of a sample, never the words.
    pub threads: Option<u16>,
    /// A worker whose resident memory passes this is recycled between segments.
    pub max_resident_bytes: Option<u64>,
    /// The worker program; absent: `narrator-worker` beside `narratord`.
    pub program: Option<PathBuf>,
}

impl Default for Workers {
    fn default() -> Self {
        Self {
            count: None,
            devices: vec!["cpu".into()],
            threads: None,
            max_resident_bytes: None,
            program: None,
        }
    }
}

/// The finished audiobook's sound.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audio {
    /// Integrated loudness of the whole book, LUFS (EBU R 128).
    pub loudness_lufs: f64,
    /// True peak at most this, dBTP.
    pub true_peak_db: f64,
    /// Bit rate for lossy formats, kilobits a second.
    pub bitrate_kbps: u32,
}

impl Default for Audio {
    fn default() -> Self {
        Self { loudness_lufs: -18.0, true_peak_db: -3.0, bitrate_kbps: 64 }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckMode {
    /// Takes are not heard again.
    Off,
    /// A small recogniser hears every take, a larger one what is doubted.
    Fast,
    /// Both hear every take.
    Strict,
}

/// What becomes of a segment for which no good take came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quarantine {
    /// Its best take stays in the audiobook, marked in the report.
    #[default]
    Keep,
    /// A pause stands in its place.
    Pause,
}

/// How takes are checked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Check {
    /// Absent: fast, where a recogniser for the language is installed, else off.
    pub mode: Option<CheckMode>,
    /// The recogniser that hears everything; absent: the smallest that is installed and hears the language.
    pub model: Option<String>,
    /// The one that is asked in doubt; absent: the next larger one.
    pub second: Option<String>,
    /// Where they listen; absent: the first on the CPU, the second where the book is spoken.
    pub devices: Option<Vec<String>>,
    /// Processes of the first on a CPU; absent: one a core.
    pub workers: Option<u16>,
    pub quarantine: Quarantine,
    /// Whether the finished audiobook is heard once more and held against the book.
    pub audit: bool,
}

impl Default for Check {
    fn default() -> Self {
        Self {
            mode: None,
            model: None,
            second: None,
            devices: None,
            workers: None,
            quarantine: Quarantine::default(),
            audit: true,
        }
    }
}

/// Where models are pulled from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hub {
    /// Address of the hub; absent: the public one.
    pub endpoint: Option<String>,
    /// A file that holds the hub's token. Never the token itself: settings are copied into every job.
    pub token_file: Option<PathBuf>,
    /// Tries in a row that may bring nothing before a download is given up.
    pub tries: u32,
}

impl Default for Hub {
    fn default() -> Self {
        Self { endpoint: None, token_file: None, tries: 8 }
    }
}
