//! The scripted sim worker: the real pipes and frames, no model, and every bad habit that the promises
//! name. What it does at each stage comes as a [`SimScript`]; its audio is a pure function of text and
//! seed, so that any take can be compared with what it has to be. Asked to load a recogniser it listens, and
//! hears what it is told to.

mod audio;
mod dice;
mod ear;
mod manners;
mod script;
mod state;
mod worker;

pub use audio::{audio_for, seconds_for};
pub use dice::{CALM, Dice};
pub use ear::{hearing_for, hum_for};
pub use script::{Birth, Births, Deed, HearDeed, HearRule, Hello, Load, Manners, SimScript, SpeakRule};
pub use state::{Birthplace, Recorded};
pub use worker::serve;

/// Environment variable with the script as JSON.
pub const ENV_SCRIPT: &str = "NARRATOR_SIM";
/// Environment variable with the folder in which births and deeds are recorded.
pub const ENV_STATE: &str = "NARRATOR_SIM_STATE";
