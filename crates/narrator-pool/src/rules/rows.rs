//! How many rows a slot's worker may hold: halved when memory runs out, grown back one by one.

/// The limit of one slot. It outlives the worker: the device has as much memory as before.
#[derive(Clone, Debug)]
pub struct RowLimit {
    capacity: u32,
    limit: u32,
    clean: u32,
    epoch: u32,
}

/// What became of the limit when memory ran out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shrink {
    /// The limit is smaller now.
    To(u32),
    /// The row was admitted under an older, larger limit: that was answered already.
    Already,
    /// One row alone was too much.
    AtOne,
}

impl Default for RowLimit {
    fn default() -> Self {
        Self { capacity: 1, limit: 1, clean: 0, epoch: 0 }
    }
}

impl RowLimit {
    /// A worker announced how many rows it takes. A limit that was learned stays.
    pub fn announce(&mut self, capacity: u32) {
        let capacity = capacity.max(1);
        self.limit = if self.limit == self.capacity { capacity } else { self.limit.min(capacity) };
        self.capacity = capacity;
    }

    pub fn limit(&self) -> u32 {
        self.limit
    }

    pub fn is_reduced(&self) -> bool {
        self.limit < self.capacity
    }

    /// Names the limit that a row is dispatched under.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Memory ran out over a row dispatched under `epoch`.
    pub fn out_of_memory(&mut self, epoch: u32) -> Shrink {
        self.clean = 0;
        if epoch != self.epoch {
            return Shrink::Already;
        }
        if self.limit == 1 {
            return Shrink::AtOne;
        }
        self.limit = self.limit.div_ceil(2).min(self.limit - 1);
        self.epoch += 1;
        Shrink::To(self.limit)
    }

    /// A segment went well; the new limit, when it grows.
    pub fn clean(&mut self, grow_after: u32) -> Option<u32> {
        self.clean += 1;
        if self.clean < grow_after || !self.is_reduced() {
            return None;
        }
        self.clean = 0;
        self.limit += 1;
        Some(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_halves_to_one_and_grows_by_one() {
        let mut rows = RowLimit::default();
        rows.announce(8);
        let down: Vec<_> = (0..4).map(|_| rows.out_of_memory(rows.epoch())).collect();
        assert_eq!(down, [Shrink::To(4), Shrink::To(2), Shrink::To(1), Shrink::AtOne]);
        assert!((0..49).all(|_| rows.clean(50).is_none()));
        assert_eq!(rows.clean(50), Some(2));
    }

    #[test]
    fn a_batch_that_ran_out_together_halves_once() {
        let mut rows = RowLimit::default();
        rows.announce(8);
        let epoch = rows.epoch();
        assert_eq!(rows.out_of_memory(epoch), Shrink::To(4));
        assert!((0..7).all(|_| rows.out_of_memory(epoch) == Shrink::Already));
    }

    #[test]
    fn a_new_worker_does_not_forget_what_the_last_one_learned() {
        let mut rows = RowLimit::default();
        rows.announce(8);
        rows.out_of_memory(rows.epoch());
        rows.announce(8);
        assert_eq!(rows.limit(), 4);
        rows.announce(2);
        assert_eq!(rows.limit(), 2);
    }

    proptest! {
        #[test]
        fn it_stays_in_range_and_finds_what_fits(capacity in 1u32..100, fits in 1u32..100) {
            let mut rows = RowLimit::default();
            rows.announce(capacity);
            for _ in 0..4000 {
                if rows.limit() > fits {
                    rows.out_of_memory(rows.epoch());
                } else {
                    rows.clean(50);
                }
                prop_assert!((1..=capacity).contains(&rows.limit()));
            }
            prop_assert!(rows.limit() <= fits + 1);
        }
    }
}
