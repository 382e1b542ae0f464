//! Which gain, which ceiling and which dips: decided from measurements, pure.

use narrator_core::settings::Audio;

use crate::dips::{Dips, Excess};
use crate::format::Format;
use crate::loudness::Measurement;

/// Dips reach at most this part of the programme; what goes over more often is lowered as a whole.
const MOST_DIPPED: f64 = 0.01;
/// What a dip takes of the programme: its depth and its ramps.
const DIP_S: f64 = 0.2;

/// Delivered loudness within this of the target is right, the half unit of EBU R 128. The programme is on
/// target to a few hundredths when it is encoded; encoders take 0.1 (AAC, Opus) to 0.35 (MP3) of it.
const LOUDNESS_TOLERANCE: f64 = 0.5;

/// No more gain than this: what needs more is noise, and raising it helps nobody.
const MAX_GAIN_DB: f64 = 30.0;

/// The limiter stays below the wanted peak by this. Lossless formats need it for the rounding to 16 bits
/// and for meters that look closer than four times between the samples; lossy ones do not give the wave
/// back as it was, and these are a little more than what each overshot by on speech at 64 kb/s, limited
/// by 9 dB: docs/benchmarks.md. What is rarer than that is left to a dip.
const fn margin_db(format: Format) -> f64 {
    match format {
        Format::Flac | Format::Wav => 0.1,
        Format::M4b => 1.8,
        Format::Mp3 => 1.4,
        Format::Opus => 2.4,
    }
}

/// Where that was not enough, the ceiling is lowered by what was too much and this: an encoder's
/// overshoot does not follow the ceiling exactly.
const ANOTHER_MARGIN_DB: f64 = 0.3;

/// A rehearsal's correction is trusted without another one up to this many decibels: what it misses by
/// is a small part of it.
const TRUSTED_CORRECTION_DB: f64 = 0.7;

/// More gain makes the limiter take more: of each decibel given, about this much is lost again.
const LOST_AGAIN: f64 = 0.15;

/// Rehearsals at most: each brings the loudness nearer by what the one before missed.
pub(crate) const MAX_REHEARSALS: u32 = 3;

/// Encodes at most this often; by then the levels are as right as this material allows.
pub(crate) const MAX_ENCODES: u32 = 4;

/// Gain before the limiter, and the limiter's ceiling.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Levels {
    pub gain_db: f64,
    pub ceiling_db: f64,
}

/// Rounded to a hundredth of a decibel, so that the last bits of a measurement do not reach the sound.
fn rounded(gain_db: f64) -> f64 {
    (gain_db.min(MAX_GAIN_DB) * 100.0).round() / 100.0
}

/// A level in decibels as a factor.
pub(crate) fn factor(db: f64) -> f32 {
    10_f64.powf(db / 20.0) as f32
}

/// Levels for a programme that measures `takes`. Silence is left as it is.
pub(crate) fn first_levels(takes: &Measurement, settings: &Audio, format: Format) -> Levels {
    let gain_db = takes.loudness_lufs.map_or(0.0, |lufs| rounded(settings.loudness_lufs - lufs));
    Levels { gain_db, ceiling_db: settings.true_peak_db - margin_db(format) }
}

/// Whether these levels can reach the limiter at all.
pub(crate) fn limits(takes: &Measurement, levels: Levels) -> bool {
    takes.true_peak_db.is_some_and(|peak| peak + levels.gain_db > levels.ceiling_db)
}

/// Levels after a rehearsal that measured `rehearsed`, and whether to rehearse them too.
pub(crate) fn corrected_levels(rehearsed: &Measurement, settings: &Audio, used: Levels) -> (Levels, bool) {
    let Some(lufs) = rehearsed.loudness_lufs else { return (used, false) };
    let correction = (settings.loudness_lufs - lufs) * (1.0 + LOST_AGAIN);
    let next = Levels { gain_db: rounded(used.gain_db + correction), ..used };
    (next, correction.abs() > TRUSTED_CORRECTION_DB && next != used)
}

/// Levels and dips for another try.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Next {
    pub levels: Levels,
    pub dips: Dips,
}

