//! What the sim worker is to do, as data.

use std::collections::BTreeMap;

use narrator_core::VoiceAbilities;
use serde::{Deserialize, Serialize};

use super::dice::Dice;

/// The whole script. Everything has an honest default: an empty script is a good worker.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimScript {
    /// Rows that it announces.
    pub rows: u32,
    /// Rows that fit into its memory; more at once run out of it.
    pub fits_rows: Option<u32>,
    pub sample_rate: u32,
    pub seconds_per_char: f64,
    /// Time that half a second of audio takes.
    pub step_ms: u64,
    /// What it says its resident memory grows by with each segment.
    pub leak_bytes: u64,
    /// What it needs of its device, and takes when it loads.
    pub device_bytes: Option<u64>,
    /// Whether it beats at all: left out to measure what beats cost.
    pub beats: bool,
    /// How long loading takes when nothing is said of it.
    pub load_ms: u64,
    pub birth: Vec<(Births, Birth)>,
    pub hello: Vec<(Births, Hello)>,
    pub load: Vec<(Births, Load)>,
    pub speak: Vec<SpeakRule>,
    /// What it hears, when the model that it is asked to load listens.
    pub hear: Vec<HearRule>,
    /// What it says that it can do otherwise than usual.
    pub abilities: VoiceAbilities,
    /// Speaks so that the checks of the signal have nothing against it.
    pub hums: bool,
    pub manners: Vec<(Births, Manners)>,
    /// What models take of a card, by the names of their folders: the least, a good and the greatest share, in bytes.
    pub footprints: BTreeMap<String, [u64; 3]>,
    /// What goes wrong by chance, where no rule says otherwise.
    pub dice: Option<Dice>,
}

impl Default for SimScript {
    fn default() -> Self {
        Self {
            rows: 1,
            fits_rows: None,
            sample_rate: 24_000,
            seconds_per_char: 0.01,
            step_ms: 0,
            leak_bytes: 0,
            device_bytes: None,
            beats: true,
            load_ms: 0,
            birth: Vec::new(),
            hello: Vec::new(),
            load: Vec::new(),
            speak: Vec::new(),
            hear: Vec::new(),
            abilities: VoiceAbilities::default(),
            hums: false,
            manners: Vec::new(),
            footprints: BTreeMap::new(),
            dice: None,
        }
    }
}

/// Which processes a rule is for: births are numbered from 1 over a whole run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Births {
    All,
    Only(u64),
    UpTo(u64),
}

impl Births {
    pub fn has(self, birth: u64) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => birth == only,
            Self::UpTo(last) => birth <= last,
        }
    }
}

/// The value of the first rule that is for this birth.
pub(super) fn pick<T: Clone>(rules: &[(Births, T)], birth: u64) -> Option<T> {
    rules.iter().find(|(births, _)| births.has(birth)).map(|(_, value)| value.clone())
}

/// Before it comes to the pipe.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Birth {
    /// Says a line on stderr and ends.
    Exit {
        code: i32,
        line: String,
    },
    Abort,
    /// Never comes.
    Hang,
}

/// At the handshake.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hello {
    WrongProtocol,
    WrongBuild,
    WrongNonce,
    WrongPid,
    /// Connects and says nothing.
    Silent,
    /// Bytes that are no frame.
    Garbage,
    /// Part of a frame, then the end.
    Half,
    /// A header that announces far too much.
    Oversized,
    /// Opens a second connection that says nothing, then behaves.
    Twice,
}

/// While loading.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// So many moves, so long apart.
    Slow {
        moves: u64,
        every_ms: u64,
    },
    /// Beats, and moves no more.
    Stop,
    /// Says that it failed.
    Fail,
    /// Says that its settings cannot work.
    Reject,
    Exit {
        code: i32,
    },
    Abort,
}

