//! A frame of all rows as fixed work: the same operations on the same tensors at every frame, choices
//! included.
//!
//! ```text
//!  feed (draws, positions) ─┐
//!  hidden, said, pad ───────┴▶ choose: 16 codes a row ─▶ codes, proof, input
//!  input, feed, codes ───────▶ listen: talker's step ──▶ hidden, said, cache
//! ```
//!
//! Both halves can be recorded as CUDA graphs ([`Recorder`]), one for every bucket of rows, the second for
//! every bucket of positions seen too. Rows beyond those that speak run along on what is left in their
//! places; nobody reads what they say. Within a frame nothing waits for the device. The host learns of the
//! codes when it asks for them ([`Flight::land`]), by when it may have sent the next frame on its way.
//!
//! Both halves leave the same results when they run again on the same inputs: what a half changes it does
//! not read. The row's state is written last, so that a half that runs out of memory has changed nothing.

use std::rc::Rc;
use std::time::Instant;

use tch::{Device, Kind, TchError, Tensor};
use torch_shim::{Mark, Session, ShimError};

use super::Spent;
use super::recorder::{Recorder, Results};
use super::sampler::{Choice, choose};
use crate::qwen3::config::GenerationConfig;
use crate::qwen3::model::Qwen3Tts;
use crate::qwen3::ops::{Torch, to_floats, to_ints};
use crate::qwen3::sampling::barred;
use crate::qwen3::stack::{Cache, Positions};
use crate::qwen3::talker::sum_embeddings;

/// Rows are filled up to one of these.
const ROWS: [i64; 11] = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128];

/// And positions seen to one of these.
const SEEN: [i64; 7] = [128, 256, 384, 512, 768, 1024, 2048];

/// The smallest bucket that holds `wanted`, at most `most`.
fn bucket(buckets: &[i64], wanted: i64, most: i64) -> i64 {
    buckets.iter().copied().find(|&bucket| bucket >= wanted).map_or(most, |bucket| bucket.min(most))
}

/// Tensors of a frame, at addresses that stay, with room for all rows of a batch.
#[derive(Debug)]
struct Tensors {
    /// `[rows, hidden]`: what the next frame comes from.
    hidden: Tensor,
    /// `[rows, hidden]`: what every frame adds.
    pad: Tensor,
    /// `[rows, vocab]`, float32: the penalty on what was said, 1 elsewhere.
    said: Tensor,
    /// `[rows, codes + 3]`, float64: draws, then what logits are multiplied by, then the position, then whether
    /// speech may end.
    feed: Tensor,
    /// `[rows, codes]`, int64.
    codes: Tensor,
    /// `[rows, codes]`, float64: no numbers where logits were none.
    proof: Tensor,
    /// `[rows, hidden]`: what was said, for the talker to hear.
    input: Tensor,
    /// `[rows]`, int64: where each row of the flattened cache begins.
    base: Tensor,
    /// `[positions]`, int64.
    range: Tensor,
    /// `[2, vocab]`, float32: see [`barred`].
    barred: Tensor,
    config: GenerationConfig,
}

/// Frames of fixed shape.
#[derive(Debug)]
pub(super) struct Fixed {
    tensors: Tensors,
    session: Option<Rc<Session>>,
    choosing: Recorder<i64>,
    listening: Recorder<(i64, i64)>,
    device: Device,
}

/// What a row brings to a frame.
pub(super) struct Feed {
    pub(super) draws: Vec<f64>,
    pub(super) position: i64,
    /// What the logits of first codes are multiplied by; 1 usually.
    pub(super) sharpness: f32,
    pub(super) may_end: bool,
}

/// A frame on its way: its codes, as soon as the device has come so far.
#[derive(Debug)]
pub(super) struct Flight {
    codes: Tensor,
    proof: Tensor,
    rows: usize,
    /// Before choosing, between, and behind all; none where the device has no clock.
    marks: Option<[Mark; 3]>,
    /// The host's own times, where there are no marks.
    took: Spent,
}

