//! Whether a clip can give a good voice, and what to do when it cannot. Pure.

use std::fmt;

/// A clip must have this much speech: the least that the published model is said to clone from.
const LEAST_SECONDS: f64 = 3.0;
/// More than this makes every segment slower and no voice better.
const MOST_SECONDS: f64 = 30.0;
/// Levels are measured over frames of this many seconds.
const FRAME_SECONDS: f64 = 0.02;
/// Speech below this is a whisper from across the room, or silence.
const QUIETEST_DB: f32 = -45.0;
/// Pauses must be this far below the speech, or what is heard in them is cloned with the voice.
const LEAST_DISTANCE_DB: f32 = 15.0;
/// And should be this far.
const GOOD_DISTANCE_DB: f32 = 30.0;
/// Louder than the speech less this is no pause.
const PAUSE_BELOW_DB: f32 = 35.0;
/// Samples cut off at the top are heard from about one in a thousand.
const MOST_CLIPPED: f64 = 1e-3;
/// This many samples at the same top are no coincidence.
const CLIPPED_RUN: usize = 3;
/// Kept before the first sound and after the last.
const LEAD_SECONDS: f64 = 0.1;
const TAIL_SECONDS: f64 = 0.5;

/// What is wrong with a clip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Concern {
    NotNumbers,
    Silent,
    TooShort,
    TooLong,
    Clipped,
    Noisy,
    CutOff,
}

/// Something to say about a clip.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    pub concern: Concern,
    /// Bad enough not to use the clip.
    pub refuses: bool,
    pub what: String,
    pub advice: &'static str,
}

impl Finding {
    fn new(concern: Concern, refuses: bool, what: String, advice: &'static str) -> Self {
        Self { concern, refuses, what, advice }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; hint: {}", self.what, self.advice)
    }
}

/// What the recording itself shows: samples that are numbers, and clipping.
pub(super) fn recording(samples: &[f32], rate: u32) -> Vec<Finding> {
    if samples.iter().any(|sample| !sample.is_finite()) {
        return vec![Finding::new(
            Concern::NotNumbers,
            true,
            "the clip has samples that are not numbers".into(),
            "the file is damaged: export it again",
        )];
    }
    let clipped = clipped_samples(samples);
    let share = clipped as f64 / samples.len().max(1) as f64;
    let refuses = share > MOST_CLIPPED;
    // A few are worth a word when there are more than one in a second.
    if clipped == 0 || (!refuses && (clipped as f64) < samples.len() as f64 / f64::from(rate.max(1))) {
        return Vec::new();
    }
    vec![Finding::new(
        Concern::Clipped,
        refuses,
        format!("the clip is overdriven: {clipped} samples ({:.2} %) are cut off at the top", share * 100.0),
        "record again with less gain, so that the loudest word stays below -3 dB",
    )]
}

/// Samples in runs that stay at the clip's own top, when that is full scale.
fn clipped_samples(samples: &[f32]) -> usize {
    let top = samples.iter().fold(0.0_f32, |top, sample| top.max(sample.abs()));
    if top < 0.98 {
        return 0;
    }
    let at_top = |sample: &f32| sample.abs() >= 0.998 * top.min(1.0);
    samples
        .chunk_by(|a, b| at_top(a) == at_top(b) && (*a < 0.0) == (*b < 0.0))
        .filter(|run| run.len() >= CLIPPED_RUN && at_top(&run[0]))
        .map(<[f32]>::len)
        .sum()
}

/// The clip without the silence around its speech but for what a clone needs, and what its levels show.
pub(super) fn trimmed(samples: Vec<f32>, rate: u32) -> (Vec<f32>, Vec<Finding>) {
    let frame = ((f64::from(rate) * FRAME_SECONDS) as usize).max(1);
    let levels: Vec<f32> = samples.chunks(frame).map(level_db).collect();
    let speech = percentile(&levels, 0.9);
    if speech < QUIETEST_DB {
        let what = if speech <= -120.0 {
            "the clip is silent".to_string()
        } else {
            format!("the clip is nearly silent: its speech lies at {speech:.0} dB")
        };
        let advice = "record nearer to the microphone, so that speech lies at -30 to -15 dB";
        return (samples, vec![Finding::new(Concern::Silent, true, what, advice)]);
    }
    let loud = |level: &f32| *level > speech - PAUSE_BELOW_DB;
    let first = levels.iter().position(loud).unwrap_or(0) * frame;
    let last = levels.iter().rposition(loud).map_or(samples.len(), |index| (index + 1) * frame);
    let last = last.min(samples.len());
    let spoken = &levels[first / frame..last.div_ceil(frame)];
    let mut findings = length((last - first) as f64 / f64::from(rate));
    findings.extend(noise(speech - percentile(spoken, 0.1)));
    // The last frame may be a short one; what stands before it tells as well.
    if last + 2 * frame > samples.len() {
        findings.push(Finding::new(
            Concern::CutOff,
            false,
            "the clip ends in sound, perhaps inside a word".into(),
            "end it at the end of a sentence, with half a second of silence after it",
        ));
    }
    let seconds = |seconds: f64| (f64::from(rate) * seconds) as usize;
    let start = first.saturating_sub(seconds(LEAD_SECONDS));
    let tail = seconds(TAIL_SECONDS);
    let end = (last + tail).min(samples.len());
    let mut kept = samples[start..end].to_vec();
    fade_out(&mut kept, frame);
    // Silence where the recording has none left.
    kept.resize(last - start + tail, 0.0);
    (kept, findings)
}

