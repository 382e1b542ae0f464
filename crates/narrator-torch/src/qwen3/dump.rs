//! One utterance with everything that it was made from: what comparisons between implementations read.
//!
//! `narrator-worker synth --dump` writes it under the names, shapes and kinds that the project's script for
//! the reference writes, so that the two files can be compared tensor by tensor (`scripts/parity`).

use std::path::Path;

use narrator_engine::{EngineError, EngineErrorKind};
use safetensors::tensor::{Dtype, TensorView};
use tch::Tensor;

use super::batch::{Batch, Said, Way, frames_tensor};
use super::model::Qwen3Tts;
use super::ops::{Torch, to_floats, to_ints};
use super::prompt::{Utterance, Voice};
use crate::error::{Doing, bad_request};

/// What to say, and how to choose codes.
#[derive(Debug)]
pub struct DumpRequest<'a> {
    pub utterance: Utterance<'a>,
    /// Always the likeliest code.
    pub greedy: bool,
    pub seed: u64,
    /// Frames at most; the end of speech may come before.
    pub frames: usize,
    /// Samples of the clip that a cloned voice was made from, kept for the comparison.
    pub clip: Option<&'a [f32]>,
}

/// The tensors, in memory.
#[derive(Debug)]
pub struct Dump {
    /// Ids of the text in the reference's template, `[n]`.
    pub text_ids: Vec<i64>,
    /// `[length, hidden]`.
    pub prompt_embeds: Plane,
    /// `[frames, codebooks]`.
    pub codes: Vec<Vec<i64>>,
    /// Before any processing, `[frames, vocab]`.
    pub talker_logits: Plane,
    /// `[frames, hidden]`.
    pub talker_hidden: Plane,
    /// Decoded in one piece, and for a clone in context without the clip's own part.
    pub wav: Vec<f32>,
    pub ref_wav: Option<Vec<f32>>,
    /// `[hidden]`.
    pub speaker: Option<Vec<f32>>,
    pub ref_codes: Option<Vec<Vec<i64>>>,
}

/// A matrix of float32, row by row.
#[derive(Clone, PartialEq, Debug)]
pub struct Plane {
    pub columns: usize,
    pub values: Vec<f32>,
}

impl Plane {
    fn of(tensor: &Tensor) -> Torch<Self> {
        let columns = tensor.size().last().copied().unwrap_or(0) as usize;
        Ok(Self { columns, values: to_floats(tensor)? })
    }

    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.columns.max(1))
    }
}

impl Qwen3Tts {
    /// Speaks one utterance alone and keeps everything.
    pub fn dump(&self, request: &DumpRequest) -> Result<Dump, EngineError> {
        let _no_grad = tch::no_grad_guard();
        let config = if request.greedy { self.generation.greedy() } else { self.generation };
        let prompt = self.prompt(&request.utterance)?;
        let mut batch = Batch::new(self, 1, config, Way::Chosen)?;
        batch.keep_trace();
        batch.join(self, (), &prompt, request.seed)?;
        let mut codes = Vec::new();
        let mut traced = (Vec::new(), Vec::new());
        while codes.len() < request.frames && batch.room(()).is_some_and(|room| room > 0) {
            let Some(((), said)) = batch.advance(self)?.pop() else { break };
            match said {
                Said::Frame(frame) => codes.push(frame),
                Said::End => break,
                Said::Broken => {
                    return Err(EngineError::new(
                        EngineErrorKind::BadOutput,
                        format!("frame {} has logits that are not numbers", codes.len()),
                    ));
                }
            }
            if let Some(trace) = batch.trace() {
                traced.0.push(trace.hidden.shallow_clone());
                traced.1.push(trace.logits.shallow_clone());
            }
        }
        if codes.is_empty() {
            return Err(bad_request("the model said nothing"));
        }
        let context = match &request.utterance.voice {
            Voice::Cloned(clone) => clone.context(),
            _ => None,
        };
        let cloned = match &request.utterance.voice {
            Voice::Cloned(clone) => Some(to_floats(&clone.speaker).doing("reading the speaker")?),
            _ => None,
        };
        let reference = match context {
            Some(context) => Some(rows_of(&context.codes).doing("reading reference codes")?),
            None => None,
        };
        let keep = |tensors: &[Tensor]| Plane::of(&Tensor::f_cat(tensors, 0)?);
        Ok(Dump {
            text_ids: prompt.text_ids,
            prompt_embeds: Plane::of(&prompt.embeds).doing("keeping the prompt")?,
            talker_hidden: keep(&traced.0).doing("keeping hidden states")?,
            talker_logits: keep(&traced.1).doing("keeping logits")?,
            wav: self.decode_whole(reference.as_deref().unwrap_or_default(), &codes)?,
            ref_wav: request.clip.map(<[f32]>::to_vec),
            speaker: cloned,
            ref_codes: reference,
            codes,
        })
    }

