//! The voice as a [`Synthesizer`]: rows wait in order, and every step speaks one sentence of the oldest.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use narrator_core::VoiceAbilities;
use narrator_engine::{
    EngineError, EngineErrorKind, EngineInfo, Manifest, RowId, SpeechRequest, SpeechSink, SpeechStats,
    Synthesizer, VoiceInfo,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::ENGINE;
use super::config::Config;
use super::layers::{Arithmetic, Source};
use super::phonemes::{Phonemiser, is_audible};
use super::spelling::Spelling;
use super::text::{MAX_PHONEMES, parts, sentences};
use super::vocoder::SAMPLE_RATE;
use super::voice::Voice;
use crate::error::{bad_model, bad_request};
use crate::manner::{Device, LoadOptions, Precision, set_threads};
use crate::weights::Weights;

/// One being spoken and one ready behind it; more would only wait here instead of elsewhere.
const MAX_ROWS: u32 = 2;

/// Threads when none are asked for: so small a model runs best as one process a core.
const THREADS: u16 = 1;

/// Speeds that the voice's durations stretch to without falling apart, as its package has it.
const SPEEDS: std::ops::RangeInclusive<f32> = 0.5..=2.0;

/// Fade at a join of two sentences, 3 ms: far below hearing, and long enough to end a click.
const FADE_SAMPLES: usize = SAMPLE_RATE as usize * 3 / 1000;

pub(crate) struct Starter {
    info: EngineInfo,
    phonemiser: Phonemiser,
    voice: Voice,
    rows: VecDeque<Row>,
}

/// A request on its way.
struct Row {
    id: RowId,
    speed: f32,
    stream: ChaCha8Rng,
    /// Phoneme ids of what is still to be spoken.
    utterances: VecDeque<Vec<i64>>,
    spoken: u64,
    most_samples: u64,
    compute: std::time::Duration,
}

/// Loads the voice from its folder.
pub(crate) fn load(
    model_dir: &Path,
    manifest: &Manifest,
    options: &LoadOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Starter, EngineError> {
    if options.device != Device::Cpu || options.precision == Precision::BFloat16 {
        return Err(bad_model(format!(
            "model `{}` runs on the CPU only, and not in bfloat16; set the device to cpu, or choose another model",
            manifest.name
        )));
    }
    set_threads(options.threads.unwrap_or(THREADS));
    let config = Config::read(model_dir)?;
    if config.sample_rate != SAMPLE_RATE {
        return Err(bad_model(format!(
            "{}: a sample rate of {} where the starter voice has {SAMPLE_RATE}",
            model_dir.join("config.json").display(),
            config.sample_rate
        )));
    }
    let weights = Weights::open(&model_dir.join("model.safetensors"), options.device.tch())?;
    progress(0, weights.bytes());
    let names = weights.names()?;
    let source = Source { names: &names, arithmetic: arithmetic(options.precision) };
    let spelling = Spelling::load(&source, config.spelling)?;
    let mut starter = Starter {
        info: EngineInfo {
            engine: ENGINE.to_owned(),
            sample_rate: SAMPLE_RATE,
            max_rows: MAX_ROWS,
            voices: vec![VoiceInfo {
                name: config.voice.name.clone(),
                language: config.language,
                description: config.voice.description,
            }],
            default_voice: config.voice.name,
            abilities: VoiceAbilities::default(),
        },
        phonemiser: Phonemiser::new(spelling, config.phonemes),
        voice: Voice::load(&source)?,
        rows: VecDeque::new(),
    };
    starter.warm_up()?;
    progress(weights.bytes(), weights.bytes());
    Ok(starter)
}

/// The package's own arithmetic unless real numbers are asked for.
fn arithmetic(precision: Precision) -> Arithmetic {
    match precision {
        Precision::Float32 => Arithmetic::Real,
        Precision::Auto | Precision::BFloat16 => Arithmetic::Rounded,
    }
}

impl Starter {
    /// Speaks a word to nobody: libtorch builds its kernels at their first use, and a model that cannot
    /// speak should say so before it is given work.
    fn warm_up(&mut self) -> Result<(), EngineError> {
        let utterance = self.voice.utter(&self.phonemiser.ids("ɹˈɛdi."), 1.0, u64::MAX)?;
        self.voice.sound(&utterance, &mut ChaCha8Rng::seed_from_u64(0)).map(drop)
    }

    fn check(&self, request: &SpeechRequest) -> Result<(), EngineError> {
        let voice = &self.info.voices[0];
        if request.voice != voice.name {
            return Err(bad_request(format!(
                "the starter voice has no voice `{}`, only `{}`",
                request.voice, voice.name
            )));
        }
        if request.language != voice.language && !request.language.starts_with("en-") {
            return Err(bad_request(format!(
                "the starter voice speaks English and not `{}`; choose another model",
                request.language
            )));
        }
        if !SPEEDS.contains(&request.speed) {
            return Err(bad_request(format!("a speed of {} is not between 0.5 and 2", request.speed)));
        }
        if request.max_seconds.is_nan() || request.max_seconds <= 0.0 {
            return Err(bad_request(format!("a limit of {} s leaves no time to speak", request.max_seconds)));
        }
        if self.rows.iter().any(|row| row.id == request.row) {
            return Err(bad_request(format!("row {} is already being spoken", request.row.0)));
        }
        if self.rows.len() >= MAX_ROWS as usize {
            return Err(bad_request(format!("the starter voice takes {MAX_ROWS} rows at once, not more")));
        }
        Ok(())
    }

    /// Phonemes of the utterances that `text` falls into; marks without a word join nothing and are left out.
    fn utterances(&self, text: &str) -> Result<VecDeque<String>, EngineError> {
        let mut utterances = VecDeque::new();
        for sentence in sentences(text) {
            let phonemes = self.phonemiser.phonemes(&sentence)?;
            let audible = parts(&phonemes, MAX_PHONEMES).into_iter().filter(|part| is_audible(part));
            utterances.extend(audible.map(str::to_owned));
        }
        if utterances.is_empty() {
            return Err(bad_request(format!(
                "nothing in `{}` can be pronounced in English",
                shortened(text)
            )));
        }
        Ok(utterances)
    }

    /// The utterances of a take of `text` at speed 1: phonemes, and which of them sounds in each step.
    pub(super) fn timed(&self, text: &str) -> Result<Vec<(String, Vec<i64>)>, EngineError> {
        let utterances = self.utterances(text)?.into_iter();
        utterances
            .map(|phonemes| {
                let steps = self.voice.steps(&self.phonemiser.ids(&phonemes), 1.0)?;
                Ok((phonemes, steps))
            })
            .collect()
    }

    /// Speaks the next utterance of the oldest row.
    fn speak(&mut self) -> Result<Vec<f32>, EngineError> {
        let Some(row) = self.rows.front_mut() else { return Ok(Vec::new()) };
        let Some(ids) = row.utterances.front() else { return Ok(Vec::new()) };
        let utterance = self.voice.utter(ids, row.speed, row.most_samples.saturating_sub(row.spoken))?;
        let mut samples = self.voice.sound(&utterance, &mut row.stream)?;
        fade(&mut samples, row.spoken > 0, row.utterances.len() > 1);
        Ok(samples)
    }
}

impl Synthesizer for Starter {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn admit(&mut self, request: SpeechRequest) -> Result<(), EngineError> {
        self.check(&request)?;
        let begun = Instant::now();
        let utterances = self.utterances(&request.text)?;
        let utterances = utterances.iter().map(|phonemes| self.phonemiser.ids(phonemes)).collect();
        self.rows.push_back(Row {
            id: request.row,
            speed: request.speed,
            stream: ChaCha8Rng::seed_from_u64(request.seed),
            utterances,
            spoken: 0,
            most_samples: (f64::from(request.max_seconds) * f64::from(SAMPLE_RATE)) as u64,
            compute: begun.elapsed(),
        });
        Ok(())
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn step(&mut self, sink: &mut dyn SpeechSink) -> Result<(), EngineError> {
        let begun = Instant::now();
        let spoken = self.speak();
        let Some(mut row) = self.rows.pop_front() else { return Ok(()) };
        match spoken {
            Ok(samples) => {
                for chunk in samples.chunks(SAMPLE_RATE as usize) {
                    sink.samples(row.id, chunk);
                }
                row.utterances.pop_front();
                row.spoken += samples.len() as u64;
                row.compute += begun.elapsed();
                if row.utterances.is_empty() {
                    let compute_ms = row.compute.as_millis() as u64;
                    sink.finished(row.id, SpeechStats { samples: row.spoken, compute_ms });
                } else {
                    self.rows.push_front(row);
                }
                Ok(())
            }
            Err(error) if concerns_the_row(error.kind()) => {
                sink.failed(row.id, error);
                Ok(())
            }
            Err(error) => {
                self.rows.push_front(row);
                Err(error)
            }
        }
    }

    fn cancel(&mut self, row: RowId) -> bool {
        let before = self.rows.len();
        self.rows.retain(|waiting| waiting.id != row);
        self.rows.len() < before
    }
}

fn concerns_the_row(kind: EngineErrorKind) -> bool {
    matches!(kind, EngineErrorKind::Runaway | EngineErrorKind::BadOutput | EngineErrorKind::BadRequest)
}

/// Fades the ends where another utterance joins.
fn fade(samples: &mut [f32], at_start: bool, at_end: bool) {
    let length = FADE_SAMPLES.min(samples.len());
    let gain = |at: usize| at as f32 / length as f32;
    if at_start {
        samples.iter_mut().take(length).enumerate().for_each(|(at, sample)| *sample *= gain(at));
    }
    if at_end {
        samples.iter_mut().rev().take(length).enumerate().for_each(|(at, sample)| *sample *= gain(at));
    }
}

/// The beginning of a text, for a message.
fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text.chars().take(MOST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_joins_are_faded() {
        let mut samples = vec![1.0f32; 1000];
        fade(&mut samples, false, true);
        assert_eq!((samples[0], samples[999], samples[900]), (1.0, 0.0, 1.0));
        fade(&mut samples, true, false);
        assert_eq!((samples[0], samples[FADE_SAMPLES]), (0.0, 1.0));
        let mut one = vec![1.0f32];
        fade(&mut one, true, true);
        assert_eq!(one, [0.0]);
    }
}
