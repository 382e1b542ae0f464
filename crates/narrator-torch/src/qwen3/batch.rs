//! Rows that speak together, joining and leaving between frames.
//!
//! One call of [`Batch::advance`] gives every row one frame of codes. The talker runs on all rows at once,
//! each at a position of its own; the code predictor, whose positions are within a frame, runs on all rows
//! alike. What a row says depends on its own prompt, seed and count of frames and on nothing else: the
//! arithmetic of one row of a matrix product does not see the other rows, unseen positions are masked, and
//! every row draws from a random stream of its own.
//!
//! Rows stand packed at the front of the caches; when one leaves, the last takes its place.

use std::time::{Duration, Instant};

use narrator_engine::EngineError;
use tch::{Kind, Tensor};

use super::config::GenerationConfig;
use super::model::Qwen3Tts;
use super::ops::{Torch, to_floats};
use super::prompt::Prompt;
use super::sampling::Chooser;
use super::stack::{Cache, Positions};
use super::talker::sum_embeddings;
use crate::error::{Doing, bad_request};

/// What a row did in a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    /// Another frame.
    Frame(Vec<i64>),
    /// The end of speech: the row says nothing more.
    End,
    /// Its logits were not numbers.
    Broken,
}

/// One row.
#[derive(Debug)]
struct Row<K> {
    key: K,
    /// Tokens in the cache.
    length: i64,
    chooser: Chooser,
    /// The talker's state that the next frame comes from, `[1, hidden]`.
    hidden: Tensor,
    /// What every frame adds, `[1, hidden]`.
    pad: Tensor,
}

/// Rows in speech, named by `K`.
#[derive(Debug)]
pub(crate) struct Batch<K> {
    cache: Cache,
    frame_cache: Cache,
    rows: Vec<Row<K>>,
    config: GenerationConfig,
    spent: Spent,
    /// Kept for comparisons with other implementations: what each row's last frame came from.
    trace: Option<Trace>,
}

/// Where the time of frames went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) talker: Duration,
    pub(crate) predictor: Duration,
    /// Choosing codes, on the host.
    pub(crate) choices: Duration,
}

/// The talker's state and logits (before any processing) of one step.
#[derive(Debug)]
pub(crate) struct Trace {
    /// `[rows, hidden]`.
    pub(crate) hidden: Tensor,
    /// `[rows, vocab]`, float32.
    pub(crate) logits: Tensor,
}

impl<K: Copy + PartialEq> Batch<K> {
    /// Room for `rows` rows of `model.manner.positions` tokens each.
    pub(crate) fn new(model: &Qwen3Tts, rows: usize, config: GenerationConfig) -> Result<Self, EngineError> {
        let (talker, manner) = (&model.config.talker, &model.manner);
        let (kind, device) = (manner.kind(), manner.tch_device());
        let rows = rows as i64;
        let cache = Cache::new(&talker.stack, rows, i64::from(manner.positions), kind, device)
            .doing("reserving the talker's cache")?;
        // One hidden state and all codes but the last.
        let frame_cache = Cache::new(&talker.predictor, rows, talker.codebooks, kind, device)
            .doing("reserving the code predictor's cache")?;
        Ok(Self { cache, frame_cache, rows: Vec::new(), config, spent: Spent::default(), trace: None })
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = K> + '_ {
        self.rows.iter().map(|row| row.key)
    }

    /// Reads a prompt in; the row speaks from the next step on.
    pub(crate) fn join(
        &mut self,
        model: &Qwen3Tts,
        key: K,
        prompt: &Prompt,
        seed: u64,
    ) -> Result<(), EngineError> {
        let length = prompt.embeds.size()[0];
        if self.rows.len() as i64 >= self.cache.rows() {
            return Err(bad_request(format!("there is room for {} rows", self.cache.rows())));
        }
        if length >= self.cache.positions() {
            return Err(bad_request(format!(
                "the text and the voice make {length} tokens, and there is room for {}",
                self.cache.positions() - 1
            )));
        }
        let row = self.rows.len() as i64;
        let hidden = self.cache.start(model, &prompt.embeds, row).doing("reading a prompt")?;
        self.rows.push(Row {
            key,
            length,
            chooser: Chooser::new(&model.config.talker, self.config, seed),
            hidden,
            pad: prompt.pad.shallow_clone(),
        });
        Ok(())
    }

    /// Frames that a row can still be given before its cache is full.
    pub(crate) fn room(&self, key: K) -> Option<i64> {
        self.rows.iter().find(|row| row.key == key).map(|row| self.cache.positions() - row.length)
    }

    /// Forgets a row; false when it is not here.
    pub(crate) fn leave(&mut self, key: K) -> Result<bool, EngineError> {
        let Some(index) = self.rows.iter().position(|row| row.key == key) else { return Ok(false) };
        self.rows.swap_remove(index);
        if let Some(moved) = self.rows.get(index) {
            let last = self.rows.len() as i64;
            self.cache.move_row(last, index as i64, moved.length).doing("closing a gap in the cache")?;
        }
        Ok(true)
    }

    pub(crate) fn spent(&self) -> Spent {
        self.spent
    }

    pub(crate) fn keep_trace(&mut self) {
        self.trace = Some(Trace { hidden: Tensor::new(), logits: Tensor::new() });
    }