/// What to change after a try that delivered `delivered`, with `excesses` over the wanted peak, of a
/// programme of `seconds`; none when it was right, or as right as more gain can make it.
pub(crate) fn next_try(
    delivered: &Measurement,
    excesses: &[Excess],
    seconds: f64,
    settings: &Audio,
    used: (Levels, &Dips),
) -> Option<Next> {
    let (levels, dips) = used;
    let mut deeper = dips.clone();
    let few = !excesses.is_empty() && excesses.len() as f64 * DIP_S <= seconds * MOST_DIPPED;
    let over = delivered.true_peak_db.map_or(0.0, |peak| peak - settings.true_peak_db);
    let ceiling_db =
        if over > 0.0 && !few { levels.ceiling_db - over - ANOTHER_MARGIN_DB } else { levels.ceiling_db };
    if over > 0.0 && few {
        deeper.deepen(excesses, ANOTHER_MARGIN_DB);
    }
    let missing = delivered.loudness_lufs.map_or(0.0, |lufs| settings.loudness_lufs - lufs);
    let gain_db =
        if missing.abs() > LOUDNESS_TOLERANCE { rounded(levels.gain_db + missing) } else { levels.gain_db };
    let next = Next { levels: Levels { gain_db, ceiling_db }, dips: deeper };
    ((next.levels, &next.dips) != (levels, dips)).then_some(next)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "bit for bit is what is promised")]
mod tests {
    use super::*;

    fn measured(loudness: f64, peak: f64) -> Measurement {
        Measurement { loudness_lufs: Some(loudness), true_peak_db: Some(peak), ..Measurement::default() }
    }

    #[test]
    fn the_gain_is_what_is_missing() {
        let settings = Audio::default();
        let levels = first_levels(&measured(-23.456_7, -4.0), &settings, Format::Wav);
        assert_eq!(levels, Levels { gain_db: 5.46, ceiling_db: -3.1 });
        assert_eq!(first_levels(&Measurement::default(), &settings, Format::M4b).gain_db, 0.0);
        assert_eq!(first_levels(&measured(-69.0, -60.0), &settings, Format::M4b).gain_db, MAX_GAIN_DB);
    }

    #[test]
    fn a_rehearsal_makes_good_what_the_limiter_takes() {
        let settings = Audio::default();
        let used = Levels { gain_db: 5.0, ceiling_db: -3.6 };
        assert!(limits(&measured(-23.0, -8.0), used) && !limits(&measured(-23.0, -9.0), used));
        let corrected = |lufs| corrected_levels(&measured(lufs, -3.6), &settings, used);
        assert_eq!(corrected(-18.4), (Levels { gain_db: 5.46, ceiling_db: -3.6 }, false));
        assert_eq!(corrected(-20.0), (Levels { gain_db: 7.3, ceiling_db: -3.6 }, true));
        assert_eq!(corrected_levels(&Measurement::default(), &settings, used), (used, false));
    }

    fn after(delivered: &Measurement, excesses: &[Excess], seconds: f64, gain_db: f64) -> Option<Next> {
        let used = Levels { gain_db, ceiling_db: -3.6 };
        next_try(delivered, excesses, seconds, &Audio::default(), (used, &Dips::default()))
    }

    #[test]
    fn another_try_corrects_what_was_off_and_only_that() {
        assert_eq!(after(&measured(-18.4, -3.0), &[], 60.0, 5.0), None);
        let everywhere: Vec<Excess> = (0..10).map(|at| Excess { at: at * 24_000, db: 0.5 }).collect();
        let next = after(&measured(-18.2, -2.5), &everywhere, 60.0, 5.0).unwrap();
        assert!((next.levels.ceiling_db - -4.4).abs() < 1e-9 && next.levels.gain_db == 5.0);
        assert_eq!(next.dips.len(), 0);
        let next = after(&measured(-19.0, -3.4), &[], 60.0, 5.0).unwrap();
        assert_eq!(next.levels, Levels { gain_db: 6.0, ceiling_db: -3.6 });
        assert_eq!(after(&measured(-30.0, -3.4), &[], 60.0, MAX_GAIN_DB), None);
    }

    #[test]
    fn one_glitch_in_ten_hours_does_not_lower_the_book() {
        let glitch = [Excess { at: 1_000_000, db: 3.4 }];
        let next = after(&measured(-18.1, 0.4), &glitch, 36_000.0, 8.5).unwrap();
        assert_eq!(next.levels, Levels { gain_db: 8.5, ceiling_db: -3.6 });
        assert_eq!(next.dips.len(), 1);
    }
}
