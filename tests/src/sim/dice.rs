//! Misdeeds by chance: what a soak's workers do wrong, drawn anew for each of their lives.
//!
//! The draw depends on the seed and on the number of the birth alone, so that the same seed plans the same
//! misdeeds. Which text they meet depends on timing, as in life.
//!
//! Deliberately absent: misdeeds that take longer than a soak's patience (a load that stops is noticed
//! after a minute; `it/s02_ready.rs` has it).

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::script::{Birth, Deed, Hello, Load, Manners};

/// How often something goes wrong at each stage, in thousandths.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dice {
    pub seed: u64,
    pub birth: u16,
    pub hello: u16,
    pub load: u16,
    pub speak: u16,
    pub manners: u16,
    /// Misdeeds after which a segment is spoken with other random numbers, or given up at once, are among
    /// them: the book is then no longer the undisturbed one, though every segment is accounted for.
    pub reseeding: bool,
}

/// A file of this name in the state folder ends all misdeeds: the soak's time is up.
pub const CALM: &str = "calm";

/// One life's dice.
#[derive(Clone, Debug)]
pub(super) struct Hand {
    dice: Dice,
    random: ChaCha8Rng,
}

impl Hand {
    pub fn of(dice: Dice, birth: u64) -> Self {
        let random = ChaCha8Rng::seed_from_u64(dice.seed ^ birth.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self { dice, random }
    }

    fn happens(&mut self, thousandths: u16) -> bool {
        self.random.random_range(0..1000) < u32::from(thousandths)
    }

    pub fn birth(&mut self) -> Option<Birth> {
        let line = || "error while loading shared libraries: libtorch_cpu.so".to_owned();
        self.happens(self.dice.birth).then(|| match self.random.random_range(0..8) {
            0..4 => Birth::Exit { code: 127, line: line() },
            4..7 => Birth::Abort,
            _ => Birth::Hang,
        })
    }

    pub fn hello(&mut self) -> Option<Hello> {
        // What gets a slot closed for good is rarer: a run must be able to go on.
        self.happens(self.dice.hello).then(|| match self.random.random_range(0..24) {
            0 => Hello::WrongProtocol,
            1 => Hello::WrongBuild,
            2 => Hello::WrongNonce,
            3 => Hello::WrongPid,
            4..6 => Hello::Silent,
            6..11 => Hello::Garbage,
            11..16 => Hello::Half,
            16..20 => Hello::Oversized,
            _ => Hello::Twice,
        })
    }

    pub fn load(&mut self) -> Option<Load> {
        self.happens(self.dice.load).then(|| match self.random.random_range(0..16) {
            0..5 => Load::Slow { moves: 8, every_ms: 60 },
            5..9 => Load::Fail,
            9..12 => Load::Exit { code: 1 },
            12..15 => Load::Abort,
            _ => Load::Reject,
        })
    }

    pub fn manners(&mut self) -> Manners {
        let ill = self.happens(self.dice.manners);
        let mut one_in_two = || ill && self.random.random_range(0..2) == 0;
        Manners { deaf: one_in_two(), survives_abort: one_in_two(), survives_orphaning: one_in_two() }
    }

    /// What is done to the next segment.
    pub fn speak(&mut self) -> Option<Deed> {
        if !self.happens(self.dice.speak) {
            return None;
        }
        if self.dice.reseeding && self.happens(350) {
            return Some(match self.random.random_range(0..16) {
                0..6 => Deed::Nan,
                6..10 => Deed::Silence,
                10..15 => Deed::Runaway,
                _ => Deed::BadRequest,
            });
        }
        Some(match self.random.random_range(0..100) {
            0..8 => Deed::Abort,
            8..12 => Deed::AbortUnaccepted,
            12..17 => Deed::Exit { code: 1 },
            17..24 => Deed::Kill,
            24..26 => Deed::Stop,
            26..28 => Deed::Stuck,
            28..30 => Deed::Mute,
            30..46 => Deed::Slow { steps: self.random.random_range(2..12), every_ms: 25 },
            46..48 => Deed::RunawayUncapped,
            48..54 => Deed::Miscount,
            54..62 => Deed::OutOfMemory,
            62..67 => Deed::DeviceFault,
            67..73 => Deed::Garbage,
            73..78 => Deed::HalfFrame,
            78..82 => Deed::Oversized,
            82..90 => Deed::Twice,
            90..96 => Deed::Stray,
            96..98 => Deed::Late,
            98 => Deed::ClosePipe,
            _ => Deed::Grandchild,
        })
    }
}

/// Whether a soak has called for calm.
pub(super) fn is_calm(state: &Path) -> bool {
    state.join(CALM).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dice(reseeding: bool) -> Dice {
        Dice { seed: 7, birth: 100, hello: 100, load: 100, speak: 500, manners: 100, reseeding }
    }

    fn deeds(reseeding: bool, birth: u64) -> Vec<Deed> {
        let mut hand = Hand::of(dice(reseeding), birth);
        (0..2000).filter_map(|_| hand.speak()).collect()
    }

    #[test]
    fn a_birth_has_its_own_misdeeds_and_keeps_them() {
        assert_eq!(deeds(true, 1), deeds(true, 1));
        assert_ne!(deeds(true, 1), deeds(true, 2));
        let share = deeds(true, 1).len();
        assert!((900..1100).contains(&share), "{share} of 2000 where half was asked for");
    }

    #[test]
    fn without_reseeding_no_sound_changes() {
        let other =
            |deed: &Deed| matches!(deed, Deed::Nan | Deed::Silence | Deed::Runaway | Deed::BadRequest);
        assert!(deeds(true, 1).iter().any(other));
        assert!(!deeds(false, 1).iter().any(other));
    }
}
