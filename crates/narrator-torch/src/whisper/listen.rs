//! From pieces of audio to what is written of them: pieces of like length are encoded and decoded together, and
//! what fails its tests is decoded again at a higher temperature.

use std::ops::ControlFlow;

use narrator_core::{Priors, ScoredWord};
use narrator_engine::EngineError;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Tensor};

use super::decode::{Row, Written};
use super::decoder::Audio;
use super::model::Model;
use super::pieces::{FRAME, Window};
use super::rules::{Judgement, TEMPERATURES, compression_ratio, judge};
use super::score::Task;
use super::words::Expected;
use crate::error::{Doing, cancelled};
use crate::qwen3::ops::{Torch, to_floats};

/// Told of every pass; breaks when nobody wants to know any more.
pub(crate) type Told<'a> = dyn FnMut() -> ControlFlow<()> + 'a;

/// Tells of a pass, and ends the call when it is not wanted any more.
pub(crate) fn still_wanted(told: &mut Told<'_>) -> Result<(), EngineError> {
    match told() {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(cancelled("nobody wants to know any more what was heard")),
    }
}

/// A stretch of audio that fits a window.
#[derive(Debug)]
pub(crate) struct Piece {
    samples: Vec<f32>,
    /// Its first frame in the request.
    pub(crate) offset: usize,
    pub(crate) language: Option<i64>,
}

/// A piece that is being written down.
#[derive(Debug)]
pub(crate) struct Writing<'a> {
    pub(crate) piece: usize,
    pub(crate) row: Row<'a>,
    pub(crate) expected: Option<&'a Expected>,
    pub(crate) priors: Priors,
    pub(crate) transcribe: bool,
    pub(crate) beams: usize,
    pub(crate) start: usize,
    pub(crate) no_speech: f32,
    pub(crate) scored: Vec<ScoredWord>,
    /// Of the sampling that a failed decoding falls back to.
    pub(crate) random: ChaCha8Rng,
    /// Where each token begins, and where the last ends.
    pub(crate) frames: Vec<usize>,
}

impl Writing<'_> {
    /// Makes it ready to be decoded once more, at a temperature and, as the reference does it, with timestamps:
    /// they lead out of many a loop by themselves, which is why temperature 0 is tried again too.
    fn again(&mut self, temperature: f32, no_timestamps: i64) {
        self.row.temperature = temperature;
        self.row.timestamps = true;
        self.row.prompt.retain(|&token| token != no_timestamps);
        self.row.random = Some(self.random.clone());
        self.row.written = Written::default();
        self.expected = None;
    }

    /// Whether it is written by beam search.
    fn searches(&self) -> bool {
        self.beams > 1 && !self.row.goes_alone()
    }
}

impl Piece {
    pub(crate) fn new(samples: Vec<f32>, offset: usize) -> Self {
        Self { samples, offset, language: None }
    }

    pub(crate) fn frames(&self) -> usize {
        self.samples.len().div_ceil(FRAME)
    }
}

impl Model {
    /// States `[pieces, frames, width]` of pieces that share a shape of window. A CPU computes one after the
    /// other, which keeps them in its cache; a GPU all at once.
    fn encode(&self, pieces: &[&Piece], told: &mut Told<'_>) -> Result<Tensor, EngineError> {
        let capacity = self.config.shape.max_source_positions as usize;
        let longest = pieces.iter().map(|piece| piece.frames()).max().unwrap_or(1);
        let window = Window::of(if self.whole_windows { capacity } else { longest }, capacity);
        let at_once = if self.device == Device::Cpu { 1 } else { pieces.len().max(1) };
        let mut states = Vec::new();
        for pieces in pieces.chunks(at_once) {
            let mut encode = || -> Torch {
                let mut mels = Vec::with_capacity(pieces.len());
                for piece in pieces {
                    let mut samples = vec![0.0; window.frames() * FRAME];
                    samples[..piece.samples.len()].copy_from_slice(&piece.samples);
                    mels.push(self.mel.frames(&samples)?);
                }
                // A piece is soon done: what a layer is told is asked again behind it.
                let mut layer_told = || {
                    let _ = told();
                };
                self.encoder.run(&Tensor::f_stack(&mels, 0)?, window, &mut layer_told)
            };
            states.push(encode().doing("encoding audio")?);
            still_wanted(told)?;
        }
        Tensor::f_cat(&states, 0).doing("encoding audio")
    }