    /// Samples of `codes` after `reference`, decoded in one piece. The reference's part is cut off where the
    /// reference implementation cuts it.
    pub fn decode_whole(&self, reference: &[Vec<i64>], codes: &[Vec<i64>]) -> Result<Vec<f32>, EngineError> {
        let frames = [reference, codes].concat();
        let run = || {
            let mut state = self.decoder.fresh()?;
            to_floats(&self.decoder.decode(&frames_tensor(&frames)?, &mut [&mut state])?)
        };
        let mut samples = run().doing("decoding in one piece")?;
        let share = reference.len() as f64 / frames.len().max(1) as f64;
        let cut = (share * samples.len() as f64) as usize;
        Ok(samples.split_off(cut))
    }

    /// The same in chunks of `chunk` frames, carrying the codec's state from one to the next.
    pub fn decode_chunks(&self, codes: &[Vec<i64>], chunk: usize) -> Result<Vec<f32>, EngineError> {
        let run = || {
            let mut state = self.decoder.fresh()?;
            let mut samples = Vec::new();
            for frames in codes.chunks(chunk.max(1)) {
                let decoded = self.decoder.decode(&frames_tensor(frames)?, &mut [&mut state])?;
                samples.extend(to_floats(&decoded)?);
            }
            Ok(samples)
        };
        run().doing("decoding in chunks")
    }
}

fn rows_of(codes: &Tensor) -> Torch<Vec<Vec<i64>>> {
    let columns = codes.size().last().copied().unwrap_or(1).max(1) as usize;
    Ok(to_ints(codes)?.chunks(columns).map(<[i64]>::to_vec).collect())
}

impl Dump {
    /// Writes the tensors to `path` under the names of the comparison.
    pub fn save(&self, path: &Path) -> Result<(), EngineError> {
        let mut tensors: Vec<(&str, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        let mut ints = |name, shape: Vec<usize>, values: &mut dyn Iterator<Item = i64>| {
            tensors.push((name, Dtype::I64, shape, values.flat_map(i64::to_le_bytes).collect()));
        };
        ints("text_ids", vec![self.text_ids.len()], &mut self.text_ids.iter().copied());
        for (name, codes) in [("codes", Some(&self.codes)), ("ref_codes", self.ref_codes.as_ref())] {
            if let Some(codes) = codes {
                let shape = vec![codes.len(), codes.first().map_or(0, Vec::len)];
                ints(name, shape, &mut codes.iter().flatten().copied());
            }
        }
        let mut floats = |name, shape: Vec<usize>, values: &[f32]| {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            tensors.push((name, Dtype::F32, shape, bytes));
        };
        for (name, plane) in [
            ("prompt_embeds", &self.prompt_embeds),
            ("talker_logits", &self.talker_logits),
            ("talker_hidden", &self.talker_hidden),
        ] {
            floats(name, vec![plane.values.len() / plane.columns.max(1), plane.columns], &plane.values);
        }
        for (name, values) in
            [("wav", Some(&self.wav)), ("ref_wav", self.ref_wav.as_ref()), ("speaker", self.speaker.as_ref())]
        {
            if let Some(values) = values {
                floats(name, vec![values.len()], values);
            }
        }
        let write = || {
            let views = tensors
                .iter()
                .map(|(name, dtype, shape, bytes)| {
                    Ok((*name, TensorView::new(*dtype, shape.clone(), bytes)?))
                })
                .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
            safetensors::serialize_to_file(views, None, path)
        };
        write().map_err(|error| bad_request(format!("cannot write {}: {error}", path.display())))
    }
}
