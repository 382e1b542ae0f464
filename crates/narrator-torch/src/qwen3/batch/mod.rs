//! Rows that speak together, joining and leaving between frames.
//!
//! One call of [`Batch::advance`] gives every row one frame of codes. The talker runs on all rows at once,
//! each at a position of its own; the code predictor, whose positions are within a frame, runs on all rows
//! alike. What a row says depends on its own prompt, seed and count of frames and on nothing else: the
//! arithmetic of one row of a matrix product does not see the other rows, unseen positions are masked, and
//! every row draws from a random stream of its own. In bfloat16 on a CPU that holds to the last bit, as a row's
//! sums are made in one order whoever is beside it; elsewhere up to rounding.
//!
//! Rows stand packed at the front of the caches; when one leaves, the last takes its place. A GPU reads prompts
//! several at a time, those of like length together ([`groups`]), so that little is filled up; after that no
//! row is filled up with anything, as each has its own position.
//!
//! Two ways lead to the same codes. `chosen`: the host chooses every code. `fixed`: choices are tensor
//! operations too, so that a frame is the same work every time and can be recorded; it may be read one frame
//! late, while the next is on its way.

mod chosen;
mod fixed;
mod recorder;
mod sampler;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Duration;

use narrator_engine::{EngineError, EngineErrorKind};
use tch::{Kind, Tensor};
use torch_shim::Session;

use self::fixed::{Feed, Fixed, Flight, Landed};
use super::config::GenerationConfig;
use super::model::Qwen3Tts;
use super::ops::Torch;
use super::prompt::Prompt;
use super::sampling::Chooser;
use super::stack::Cache;
use crate::error::{Doing, bad_request};
use crate::manner::Device;

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

/// How frames are made.
#[derive(Debug, Default)]
pub(crate) enum Way {
    /// The host chooses every code.
    #[default]
    Chosen,
    /// A frame is fixed work; recorded where there is a session. `ahead`: a frame is on its way while the
    /// one before is read.
    Fixed { session: Option<Rc<Session>>, ahead: bool },
}

/// One row.
#[derive(Debug)]
struct Row<K> {
    key: K,
    /// Never used again, unlike a key: what is on its way is told by it.
    serial: u64,
    /// Tokens in the cache.
    length: i64,
    chooser: Chooser,
    /// The talker's state that the next frame comes from, `[1, hidden]`; unused where frames are fixed.
    hidden: Tensor,
    /// What every frame adds, `[1, hidden]`.
    pad: Tensor,
}

impl<K> Row<K> {
    /// Where the next token goes. A row that has just filled its cache ends before its next frame; its last
    /// token has nowhere to go and overwrites the one before, which nothing reads any more.
    fn position(&self, last: i64) -> i64 {
        self.length.min(last)
    }

    fn grow(&mut self, last: i64) {
        self.length = (self.length + 1).min(last + 1);
    }
}

/// Rows in speech, named by `K`.
#[derive(Debug)]
pub(crate) struct Batch<K> {
    cache: Cache,
    frame_cache: Cache,
    rows: Vec<Row<K>>,
    joined: u64,
    config: GenerationConfig,
    spent: Spent,
    fixed: Option<Fixed>,
    ahead: bool,
    /// A frame that nobody has read yet, and the serial numbers of its rows.
    flight: Option<(Flight, Vec<u64>)>,
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

/// A row that wants to join.
pub(crate) struct Joining<'a, K> {
    pub(crate) key: K,
    pub(crate) prompt: &'a Prompt,
    pub(crate) seed: u64,
    /// Chooses closer to what is likeliest.
    pub(crate) calm: bool,
}