/// What happens to a segment, instead of what should.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    Abort,
    /// Dies before it said that it took the segment in.
    AbortUnaccepted,
    Exit {
        code: i32,
    },
    /// SIGKILL to itself, as the kernel does when memory ran out.
    Kill,
    /// SIGSTOP to itself.
    Stop,
    /// Beats on, computes no more.
    Stuck,
    /// Nothing comes any more, not even a beat.
    Mute,
    /// Steps, so long apart, so many before the audio begins.
    Slow {
        steps: u64,
        every_ms: u64,
    },
    /// Generates to its cap and says so.
    Runaway,
    /// Generates without end, past its cap.
    RunawayUncapped,
    Nan,
    Silence,
    /// Announces other samples than it sent.
    Miscount,
    OutOfMemory,
    DeviceFault,
    BadRequest,
    /// Bytes that are no frame.
    Garbage,
    /// Part of a frame, then the end.
    HalfFrame,
    /// A header that announces far too much.
    Oversized,
    /// Answers twice.
    Twice,
    /// Answers also for a request that nobody made.
    Stray,
    /// Keeps the answer until it is told to forget it, and gives it then.
    Late,
    /// Closes the pipe and lives on.
    ClosePipe,
    /// Leaves a process behind that holds the pipe open, and dies.
    Grandchild,
}

/// A deed and the segments that it is for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeakRule {
    #[serde(default = "all_births")]
    pub births: Births,
    /// Part of the text.
    #[serde(default)]
    pub text: Option<String>,
    /// The how manieth request of its life, from 1.
    #[serde(default)]
    pub nth: Option<u64>,
    pub deed: Deed,
}

fn all_births() -> Births {
    Births::All
}

impl SpeakRule {
    /// For every segment with this text, in every life.
    pub fn on(text: &str, deed: Deed) -> Self {
        Self { births: Births::All, text: Some(text.to_owned()), nth: None, deed }
    }

    #[must_use]
    pub fn only(self, births: Births) -> Self {
        Self { births, ..self }
    }

    pub fn is_for(&self, birth: u64, text: &str, nth: u64) -> bool {
        self.births.has(birth)
            && self.text.as_deref().is_none_or(|part| text.contains(part))
            && self.nth.is_none_or(|only| only == nth)
    }
}

/// What happens to a take, instead of hearing the text in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HearDeed {
    /// Every word but this one.
    Miss {
        word: String,
    },
    /// What recognisers invent over silence.
    Garbage,
    Abort,
    /// Beats on, computes no more.
    Stuck,
    /// Says that this take cannot be heard.
    Fail,
}

/// A deed and the takes that it is for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HearRule {
    /// Part of the text.
    pub text: String,
    /// Part of the recogniser's folder; absent: any.
    #[serde(default)]
    pub model: Option<String>,
    /// For the first so many hearings of such a text, over all processes; absent: always.
    #[serde(default)]
    pub first: Option<usize>,
    pub deed: HearDeed,
}

impl HearRule {
    pub fn on(text: &str, deed: HearDeed) -> Self {
        Self { text: text.to_owned(), model: None, first: None, deed }
    }

    #[must_use]
    pub fn by(self, model: &str) -> Self {
        Self { model: Some(model.to_owned()), ..self }
    }

    #[must_use]
    pub fn first(self, times: usize) -> Self {
        Self { first: Some(times), ..self }
    }
}

/// How it takes being told to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manners {
    /// Neither Cancel nor Drain moves it.
    pub deaf: bool,
    /// SIGABRT does not end it.
    pub survives_abort: bool,
    /// The end of the pipe does not end it.
    pub survives_orphaning: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_survives_its_json_and_unknown_words_are_refused() {
        let script = SimScript {
            hello: vec![(Births::Only(1), Hello::WrongNonce)],
            speak: vec![
                SpeakRule::on("poison", Deed::Abort),
                SpeakRule::on("slow", Deed::Slow { steps: 3, every_ms: 9 }),
            ],
            ..SimScript::default()
        };
        let json = serde_json::to_string(&script).expect("json");
        assert_eq!(serde_json::from_str::<SimScript>(&json).expect("read"), script);
        assert!(serde_json::from_str::<SimScript>(r#"{"rowz":1}"#).is_err());
        let short: SimScript = serde_json::from_str(r#"{"speak":[{"nth":2,"deed":"kill"}]}"#).expect("read");
        assert!(short.speak[0].is_for(7, "any", 2) && !short.speak[0].is_for(7, "any", 3));
    }
}