    pub(crate) fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// Gives every row a frame or finds its end. Rows that ended or broke have left when this returns.
    pub(crate) fn advance(&mut self, model: &Qwen3Tts) -> Result<Vec<(K, Said)>, EngineError> {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        // Choices are taken back when the step fails midway, so that it can be tried again.
        let choosers: Vec<Chooser> = self.rows.iter().map(|row| row.chooser.clone()).collect();
        let said = match self.speak(model) {
            Ok(said) => said,
            Err(error) => {
                for (row, chooser) in self.rows.iter_mut().zip(choosers) {
                    row.chooser = chooser;
                }
                return Err(error).doing("speaking a frame");
            }
        };
        let said: Vec<(K, Said)> = self.keys().zip(said).collect();
        for (key, said) in &said {
            if !matches!(said, Said::Frame(_)) {
                self.leave(*key)?;
            }
        }
        Ok(said)
    }

    fn speak(&mut self, model: &Qwen3Tts) -> Torch<Vec<Said>> {
        let begun = Instant::now();
        let choices = self.spent.choices;
        let hidden: Vec<&Tensor> = self.rows.iter().map(|row| &row.hidden).collect();
        let hidden = Tensor::f_cat(&hidden, 0)?;
        let logits = model.talker.logits(&hidden)?;
        let eos = model.config.talker.ids.eos as usize;
        let mut broken = vec![false; self.rows.len()];
        let first = self.choose(&logits, &mut broken, Chooser::first)?;
        if let Some(trace) = &mut self.trace {
            *trace = Trace { hidden: hidden.shallow_clone(), logits };
        }
        // A row at its end runs along for this one frame and is dropped: cheaper than closing gaps midway.
        let ended: Vec<bool> = first.iter().map(|&code| code == eos).collect();
        if ended.iter().zip(&broken).all(|(ended, broken)| *ended || *broken) {
            let end = |broken: &bool| if *broken { Said::Broken } else { Said::End };
            return Ok(broken.iter().map(end).collect());
        }
        let mut frames: Vec<Vec<i64>> = first.iter().map(|&code| vec![code as i64]).collect();
        let device = model.talker.device();
        let ids = |codes: &[usize]| {
            let codes: Vec<i64> = codes.iter().map(|&code| code as i64).collect();
            Tensor::f_from_slice(&codes)?.f_to_device(device)
        };
        let mut embedded = vec![model.talker.codec(&ids(&first)?)?];
        let mut logits = model.predictor.start(&hidden, &embedded[0], &self.frame_cache)?;
        for code in 0..model.predictor.codes() {
            if code > 0 {
                logits = model.predictor.next(code - 1, &embedded[code], &self.frame_cache)?;
            }
            let chosen = self.choose(&logits, &mut broken, Chooser::next)?;
            embedded.push(model.predictor.embed(code, &ids(&chosen)?)?);
            for (frame, code) in frames.iter_mut().zip(chosen) {
                frame.push(code as i64);
            }
        }
        let predicted = begun.elapsed();
        self.spent.predictor += predicted.saturating_sub(self.spent.choices.saturating_sub(choices));
        self.listen(model, &embedded)?;
        self.spent.talker += begun.elapsed().saturating_sub(predicted);
        let said = |(index, frame): (usize, Vec<i64>)| match (broken[index], ended[index]) {
            (true, _) => Said::Broken,
            (false, true) => Said::End,
            (false, false) => Said::Frame(frame),
        };
        Ok(frames.into_iter().enumerate().map(said).collect())
    }

    /// Gives the talker what was said, for the next frame.
    fn listen(&mut self, model: &Qwen3Tts, embedded: &[Tensor]) -> Torch<()> {
        let pads: Vec<&Tensor> = self.rows.iter().map(|row| &row.pad).collect();
        let input = sum_embeddings(embedded)?.f_add(&Tensor::f_cat(&pads, 0)?)?;
        let (kind, device) = (model.talker.kind(), model.talker.device());
        // A row that has just filled its cache ends before its next frame; its last token has nowhere to go
        // and overwrites the one before, which nothing reads any more.
        let last = self.cache.positions() - 1;
        let at: Vec<i64> = self.rows.iter().map(|row| row.length.min(last)).collect();
        let positions = Positions::new(&at, &mut self.cache, kind, device)?;
        let hidden = model.talker.step(&input, &self.cache, positions)?;
        for (row, index) in self.rows.iter_mut().zip(0..) {
            row.hidden = hidden.f_narrow(0, index, 1)?;
            row.length = (row.length + 1).min(last + 1);
        }
        Ok(())
    }

    /// One choice for every row; a row without a choice is marked broken and goes on with code 0.
    fn choose(
        &mut self,
        logits: &Tensor,
        broken: &mut [bool],
        choice: fn(&mut Chooser, &mut [f32]) -> Option<usize>,
    ) -> Torch<Vec<usize>> {
        let vocab = logits.size()[1] as usize;
        let mut values = to_floats(logits)?;
        let begun = Instant::now();
        let rows = self.rows.iter_mut().zip(values.chunks_mut(vocab)).zip(broken);
        let chosen = rows
            .map(|((row, logits), broken)| {
                choice(&mut row.chooser, logits).unwrap_or_else(|| {
                    *broken = true;
                    0
                })
            })
            .collect();
        self.spent.choices += begun.elapsed();
        Ok(chosen)
    }
}

impl Cache {
    fn start(&mut self, model: &Qwen3Tts, prompt: &Tensor, row: i64) -> Torch {
        self.wrote(row, prompt.size()[0]);
        model.talker.start(prompt, self, row)
    }
}

/// A list of frames as the codec takes it: `[1, frames, codebooks]`.
pub(crate) fn frames_tensor(frames: &[Vec<i64>]) -> Torch {
    let width = frames.first().map_or(0, Vec::len) as i64;
    Tensor::f_from_slice(&frames.concat())?.f_view([1, frames.len() as i64, width])?.f_to_kind(Kind::Int64)
}
