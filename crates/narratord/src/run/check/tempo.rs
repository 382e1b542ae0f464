//! How fast the voice of a book speaks, learnt from its first takes.
//!
//! What no voice does is found too short or too long in any take; half of a slow voice's text gone is found
//! only by who knows that it is slow. The pace is the median of the first takes of the first texts that are
//! long enough to tell, whether they were accepted or not: what a median is for. These takes are in the job
//! whatever was killed when, so every run of it judges by the same pace.

use std::collections::HashSet;

use narrator_core::{Script, Segment};
use narrator_fidelity::signal::{self, Pace};
use narrator_journal::take_path;

use crate::job::JobDir;

/// Takes that tell the pace: a batch of the largest voices, and a minute of the smallest.
const TAKES: usize = 16;
/// Fewer say nothing.
const FEWEST: usize = 8;

/// The segments whose first takes tell the pace, each content once; none in a script that has too few.
pub fn tellers(script: &Script) -> Vec<&Segment> {
    let mut known = HashSet::new();
    let tells = |segment: &&Segment| signal::tells_pace(&segment.text) && known.insert(segment.key);
    let tellers: Vec<&Segment> = script.segments.iter().filter(tells).take(TAKES).collect();
    if tellers.len() < FEWEST { Vec::new() } else { tellers }
}

/// The pace of the takes that are there.
pub fn learn(script: &Script, job: &JobDir) -> Option<Pace> {
    let of = |segment: &Segment| {
        let pcm = narrator_audio::flac::decode(&take_path(&job.takes(), &segment.key, 0)).ok()?;
        let seen = signal::examine(&pcm.samples, pcm.rate, &segment.text, None);
        signal::letters_per_s(&seen, &segment.text)
    };
    let mut paces: Vec<f32> = tellers(script).into_iter().filter_map(of).collect();
    paces.sort_by(f32::total_cmp);
    let median = paces.get(paces.len() / 2).copied();
    median.filter(|_| paces.len() >= FEWEST).map(|letters_per_s| Pace { letters_per_s })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::check::testing::script_of;

    fn texts(count: usize) -> Vec<String> {
        (0..count)
            .map(|n| format!("Nobody in the village had ever seen a thing like number {n} before."))
            .collect()
    }

    fn script(texts: &[String]) -> Script {
        script_of(&texts.iter().map(|text| (text.as_str(), 350)).collect::<Vec<_>>())
    }

    /// Puts a hum of this many seconds in the place of a first take.
    fn speak(job: &JobDir, segment: &Segment, seconds: f32) {
        let rate = 8_000;
        let samples = (0..(seconds * 8_000.0) as usize).map(|n| (n as f32 * 0.3).sin() * 0.3);
        let flac = narrator_audio::flac::encode(&samples.collect::<Vec<_>>(), rate).expect("a take");
        let path = take_path(&job.takes(), &segment.key, 0);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, flac).expect("a take");
    }

    #[test]
    fn the_pace_is_the_middle_one_of_the_first_takes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (job, script) = (JobDir::new(folder.path()), script(&texts(20)));
        assert_eq!(learn(&script, &job), None);
        for (segment, seconds) in script.segments.iter().zip([4.0, 4.0, 40.0, 4.0, 4.0, 4.0, 4.0, 4.0, 0.4]) {
            speak(&job, segment, seconds);
        }
        let pace = learn(&script, &job).expect("a pace").letters_per_s;
        assert!((12.0..17.0).contains(&pace), "{pace}");
    }

    #[test]
    fn short_texts_and_few_texts_tell_nothing() {
        let mut texts = texts(40);
        assert_eq!(tellers(&script(&texts)).len(), TAKES);
        texts[0] = "No!".into();
        texts[2] = texts[1].clone();
        let few = script(&texts[..8]);
        let script = script(&texts);
        let ids: Vec<u32> = tellers(&script).iter().map(|segment| segment.id.0).collect();
        assert_eq!(ids[..2], [2, 4]);
        assert!(tellers(&few).is_empty());
    }
}