/// What came of a row's frame; nothing where its logits were not numbers.
pub(super) type Landed = Option<Vec<i64>>;

fn torch<T>(result: Result<T, ShimError>) -> Torch<T> {
    result.map_err(|error| TchError::Torch(error.to_string()))
}

impl Fixed {
    /// Room for as many rows as `cache` has. With a session the work is recorded there.
    pub(super) fn new(
        model: &Qwen3Tts,
        cache: &Cache,
        config: GenerationConfig,
        session: Option<Rc<Session>>,
    ) -> Torch<Self> {
        let device = model.manner.tch_device();
        Ok(Self {
            tensors: Tensors::new(model, cache, config)?,
            choosing: Recorder::new(session.clone()),
            listening: Recorder::new(session.clone()),
            session,
            device,
        })
    }

    /// Gives the recordings' memory back; they are made again when next wanted.
    pub(super) fn forget_recordings(&mut self) {
        self.choosing.forget();
        self.listening.forget();
    }

    /// Sets a row's state at its beginning.
    pub(super) fn begin_row(&self, row: i64, hidden: &Tensor, pad: &Tensor) -> Torch<()> {
        let tensors = &self.tensors;
        tensors.hidden.f_narrow(0, row, 1)?.f_copy_(hidden)?;
        tensors.pad.f_narrow(0, row, 1)?.f_copy_(pad)?;
        let _ = tensors.said.f_narrow(0, row, 1)?.f_fill_(1.0)?;
        Ok(())
    }

    /// Puts row `from` in the place of row `to`.
    pub(super) fn move_row(&self, from: i64, to: i64) -> Torch<()> {
        for tensor in [&self.tensors.hidden, &self.tensors.pad, &self.tensors.said] {
            tensor.f_narrow(0, to, 1)?.f_copy_(&tensor.f_narrow(0, from, 1)?)?;
        }
        Ok(())
    }

    /// Undoes what a row whose numbers broke has left, as its place is run along with.
    pub(super) fn clear_row(&self, row: i64) -> Torch<()> {
        for tensor in [&self.tensors.hidden, &self.tensors.pad, &self.tensors.input] {
            let _ = tensor.f_narrow(0, row, 1)?.f_zero_()?;
        }
        Ok(())
    }

    /// Sends a frame of the first rows on its way.
    pub(super) fn launch(
        &mut self,
        model: &Qwen3Tts,
        cache: &Cache,
        frame_cache: &Cache,
        feeds: &[Feed],
    ) -> Torch<Flight> {
        let rows = bucket(&ROWS, feeds.len() as i64, cache.rows());
        let seen = feeds.iter().map(|feed| feed.position + 1).max().unwrap_or(1);
        let seen = bucket(&SEEN, seen, cache.positions());
        self.feed(feeds, rows)?;
        let tensors = &self.tensors;
        let begun = (self.mark()?, Instant::now());
        let (codes, input, hidden) =
            (front(&tensors.codes, rows)?, front(&tensors.input, rows)?, front(&tensors.hidden, rows)?);
        self.choosing.run(rows, &Results { codes: Some(&codes), values: &input }, &|| {
            tensors.choose(model, frame_cache, rows)
        })?;
        let between = (torch(mark(self.session.as_deref()))?, Instant::now());
        self.listening.run((rows, seen), &Results { codes: None, values: &hidden }, &|| {
            tensors.listen(model, cache, rows, seen)
        })?;
        let listened = between.1.elapsed();
        // Copies of their own: the next frame writes over the tensors. To a host's memory they are on their
        // way like everything else, and the last mark is behind them.
        let home = |tensor: &Tensor| {
            let kind = tensor.f_kind()?;
            front(tensor, feeds.len() as i64)?.f_internal_to_copy((kind, Device::Cpu), self.session.is_some())
        };
        let (codes, proof) = (home(&tensors.codes)?, home(&tensors.proof)?);
        let marks = match (begun.0, between.0, self.mark()?) {
            (Some(begun), Some(between), Some(end)) => Some([begun, between, end]),
            _ => None,
        };
        let took = Spent { talker: listened, predictor: between.1 - begun.1, ..Spent::default() };
        Ok(Flight { codes, proof, rows: feeds.len(), marks, took })
    }

