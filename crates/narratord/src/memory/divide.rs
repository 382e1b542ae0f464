//! The decision: budgets out of free memory and wishes. Pure.

use narrator_engine::Footprint;

/// What is always left alone: what a pool wants free beside a worker before it starts another one there
/// (`device_margin_bytes`).
const LEAST_RESERVE_BYTES: u64 = 512 << 20;

/// And of a large card this part: desktops and browsers come and go by some hundred megabytes, and an allocator
/// keeps pieces that fit nobody.
const RESERVE_PART: u64 = 20;

/// But no more than this: what comes and goes does not grow with the card, and a card that others have all but
/// filled may still hold a voice.
const MOST_RESERVE_BYTES: u64 = 2 << 30;

/// What nobody is given of a card of so many bytes.
pub fn reserve(total_bytes: u64) -> u64 {
    (total_bytes / RESERVE_PART).clamp(LEAST_RESERVE_BYTES, MOST_RESERVE_BYTES)
}

/// What one crew would like on a card.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish {
    /// Of one process.
    pub footprint: Footprint,
    pub processes: usize,
}

/// The budgets of each crew's processes, in the order of precedence, of `usable` bytes.
///
/// Processes are seated one after the other. The first one may make do with the least; everybody after it comes
/// only where all before it keep what is good and it gets as much itself, and the first who does not find that
/// ends the seating, so that more memory never seats anybody worse. What is left over goes to the crews in their
/// order, to each as much as it can use.
pub fn divide(usable: u64, wishes: &[Wish]) -> Vec<Vec<u64>> {
    let mut left = usable;
    let mut seated: Vec<Vec<u64>> = vec![Vec::new(); wishes.len()];
    let seats = wishes.iter().enumerate().flat_map(|(crew, wish)| (0..wish.processes).map(move |_| crew));
    for (place, crew) in seats.enumerate() {
        let Footprint { least_bytes, good_bytes, .. } = wishes[crew].footprint;
        let needed = if place == 0 { least_bytes } else { good_bytes };
        if left < needed {
            break;
        }
        let budget = good_bytes.min(left);
        seated[crew].push(budget);
        left -= budget;
    }
    for (wish, budgets) in wishes.iter().zip(&mut seated) {
        let Some(&has) = budgets.first() else { continue };
        let (count, wants) = (budgets.len() as u64, wish.footprint.most_bytes.saturating_sub(has));
        let each = wants.min(left / count);
        for budget in budgets.iter_mut() {
            *budget += each;
        }
        left -= each * count;
        if each < wants {
            // The odd bytes of the division are nobody's.
            break;
        }
    }
    seated
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn wish(least: u64, good: u64, most: u64, processes: usize) -> Wish {
        let footprint =
            Footprint { least_bytes: least * GIB, good_bytes: good * GIB, most_bytes: most * GIB };
        Wish { footprint, processes }
    }

    fn gib(seated: &[Vec<u64>]) -> Vec<Vec<u64>> {
        seated.iter().map(|crew| crew.iter().map(|bytes| bytes / GIB).collect()).collect()
    }

    #[test]
    fn the_voice_comes_first_and_the_recogniser_where_both_do_well() {
        let both = [wish(5, 7, 50, 1), wish(2, 3, 4, 1)];
        let of = |usable: u64| gib(&divide(usable * GIB, &both));
        assert_eq!(of(4), [[], []] as [[u64; 0]; 2], "not even the voice");
        assert_eq!(of(5), [vec![5], vec![]]);
        assert_eq!(of(9), [vec![9], vec![]], "the recogniser would have 2 and wants 3");
        assert_eq!(of(10), [vec![7], vec![3]]);
        assert_eq!(of(23), [vec![20], vec![3]], "what is over is the voice's");
        assert_eq!(of(80), [vec![50], vec![4]], "as far as it can use it");
    }

    #[test]
    fn several_voices_share_alike_and_no_more_come_than_do_well() {
        assert_eq!(gib(&divide(22 * GIB, &[wish(5, 7, 50, 2)])), [[11, 11]]);
        assert_eq!(gib(&divide(13 * GIB, &[wish(5, 7, 50, 2)])), [[13]]);
    }

    #[test]
    fn the_second_recogniser_does_not_take_the_place_of_the_first() {
        let crews = [wish(5, 7, 50, 1), wish(2, 6, 8, 1), wish(1, 2, 2, 1)];
        assert_eq!(gib(&divide(12 * GIB, &crews)), [vec![12], vec![], vec![]]);
        assert_eq!(gib(&divide(15 * GIB, &crews)), [vec![7], vec![6], vec![2]]);
    }

    #[test]
    fn where_no_voice_speaks_a_recogniser_is_the_first() {
        assert_eq!(gib(&divide(3 * GIB, &[wish(5, 7, 50, 0), wish(2, 4, 8, 1)])), [vec![], vec![3]]);
    }

    #[test]
    fn a_part_of_every_card_is_left_alone() {
        assert_eq!(reserve(8 * GIB), 512 << 20);
        assert_eq!(reserve(24 * GIB), 24 * GIB / 20);
        assert_eq!(reserve(140 * GIB), 2 * GIB);
        let margin = narrator_pool::SupervisionSettings::default().device_margin_bytes;
        assert!(LEAST_RESERVE_BYTES >= margin, "or a restarted worker would wait for room for ever");
    }

    fn wishes() -> impl Strategy<Value = Vec<Wish>> {
        let one = ([0..12 * GIB, 0..8 * GIB, 0..40 * GIB], 0_usize..4).prop_map(|(steps, processes)| {
            let footprint = Footprint {
                least_bytes: steps[0],
                good_bytes: steps[0] + steps[1],
                most_bytes: steps[0] + steps[1] + steps[2],
            };
            Wish { footprint, processes }
        });
        prop::collection::vec(one, 1..4)
    }

    proptest! {
        #[test]
        fn budgets_never_add_up_to_more_than_there_is(usable in 0..160 * GIB, wishes in wishes()) {
            let seated = divide(usable, &wishes);
            prop_assert!(seated.iter().flatten().sum::<u64>() <= usable);
            for (wish, budgets) in wishes.iter().zip(&seated) {
                let range = wish.footprint.least_bytes..=wish.footprint.most_bytes;
                prop_assert!(budgets.len() <= wish.processes);
                prop_assert!(budgets.iter().all(|budget| range.contains(budget)));
            }
            prop_assert_eq!(divide(usable, &wishes), seated);
        }

        #[test]
        fn nobody_is_seated_beside_another_who_does_badly(usable in 0..160 * GIB, wishes in wishes()) {
            let seated = divide(usable, &wishes);
            if seated.iter().map(Vec::len).sum::<usize>() > 1 {
                for (wish, budgets) in wishes.iter().zip(&seated) {
                    prop_assert!(budgets.iter().all(|budget| *budget >= wish.footprint.good_bytes));
                }
            }
        }

        /// Where one more process comes, those that were there give up what they had beyond a good share: that
        /// apart, more memory is never less for anybody.
        #[test]
        fn more_memory_never_seats_or_gives_less(
            usable in 0..160 * GIB,
            more in 0..80 * GIB,
            wishes in wishes(),
        ) {
            let (before, after) = (divide(usable, &wishes), divide(usable + more, &wishes));
            let seats = |seated: &[Vec<u64>]| seated.iter().map(Vec::len).collect::<Vec<_>>();
            prop_assert!(seats(&before).iter().zip(seats(&after)).all(|(before, after)| after >= *before));
            if seats(&before) == seats(&after) {
                let mut both = before.iter().flatten().zip(after.iter().flatten());
                prop_assert!(both.all(|(before, after)| after >= before));
            }
        }
    }
}