    /// What the rows of a group hear.
    pub(crate) fn audio_of(&self, pieces: &[&Piece], told: &mut Told<'_>) -> Result<Audio, EngineError> {
        self.decoder.audio(&self.encode(pieces, told)?).doing("projecting what was heard")
    }

    /// The language that is likeliest spoken in a piece.
    pub(crate) fn language_of(&self, piece: &Piece, told: &mut Told<'_>) -> Result<i64, EngineError> {
        let audio = self.audio_of(&[piece], told)?;
        let find = || -> Torch<i64> {
            let pass =
                self.decoder.read(&[self.vocabulary.start], &self.decoder.cache(1, 1)?, &audio, false)?;
            let logits = to_floats(&self.decoder.logits(&pass.states)?)?;
            let best = self
                .vocabulary
                .languages()
                .into_iter()
                .max_by(|a, b| logits[a.0 as usize].total_cmp(&logits[b.0 as usize]));
            Ok(best.map_or(self.vocabulary.start, |(id, _)| id))
        };
        find().doing("finding the language")
    }

    /// Writes everything down.
    pub(crate) fn listen(
        &self,
        pieces: &[Piece],
        writings: &mut [Writing],
        told: &mut Told<'_>,
    ) -> Result<(), EngineError> {
        let mut order: Vec<usize> = (0..writings.len()).collect();
        order.sort_by_key(|&at| (pieces[writings[at].piece].frames(), writings[at].piece));
        for group in order.chunks(self.rows) {
            self.listen_to_group(pieces, writings, group, told)?;
        }
        Ok(())
    }

    fn listen_to_group(
        &self,
        pieces: &[Piece],
        writings: &mut [Writing],
        group: &[usize],
        told: &mut Told<'_>,
    ) -> Result<(), EngineError> {
        // Several texts may be asked of one piece, which is encoded once.
        let (heard, pieces_of) = shared(group.iter().map(|&at| writings[at].piece));
        let states = self.encode(&heard.iter().map(|&at| &pieces[at]).collect::<Vec<_>>(), told)?;
        self.attempt(&states, &pieces_of, pieces, writings, group, told)?;
        let mut doubted: Vec<usize> = group.to_vec();
        for temperature in TEMPERATURES {
            doubted.retain(|&at| {
                let writing = &writings[at];
                writing.transcribe && self.judgement(writing) == Judgement::Doubted
            });
            if doubted.is_empty() {
                break;
            }
            for &at in &doubted {
                writings[at].again(temperature, self.vocabulary.no_timestamps);
            }
            let again = pieces_of.iter().zip(group).filter(|(_, at)| doubted.contains(at));
            let again: Vec<usize> = again.map(|(&piece, _)| piece).collect();
            self.attempt(&states, &again, pieces, writings, &doubted, told)?;
            for &at in &doubted {
                let writing = &mut writings[at];
                // The next temperature draws on from here.
                if let Some(random) = writing.row.random.take() {
                    writing.random = random;
                }
            }
        }
        Ok(())
    }

    fn judgement(&self, writing: &Writing) -> Judgement {
        let written = &writing.row.written;
        let ratio = compression_ratio(self.vocabulary.decode(&written.tokens).trim());
        judge(written.mean_log_prob(), ratio, writing.no_speech)
    }

    /// What each row of a group hears: of `states` `[pieces, frames, width]` the piece that is its own.
    fn audio_of_rows(&self, states: &Tensor, pieces_of: &[usize]) -> Torch<Audio> {
        let (heard, rows) = shared(pieces_of.iter().copied());
        let heard: Vec<i64> = heard.into_iter().map(|at| at as i64).collect();
        let heard = Tensor::f_from_slice(&heard)?.f_to_device(self.device)?;
        let audio = self.decoder.audio(&states.f_index_select(0, &heard)?)?;
        if heard.size()[0] as usize == rows.len() { Ok(audio) } else { audio.select(&rows) }
    }