fn length(seconds: f64) -> Vec<Finding> {
    if seconds < LEAST_SECONDS {
        return vec![Finding::new(
            Concern::TooShort,
            true,
            format!("the clip has only {seconds:.1} s of speech"),
            "5 to 15 seconds of one person speaking calmly make a good voice; 3 are the least",
        )];
    }
    if seconds > MOST_SECONDS {
        return vec![Finding::new(
            Concern::TooLong,
            true,
            format!("the clip has {seconds:.0} s of speech"),
            "cut out the best 5 to 15 seconds, from the start of a sentence to the end of one; 30 are the most",
        )];
    }
    Vec::new()
}

/// `distance`: from the speech down to its pauses.
fn noise(distance: f32) -> Option<Finding> {
    let refuses = distance < LEAST_DISTANCE_DB;
    (distance < GOOD_DISTANCE_DB).then(|| {
        Finding::new(
            Concern::Noisy,
            refuses,
            format!("the clip has noise or music only {:.0} dB below the speech", distance.max(0.0)),
            "record in a quiet room without fan, echo or music; the model clones what it hears",
        )
    })
}

/// Takes the last `length` samples down to nothing, so that silence can follow without a click.
fn fade_out(samples: &mut [f32], length: usize) {
    let length = length.min(samples.len());
    let start = samples.len() - length;
    for (index, sample) in samples[start..].iter_mut().enumerate() {
        *sample *= 1.0 - (index + 1) as f32 / length as f32;
    }
}

/// Root mean square, in decibels of full scale; silence is -120.
fn level_db(samples: &[f32]) -> f32 {
    let energy: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    let mean = energy / samples.len().max(1) as f64;
    (10.0 * (mean + 1e-12).log10()) as f32
}

fn percentile(levels: &[f32], share: f64) -> f32 {
    let mut sorted = levels.to_vec();
    sorted.sort_by(f32::total_cmp);
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(-120.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 24_000;

    /// Syllables of a tone, four a second, over a noise of `noise`.
    fn speech(seconds: f64, loud: f32, noise: f32) -> Vec<f32> {
        let mut state = 1_u32;
        (0..(f64::from(RATE) * seconds) as usize)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let hiss = noise * (f64::from(state) / f64::from(u32::MAX) - 0.5) as f32;
                let spoken = n % 6000 < 4000;
                let tone = (n as f32 * 0.05).sin() * loud;
                hiss + if spoken { tone } else { 0.0 }
            })
            .collect()
    }

    fn silence(seconds: f64) -> Vec<f32> {
        vec![0.0; (f64::from(RATE) * seconds) as usize]
    }

    fn found(samples: &[f32]) -> Vec<(Concern, bool)> {
        let mut findings = recording(samples, RATE);
        findings.extend(trimmed(samples.to_vec(), RATE).1);
        findings.iter().map(|finding| (finding.concern, finding.refuses)).collect()
    }

    fn framed(speech: Vec<f32>) -> Vec<f32> {
        [silence(1.0), speech, silence(1.0)].concat()
    }

    #[test]
    fn a_good_clip_is_trimmed_and_ends_in_half_a_second_of_silence() {
        let clip = framed(speech(6.0, 0.3, 0.0));
        assert_eq!(found(&clip), []);
        let (kept, _) = trimmed(clip, RATE);
        let seconds = kept.len() as f64 / f64::from(RATE);
        // The last syllable's pause belongs to the silence after it.
        assert!((6.4..6.7).contains(&seconds), "{seconds}");
        assert!(kept[kept.len() - 10_000..].iter().all(|sample| *sample == 0.0));
        assert!(kept.iter().any(|sample| sample.abs() > 0.29));
    }

    #[test]
    fn what_makes_a_clip_useless_is_told_apart() {
        let refused = |concern| [(concern, true)].to_vec();
        assert_eq!(found(&silence(5.0)), refused(Concern::Silent));
        assert_eq!(found(&framed(speech(6.0, 0.003, 0.0))), refused(Concern::Silent));
        assert_eq!(found(&framed(speech(2.0, 0.3, 0.0))), refused(Concern::TooShort));
        assert_eq!(found(&framed(speech(40.0, 0.3, 0.0))), refused(Concern::TooLong));
        assert_eq!(found(&framed(speech(6.0, 0.3, 0.3))), refused(Concern::Noisy));
        let overdriven: Vec<f32> = speech(6.0, 3.0, 0.0).iter().map(|x| x.clamp(-1.0, 1.0)).collect();
        assert_eq!(found(&framed(overdriven)), refused(Concern::Clipped));
        assert!(recording(&[f32::NAN], RATE)[0].refuses);
    }

    #[test]
    fn what_can_be_lived_with_is_said_and_not_refused() {
        assert_eq!(found(&framed(speech(6.0, 0.3, 0.05))), [(Concern::Noisy, false)]);
        let mut cut = speech(5.0, 0.3, 0.0);
        cut.truncate(cut.len() - 3000);
        assert_eq!(found(&cut), [(Concern::CutOff, false)]);
    }

    #[test]
    fn a_loud_clip_that_touches_the_top_once_is_not_overdriven() {
        let mut clip = speech(6.0, 0.9, 0.0);
        clip[2000] = 1.0;
        assert_eq!(recording(&clip, RATE), []);
    }
}