impl<K: Copy + PartialEq> Batch<K> {
    /// Room for `rows` rows of `model.manner.positions` tokens each.
    pub(crate) fn new(
        model: &Qwen3Tts,
        rows: usize,
        config: GenerationConfig,
        way: Way,
    ) -> Result<Self, EngineError> {
        let (talker, manner) = (&model.config.talker, &model.manner);
        let (kind, device) = (manner.kind(), manner.tch_device());
        let (rows, positions) = (rows as i64, i64::from(manner.positions));
        let new = match way {
            Way::Chosen => Cache::new,
            Way::Fixed { .. } => Cache::cleared,
        };
        let cache =
            new(&talker.stack, rows, positions, kind, device).doing("reserving the talker's cache")?;
        // One hidden state and all codes but the last.
        let frame_cache = new(&talker.predictor, rows, talker.codebooks, kind, device)
            .doing("reserving the code predictor's cache")?;
        let (fixed, ahead) = match way {
            Way::Chosen => (None, false),
            Way::Fixed { session, ahead } => {
                let fixed =
                    Fixed::new(model, &cache, config, session).doing("reserving a frame's tensors")?;
                (Some(fixed), ahead)
            }
        };
        Ok(Self {
            cache,
            frame_cache,
            rows: Vec::new(),
            joined: 0,
            config,
            spent: Spent::default(),
            fixed,
            ahead,
            flight: None,
            trace: None,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Reads a prompt in; the row speaks from the next step on.
    pub(crate) fn join(
        &mut self,
        model: &Qwen3Tts,
        key: K,
        prompt: &Prompt,
        seed: u64,
    ) -> Result<(), EngineError> {
        self.join_together(model, &[Joining { key, prompt, seed, calm: false }])
    }

    /// Reads prompts in at once; either all rows join or none.
    pub(crate) fn join_together(
        &mut self,
        model: &Qwen3Tts,
        joining: &[Joining<'_, K>],
    ) -> Result<(), EngineError> {
        if self.rows.len() + joining.len() > self.cache.rows() as usize {
            return Err(bad_request(format!("there is room for {} rows", self.cache.rows())));
        }
        let lengths: Vec<i64> = joining.iter().map(|row| row.prompt.embeds.size()[0]).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        if longest >= self.cache.positions() {
            return Err(bad_request(format!(
                "the text and the voice make {longest} tokens, and there is room for {}",
                self.cache.positions() - 1
            )));
        }
        let first = self.rows.len() as i64;
        let prompts: Vec<&Tensor> = joining.iter().map(|row| &row.prompt.embeds).collect();
        let states = self.read(model, &prompts, (first, longest)).doing("reading prompts")?;
        if let Some(fixed) = &self.fixed {
            let mut rows = joining.iter().zip(&states).zip(first..);
            rows.try_for_each(|((row, hidden), at)| fixed.begin_row(at, hidden, &row.prompt.pad))
                .doing("beginning rows")?;
        }
        for ((row, hidden), length) in joining.iter().zip(states).zip(lengths) {
            self.joined += 1;
            self.rows.push(Row {
                key: row.key,
                serial: self.joined,
                length,
                chooser: Chooser::new(&model.config.talker, self.config, row.seed, row.calm),
                hidden,
                pad: row.prompt.pad.shallow_clone(),
            });
        }
        Ok(())
    }

    fn read(
        &mut self,
        model: &Qwen3Tts,
        prompts: &[&Tensor],
        (first, longest): (i64, i64),
    ) -> Torch<Vec<Tensor>> {
        (first..).take(prompts.len()).for_each(|row| self.cache.wrote(row, longest));
        model.talker.start(prompts, &self.cache, first)
    }

    /// Frames that a row can still be given before its cache is full.
    pub(crate) fn room(&self, key: K) -> Option<i64> {
        self.rows.iter().find(|row| row.key == key).map(|row| self.cache.positions() - row.length)
    }

    /// Forgets a row; false when it is not here.
    pub(crate) fn leave(&mut self, key: K) -> Result<bool, EngineError> {
        let Some(index) = self.rows.iter().position(|row| row.key == key) else { return Ok(false) };
        self.close_gap(index).doing("closing a gap in the cache")?;
        Ok(true)
    }

    fn close_gap(&mut self, index: usize) -> Torch<()> {
        self.rows.swap_remove(index);
        let (last, index) = (self.rows.len() as i64, index as i64);
        if let Some(moved) = self.rows.get(index as usize) {
            self.cache.move_row(last, index, moved.length)?;
            if let Some(fixed) = &self.fixed {
                fixed.move_row(last, index)?;
            }
        }
        Ok(())
    }

    /// Forgets a row whose numbers broke, and its numbers.
    fn expel(&mut self, key: K) -> Torch<()> {
        let Some(index) = self.rows.iter().position(|row| row.key == key) else { return Ok(()) };
        self.cache.clear_row(index as i64)?;
        self.frame_cache.clear_row(index as i64)?;
        if let Some(fixed) = &self.fixed {
            fixed.clear_row(index as i64)?;
        }
        self.close_gap(index)
    }

    pub(crate) fn spent(&self) -> Spent {
        self.spent
    }

    /// Drops what is recorded, for its memory.
    pub(crate) fn forget_recordings(&mut self) {
        if let Some(fixed) = &mut self.fixed {
            fixed.forget_recordings();
        }
    }

    /// Only where the host chooses.
    pub(crate) fn keep_trace(&mut self) {
        self.trace = Some(Trace { hidden: Tensor::new(), logits: Tensor::new() });
    }

    pub(crate) fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// Gives every row a frame or finds its end. Rows that ended or broke have left when this returns. Where
    /// frames are made ahead, a row's first frame comes with the second call.
    pub(crate) fn advance(&mut self, model: &Qwen3Tts) -> Result<Vec<(K, Said)>, EngineError> {
        if self.rows.is_empty() {
            self.flight = None;
            return Ok(Vec::new());
        }
        let serials: Vec<u64> = self.rows.iter().map(|row| row.serial).collect();
        // Choices are taken back when the step fails midway, so that it can be tried again.
        let choosers: Vec<Chooser> = self.rows.iter().map(|row| row.chooser.clone()).collect();
        let made = if self.fixed.is_some() {
            self.launch(model).map(|flight| (Some(flight), Vec::new()))
        } else {
            self.speak(model).map(|landed| (None, landed))
        };
        let (flight, landed) = match made {
            Ok(made) => made,
            Err(error) => {
                for (row, chooser) in self.rows.iter_mut().zip(choosers) {
                    row.chooser = chooser;
                }
                return Err(error).doing("speaking a frame");
            }
        };
        let (landed, serials) = match flight {
            None => (landed, serials),
            Some(flight) => self.land(flight, serials)?,
        };
        let eos = model.config.talker.ids.eos;
        let said: Vec<(K, Said)> = serials
            .iter()
            .zip(landed)
            .filter_map(|(serial, landed)| {
                // A row that has left since is asked for nothing more.
                let key = self.rows.iter().find(|row| row.serial == *serial)?.key;
                Some((key, said(landed, eos)))
            })
            .collect();
        for (key, said) in &said {
            match said {
                Said::Frame(_) => {}
                Said::End => drop(self.leave(*key)?),
                Said::Broken => self.expel(*key).doing("clearing a row")?,
            }
        }
        Ok(said)
    }

    /// Sends a frame of every row on its way.
    fn launch(&mut self, model: &Qwen3Tts) -> Torch<Flight> {
        let Some(fixed) = &mut self.fixed else {
            return Err(tch::TchError::Shape("frames are not fixed here".into()));
        };
        let last = self.cache.positions() - 1;
        let mut feeds = Vec::with_capacity(self.rows.len());
        for row in &mut self.rows {
            let mut draws = Vec::new();
            let may_end = row.chooser.draw_frame(model.predictor.codes(), &mut draws);
            let (position, sharpness) = (row.position(last), row.chooser.sharpness());
            feeds.push(Feed { draws, position, sharpness, may_end });
        }
        let flight = fixed.launch(model, &self.cache, &self.frame_cache, &feeds)?;
        self.rows.iter_mut().for_each(|row| row.grow(last));
        Ok(flight)
    }

    /// Reads the frame before the one that was launched, or that one.
    fn land(&mut self, launched: Flight, serials: Vec<u64>) -> Result<(Vec<Landed>, Vec<u64>), EngineError> {
        let landing =
            if self.ahead { self.flight.replace((launched, serials)) } else { Some((launched, serials)) };
        let Some((flight, serials)) = landing else { return Ok((Vec::new(), Vec::new())) };
        // The frame is said and its rows have moved on: it cannot be tried again.
        let landed = flight.land(&mut self.spent).map_err(|error| {
            EngineError::new(EngineErrorKind::DeviceFault, format!("the device lost a frame: {error}"))
        })?;
        Ok((landed, serials))
    }
}

fn said(landed: Landed, eos: i64) -> Said {
    match landed {
        None => Said::Broken,
        Some(frame) if frame.first() == Some(&eos) => Said::End,
        Some(frame) => Said::Frame(frame),
    }
}

/// Tokens of prompts, with what is filled up, that are read at once: on a GPU as many as keep it busy. On a CPU every
/// prompt is read alone, which costs one or two in a hundred of a row's time: libtorch sums a prompt's states in
/// another order when it is filled up or has company, and in bfloat16 a row would then say something else.
pub(crate) fn read_together(device: Device) -> i64 {
    match device {
        Device::Cuda(_) => 4096,
        Device::Cpu => 0,
    }
}

/// Prompts to be read together, as indexes into `lengths`: those of like length, so that at most one token in
/// five is filled up, and no more than `most` tokens with what is filled up, or one prompt alone.
pub(crate) fn groups(lengths: &[i64], most: i64) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for index in order {
        if let Some(group) = groups.last_mut() {
            let longest = lengths[group[0]];
            let fits = longest * (group.len() as i64 + 1) <= most;
            if fits && lengths[index] * 5 >= longest * 4 {
                group.push(index);
                continue;
            }
        }
        groups.push(vec![index]);
    }
    groups
}

/// A list of frames as the codec takes it: `[1, frames, codebooks]`.
pub(crate) fn frames_tensor(frames: &[Vec<i64>]) -> Torch {
    let width = frames.first().map_or(0, Vec::len) as i64;
    Tensor::f_from_slice(&frames.concat())?.f_view([1, frames.len() as i64, width])?.f_to_kind(Kind::Int64)
}
