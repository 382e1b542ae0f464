//! How fast: rows of a checkpoint forged in place, end to end with the codec.
//!
//! Random weights take as long as real ones. Rows start together from prompts of one length; the talker's
//! and the predictor's times are those of their passes, choices are the host's, and the codec decodes what
//! was said in chunks, as the engine does.

use std::time::{Duration, Instant};

use narrator_engine::EngineError;
use tch::Tensor;

use super::batch::{Batch, Said, frames_tensor};
use super::codec::CodecState;
use super::forge::ForgeSize;
use super::model::{Manner, Qwen3Tts};
use super::ops::to_floats;
use crate::error::Doing;
use crate::manner::set_threads;

/// What to measure.
#[derive(Clone, Debug)]
pub struct BenchPlan {
    pub size: ForgeSize,
    pub manner: Manner,
    pub threads: u16,
    /// Batch sizes, one measurement each.
    pub rows: Vec<usize>,
    /// Frames of every row.
    pub frames: usize,
    /// Rows of prompt that every row begins with.
    pub prompt: usize,
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct BenchReport {
    pub rows: usize,
    /// Frames of all rows.
    pub frames: usize,
    pub audio_seconds: f64,
    pub prefill: Duration,
    pub talker: Duration,
    pub predictor: Duration,
    pub choices: Duration,
    pub codec: Duration,
    /// From the first frame to the last sample, without prefill.
    pub total: Duration,
}

impl BenchReport {
    /// Seconds of work for a second of audio.
    pub fn real_time_factor(&self) -> f64 {
        self.total.as_secs_f64() / self.audio_seconds.max(1e-9)
    }

    /// Seconds that a frame of every row takes together.
    pub fn step_seconds(&self) -> f64 {
        self.total.as_secs_f64() * self.rows as f64 / self.frames.max(1) as f64
    }
}

/// Frames that are decoded together, as in the engine.
const CHUNK_FRAMES: usize = 12;

/// Forges a model and measures it; every finished measurement goes to `tell` at once.
pub fn bench(plan: &BenchPlan, tell: &mut dyn FnMut(&BenchReport)) -> Result<(), EngineError> {
    let _no_grad = tch::no_grad_guard();
    set_threads(plan.threads);
    let model = Qwen3Tts::forge(plan.size, 1, plan.manner)?;
    // What libtorch sets up at first use is nobody's speed.
    measure(&model, 1, 2, plan.prompt)?;
    for &rows in &plan.rows {
        tell(&measure(&model, rows, plan.frames, plan.prompt)?);
    }
    Ok(())
}

fn measure(model: &Qwen3Tts, rows: usize, frames: usize, prompt: usize) -> Result<BenchReport, EngineError> {
    let mut batch = Batch::new(model, rows, model.generation)?;
    let begun = Instant::now();
    for row in 0..rows {
        batch.join(model, row, &model.noise_prompt(prompt as i64)?, row as u64)?;
    }
    let prefill = begun.elapsed();
    let mut states = (0..rows)
        .map(|_| model.decoder.fresh())
        .collect::<Result<Vec<_>, _>>()
        .doing("preparing the codec")?;
    let mut said: Vec<Vec<Vec<i64>>> = vec![Vec::new(); rows];
    let (mut frames_said, mut samples, mut codec) = (0, 0, Duration::ZERO);
    let begun = Instant::now();
    for frame in 1..=frames {
        for (row, frame) in batch.advance(model)? {
            if let Said::Frame(codes) = frame {
                said[row].push(codes);
                frames_said += 1;
            }
        }
        if frame % CHUNK_FRAMES == 0 || frame == frames {
            let begun = Instant::now();
            samples += decode(model, &mut said, &mut states)?;
            codec += begun.elapsed();
        }
    }
    let total = begun.elapsed();
    let spent = batch.spent();
    Ok(BenchReport {
        rows,
        frames: frames_said,
        audio_seconds: samples as f64 / f64::from(model.sample_rate()),
        prefill,
        talker: spent.talker,
        predictor: spent.predictor,
        choices: spent.choices,
        codec,
        total,
    })
}

/// Decodes what every row has said since the last time, rows of one count together.
fn decode(
    model: &Qwen3Tts,
    said: &mut [Vec<Vec<i64>>],
    states: &mut [CodecState],
) -> Result<usize, EngineError> {
    let mut samples = 0;
    while let Some(count) = said.iter().map(Vec::len).filter(|&count| count > 0).max() {
        let mut codes = Vec::new();
        let mut joined = Vec::new();
        for (frames, state) in said.iter_mut().zip(states.iter_mut()) {
            if frames.len() == count {
                codes.push(frames_tensor(frames).doing("gathering codes")?);
                joined.push(state);
                frames.clear();
            }
        }
        let codes = Tensor::f_cat(&codes, 0).doing("gathering codes")?;
        let pcm = model.decoder.decode(&codes, &mut joined).and_then(|pcm| to_floats(&pcm));
        samples += pcm.doing("decoding a chunk")?.len();
    }
    Ok(samples)
}
