//! Short dips of the level where a lossy encoder's own sound goes over the wanted peak.
//!
//! An encoder gives most of the wave back within a decibel, and now and then, a few times in ten hours,
//! something several decibels higher. To lower the whole book for that would cost it one and a half units of
//! loudness; so the level is lowered at those places alone, for a tenth of a second, and the rest is left
//! as it was.

use std::collections::VecDeque;

/// Full depth for this long before and after the place: a frame of AAC at 24 kHz is 43 ms, and what is
/// wrong in one is heard in its neighbours' halves too.
const FLAT_MS: u64 = 60;
/// The way down and the way back: too slow to click.
const RAMP_MS: u64 = 40;
/// Places nearer to each other than this are one.
const MERGE_MS: u64 = 20;

/// A place where the delivered wave goes over the wanted peak.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Excess {
    /// Sample of the programme.
    pub at: u64,
    /// By how many decibels.
    pub db: f64,
}

/// Collects places, near ones as one, the highest of them.
#[derive(Debug, Default)]
pub(crate) struct Excesses {
    found: Vec<Excess>,
}

impl Excesses {
    pub fn add(&mut self, rate: u32, new: Excess) {
        match self.found.last_mut() {
            Some(last) if new.at.saturating_sub(last.at) < MERGE_MS * u64::from(rate) / 1000 => {
                if new.db > last.db {
                    *last = new;
                }
            }
            _ => self.found.push(new),
        }
    }

    pub fn into_inner(self) -> Vec<Excess> {
        self.found
    }
}

/// Dips of a programme, in the order of their places.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Dips(Vec<Excess>);

impl Dips {
    /// Adds a dip at each place, `margin_db` deeper than it was too high. A place that has one already gets
    /// both.
    pub fn deepen(&mut self, excesses: &[Excess], margin_db: f64) {
        self.0.extend(excesses.iter().map(|excess| Excess { db: excess.db + margin_db, ..*excess }));
        self.0.sort_by_key(|dip| dip.at);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Starts to apply them to a programme of `rate` samples a second.
    pub fn start(&self, rate: u32) -> Dipper {
        let samples = |ms: u64| ms * u64::from(rate) / 1000;
        Dipper {
            coming: self.0.iter().copied().collect(),
            flat: samples(FLAT_MS),
            ramp: samples(RAMP_MS).max(1),
            position: 0,
        }
    }
}

/// Applies dips to a programme that streams by.
#[derive(Debug)]
pub(crate) struct Dipper {
    coming: VecDeque<Excess>,
    flat: u64,
    ramp: u64,
    position: u64,
}

impl Dipper {
    /// Takes the next samples of the programme.
    pub fn apply(&mut self, samples: &mut [f32]) {
        let (start, end) = (self.position, self.position + samples.len() as u64);
        self.position = end;
        let reach = self.flat + self.ramp;
        while self.coming.front().is_some_and(|dip| dip.at + reach < start) {
            self.coming.pop_front();
        }
        for dip in self.coming.iter().take_while(|dip| dip.at.saturating_sub(reach) < end) {
            let from = dip.at.saturating_sub(reach).max(start);
            let to = (dip.at + reach + 1).min(end);
            for at in from..to {
                let beyond = at.abs_diff(dip.at).saturating_sub(self.flat);
                // Straight in decibels, from all of it to nothing.
                let part = 1.0 - beyond as f64 / self.ramp as f64;
                samples[(at - start) as usize] *= crate::levels::factor(-dip.db * part.max(0.0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 24_000;

    fn applied(dips: &Dips, length: usize, piece: usize) -> Vec<f32> {
        let mut dipper = dips.start(RATE);
        let mut all = vec![1.0_f32; length];
        all.chunks_mut(piece).for_each(|chunk| dipper.apply(chunk));
        all
    }

    fn dips(places: &[(u64, f64)]) -> Dips {
        let mut dips = Dips::default();
        let places: Vec<Excess> = places.iter().map(|&(at, db)| Excess { at, db }).collect();
        dips.deepen(&places, 0.0);
        dips
    }

    #[test]
    fn a_dip_is_deep_at_its_place_and_gone_a_tenth_of_a_second_away() {
        let wave = applied(&dips(&[(12_000, 6.0)]), 24_000, 24_000);
        let deep = 10_f32.powf(-6.0 / 20.0);
        assert!((wave[12_000] - deep).abs() < 1e-4 && (wave[12_000 + 1_440] - deep).abs() < 1e-4);
        assert!(wave[12_000 + 1_900] > deep && wave[12_000 + 1_900] < 1.0, "on its way back");
        assert!(wave[..9_599].iter().chain(&wave[14_401..]).all(|x| (x - 1.0).abs() < 1e-6));
        let steepest = wave.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(steepest < 0.001, "a click of {steepest}");
    }

    #[test]
    fn pieces_and_places_at_the_ends_make_no_difference() {
        let dips = dips(&[(0, 3.0), (5_000, 2.0), (5_100, 4.0), (23_999, 1.0)]);
        let whole = applied(&dips, 24_000, 24_000);
        for piece in [1, 63, 4_096] {
            assert_eq!(applied(&dips, 24_000, piece), whole, "pieces of {piece}");
        }
        assert!(whole[0] < 0.75 && whole[23_999] < 0.95 && whole[5_050] < 0.55);
    }

    #[test]
    fn near_places_are_one() {
        let mut excesses = Excesses::default();
        for (at, db) in [(100, 1.0), (140, 2.5), (200, 0.5), (24_000, 1.0)] {
            excesses.add(RATE, Excess { at, db });
        }
        assert_eq!(excesses.into_inner(), [Excess { at: 140, db: 2.5 }, Excess { at: 24_000, db: 1.0 }]);
    }
}
