//! The static cache of keys and values: `[rows, positions, kv heads, head dim]` per layer for each, taken once.
//!
//! A row of the batch lives in one row of the cache, always among the first ones, so that a step reads a
//! plain slice; when a row leaves, the last one moves into its place ([`Cache::move_row`]). A position that a
//! longer neighbour makes a row read, masked, must hold a number, as no weight of zero undoes a NaN: memory
//! is cleared before it is first read, and after a row whose numbers broke ([`Cache::clear_row`]).

use tch::{Device, Kind, Tensor};

use crate::qwen3::config::StackConfig;
use crate::qwen3::ops::Torch;

/// Keys and values of earlier positions.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(super) keys: Vec<Tensor>,
    pub(super) values: Vec<Tensor>,
    rows: i64,
    positions: i64,
    /// Positions of each row that have ever been written: what lies beyond is whatever memory held.
    written: Vec<i64>,
}

impl Cache {
    /// Room whose memory is not touched before it is used: on a CPU, what no row has reached is not resident.
    pub(crate) fn new(
        config: &StackConfig,
        rows: i64,
        positions: i64,
        kind: Kind,
        device: Device,
    ) -> Torch<Self> {
        let shape = [rows, positions, config.kv_heads, config.head_dim];
        let layers =
            || (0..config.layers).map(|_| Tensor::f_empty(shape, (kind, device))).collect::<Torch<_>>();
        Ok(Self { keys: layers()?, values: layers()?, rows, positions, written: vec![0; rows as usize] })
    }

    /// The same, cleared: a recorded step reads any position of any row, and nobody clears ahead of it.
    pub(crate) fn cleared(
        config: &StackConfig,
        rows: i64,
        positions: i64,
        kind: Kind,
        device: Device,
    ) -> Torch<Self> {
        let mut cache = Self::new(config, rows, positions, kind, device)?;
        for tensor in cache.keys.iter_mut().chain(&mut cache.values) {
            let _ = tensor.f_zero_()?;
        }
        cache.written.fill(positions);
        Ok(cache)
    }

    pub(crate) fn rows(&self) -> i64 {
        self.rows
    }

    pub(crate) fn positions(&self) -> i64 {
        self.positions
    }

    /// Notes that `tokens` positions of `row` are written.
    pub(crate) fn wrote(&mut self, row: i64, tokens: i64) {
        if let Some(written) = self.written.get_mut(row as usize) {
            *written = tokens.max(*written);
        }
    }

    /// Makes the first `rows` rows readable up to `seen`.
    pub(super) fn clear_up_to(&mut self, rows: i64, seen: i64) -> Torch<()> {
        /// Cleared ahead, so that this is rare: five seconds of speech.
        const AHEAD: i64 = 64;
        for row in 0..rows {
            let written = self.written[row as usize];
            if written < seen {
                let until = (seen + AHEAD).min(self.positions);
                for tensor in self.keys.iter().chain(&self.values) {
                    let _ = tensor.f_narrow(0, row, 1)?.f_narrow(1, written, until - written)?.f_zero_()?;
                }
                self.written[row as usize] = until;
            }
        }
        Ok(())
    }

    /// Undoes a row whose numbers broke.
    pub(crate) fn clear_row(&mut self, row: i64) -> Torch<()> {
        let written = self.written.get(row as usize).copied().unwrap_or(0);
        for tensor in self.keys.iter().chain(&self.values) {
            let _ = tensor.f_narrow(0, row, 1)?.f_narrow(1, 0, written)?.f_zero_()?;
        }
        Ok(())
    }

    /// Copies the first `length` positions of row `from` over row `to`.
    pub(crate) fn move_row(&mut self, from: i64, to: i64, length: i64) -> Torch<()> {
        let written = &mut self.written[to as usize];
        *written = length.max(*written);
        for tensor in self.keys.iter().chain(&self.values) {
            let source = tensor.f_narrow(0, from, 1)?.f_narrow(1, 0, length)?;
            tensor.f_narrow(0, to, 1)?.f_narrow(1, 0, length)?.f_copy_(&source)?;
        }
        Ok(())
    }
}
