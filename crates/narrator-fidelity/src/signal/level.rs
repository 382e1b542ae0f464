//! Level, clipping, and how a take ends.

use super::frames::{Frames, level_db};
use super::{Finding, SignalFault};

/// Below this there is nothing to hear.
const SILENT_DB: f32 = -70.0;
/// Below this a voice is lost in the noise of playback. 150 takes of the starter voice lie between −23 and −20.
const QUIET_DB: f32 = -50.0;
/// Full scale, less what 16 bits round away.
const CEILING: f32 = 0.9995;
/// Peaks that merely touch the ceiling are one or two samples long.
const CLIPPED_SAMPLES: usize = 4;
/// The end of a take that is looked at.
const END_MS: u32 = 15;
/// A take has ended when it is at least this far below its voice. All of 400 takes of the starter voice are, by
/// 76 and more; the rest is for voices that end in breath and room.
const END_BELOW_DB: f32 = 24.0;
/// Step in which the voice is followed to where it ends.
const STEP_MS: u32 = 5;
/// Steps of silence behind it that make an end, and steps in which a voice may fall.
const SILENT_STEPS: usize = 4;
const FALL_STEPS: usize = 1;
/// A voice that ends is at least this far below itself by then. Of 3,200 takes of the starter voice, each with
/// several ends, the nearest is at 15.1; cut within a word it is at 10 and less, most of the time.
const FALL_BELOW_DB: f32 = 14.0;

pub(super) fn too_quiet(frames: &Frames, audio_ms: u32) -> Option<Finding> {
    let measure = frames.voice_db;
    let (kind, limit) = match measure {
        db if db < SILENT_DB => (SignalFault::Silent, SILENT_DB),
        db if db < QUIET_DB => (SignalFault::Quiet, QUIET_DB),
        _ => return None,
    };
    Some(Finding { kind, start_ms: 0, end_ms: audio_ms, measure, limit })
}

/// The longest run of samples at the ceiling.
pub(super) fn clipped(pcm: &[f32], rate: u32) -> Option<Finding> {
    let (mut longest, mut end, mut run) = (0, 0, 0);
    for (at, sample) in pcm.iter().enumerate() {
        run = if sample.abs() >= CEILING { run + 1 } else { 0 };
        if run > longest {
            (longest, end) = (run, at + 1);
        }
    }
    let ms = |samples: usize| (samples as u64 * 1000 / u64::from(rate)) as u32;
    (longest >= CLIPPED_SAMPLES).then(|| Finding {
        kind: SignalFault::Clipped,
        start_ms: ms(end - longest),
        end_ms: ms(end),
        measure: longest as f32,
        limit: CLIPPED_SAMPLES as f32,
    })
}

/// Sound at the very end: a take whose last samples are still of its voice was cut off.
pub(super) fn sudden_end(pcm: &[f32], rate: u32, frames: &Frames) -> Option<Finding> {
    let samples = (rate * END_MS / 1000) as usize;
    let below = frames.voice_db - level_db(&pcm[pcm.len().saturating_sub(samples)..]);
    let end_ms = (pcm.len() as u64 * 1000 / u64::from(rate)) as u32;
    (below < END_BELOW_DB).then(|| sudden(end_ms.saturating_sub(END_MS)..end_ms, below, END_BELOW_DB))
}

/// Where the voice falls silent from full level within a few milliseconds: no mouth closes so fast, so something
/// was cut out there.
pub(super) fn sudden_falls(pcm: &[f32], rate: u32, frames: &Frames) -> Vec<Finding> {
    let step = (rate * STEP_MS / 1000).max(1) as usize;
    let levels: Vec<f32> = pcm.chunks_exact(step).map(level_db).collect();
    let mut findings: Vec<Finding> = Vec::new();
    for (at, window) in levels.windows(1 + FALL_STEPS + SILENT_STEPS).enumerate() {
        let below = frames.voice_db - window[0];
        let start_ms = at as u32 * STEP_MS;
        let is_known = findings.last().is_some_and(|last| last.end_ms == start_ms);
        let falls = window[1 + FALL_STEPS..].iter().all(|&db| frames.is_silent(db));
        if below < FALL_BELOW_DB && falls && !is_known {
            findings.push(sudden(start_ms..start_ms + STEP_MS, below, FALL_BELOW_DB));
        }
    }
    findings
}

fn sudden(at: std::ops::Range<u32>, measure: f32, limit: f32) -> Finding {
    Finding { kind: SignalFault::SuddenEnd, start_ms: at.start, end_ms: at.end, measure, limit }
}
