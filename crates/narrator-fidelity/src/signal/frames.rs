//! Levels in steps of ten milliseconds: where there is voice and where there is silence.

use std::ops::Range;

/// Step of a frame; windows are twice as long.
pub(super) const STEP_MS: u32 = 10;
/// Level of what has no sound at all.
const FLOOR_DB: f32 = -120.0;
/// A frame this far below the voice's loud frames is silence: breath and room, not speech. A choice; the
/// pauses of the starter voice are digital silence.
const SILENCE_BELOW_DB: f32 = 42.0;
/// Silences shorter than this are closures of consonants.
const SILENCE_MS: u32 = 120;

pub(super) struct Frames {
    /// Level of each frame, dBFS.
    pub(super) db: Vec<f32>,
    /// The level that a tenth of the frames is above.
    pub(super) voice_db: f32,
}

impl Frames {
    pub(super) fn of(pcm: &[f32], rate: u32) -> Self {
        let step = (rate * STEP_MS / 1000).max(1) as usize;
        let db: Vec<f32> = (0..pcm.len().div_ceil(step))
            .map(|at| {
                let start = (at * step).saturating_sub(step / 2);
                level_db(&pcm[start..(at * step + step + step / 2).min(pcm.len())])
            })
            .collect();
        let mut sorted = db.clone();
        sorted.sort_by(f32::total_cmp);
        let voice_db = sorted.get(sorted.len() * 9 / 10).copied().unwrap_or(FLOOR_DB);
        Self { db, voice_db }
    }

    pub(super) fn is_silence(&self, at: usize) -> bool {
        self.is_silent(self.db[at])
    }

    /// Whether a level is silence beside this voice.
    pub(super) fn is_silent(&self, db: f32) -> bool {
        db < self.voice_db - SILENCE_BELOW_DB
    }

    /// From the first to the last frame with sound.
    pub(super) fn voice_ms(&self) -> Range<u32> {
        let first = (0..self.db.len()).find(|&at| !self.is_silence(at)).unwrap_or(0);
        let last = (0..self.db.len()).rfind(|&at| !self.is_silence(at)).map_or(0, |at| at + 1);
        first as u32 * STEP_MS..last as u32 * STEP_MS
    }

    /// Silences between the first and the last sound.
    pub(super) fn silences(&self) -> Vec<Range<u32>> {
        let voice = self.voice_ms();
        let inside = |run: &Range<u32>| run.start > voice.start && run.end < voice.end;
        self.runs(true).filter(|run| run.end - run.start >= SILENCE_MS && inside(run)).collect()
    }

    /// Stretches of sound, closures of consonants included.
    pub(super) fn sounding(&self) -> Vec<Range<u32>> {
        let mut sounding: Vec<Range<u32>> = Vec::new();
        for run in self.runs(false) {
            match sounding.last_mut() {
                Some(last) if run.start - last.end < SILENCE_MS => last.end = run.end,
                _ => sounding.push(run),
            }
        }
        sounding
    }

    fn runs(&self, silent: bool) -> impl Iterator<Item = Range<u32>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < self.db.len() && self.is_silence(at) != silent {
                at += 1;
            }
            let start = at;
            while at < self.db.len() && self.is_silence(at) == silent {
                at += 1;
            }
            (at > start).then_some(start as u32 * STEP_MS..at as u32 * STEP_MS)
        })
    }
}

/// Root mean square in decibels of full scale.
pub(super) fn level_db(pcm: &[f32]) -> f32 {
    if pcm.is_empty() {
        return FLOOR_DB;
    }
    let energy: f64 = pcm.iter().map(|&sample| f64::from(sample) * f64::from(sample)).sum();
    let mean = energy / pcm.len() as f64;
    (10.0 * mean.max(1e-12).log10()) as f32
}
