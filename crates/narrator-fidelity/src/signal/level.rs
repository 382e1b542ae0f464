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
/// A voice that has ended is at least this far below itself. All of 150 takes of the starter voice end in
/// silence, more than 90 below.
const END_BELOW_DB: f32 = 18.0;

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

/// Energy at the cut: a take whose last samples are still in full voice was cut off.
pub(super) fn sudden_end(pcm: &[f32], rate: u32, frames: &Frames) -> Option<Finding> {
    let samples = (rate * END_MS / 1000) as usize;
    let below = frames.voice_db - level_db(&pcm[pcm.len().saturating_sub(samples)..]);
    let end_ms = (pcm.len() as u64 * 1000 / u64::from(rate)) as u32;
    (below < END_BELOW_DB).then(|| Finding {
        kind: SignalFault::SuddenEnd,
        start_ms: end_ms.saturating_sub(END_MS),
        end_ms,
        measure: below,
        limit: END_BELOW_DB,
    })
}
