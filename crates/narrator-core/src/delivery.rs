//! How a text is spoken once more: what the ladder of repairs varies beside the random numbers.
//!
//! None of it is in the content key. A take that came of another delivery is a take of the same content with
//! a number of its own, and what makes it the segment's result is that it was heard and accepted.

use serde::{Deserialize, Serialize};

/// Differences from how an engine usually speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Delivery {
    /// Samples closer to what is likeliest.
    pub calm: bool,
    /// Of a cloned voice its timbre alone, without the clip's own words and manner.
    pub timbre_alone: bool,
}

impl Delivery {
    /// Nothing is different.
    pub fn is_usual(self) -> bool {
        self == Self::default()
    }
}

/// Which differences an engine can make.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct VoiceAbilities {
    pub calm: bool,
    pub timbre_alone: bool,
}
