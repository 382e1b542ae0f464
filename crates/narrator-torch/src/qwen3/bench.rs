//! How fast: rows of a checkpoint forged in place, end to end with the codec.
//!
//! Random weights take as long as real ones. Rows start together from prompts of one length; the codec decodes
//! what was said in chunks, as the engine does. Times of talker, predictor and codec are the device's; what is
//! left of the whole is the host's: choosing codes on a CPU, and on a GPU the time in which it has nothing to
//! do. A GPU runs everything once before, so that what is measured is replayed and not recorded.

use std::rc::Rc;
use std::time::{Duration, Instant};

use narrator_engine::{EngineError, EngineErrorKind};
use tch::Tensor;
use torch_shim::{Session, ShimError};

use super::batch::{Batch, Joining, Said, Way, frames_tensor, groups, read_together};
use super::codec::CodecState;
use super::forge::ForgeSize;
use super::model::{Manner, Qwen3Tts};
use super::ops::to_floats;
use crate::device;
use crate::error::Doing;
use crate::manner::{Device, set_threads};

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
    pub codec: Duration,
    /// All that is none of these.
    pub host: Duration,
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
    device::open(plan.manner.device)?;
    let session = device::session(plan.manner.device);
    set_threads(plan.threads);
    let model = Qwen3Tts::forge(plan.size, 1, plan.manner)?;
    device::give_memory_back(plan.manner.device);
    let bench = Bench { model: &model, session, prompt: plan.prompt as i64 };
    // What libtorch sets up at first use is nobody's speed.
    bench.measure(1, 2)?;
    for &rows in &plan.rows {
        tell(&bench.measure(rows, plan.frames)?);
        device::give_memory_back(plan.manner.device);
    }
    Ok(())
}

struct Bench<'a> {
    model: &'a Qwen3Tts,
    session: Option<Rc<Session>>,
    prompt: i64,
}

impl Bench<'_> {
    fn measure(&self, rows: usize, frames: usize) -> Result<BenchReport, EngineError> {
        let on_card = matches!(self.model.manner.device, Device::Cuda(_));
        let way =
            if on_card { Way::Fixed { session: self.session.clone(), ahead: true } } else { Way::Chosen };
        let mut batch = Batch::new(self.model, rows, self.model.generation, way)?;
        if on_card {
            self.speak(&mut batch, rows, frames)?;
        }
        self.speak(&mut batch, rows, frames)
    }

    /// `frames` frames of `rows` rows, from their prompts to their samples.
    fn speak(
        &self,
        batch: &mut Batch<usize>,
        rows: usize,
        frames: usize,
    ) -> Result<BenchReport, EngineError> {
        let model = self.model;
        let before = batch.spent();
        let begun = Instant::now();
        self.join(batch, rows)?;
        self.wait()?;
        let prefill = begun.elapsed();
        let mut states = (0..rows)
            .map(|_| model.decoder.fresh())
            .collect::<Result<Vec<_>, _>>()
            .doing("preparing the codec")?;
        let mut said: Vec<Vec<Vec<i64>>> = vec![Vec::new(); rows];
        let (mut round, mut frames_said, mut samples, mut codec) = (0, 0, 0, Duration::ZERO);
        let begun = Instant::now();
        while round < frames && !batch.is_empty() {
            let heard = batch.advance(model)?;
            if heard.is_empty() {
                // Made ahead: the first frame comes with the second call.
                continue;
            }
            round += 1;
            for (row, frame) in heard {
                if let Said::Frame(codes) = frame {
                    said[row].push(codes);
                    frames_said += 1;
                }
            }
            if round % CHUNK_FRAMES == 0 || round == frames {
                let (decoded, took) = self.decode(&mut said, &mut states)?;
                samples += decoded;
                codec += took;
            }
        }
        let total = begun.elapsed();
        for row in 0..rows {
            batch.leave(row)?;
        }
        let spent = batch.spent();
        let (talker, predictor) =
            (spent.talker.saturating_sub(before.talker), spent.predictor.saturating_sub(before.predictor));
        Ok(BenchReport {
            rows,
            frames: frames_said,
            audio_seconds: samples as f64 / f64::from(model.sample_rate()),
            prefill,
            talker,
            predictor,
            codec,
            host: total.saturating_sub(talker + predictor + codec),
            total,
        })
    }

    fn join(&self, batch: &mut Batch<usize>, rows: usize) -> Result<(), EngineError> {
        let prompts =
            (0..rows).map(|_| self.model.noise_prompt(self.prompt)).collect::<Result<Vec<_>, _>>()?;
        for group in groups(&vec![self.prompt; rows], read_together(self.model.manner.device)) {
            let joining: Vec<_> = group
                .iter()
                .map(|&row| Joining { key: row, prompt: &prompts[row], seed: row as u64, calm: false })
                .collect();
            batch.join_together(self.model, &joining)?;
        }
        Ok(())
    }

    fn wait(&self) -> Result<(), EngineError> {
        match &self.session {
            None => Ok(()),
            Some(session) => session.synchronize().map_err(|error| lost(&error)),
        }
    }

    /// Decodes what every row has said since the last time, rows of one count together; gives the samples and
    /// the device's time.
    fn decode(
        &self,
        said: &mut [Vec<Vec<i64>>],
        states: &mut [CodecState],
    ) -> Result<(usize, Duration), EngineError> {
        let (begun, session) = (Instant::now(), self.session.as_deref());
        let mark = || session.map(Session::mark).transpose().map_err(|error| lost(&error));
        let from = mark()?;
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
            let pcm = self.model.decoder.decode(&codes, &mut joined).and_then(|pcm| to_floats(&pcm));
            samples += pcm.doing("decoding a chunk")?.len();
        }
        let took = match (from, mark()?) {
            (Some(from), Some(to)) => {
                to.wait().and_then(|()| from.until(&to)).map_err(|error| lost(&error))?
            }
            _ => begun.elapsed(),
        };
        Ok((samples, took))
    }
}

fn lost(error: &ShimError) -> EngineError {
    EngineError::new(EngineErrorKind::DeviceFault, error.to_string())
}
