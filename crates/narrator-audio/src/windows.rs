//! A finished audio file, decoded and cut into windows that can be heard one by one.
//!
//! ffmpeg decodes whatever it can to mono at the rate that recognisers want; the cut goes into the longest
//! silence near the end of a window, so that no word is in two of them. Where there is none (music, noise, a
//! breathless reader) it goes where the signal is weakest.
//!
//! Invariant, held by a property test: the windows, one after the other, are the decoded samples, all of them
//! and no other.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::error::AudioError;
use crate::ffmpeg::{Ffmpeg, Run, file_url};

/// What recognisers hear at.
pub const LISTENING_RATE: u32 = 16_000;
/// Longest window: what the common recognisers take at once, less a little for their own padding.
const LONGEST_S: f64 = 29.0;
/// A cut is looked for from here to the end of the window.
const SHORTEST_S: f64 = 18.0;
/// Frames of the search.
const FRAME: usize = 320;
/// A frame this far below the loudest of its window is silence, in energy: 45 dB.
const SILENCE: f32 = 3.2e-5;

/// One stretch of the audio.
#[derive(Clone, PartialEq, Debug)]
pub struct Window {
    /// Where it begins, in samples at [`LISTENING_RATE`].
    pub start: u64,
    pub pcm: Vec<f32>,
}

impl Window {
    pub fn start_ms(&self) -> u64 {
        self.start * 1000 / u64::from(LISTENING_RATE)
    }
}

/// The windows of one file, or of several that follow each other.
#[derive(Debug)]
pub struct Windows {
    ffmpeg: Ffmpeg,
    files: VecDeque<PathBuf>,
    source: Option<(PathBuf, Run)>,
    buffer: Vec<f32>,
    /// Samples given so far.
    given: u64,
    ended: bool,
}

impl Windows {
    /// Of these files, in this order.
    pub fn of(ffmpeg: &Ffmpeg, files: &[PathBuf]) -> Self {
        Self {
            ffmpeg: ffmpeg.clone(),
            files: files.iter().cloned().collect(),
            source: None,
            buffer: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    /// Samples given so far, at [`LISTENING_RATE`].
    pub fn given(&self) -> u64 {
        self.given
    }

    /// The next window; none at the end.
    pub fn next_window(&mut self) -> Result<Option<Window>, AudioError> {
        let longest = (LONGEST_S * f64::from(LISTENING_RATE)) as usize;
        while self.buffer.len() < longest && !self.ended {
            self.fill(longest)?;
        }
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let end = if self.buffer.len() >= longest { cut(&self.buffer[..longest]) } else { self.buffer.len() };
        let rest = self.buffer.split_off(end);
        let pcm = std::mem::replace(&mut self.buffer, rest);
        let start = self.given;
        self.given += pcm.len() as u64;
        Ok(Some(Window { start, pcm }))
    }

    /// Reads on until `enough` samples are there or the current file ends.
    fn fill(&mut self, enough: usize) -> Result<(), AudioError> {
        if self.source.is_none() {
            let Some(file) = self.files.pop_front() else {
                self.ended = true;
                return Ok(());
            };
            let run = decode(&self.ffmpeg, &file)?;
            self.source = Some((file, run));
        }
        let Some((file, run)) = &mut self.source else { return Ok(()) };
        let wanted = (enough - self.buffer.len().min(enough)) * size_of::<f32>();
        let mut bytes = Vec::new();
        let read = match &mut run.stdout {
            Some(stdout) => stdout.by_ref().take(wanted as u64).read_to_end(&mut bytes),
            None => Ok(0),
        };
        let read =
            read.map_err(|source| AudioError::Disk { action: "decode", path: file.clone(), source })?;
        let (samples, _) = bytes.as_chunks::<{ size_of::<f32>() }>();
        self.buffer.extend(samples.iter().map(|sample| f32::from_le_bytes(*sample)));
        if read < wanted
            && let Some((path, run)) = self.source.take()
        {
            run.finish("decoding the audiobook").map_err(|error| match error {
                AudioError::Encoder { said, .. } if !said.is_empty() => AudioError::Unplayable { path, said },
                other => other,
            })?;
        }
        Ok(())
    }
}

fn decode(ffmpeg: &Ffmpeg, file: &Path) -> Result<Run, AudioError> {
    let before = ["-hide_banner", "-nostdin", "-v", "error", "-i"].map(OsString::from);
    let rate = LISTENING_RATE.to_string();
    let after = ["-map", "0:a:0", "-ac", "1", "-ar", &rate, "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1"];
    let args = before.into_iter().chain([file_url(file)]).chain(after.map(OsString::from));
    ffmpeg.start(args, Stdio::null(), Stdio::piped())
}

/// Where a full window is cut: the middle of its last long silence, else of its weakest frame.
fn cut(window: &[f32]) -> usize {
    let energy: Vec<f32> = window
        .chunks(FRAME)
        .map(|frame| frame.iter().map(|x| x * x).sum::<f32>() / frame.len() as f32)
        .collect();
    let loudest = energy.iter().fold(0.0_f32, |most, e| most.max(*e));
    let first = ((SHORTEST_S * f64::from(LISTENING_RATE)) as usize / FRAME).min(energy.len() - 1);
    let (mut best, mut run) = (0..0, 0..0);
    for (at, e) in energy.iter().enumerate().skip(first) {
        if *e > loudest * SILENCE {
            run = at + 1..at + 1;
            continue;
        }
        run = if run.is_empty() { at..at + 1 } else { run.start..at + 1 };
        if run.len() >= best.len() {
            best = run.clone();
        }
    }
    if best.is_empty() {
        let weakest = (first..energy.len()).min_by(|a, b| energy[*a].total_cmp(&energy[*b]));
        let weakest = weakest.unwrap_or(energy.len() - 1);
        best = weakest..weakest + 1;
    }
    ((best.start + best.end) * FRAME / 2).clamp(1, window.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tone(samples: usize) -> Vec<f32> {
        (0..samples).map(|n| (n as f32 * 0.2).sin() * 0.3).collect()
    }

    #[test]
    fn the_cut_goes_into_the_longest_silence_in_reach() {
        let rate = LISTENING_RATE as usize;
        let mut window = tone(29 * rate);
        window[5 * rate..7 * rate].fill(0.0);
        window[20 * rate..20 * rate + rate / 2].fill(0.0001);
        window[24 * rate..24 * rate + rate / 4].fill(0.0);
        let at = cut(&window);
        assert!((20 * rate..20 * rate + rate / 2).contains(&at), "{at}");
    }

    #[test]
    fn without_a_silence_the_cut_goes_where_the_signal_is_weakest() {
        let rate = LISTENING_RATE as usize;
        let mut window = tone(29 * rate);
        for sample in &mut window[22 * rate..22 * rate + 700] {
            *sample *= 0.2;
        }
        let at = cut(&window);
        assert!((22 * rate - FRAME..22 * rate + 700 + FRAME).contains(&at), "{at}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn a_cut_is_inside_its_window(level in 0.0_f32..1.0, from in 0_usize..400_000, len in 0_usize..60_000) {
            let mut window: Vec<f32> = tone(464_000).iter().map(|x| x * level).collect();
            let end = (from + len).min(window.len());
            window[from.min(end)..end].fill(0.0);
            let at = cut(&window);
            prop_assert!((18 * 16_000 - FRAME..=window.len()).contains(&at), "{}", at);
        }
    }
}
