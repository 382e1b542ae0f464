//! What a chunk leaves behind for the next: the state of a stream through the decoder.
//!
//! Every layer that looks back keeps the end of its input here, in the order in which the layers run, so
//! that a stream cut into chunks anywhere gives the samples of the whole. A fresh state is all zeros, which
//! is what the reference pads the beginning with.

use std::collections::VecDeque;
use std::ops::RangeBounds;

use tch::{TchError, Tensor};

use crate::qwen3::ops::Torch;

/// One stream's state between two chunks.
#[derive(Debug)]
pub struct CodecState {
    /// `[1, …]` each, in the order of the layers.
    pub(super) parts: Vec<Tensor>,
    /// Frames decoded so far.
    pub(super) frames: i64,
}

impl CodecState {
    /// A state of its own with the same contents: a primed voice starts many streams.
    #[must_use]
    pub fn fork(&self) -> Self {
        // Nothing is written in place, so sharing is safe: a chunk makes new tensors.
        Self { parts: self.parts.iter().map(Tensor::shallow_clone).collect(), frames: self.frames }
    }

    pub fn frames(&self) -> i64 {
        self.frames
    }

    pub(crate) fn parts(&self) -> &[Tensor] {
        &self.parts
    }

    pub(crate) fn from_parts(parts: Vec<Tensor>, frames: i64) -> Self {
        Self { parts, frames }
    }
}

/// The states of a batch while a chunk passes: each layer takes its part and puts back the next.
pub(super) struct Carry {
    before: VecDeque<Tensor>,
    after: Vec<Tensor>,
}

impl Carry {
    /// Joins the rows' states, of the layers that `which` names by their place.
    pub(super) fn join(states: &[&CodecState], which: impl RangeBounds<usize>) -> Torch<Self> {
        let parts = states.first().map_or(0, |state| state.parts.len());
        let before = (0..parts)
            .filter(|index| which.contains(index))
            .map(|index| {
                let rows: Vec<&Tensor> = states.iter().filter_map(|state| state.parts.get(index)).collect();
                match rows.as_slice() {
                    [row] => Ok(row.shallow_clone()),
                    rows => Tensor::f_cat(rows, 0),
                }
            })
            .collect::<Torch<VecDeque<_>>>()?;
        Ok(Self { after: Vec::with_capacity(before.len()), before })
    }

    pub(super) fn take(&mut self) -> Torch {
        self.before.pop_front().ok_or_else(|| TchError::Shape("a codec state lacks a part".into()))
    }

    pub(super) fn put(&mut self, part: Tensor) {
        self.after.push(part);
    }

    /// Parts the rows again. Views of a chunk become tensors of their own, so that a state does not keep the chunk.
    pub(super) fn split(self, rows: usize) -> Torch<Vec<Vec<Tensor>>> {
        let mut states: Vec<Vec<Tensor>> = (0..rows).map(|_| Vec::with_capacity(self.after.len())).collect();
        for part in &self.after {
            for (row, state) in states.iter_mut().enumerate() {
                state.push(part.f_narrow(0, row as i64, 1)?.f_contiguous()?);
            }
        }
        Ok(states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn rows_that_are_joined_part_again_with_their_own() {
        let row = |value: i64| {
            let part = Tensor::f_full([1, 2], value, (Kind::Float, Device::Cpu)).expect("a tensor");
            CodecState { parts: vec![part], frames: value }
        };
        let (one, two) = (row(1), row(2));
        let mut carry = Carry::join(&[&one, &two], ..).expect("joined");
        let part = carry.take().expect("a part");
        assert_eq!(part.size(), [2, 2]);
        assert!(carry.take().is_err());
        carry.put(part);
        let states = carry.split(2).expect("parted");
        let value = |row: usize| f64::try_from(states[row][0].f_sum(None).expect("a sum")).expect("a number");
        assert!((value(0) - 2.0).abs() < 1e-9 && (value(1) - 4.0).abs() < 1e-9);
    }
}
