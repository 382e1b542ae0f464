//! Pieces of the audio, cut out and heard by themselves.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use narrator_audio::{AudioError, Ffmpeg, LISTENING_RATE, Windows};
use narrator_fidelity::audit::Question;

use super::hear::Stretch;

/// A piece of the audio, and what is asked about it.
pub(super) struct Excerpt {
    pub at_ms: Range<u32>,
    pub asked: Vec<Asked>,
}

/// One thing that is asked about a piece.
#[derive(Default)]
pub(super) struct Asked {
    /// A text to score.
    pub text: Option<String>,
    /// With how many hypotheses it is written down, if at all.
    pub beams: Option<u16>,
    /// Silence is heard in its place: what is said of it then is known from the words alone.
    pub unheard: bool,
}

impl Excerpt {
    /// All readings are scored, against what is there and, unless they are of small words, against silence; what is said
    /// there is written down once, with so many hypotheses at once, if that is of use.
    pub fn of(question: &Question, beams: u16) -> Self {
        let readings = |unheard: bool| {
            question.readings.iter().enumerate().map(move |(at, reading)| Asked {
                text: Some(reading.clone()),
                beams: (at == 0 && !unheard && question.to_write_down).then_some(beams),
                unheard,
            })
        };
        let silent = readings(true).filter(|_| !question.is_slight);
        Self { at_ms: question.start_ms..question.end_ms, asked: readings(false).chain(silent).collect() }
    }
}

/// What is heard where nothing is.
const SILENCE_MS: usize = 2000;

/// Cuts excerpts, which are in order of their beginnings, out of the running audio, and sends each once for
/// everything that is asked about it.
pub(super) fn cut_out(
    ffmpeg: &Ffmpeg,
    files: &[PathBuf],
    wanted: &[Excerpt],
    sender: &SyncSender<Stretch>,
) -> Result<(), AudioError> {
    let silence: Arc<[f32]> = vec![0.0; LISTENING_RATE as usize * SILENCE_MS / 1000].into();
    let sample = |ms: u32| u64::from(ms) * u64::from(LISTENING_RATE) / 1000;
    let mut windows = Windows::of(ffmpeg, files);
    // What may still be wanted, and where in the audio it begins.
    let (mut held, mut base, mut ended) = (Vec::new(), 0_u64, false);
    for Excerpt { at_ms, asked } in wanted {
        let (from, to) = (sample(at_ms.start), sample(at_ms.end));
        let before = from.saturating_sub(base).min(held.len() as u64);
        held.drain(..before as usize);
        base += before;
        while base + (held.len() as u64) < to && !ended {
            match windows.next_window()? {
                Some(piece) => held.extend(piece.pcm),
                None => ended = true,
            }
            let before = from.saturating_sub(base).min(held.len() as u64);
            held.drain(..before as usize);
            base += before;
        }
        let end = (to.saturating_sub(base) as usize).min(held.len());
        let mut pcm: Vec<f32> = held[..end].to_vec();
        if pcm.is_empty() {
            // Behind the end of the audio: a moment of silence is what is there.
            pcm.resize(LISTENING_RATE as usize / 10, 0.0);
        }
        let pcm: Arc<[f32]> = pcm.into();
        for Asked { text, beams, unheard } in asked {
            let (pcm, expected) = (Arc::clone(if *unheard { &silence } else { &pcm }), text.clone());
            if sender.send(Stretch { pcm, rate: LISTENING_RATE, expected, beams: *beams }).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