    /// Decodes a group, of whose pieces `states` `[pieces, frames, width]` are the encoder's; `pieces_of` tells which of
    /// them is whose.
    fn attempt(
        &self,
        states: &Tensor,
        pieces_of: &[usize],
        pieces: &[Piece],
        writings: &mut [Writing],
        group: &[usize],
        told: &mut Told<'_>,
    ) -> Result<(), EngineError> {
        let audio = self.audio_of_rows(states, pieces_of).doing("projecting what was heard")?;
        let mut tasks: Vec<Task> = group
            .iter()
            .map(|&at| {
                let writing = &mut writings[at];
                Task {
                    row: std::mem::replace(&mut writing.row, Row::new(Vec::new(), &[], 0)),
                    piece: writing.piece,
                    expected: writing.expected,
                    priors: writing.priors,
                    transcribe: writing.transcribe && !writing.searches(),
                    frames: pieces[writing.piece].frames(),
                    start: writing.start,
                    no_speech: 0.0,
                    scored: Vec::new(),
                }
            })
            .collect();
        let cache = self.read_expected(&mut tasks, &audio)?;
        self.find_priors(&mut tasks, told)?;
        still_wanted(told)?;
        let frames: Vec<usize> = tasks.iter().map(|task| task.frames).collect();
        let mut rows = Vec::with_capacity(tasks.len());
        for (task, &at) in tasks.into_iter().zip(group) {
            let writing = &mut writings[at];
            writing.no_speech = task.no_speech;
            if writing.expected.is_some() {
                writing.scored = task.scored;
            }
            let mut row = task.row;
            if !writing.transcribe {
                row.most = 0;
            }
            rows.push(row);
        }
        let width = states.size()[1] as usize;
        let beams_of = |at: usize, row: &Row| {
            let writing = &writings[group[at]];
            if writing.transcribe && !row.goes_alone() { writing.beams } else { 1 }
        };
        let mut searched: Vec<(usize, usize, &mut Row)> = rows
            .iter_mut()
            .enumerate()
            .map(|(at, row)| (beams_of(at, row), at, row))
            .filter(|(beams, ..)| *beams > 1)
            .collect();
        searched.sort_by_key(|(beams, ..)| *beams);
        for alike in searched.chunk_by_mut(|one, other| one.0 == other.0) {
            for together in alike.chunks_mut(self.searches) {
                let own: Vec<usize> = together.iter().map(|(_, at, _)| *at).collect();
                let copies: Vec<usize> =
                    together.iter().flat_map(|(beams, at, _)| std::iter::repeat_n(*at, *beams)).collect();
                let copied = cache.select(&copies).and_then(|cache| Ok((cache, audio.select(&own)?)));
                let (cache, audio) = copied.doing("copying a row for each beam")?;
                let rows = together.iter_mut().map(|(.., row)| &mut **row).collect();
                self.search(rows, cache, &audio, told)?;
            }
        }
        self.write(&mut rows, cache, audio, told)?;
        for ((mut row, &at), frames) in rows.into_iter().zip(group).zip(frames) {
            let writing = &mut writings[at];
            if writing.transcribe {
                writing.frames = self.frames_of(&row.written.attention, width, frames);
            }
            row.written.attention = Vec::new();
            writing.row = row;
        }
        Ok(())
    }
}

/// What is in `all`, each once, and where among that each of `all` is.
fn shared(all: impl Iterator<Item = usize>) -> (Vec<usize>, Vec<usize>) {
    let mut distinct: Vec<usize> = Vec::new();
    let places = all
        .map(|one| {
            distinct.iter().position(|&known| known == one).unwrap_or_else(|| {
                distinct.push(one);
                distinct.len() - 1
            })
        })
        .collect();
    (distinct, places)
}
