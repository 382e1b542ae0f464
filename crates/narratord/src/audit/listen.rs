//! The first pass: every word of the audio, and what its samples tell.

use std::ops::Range;
use std::sync::mpsc::SyncSender;

use narrator_audio::{AudioError, LISTENING_RATE, Windows};
use narrator_core::HeardWord;
use narrator_fidelity::signal::{breaks, sounding};

use super::excerpts::{Asked, Excerpt, cut_out};
use super::hear::{Stretch, hear};
use super::outcome::Unheard;
use super::{Means, Progress, Subject};
use crate::error::Failure;

/// What one pass over the whole audio gives.
#[derive(Default)]
pub(super) struct Listened {
    pub words: Vec<HeardWord>,
    /// Where the voice breaks off.
    pub breaks_ms: Vec<u32>,
    /// Where there is a voice.
    pub voice: Vec<Range<u32>>,
    pub audio_ms: u64,
    pub unheard: Vec<Unheard>,
}

/// The whole audio, word by word.
pub(super) fn listen(
    subject: &Subject<'_>,
    means: &mut Means<'_>,
    language: &str,
) -> Result<Listened, Failure> {
    let (places, starts) = std::sync::mpsc::channel();
    let (ffmpeg, files) = (means.ffmpeg.clone(), subject.files.to_vec());
    let produce = move |sender: &SyncSender<Stretch>| -> Result<(), AudioError> {
        let mut windows = Windows::of(&ffmpeg, &files);
        while let Some(window) = windows.next_window()? {
            let length_ms = window.pcm.len() as u64 * 1000 / u64::from(LISTENING_RATE);
            let start_ms = window.start_ms() as u32;
            let breaks = breaks(&window.pcm, LISTENING_RATE).into_iter().map(|at| start_ms + at);
            let voice = sounding(&window.pcm, LISTENING_RATE).into_iter();
            let voice = voice.map(|run| start_ms + run.start..start_ms + run.end);
            let place = (window.start_ms(), length_ms, breaks.collect::<Vec<_>>(), voice.collect::<Vec<_>>());
            let stretch =
                Stretch { pcm: window.pcm.into(), rate: LISTENING_RATE, expected: None, beams: Some(1) };
            // Nobody listens any more when the run ends early.
            if places.send(place).is_err() || sender.send(stretch).is_err() {
                return Ok(());
            }
        }
        Ok(())
    };
    let config = (means.pool)(&means.hearers.first)?;
    let seconds = |count: usize| count as f64 * 27.0;
    let progress = &mut *means.progress;
    let seen = |count: usize| progress(Progress::Hearing(seconds(count)));
    let hearings = hear(config, language.to_owned(), means.stop, means.told, seen, produce)?;
    let mut heard = Listened::default();
    for ((start_ms, length_ms, breaks, voice), hearing) in starts.into_iter().zip(hearings) {
        heard.audio_ms = start_ms + length_ms;
        heard.breaks_ms.extend(breaks);
        match hearing {
            Some(hearing) => {
                heard.voice.extend(voice);
                heard.words.extend(hearing.words.into_iter().map(|word| later(word, start_ms as u32)));
            }
            None => heard.unheard.push(Unheard { start_ms, end_ms: start_ms + length_ms }),
        }
    }
    Ok(heard)
}

fn later(word: HeardWord, by_ms: u32) -> HeardWord {
    HeardWord { start_ms: word.start_ms + by_ms, end_ms: word.end_ms + by_ms, ..word }
}

/// Puts the words of stretches that the first pass left out, which are in order, where they belong.
pub(super) fn listen_again(
    subject: &Subject<'_>,
    means: &mut Means<'_>,
    language: &str,
    left_out: &[Range<u32>],
    words: &mut Vec<HeardWord>,
) -> Result<(), Failure> {
    if left_out.is_empty() {
        return Ok(());
    }
    let asked = || vec![Asked { beams: Some(1), ..Asked::default() }];
    let excerpts = left_out.iter().map(|at| Excerpt { at_ms: at.clone(), asked: asked() });
    let (ffmpeg, files, excerpts) =
        (means.ffmpeg.clone(), subject.files.to_vec(), excerpts.collect::<Vec<_>>());
    let produce = move |sender: &SyncSender<Stretch>| cut_out(&ffmpeg, &files, &excerpts, sender);
    let config = (means.pool)(&means.hearers.first)?;
    let hearings = hear(config, language.to_owned(), means.stop, means.told, |_| (), produce)?;
    for (at, hearing) in left_out.iter().zip(hearings) {
        let found = hearing.into_iter().flat_map(|hearing| hearing.words);
        words.extend(found.map(|word| later(word, at.start)));
    }
    // Stable: what was heard first stays before what was heard again at the same moment.
    words.sort_by_key(|word| word.start_ms);
    Ok(())
}
