//! Whose fault it was: the text's or the worker's.
//!
//! A worker that dies with eight rows in hand has one culprit and seven bystanders, or none at all.
//! Nobody is charged for a shared death; everybody in it is spoken again alone, and whoever then takes
//! its worker along is charged. A fault is *certain* when the segment was alone in the worker, or when
//! the worker itself named it and lived on.
//!
//! A segment is quarantined when it lost as many tries as are allowed (three), shared ones included,
//! in at least two incarnations, at least once for certain. The three conditions are always met
//! together by the third loss, because the tries are arranged so:
//! - after a shared loss every further try is alone, hence certain;
//! - when all losses so far were in one incarnation and one try is left, that try is for another one.

use narrator_core::{Fault, Incarnation};

/// One lost try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loss {
    pub fault: Fault,
    pub incarnation: Incarnation,
    pub certain: bool,
}

/// What a segment has lost so far.
#[derive(Clone, Debug, Default)]
pub struct Record {
    losses: Vec<Loss>,
    suspected: Option<Incarnation>,
}

/// What becomes of a segment that lost a try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judgement {
    Again,
    Quarantine,
}

impl Record {
    /// Counts a loss that the policy charges.
    pub fn lose(&mut self, loss: Loss, tries: u32) -> Judgement {
        self.losses.push(loss);
        if loss.fault.policy().condemn || should_quarantine(&self.losses, tries) {
            Judgement::Quarantine
        } else {
            Judgement::Again
        }
    }

    /// A worker died with the segment before it, untouched as far as anybody can tell: no charge, but
    /// from here on it is tried alone.
    pub fn suspect(&mut self, incarnation: Incarnation) {
        self.suspected = Some(incarnation);
    }

    pub fn is_suspected(&self) -> bool {
        self.suspected.is_some()
    }

    /// The next try must have a worker to itself.
    pub fn must_be_alone(&self) -> bool {
        self.suspected.is_some() || self.losses.iter().any(|loss| !loss.certain)
    }

    /// The incarnation that the next try must not go to.
    pub fn not_by(&self, tries: u32) -> Option<Incarnation> {
        let first = self.losses.first()?.incarnation;
        let last_try = self.losses.len() as u32 + 1 >= tries;
        (last_try && tries > 1 && self.losses.iter().all(|loss| loss.incarnation == first)).then_some(first)
    }

    /// How often the random numbers are to be drawn anew: the number of the take.
    pub fn take(&self) -> u32 {
        self.losses.iter().filter(|loss| loss.fault.policy().reseed).count() as u32
    }

    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// The worker processes that died over it.
    pub fn deaths(&self) -> impl Iterator<Item = Incarnation> {
        let charged = self.losses.iter().filter(|loss| loss.fault.policy().strike);
        charged.map(|loss| loss.incarnation).chain(self.suspected)
    }
}

/// Whether a segment with these losses is out.
pub fn should_quarantine(losses: &[Loss], tries: u32) -> bool {
    let incarnations = losses.iter().any(|loss| loss.incarnation != losses[0].incarnation);
    losses.len() as u32 >= tries && (incarnations || tries <= 1) && losses.iter().any(|loss| loss.certain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn loss(fault: Fault, incarnation: u64, certain: bool) -> Loss {
        Loss { fault, incarnation: Incarnation(incarnation), certain }
    }

    #[test]
    fn the_third_death_is_the_last() {
        let mut record = Record::default();
        assert_eq!(record.lose(loss(Fault::Crashed, 1, false), 3), Judgement::Again);
        assert!(record.must_be_alone());
        assert_eq!(record.lose(loss(Fault::Crashed, 2, true), 3), Judgement::Again);
        assert_eq!(record.lose(loss(Fault::Crashed, 3, true), 3), Judgement::Quarantine);
    }

    #[test]
    fn bad_takes_of_one_worker_need_the_word_of_another() {
        let mut record = Record::default();
        record.lose(loss(Fault::BadOutput, 1, true), 3);
        assert_eq!(record.not_by(3), None);
        record.lose(loss(Fault::Runaway, 1, true), 3);
        assert_eq!(record.not_by(3), Some(Incarnation(1)));
        assert_eq!((record.take(), record.must_be_alone()), (2, false));
        assert_eq!(record.lose(loss(Fault::BadOutput, 2, true), 3), Judgement::Quarantine);
    }

    #[test]
    fn a_text_that_the_engine_refuses_is_out_at_once() {
        let mut record = Record::default();
        assert_eq!(record.lose(loss(Fault::BadRequest, 1, true), 3), Judgement::Quarantine);
    }

    #[test]
    fn a_crash_does_not_change_the_dice() {
        let mut record = Record::default();
        record.lose(loss(Fault::Crashed, 1, true), 3);
        assert_eq!(record.take(), 0);
    }

    proptest! {
        /// Played by its own rules, a record is closed by exactly the allowed number of losses, and
        /// both further conditions hold then.
        #[test]
        fn it_ends_at_the_limit(
            tries in 1u32..6,
            plan in prop::collection::vec((any::<bool>(), any::<bool>()), 8),
        ) {
            let (mut record, mut incarnation) = (Record::default(), 1);
            for (n, (dies, shared)) in plan.into_iter().enumerate() {
                if record.not_by(tries) == Some(Incarnation(incarnation)) {
                    incarnation += 1;
                }
                let fault = if dies { Fault::Crashed } else { Fault::BadOutput };
                let certain = !(dies && shared) || record.must_be_alone() || n as u32 + 1 >= tries;
                let judgement = record.lose(loss(fault, incarnation, certain), tries);
                incarnation += u64::from(dies);
                prop_assert_eq!(judgement == Judgement::Quarantine, n as u32 + 1 == tries);
                if judgement == Judgement::Quarantine {
                    break;
                }
            }
        }
    }
}
