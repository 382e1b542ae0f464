//! A frame whose codes the host chooses, one after the other: what a CPU is best at, and what comparisons with
//! the reference trace. Rows are of any number and see no further than the longest of them.

use std::time::Instant;

use tch::Tensor;

use super::{Batch, Landed, Row, Trace};
use crate::qwen3::model::Qwen3Tts;
use crate::qwen3::ops::{Torch, to_floats};
use crate::qwen3::sampling::Chooser;
use crate::qwen3::stack::Positions;
use crate::qwen3::talker::sum_embeddings;

impl<K: Copy + PartialEq> Batch<K> {
    /// A frame of every row.
    pub(super) fn speak(&mut self, model: &Qwen3Tts) -> Torch<Vec<Landed>> {
        let begun = Instant::now();
        let choices = self.spent.choices;
        let hidden: Vec<&Tensor> = self.rows.iter().map(|row| &row.hidden).collect();
        let hidden = Tensor::f_cat(&hidden, 0)?;
        let logits = model.talker.logits(&hidden)?;
        let mut broken = vec![false; self.rows.len()];
        let first = self.choose(&logits, &mut broken, Chooser::first)?;
        if let Some(trace) = &mut self.trace {
            *trace = Trace { hidden: hidden.shallow_clone(), logits };
        }
        // A row at its end runs along for this one frame and is dropped: cheaper than closing gaps midway.
        let eos = model.config.talker.ids.eos as usize;
        let mut frames: Vec<Vec<i64>> = first.iter().map(|&code| vec![code as i64]).collect();
        if first.iter().zip(&broken).all(|(&code, broken)| code == eos || *broken) {
            return Ok(landed(frames, &broken));
        }
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
        Ok(landed(frames, &broken))
    }

    /// Gives the talker what was said, for the next frame.
    fn listen(&mut self, model: &Qwen3Tts, embedded: &[Tensor]) -> Torch<()> {
        let pads: Vec<&Tensor> = self.rows.iter().map(|row| &row.pad).collect();
        let input = sum_embeddings(embedded)?.f_add(&Tensor::f_cat(&pads, 0)?)?;
        let (kind, device) = (model.talker.kind(), model.talker.device());
        let last = self.cache.positions() - 1;
        let at: Vec<i64> = self.rows.iter().map(|row| row.position(last)).collect();
        let positions = Positions::new(&at, &mut self.cache, kind, device)?;
        let hidden = model.talker.step(&input, &self.cache, positions)?;
        for (row, index) in self.rows.iter_mut().zip(0..) {
            row.hidden = hidden.f_narrow(0, index, 1)?;
        }
        self.rows.iter_mut().for_each(|row| row.grow(last));
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
            .map(|((row, logits), broken): ((&mut Row<K>, _), _)| {
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

fn landed(frames: Vec<Vec<i64>>, broken: &[bool]) -> Vec<Landed> {
    frames.into_iter().zip(broken).map(|(frame, broken)| (!broken).then_some(frame)).collect()
}
