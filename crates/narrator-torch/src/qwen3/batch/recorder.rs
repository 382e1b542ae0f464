//! Work that is recorded once and then replayed, or simply done where nothing can be recorded.
//!
//! The work must leave the same results however often it runs on the same inputs: it runs a few times as it
//! is, so that libtorch sets up what it needs outside the recording, then once to be recorded, and then as a
//! replay whose results are compared with those of the plain run. A recording that fails or that computes
//! something else is given up for good, with a warning, and the work is done plainly: slower, and as right.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use tch::{Kind, TchError, Tensor};
use torch_shim::{Graph, RecordError, Session};

use crate::qwen3::ops::Torch;

/// Plain runs before a recording: what is set up at first use is set up by then.
const WARM_UPS: usize = 3;

/// Half precisions differ by this much of the largest value when libtorch takes another kernel.
const TOLERANCE: f64 = 0.03;

/// A draw that falls on the border between two codes may go either way; so many tries before a recording whose
/// codes differ is given up.
const TRIES: usize = 3;

/// Recordings of one kind of work, by shape.
#[derive(Debug)]
pub(super) struct Recorder<K> {
    session: Option<Rc<Session>>,
    graphs: HashMap<K, Graph>,
    /// Tries that differed, in a row.
    differed: usize,
}

/// What a run leaves behind, compared between a plain run and a replay.
pub(super) struct Results<'a> {
    /// Choices, `[rows, …]`: half of the rows must agree in all of theirs.
    pub(super) codes: Option<&'a Tensor>,
    /// Numbers, of which all must be near.
    pub(super) values: &'a Tensor,
}

impl<K: Eq + Hash + Copy + std::fmt::Debug> Recorder<K> {
    /// Records with `session`; without one, all work is done plainly.
    pub(super) fn new(session: Option<Rc<Session>>) -> Self {
        Self { session, graphs: HashMap::new(), differed: 0 }
    }

    /// Drops all recordings and with them the memory that they hold. They are made again when next wanted.
    pub(super) fn forget(&mut self) {
        if let Some(session) = &self.session {
            // A replay may still run. Should waiting fail, the device is gone and everything with it.
            let _ = session.synchronize();
        }
        self.graphs.clear();
    }

    /// Does `work`, by replaying its recording for `key` where there is one.
    pub(super) fn run(&mut self, key: K, results: &Results<'_>, work: &dyn Fn() -> Torch<()>) -> Torch<()> {
        let Some(session) = &self.session else { return work() };
        if let Some(graph) = self.graphs.get(&key) {
            return graph.replay().map_err(|error| TchError::Torch(error.to_string()));
        }
        for _ in 0..WARM_UPS {
            work()?;
        }
        let plain = results.keep()?;
        match session.record(work).map_err(|error| match error {
            RecordError::Work(error) => error.to_string(),
            RecordError::Recording(error) => error.to_string(),
        }) {
            Ok(graph) => {
                let replayed = graph.replay().map_err(|error| TchError::Torch(error.to_string()));
                match replayed.and_then(|()| results.agree(&plain)) {
                    Ok(true) => {
                        tracing::debug!(event = "qwen3.recorded", ?key);
                        self.differed = 0;
                        self.graphs.insert(key, graph);
                        return Ok(());
                    }
                    Ok(false) if self.differed + 1 < TRIES => self.differed += 1,
                    Ok(false) => self.give_up(&key, "its replay computes something else"),
                    Err(error) => self.give_up(&key, &error.to_string()),
                }
            }
            Err(why) => self.give_up(&key, &why),
        }
        // The plain results again, whatever the attempt left.
        work()
    }

    fn give_up(&mut self, key: &K, why: &str) {
        let why = why.lines().next().unwrap_or_default();
        tracing::warn!(
            event = "qwen3.graphs_off",
            ?key,
            why,
            "speaking without CUDA graphs, which is slower"
        );
        self.forget();
        self.session = None;
    }
}

impl Results<'_> {
    /// Copies of the results.
    fn keep(&self) -> Torch<(Option<Tensor>, Tensor)> {
        Ok((self.codes.map(copy).transpose()?, copy(self.values)?))
    }

    /// Whether the results now are those kept before.
    fn agree(&self, kept: &(Option<Tensor>, Tensor)) -> Torch<bool> {
        if let (Some(now), Some(before)) = (self.codes, &kept.0) {
            let rows = now.size().first().copied().unwrap_or(0);
            let same = now.f_eq_tensor(before)?.f_view([rows, -1])?.f_all_dim(1, false)?;
            let same = number(&same.f_sum(Kind::Double)?)?;
            if same * 2.0 < rows as f64 {
                return Ok(false);
            }
            // Numbers that follow from other codes are other numbers.
            if same < rows as f64 {
                return Ok(true);
            }
        }
        let (now, before) = (self.values.f_to_kind(Kind::Double)?, kept.1.f_to_kind(Kind::Double)?);
        let apart = number(&now.f_sub(&before)?.f_abs()?.f_max()?)?;
        let largest = number(&before.f_abs()?.f_max()?)?;
        Ok(apart <= TOLERANCE * largest.max(1e-6))
    }
}

fn copy(tensor: &Tensor) -> Torch {
    let mut copy = tensor.f_empty_like()?;
    copy.f_copy_(tensor)?;
    Ok(copy)
}

fn number(tensor: &Tensor) -> Torch<f64> {
    f64::try_from(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results_of(codes: &[i64], values: &[f32]) -> (Tensor, Tensor) {
        (Tensor::from_slice(codes).view([-1, 2]), Tensor::from_slice(values))
    }

    #[test]
    fn a_replay_agrees_when_most_rows_say_the_same_and_their_numbers_are_near() {
        let (codes, values) = results_of(&[1, 2, 3, 4, 5, 6], &[1.0, -2.0]);
        let kept = Results { codes: Some(&codes), values: &values }.keep().expect("copies");
        let agree = |codes: &[i64], values: &[f32]| {
            let (codes, values) = results_of(codes, values);
            Results { codes: Some(&codes), values: &values }.agree(&kept).expect("an answer")
        };
        assert!(agree(&[1, 2, 3, 4, 5, 6], &[1.01, -2.0]));
        assert!(!agree(&[1, 2, 3, 4, 5, 6], &[1.5, -2.0]), "same codes, other numbers");
        assert!(!agree(&[1, 2, 3, 4, 5, 6], &[f32::NAN, -2.0]));
        assert!(agree(&[1, 2, 3, 4, 5, 7], &[9.0, 9.0]), "one row took another way");
        assert!(!agree(&[1, 3, 3, 5, 5, 6], &[1.0, -2.0]), "most rows did");
    }

    #[test]
    fn without_a_device_the_work_is_done_once_and_plainly() {
        let mut recorder: Recorder<i64> = Recorder::new(None);
        let count = std::cell::Cell::new(0);
        let values = Tensor::from_slice(&[0.0_f32]);
        let work = || {
            count.set(count.get() + 1);
            Ok(())
        };
        for _ in 0..2 {
            recorder.run(1, &Results { codes: None, values: &values }, &work).expect("done");
        }
        assert_eq!(count.get(), 2);
        let failing = || Err(TchError::Torch("CUDA out of memory.".into()));
        assert!(recorder.run(1, &Results { codes: None, values: &values }, &failing).is_err());
    }
}