    /// Brings the feeds to the device, without waiting for it.
    fn feed(&self, feeds: &[Feed], rows: i64) -> Torch<()> {
        let width = self.tensors.feed.size()[1] as usize;
        let mut values = Vec::with_capacity(rows as usize * width);
        for feed in feeds {
            values.extend_from_slice(&feed.draws);
            let may_end = if feed.may_end { 1.0 } else { 0.0 };
            values.extend([f64::from(feed.sharpness), feed.position as f64, may_end]);
        }
        // Places that nobody speaks in draw nothing and stand at the beginning.
        values.resize(rows as usize * width, 0.0);
        let values = Tensor::f_from_slice(&values)?.f_view([rows, -1])?;
        // The driver takes so little over at once, whether or not the device is done with what is before it.
        let values = values.f_internal_to_copy((Kind::Double, self.device), self.session.is_some())?;
        front(&self.tensors.feed, rows)?.f_copy_(&values)
    }

    fn mark(&self) -> Torch<Option<Mark>> {
        torch(mark(self.session.as_deref()))
    }
}

fn mark(session: Option<&Session>) -> Result<Option<Mark>, ShimError> {
    session.map(Session::mark).transpose()
}

/// The first rows.
fn front(tensor: &Tensor, rows: i64) -> Torch {
    tensor.f_narrow(0, 0, rows)
}

impl Tensors {
    fn new(model: &Qwen3Tts, cache: &Cache, config: GenerationConfig) -> Torch<Self> {
        let (kind, device) = (model.manner.kind(), model.manner.tch_device());
        let stack = &model.config.talker.stack;
        let (rows, codes) = (cache.rows(), model.config.talker.codebooks);
        let wide = || Tensor::f_zeros([rows, stack.hidden], (kind, device));
        let barred = barred(stack.vocab as usize, model.config.talker.ids.eos as usize).concat();
        Ok(Self {
            hidden: wide()?,
            pad: wide()?,
            said: Tensor::f_ones([rows, stack.vocab], (Kind::Float, device))?,
            feed: Tensor::f_zeros([rows, codes + 3], (Kind::Double, device))?,
            codes: Tensor::f_zeros([rows, codes], (Kind::Int64, device))?,
            proof: Tensor::f_zeros([rows, codes], (Kind::Double, device))?,
            input: wide()?,
            base: Tensor::f_arange(rows, (Kind::Int64, device))?.f_mul_scalar(cache.positions())?,
            range: Tensor::f_arange(cache.positions(), (Kind::Int64, device))?,
            barred: Tensor::f_from_slice(&barred)?.f_view([2, stack.vocab])?.f_to_device(device)?,
            config,
        })
    }

    /// Sixteen codes of every row, from `hidden`: `codes`, `proof`, `input`.
    fn choose(&self, model: &Qwen3Tts, frame_cache: &Cache, rows: i64) -> Torch<()> {
        let hidden = front(&self.hidden, rows)?;
        let choice =
            choose(&self.first_logits(model, &hidden, rows)?, &self.draws(0, rows)?, &self.config.talker)?;
        let first = model.talker.codec(&self.keep(&choice, 0, rows)?)?;
        let mut logits = model.predictor.start(&hidden, &first, frame_cache)?;
        let mut embedded = vec![first];
        for code in 0..model.predictor.codes() {
            if code > 0 {
                logits = model.predictor.next(code - 1, &embedded[code], frame_cache)?;
            }
            let at = code as i64 + 1;
            let choice = choose(&logits, &self.draws(at, rows)?, &self.config.predictor)?;
            embedded.push(model.predictor.embed(code, &self.keep(&choice, at, rows)?)?);
        }
        front(&self.input, rows)?.f_copy_(&sum_embeddings(&embedded)?.f_add(&front(&self.pad, rows)?)?)
    }

