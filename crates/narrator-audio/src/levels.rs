//! Which gain and which ceiling: decided from measurements, pure.

use narrator_core::settings::Audio;

use crate::loudness::Measurement;

/// Delivered loudness within this of the target is right. EBU R 128 allows half a unit where a programme
/// is made in one go.
const LOUDNESS_TOLERANCE: f64 = 0.3;

/// No more gain than this: what needs more is noise, and raising it helps nobody.
const MAX_GAIN_DB: f64 = 30.0;

/// The limiter stays below the wanted peak by this, for the rounding to 16 bits and for meters that
/// look closer than four times between the samples.
const MARGIN_DB: f64 = 0.1;

/// And by this for lossy formats, which do not give the wave back as it was. Measured on speech at
/// 64 kb/s, limited by 5 dB: docs/benchmarks.md.
const LOSSY_MARGIN_DB: f64 = 0.6;

/// A rehearsal corrects what the limiter takes when it is more than this.
const REHEARSED_TOLERANCE: f64 = 0.05;

/// Rehearsals at most: each brings the loudness nearer by what the one before missed.
pub(crate) const MAX_REHEARSALS: u32 = 3;

/// Encodes at most this often; after the second the levels are as right as this material allows.
pub(crate) const MAX_ENCODES: u32 = 3;

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
pub(crate) fn first_levels(takes: &Measurement, settings: &Audio, lossy: bool) -> Levels {
    let gain_db = takes.loudness_lufs.map_or(0.0, |lufs| rounded(settings.loudness_lufs - lufs));
    let margin = if lossy { LOSSY_MARGIN_DB } else { MARGIN_DB };
    Levels { gain_db, ceiling_db: settings.true_peak_db - margin }
}

/// Whether these levels can reach the limiter at all.
pub(crate) fn limits(takes: &Measurement, levels: Levels) -> bool {
    takes.true_peak_db.is_some_and(|peak| peak + levels.gain_db > levels.ceiling_db)
}

/// Levels after a rehearsal that measured `rehearsed`; none when it was right.
pub(crate) fn corrected_levels(rehearsed: &Measurement, settings: &Audio, used: Levels) -> Option<Levels> {
    let missing = settings.loudness_lufs - rehearsed.loudness_lufs?;
    let next = Levels { gain_db: rounded(used.gain_db + missing), ..used };
    (missing.abs() > REHEARSED_TOLERANCE && next != used).then_some(next)
}

/// Levels for another try after one that delivered `delivered`; none when it was right, or as right as
/// more gain can make it.
pub(crate) fn next_levels(delivered: &Measurement, settings: &Audio, used: Levels) -> Option<Levels> {
    let over = delivered.true_peak_db.map_or(0.0, |peak| peak - settings.true_peak_db);
    let ceiling_db = if over > 0.0 { used.ceiling_db - over - MARGIN_DB } else { used.ceiling_db };
    let missing = delivered.loudness_lufs.map_or(0.0, |lufs| settings.loudness_lufs - lufs);
    let gain_db =
        if missing.abs() > LOUDNESS_TOLERANCE { rounded(used.gain_db + missing) } else { used.gain_db };
    let next = Levels { gain_db, ceiling_db };
    (next != used).then_some(next)
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
        let levels = first_levels(&measured(-23.456_7, -4.0), &settings, false);
        assert_eq!(levels, Levels { gain_db: 5.46, ceiling_db: -3.1 });
        assert_eq!(first_levels(&Measurement::default(), &settings, true).gain_db, 0.0);
        assert_eq!(first_levels(&measured(-69.0, -60.0), &settings, true).gain_db, MAX_GAIN_DB);
    }

    #[test]
    fn a_rehearsal_makes_good_what_the_limiter_takes() {
        let settings = Audio::default();
        let used = Levels { gain_db: 5.0, ceiling_db: -3.6 };
        assert!(limits(&measured(-23.0, -8.0), used) && !limits(&measured(-23.0, -9.0), used));
        let next = corrected_levels(&measured(-18.3, -3.6), &settings, used);
        assert_eq!(next, Some(Levels { gain_db: 5.3, ceiling_db: -3.6 }));
        assert_eq!(corrected_levels(&measured(-18.04, -3.6), &settings, used), None);
    }

    #[test]
    fn another_try_corrects_what_was_off_and_only_that() {
        let settings = Audio::default();
        let used = Levels { gain_db: 5.0, ceiling_db: -3.6 };
        assert_eq!(next_levels(&measured(-18.2, -3.0), &settings, used), None);
        let next = next_levels(&measured(-18.2, -2.5), &settings, used).unwrap();
        assert!((next.ceiling_db - -4.2).abs() < 1e-9 && next.gain_db == used.gain_db);
        let next = next_levels(&measured(-19.0, -3.4), &settings, used).unwrap();
        assert_eq!(next, Levels { gain_db: 6.0, ceiling_db: -3.6 });
        let at_most = Levels { gain_db: MAX_GAIN_DB, ceiling_db: -3.6 };
        assert_eq!(next_levels(&measured(-30.0, -3.4), &settings, at_most), None);
    }
}
