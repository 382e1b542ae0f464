//! A stretch that is there twice, sample for sample or nearly: a model that fell back, a cut that doubled.
//!
//! A voice that says a phrase twice says it in two ways; what is alike in every band for most of a second
//! was said once. A text that repeats its own words is not looked at.

use super::frames::{Frames, STEP_MS};
use super::noise::Spectra;
use super::{Finding, SignalFault};
use crate::words::atoms;

/// Bands that a frame's spectrum is summed in.
const BANDS: usize = 12;
/// Frames that are taken together: comparing every pair is what this costs.
const EVERY: usize = 2;
/// Mean difference of two stretches that are one, in decibels a band.
const ALIKE_DB: f32 = 1.5;
/// A stretch this long that is alike in every band was not said twice: a choice, two to three words.
const REPEATED_MS: u32 = 700;
/// Bands this far below the voice are room.
const FLOOR_DB: f32 = 45.0;

pub(super) fn stretch(spectra: &Spectra, frames: &Frames, text: &str) -> Option<Finding> {
    if repeats_itself(text) {
        return None;
    }
    let bands = bands(spectra);
    let need = (REPEATED_MS / STEP_MS) as usize / EVERY;
    let mut best: Option<(usize, usize)> = None;
    for lag in need..bands.len() {
        let (mut run, mut sound) = (0, 0);
        for at in lag..bands.len() {
            if unlike(&bands[at], &bands[at - lag]) < ALIKE_DB {
                run += 1;
                sound += usize::from(!frames.is_silence((at * EVERY).min(frames.db.len() - 1)));
                if sound >= need && best.is_none_or(|(longest, _)| run > longest) {
                    best = Some((run, at));
                }
            } else {
                (run, sound) = (0, 0);
            }
        }
    }
    let (run, end) = best?;
    let ms = |frames: usize| (frames * EVERY) as u32 * STEP_MS;
    Some(Finding {
        kind: SignalFault::Repeated,
        start_ms: ms(end + 1 - run),
        end_ms: ms(end + 1),
        measure: ms(run) as f32,
        limit: REPEATED_MS as f32,
    })
}

fn bands(spectra: &Spectra) -> Vec<[f32; BANDS]> {
    let mut loudest = f32::MIN;
    let mut all: Vec<[f32; BANDS]> = (0..spectra.len() / EVERY)
        .map(|at| {
            let power = spectra.frame(at * EVERY);
            let mut bands = [0.0; BANDS];
            for (band, level) in bands.iter_mut().enumerate() {
                // Wider towards the top, as the ear hears.
                let edge = |n: usize| (power.len() * n * n / (BANDS * BANDS)).max(n).min(power.len());
                let slice = &power[edge(band)..edge(band + 1).max(edge(band) + 1).min(power.len())];
                *level = 10.0 * slice.iter().sum::<f32>().max(1e-12).log10();
                loudest = loudest.max(*level);
            }
            bands
        })
        .collect();
    let floor = loudest - FLOOR_DB;
    all.iter_mut().flatten().for_each(|level| *level = level.max(floor));
    all
}

fn unlike(one: &[f32; BANDS], other: &[f32; BANDS]) -> f32 {
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).sum::<f32>() / BANDS as f32
}

/// Whether the text says some two words in a row twice. A slash is one: `/usr/lib or /usr/bin` says `slash usr` twice.
fn repeats_itself(text: &str) -> bool {
    let text = text.replace('/', " slash ");
    let atoms = atoms(text.split_whitespace());
    let mut pairs: Vec<(&str, &str)> =
        atoms.windows(2).map(|pair| (&*pair[0].folded, &*pair[1].folded)).collect();
    let count = pairs.len();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.len() < count
}