    /// The talker's logits, less what was said before and what is barred.
    fn first_logits(&self, model: &Qwen3Tts, hidden: &Tensor, rows: i64) -> Torch {
        let logits = model.talker.logits(hidden)?;
        let said = front(&self.said, rows)?;
        // A logit below zero is multiplied by the penalty and one above divided: for a penalty above 1 that
        // is the smaller of the two, for one below 1 the greater.
        let (times, over) = (logits.f_mul(&said)?, logits.f_div(&said)?);
        let logits = if self.config.repetition_penalty >= 1.0 {
            times.f_minimum(&over)?
        } else {
            times.f_maximum(&over)?
        };
        let columns = self.feed.size()[1];
        let feed = front(&self.feed, rows)?;
        let may_end = feed.f_select(1, columns - 1)?.f_to_kind(Kind::Int64)?;
        let logits = logits.f_mul(&feed.f_narrow(1, columns - 3, 1)?.f_to_kind(Kind::Float)?)?;
        logits.f_add(&self.barred.f_index_select(0, &may_end)?)
    }

    fn draws(&self, code: i64, rows: i64) -> Torch {
        front(&self.feed, rows)?.f_narrow(1, code, 1)
    }

    /// Writes a choice to its place; gives the codes as `[rows]`.
    fn keep(&self, choice: &Choice, code: i64, rows: i64) -> Torch {
        front(&self.codes, rows)?.f_narrow(1, code, 1)?.f_copy_(&choice.codes)?;
        front(&self.proof, rows)?.f_narrow(1, code, 1)?.f_copy_(&choice.proof)?;
        choice.codes.f_view([rows])
    }

    /// The talker hears `input`: `hidden`, the cache, and what was said.
    fn listen(&self, model: &Qwen3Tts, cache: &Cache, rows: i64, seen: i64) -> Torch<()> {
        let column = self.feed.size()[1] - 2;
        let at = front(&self.feed, rows)?.f_select(1, column)?.f_to_kind(Kind::Int64)?;
        let range = front(&self.range, seen)?;
        let positions = Positions::recorded(at, &front(&self.base, rows)?, &range, model.talker.kind())?;
        let hidden = model.talker.step(&front(&self.input, rows)?, cache, positions)?;
        front(&self.hidden, rows)?.f_copy_(&hidden)?;
        let first = front(&self.codes, rows)?.f_narrow(1, 0, 1)?;
        let penalty = f64::from(self.config.repetition_penalty);
        let _ = front(&self.said, rows)?.f_scatter_value_(1, &first, penalty)?;
        Ok(())
    }
}

impl Flight {
    /// Waits for the frame; gives every row's codes, and adds to `spent` what it took.
    pub(super) fn land(self, spent: &mut Spent) -> Torch<Vec<Landed>> {
        let mut took = self.took;
        if let Some([begun, between, end]) = &self.marks {
            torch(end.wait())?;
            took.predictor = torch(begun.until(between))?;
            took.talker = torch(between.until(end))?;
        }
        spent.talker += took.talker;
        spent.predictor += took.predictor;
        let codes = to_ints(&self.codes)?;
        // Narrowed to float32, which keeps what is no number.
        let proof = to_floats(&self.proof)?;
        let width = codes.len() / self.rows.max(1);
        let rows = codes.chunks(width.max(1)).zip(proof.chunks(width.max(1)));
        Ok(rows.map(|(codes, proof)| proof.iter().all(|p| !p.is_nan()).then(|| codes.to_vec())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_is_wanted_and_never_more_than_there_is() {
        assert_eq!(bucket(&ROWS, 1, 64), 1);
        assert_eq!(bucket(&ROWS, 5, 64), 8);
        assert_eq!(bucket(&ROWS, 5, 6), 6);
        assert_eq!(bucket(&ROWS, 100, 100), 100);
        assert_eq!(bucket(&ROWS, 200, 200), 200);
        assert_eq!(bucket(&SEEN, 129, 3072), 256);
        assert_eq!(bucket(&SEEN, 2049, 3072), 3072);
    }
}
