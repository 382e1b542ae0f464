//! Where every segment of a checked run is on its way from text to accepted take.
//!
//! ```text
//!            lend              durable             lend             judged
//!  to speak ──────▶ speaking ──────────▶ to hear ──────▶ hearing ──────────▶ settled
//!      ▲                │ next piece       │  ▲              │ doubt: to the other listener
//!      │                └──────▶ to speak  │  └──────────────┤
//!      │                                   │ nobody listens  │
//!      │                                   └────▶ settled    │
//!      └──────────────────── refused: the next rung ─────────┘
//! ```
//!
//! A pure object: speaking and listening pools ask it for work and tell it what came of it, each from its
//! own side, and neither waits for the other. It is bounded by [`most_unheard`]: while so many takes wait
//! to be heard nothing more is spoken, except what the ladder asks for.
//!
//! Invariants:
//! - a segment is in one place at a time, and in nobody's hands but one;
//! - what was lent comes back by exactly one of the answers, or the run ends without it;
//! - a segment leaves by being settled, once, and its followers (segments of the same content) with it;
//! - numbers of takes rise, so that no take replaces another.
//!
//! Deliberately not here: what a verdict is, what the next rung should be, and anything durable.

use std::collections::{BTreeSet, HashMap, VecDeque};

use narrator_core::{ContentKey, Delivery, SegmentId};

use super::plan::Plan;

/// Takes that may wait to be heard before speaking pauses, by the number of recognisers' processes: a batch in
/// each engine, one beside it, and some on the way, so that a recogniser always finds a full batch; and no more,
/// so that a refused take is not followed by an hour of others like it.
pub fn most_unheard(listeners: usize) -> usize {
    24 + 24 * listeners.max(1)
}

/// Doubts that the second recogniser is given together while the first is busy: one alone takes it as long as two
/// of a batch. While the first has less than this before it, there is time to spare, and nothing waits for company.
const COMPANY: usize = 12;

/// Which recogniser.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ear {
    First,
    Second,
}

impl Ear {
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }
}

/// A segment as the course begins with it.
#[derive(Clone, PartialEq, Debug)]
pub struct Start {
    pub segment: SegmentId,
    pub key: ContentKey,
    pub begin: Begin,
    /// Number of the first take that nobody has spoken yet.
    pub next_take: u32,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Begin {
    Speak(Plan),
    /// The take is on disk, and not yet judged.
    Hear {
        take: u32,
    },
}

/// A text to speak.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpeakOrder {
    pub segment: SegmentId,
    pub text: String,
    /// The text is the segment's, and not a piece of it or more than it.
    pub whole: bool,
    pub take: u32,
    pub delivery: Delivery,
}

/// What is to become of a take that was spoken.
#[derive(Clone, PartialEq, Debug)]
pub enum Spoken {
    /// It is all of this plan, with the segment's own part in it.
    Whole(Plan),
    /// More pieces are to come.
    Piece,
    /// All pieces are there: these before it, in order.
    Last(Vec<Vec<f32>>),
    /// Nobody waits for it.
    Stray,
}

/// What follows a refusal.
#[derive(Clone, PartialEq, Debug)]
pub enum Next {
    Speak(Plan),
    /// The best take is accepted with a doubt.
    Accept,
    Quarantine,
}

#[derive(Clone, Debug)]
struct Leg {
    key: ContentKey,
    place: Place,
    /// What is to be spoken, or was last.
    plan: Plan,
    /// Samples of the pieces that are there.
    made: Vec<Vec<f32>>,
    next_take: u32,
    /// Segments of the same content that go where this one goes.
    followers: Vec<SegmentId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    ToSpeak,
    Speaking,
    ToHear { take: u32, ear: Ear },
    Hearing { take: u32, ear: Ear },
    Settled,
}

/// The way of a whole script, or of what is left of it.
#[derive(Debug, Default)]
pub struct Course {
    legs: HashMap<SegmentId, Leg>,
    to_speak: BTreeSet<SegmentId>,
    /// What the ladder asks for: spoken first, since what waits for it is nearly done.
    again: BTreeSet<SegmentId>,
    to_hear: [VecDeque<SegmentId>; 2],
    open: usize,
    unheard: usize,
    most_unheard: usize,
    /// The second recogniser is being given what waits for it.
    lends_doubts: bool,
    /// Spoken for the first time before anything is heard: they tell the voice's pace.
    tellers: BTreeSet<SegmentId>,
    /// A recogniser that is not there, or not any more, is never asked.
    deaf: [bool; 2],
    mute: bool,
}

impl Course {
    /// Two segments of one content are one leg: they share the take, and what is heard of it.
    pub fn new(starts: Vec<Start>, has_second: bool, most_unheard: usize) -> Self {
        let mut course = Self { deaf: [false, !has_second], most_unheard, ..Self::default() };
        let mut leaders: HashMap<ContentKey, SegmentId> = HashMap::new();
        for Start { segment, key, begin, next_take } in starts {
            if let Some(leader) = leaders.get(&key) {
                if let Some(leg) = course.legs.get_mut(leader) {
                    leg.followers.push(segment);
                }
                continue;
            }
            leaders.insert(key, segment);
            let (place, plan) = match begin {
                Begin::Speak(plan) => (Place::ToSpeak, plan),
                Begin::Hear { take } => (Place::ToHear { take, ear: Ear::First }, Plan::pieces(Vec::new())),
            };
            if place == Place::ToSpeak {
                course.to_speak.insert(segment);
            } else {
                course.unheard += 1;
                course.to_hear[0].push_back(segment);
            }
            let leg = Leg { key, place, plan, made: Vec::new(), next_take, followers: Vec::new() };
            course.legs.insert(segment, leg);
            course.open += 1;
        }
        course
    }

    /// Nothing is heard before each of these has been spoken once, if it is spoken at all.
    pub fn wait_for(&mut self, tellers: impl IntoIterator<Item = SegmentId>) {
        let unspoken = |segment: &SegmentId| {
            self.legs.get(segment).is_some_and(|leg| leg.place == Place::ToSpeak && leg.next_take == 0)
        };
        self.tellers = tellers.into_iter().filter(unspoken).collect();
    }

    /// Nothing more will be spoken, unless the ladder asks for it.
    pub fn is_over(&self) -> bool {
        self.open == 0
    }

    /// Segments that wait for the voice, for the first time or again.
    pub fn left_to_speak(&self) -> usize {
        self.again.len() + self.to_speak.len()
    }

    /// Takes that wait for this recogniser.
    pub fn left_to_hear(&self, ear: Ear) -> usize {
        self.to_hear[ear.index()].len()
    }

    /// Takes that are spoken and not yet judged.
    pub fn unheard(&self) -> usize {
        self.unheard
    }

    /// The next text to speak; nothing while enough takes wait to be heard.
    pub fn speak(&mut self) -> Option<SpeakOrder> {
        let segment = match self.again.pop_first() {
            Some(segment) => segment,
            None if self.unheard >= self.most_unheard && self.tellers.is_empty() => return None,
            None => self.to_speak.pop_first()?,
        };
        let leg = self.legs.get_mut(&segment)?;
        leg.place = Place::Speaking;
        let Plan { texts, delivery, own } = &leg.plan;
        let text = texts.get(leg.made.len()).cloned().unwrap_or_default();
        let whole = texts.len() == 1 && own.is_none();
        Some(SpeakOrder { segment, text, whole, take: leg.next_take, delivery: *delivery })
    }

    /// A text was spoken. Nothing of it is durable yet.
    pub fn spoken(&self, segment: SegmentId) -> Spoken {
        match self.legs.get(&segment) {
            Some(leg) if leg.place == Place::Speaking => match leg.plan.texts.len() {
                0 | 1 => Spoken::Whole(leg.plan.clone()),
                pieces if leg.made.len() + 1 < pieces => Spoken::Piece,
                _ => Spoken::Last(leg.made.clone()),
            },
            _ => Spoken::Stray,
        }
    }

    /// Keeps a piece's samples; the next piece is wanted.
    pub fn piece(&mut self, segment: SegmentId, pcm: Vec<f32>) {
        if let Some(leg) = self.legs.get_mut(&segment) {
            leg.made.push(pcm);
            leg.place = Place::ToSpeak;
            self.again.insert(segment);
        }
    }

    /// The number that a take of pieces gets.
    pub fn take_number(&self, segment: SegmentId) -> u32 {
        self.legs.get(&segment).map_or(0, |leg| leg.next_take)
    }

    /// A take is durable and may be heard. False when nobody listens any more: then it is for the caller
    /// to settle it.
    pub fn durable(&mut self, segment: SegmentId, take: u32) -> bool {
        let Some(leg) = self.legs.get_mut(&segment) else { return true };
        leg.next_take = leg.next_take.max(take + 1);
        leg.made.clear();
        self.tellers.remove(&segment);
        self.unheard += 1;
        self.ask(segment, take, Ear::First)
    }

    /// Puts a take before `ear`, or before the other one when that is deaf.
    fn ask(&mut self, segment: SegmentId, take: u32, ear: Ear) -> bool {
        let other = if ear == Ear::First { Ear::Second } else { return self.put(segment, take, ear) };
        self.put(segment, take, ear) || self.put(segment, take, other)
    }

    fn put(&mut self, segment: SegmentId, take: u32, ear: Ear) -> bool {
        if self.deaf[ear.index()] {
            return false;
        }
        if let Some(leg) = self.legs.get_mut(&segment) {
            leg.place = Place::ToHear { take, ear };
            self.to_hear[ear.index()].push_back(segment);
        }
        true
    }

    /// The next take for a recogniser.
    pub fn hear(&mut self, ear: Ear) -> Option<(SegmentId, ContentKey, u32)> {
        if !self.tellers.is_empty() || (ear == Ear::Second && !self.has_company()) {
            return None;
        }
        while let Some(segment) = self.to_hear[ear.index()].pop_front() {
            if let Some(leg) = self.legs.get_mut(&segment)
                && let Place::ToHear { take, ear: waits_for } = leg.place
                && waits_for == ear
            {
                leg.place = Place::Hearing { take, ear };
                return Some((segment, leg.key, take));
            }
        }
        None
    }

    /// Whether what waits for the second recogniser need not wait for more; then all of it is lent.
    fn has_company(&mut self) -> bool {
        let waiting = self.left_to_hear(Ear::Second);
        let at_first = |leg: &&Leg| match leg.place {
            Place::ToHear { ear, .. } | Place::Hearing { ear, .. } => ear == Ear::First,
            _ => false,
        };
        let enough = || waiting >= COMPANY || self.legs.values().filter(at_first).count() < COMPANY;
        self.lends_doubts = waiting > 0 && (self.lends_doubts || enough());
        self.lends_doubts
    }

    /// Whether this recogniser will never have work again.
    pub fn needs_no(&self, ear: Ear) -> bool {
        self.is_over() || (self.mute && self.unheard == 0) || self.deaf[ear.index()]
    }

    /// Whether a take is in this recogniser's hands: the answers to others are late.
    pub fn is_heard_by(&self, segment: SegmentId, take: u32, ear: Ear) -> bool {
        self.legs.get(&segment).is_some_and(|leg| leg.place == Place::Hearing { take, ear })
    }

    /// Whether the second recogniser may be asked.
    pub fn has_second(&self) -> bool {
        !self.deaf[Ear::Second.index()]
    }

    /// There is a doubt: to the second recogniser. False when it is not there.
    pub fn doubt(&mut self, segment: SegmentId, take: u32) -> bool {
        self.put(segment, take, Ear::Second)
    }

    /// The take is accepted, kept in quarantine, or given up: all segments that this settles.
    pub fn settle(&mut self, segment: SegmentId) -> Vec<SegmentId> {
        let Some(leg) = self.legs.get_mut(&segment).filter(|leg| leg.place != Place::Settled) else {
            return Vec::new();
        };
        let was = std::mem::replace(&mut leg.place, Place::Settled);
        leg.made = Vec::new();
        let mut settled = vec![segment];
        settled.extend(&leg.followers);
        if matches!(was, Place::ToHear { .. } | Place::Hearing { .. }) {
            self.unheard -= 1;
        }
        self.to_speak.remove(&segment);
        self.again.remove(&segment);
        self.tellers.remove(&segment);
        self.open -= 1;
        settled
    }

    /// The take was refused and is to be spoken again. Its take on disk stays.
    pub fn refuse(&mut self, segment: SegmentId, plan: Plan) {
        let Some(leg) = self.legs.get_mut(&segment) else { return };
        if matches!(leg.place, Place::ToHear { .. } | Place::Hearing { .. }) {
            self.unheard -= 1;
        }
        leg.place = Place::ToSpeak;
        leg.plan = plan;
        leg.made = Vec::new();
        self.again.insert(segment);
    }

    /// A recogniser is gone for this run. Its takes go to the other one; those that nobody can hear any
    /// more are returned, with their takes, for the caller to settle.
    pub fn deafen(&mut self, ear: Ear) -> Vec<(SegmentId, u32)> {
        self.deaf[ear.index()] = true;
        self.to_hear[ear.index()].clear();
        let mut orphans: Vec<(SegmentId, u32)> = self
            .legs
            .iter()
            .filter_map(|(segment, leg)| match leg.place {
                Place::ToHear { take, ear: of } | Place::Hearing { take, ear: of } if of == ear => {
                    Some((*segment, take))
                }
                _ => None,
            })
            .collect();
        orphans.sort_unstable();
        orphans.retain(|(segment, take)| !self.ask(*segment, *take, ear));
        orphans
    }

    /// Nothing is spoken any more in this run; what is on disk is still heard.
    pub fn silence(&mut self) {
        self.mute = true;
        self.tellers.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 48;

    fn key(n: u32) -> ContentKey {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_le_bytes());
        ContentKey(key)
    }

    fn start(n: u32) -> Start {
        Start {
            segment: SegmentId(n),
            key: key(n),
            begin: Begin::Speak(Plan::whole(format!("text {n}"))),
            next_take: 0,
        }
    }

    fn course(count: u32, has_second: bool) -> Course {
        Course::new((1..=count).map(start).collect(), has_second, MOST)
    }

    /// Speaks the next text and makes it durable.
    fn speak(course: &mut Course) -> Option<(SegmentId, u32)> {
        let order = course.speak()?;
        assert!(matches!(course.spoken(order.segment), Spoken::Whole(_)));
        assert!(course.durable(order.segment, order.take));
        Some((order.segment, order.take))
    }

    #[test]
    fn a_take_is_heard_in_the_order_in_which_it_was_spoken() {
        let mut course = course(3, true);
        let spoken: Vec<_> = std::iter::from_fn(|| speak(&mut course)).collect();
        assert_eq!(spoken, [(SegmentId(1), 0), (SegmentId(2), 0), (SegmentId(3), 0)]);
        assert_eq!(course.hear(Ear::First), Some((SegmentId(1), key(1), 0)));
        assert_eq!(course.settle(SegmentId(1)), [SegmentId(1)]);
        assert_eq!(course.settle(SegmentId(1)), [], "once");
        assert_eq!((course.open, course.unheard), (2, 2));
    }

    #[test]
    fn a_doubt_goes_to_the_second_and_a_refusal_back_to_the_voice_with_the_next_number() {
        let mut course = course(1, true);
        let (segment, take) = speak(&mut course).expect("spoken");
        course.hear(Ear::First).expect("to hear");
        assert!(course.doubt(segment, take));
        assert!(!course.is_heard_by(segment, take, Ear::First));
        assert_eq!(course.hear(Ear::Second), Some((segment, key(1), 0)));
        course.refuse(segment, Plan::whole("text 1"));
        assert_eq!(course.unheard, 0);
        assert_eq!(speak(&mut course), Some((segment, 1)));
    }

    #[test]
    fn doubts_wait_for_each_other_while_the_first_is_busy() {
        let mut course = course(2 * COMPANY as u32, true);
        let spoken: Vec<_> = std::iter::from_fn(|| speak(&mut course)).collect();
        let mut doubt = |at: usize| {
            course.hear(Ear::First).expect("to hear");
            assert!(course.doubt(spoken[at].0, spoken[at].1));
            course.hear(Ear::Second)
        };
        for at in 0..COMPANY - 1 {
            assert_eq!(doubt(at), None, "{at}");
        }
        assert_eq!(doubt(COMPANY - 1), Some((SegmentId(1), key(1), 0)), "enough are there");
        assert_eq!(std::iter::from_fn(|| course.hear(Ear::Second)).count(), COMPANY - 1, "all of them");
        course.hear(Ear::First).expect("to hear");
        assert!(course.doubt(spoken[COMPANY].0, spoken[COMPANY].1));
        assert_eq!(
            course.hear(Ear::Second),
            Some((SegmentId(COMPANY as u32 + 1), key(COMPANY as u32 + 1), 0)),
            "the first has time"
        );
    }

    #[test]
    fn pieces_come_one_after_the_other_and_make_one_take() {
        let mut course = course(1, false);
        let (segment, _) = speak(&mut course).expect("spoken");
        course.hear(Ear::First).expect("to hear");
        course.refuse(segment, Plan::pieces(["One.", "Two.", "Three."].map(str::to_owned).to_vec()));
        for (at, text) in ["One.", "Two."].into_iter().enumerate() {
            let order = course.speak().expect("a piece");
            assert_eq!((order.text.as_str(), order.whole, order.take), (text, false, 1));
            assert_eq!(course.spoken(segment), Spoken::Piece);
            course.piece(segment, vec![at as f32]);
        }
        assert_eq!(course.speak().expect("the last").text, "Three.");
        assert_eq!(course.spoken(segment), Spoken::Last(vec![vec![0.0], vec![1.0]]));
        assert!(course.durable(segment, course.take_number(segment)));
        assert_eq!(course.hear(Ear::First), Some((segment, key(1), 1)));
    }

    #[test]
    fn the_voice_pauses_while_enough_waits_but_never_for_what_the_ladder_asks() {
        let mut course = course(200, false);
        let spoken = std::iter::from_fn(|| speak(&mut course)).count();
        assert_eq!(spoken, MOST);
        let (segment, ..) = course.hear(Ear::First).expect("to hear");
        let (other, ..) = course.hear(Ear::First).expect("to hear");
        course.refuse(segment, Plan::whole("again"));
        course.refuse(other, Plan::whole("again"));
        assert_eq!(course.speak().map(|order| (order.segment, order.take)), Some((segment, 1)));
        assert!(course.durable(segment, 1));
        assert_eq!(course.speak().map(|order| order.segment), Some(other));
    }

    #[test]
    fn segments_of_one_content_are_spoken_and_heard_once() {
        let same = Start { segment: SegmentId(7), ..start(1) };
        let mut course = Course::new(vec![start(1), start(2), same], false, MOST);
        assert_eq!(std::iter::from_fn(|| speak(&mut course)).count(), 2);
        assert_eq!(course.settle(SegmentId(1)), [SegmentId(1), SegmentId(7)]);
    }

    #[test]
    fn nothing_is_heard_before_the_pace_can_be_told_however_much_waits() {
        let waiting = (10..200).map(|n| Start { begin: Begin::Hear { take: 0 }, next_take: 1, ..start(n) });
        let mut course = Course::new((1..4).map(start).chain(waiting).collect(), true, MOST);
        course.wait_for([SegmentId(1), SegmentId(2), SegmentId(3), SegmentId(10)]);
        assert!(speak(&mut course).is_some());
        assert_eq!(course.hear(Ear::First), None);
        let order = course.speak().expect("the second");
        assert_eq!(course.settle(order.segment), [SegmentId(2)], "the voice gave it up");
        assert!(speak(&mut course).is_some());
        assert!(course.hear(Ear::First).is_some());
        assert_eq!(course.speak(), None, "enough waits");
        let mut course = Course::new((1..4).map(start).collect(), true, MOST);
        course.wait_for([SegmentId(1), SegmentId(2)]);
        assert!(speak(&mut course).is_some());
        course.silence();
        assert!(course.hear(Ear::First).is_some(), "the voice is gone, and what is there is heard");
    }

    #[test]
    fn when_a_recogniser_is_gone_the_other_hears_and_when_both_are_somebody_is_told() {
        let mut course = course(2, true);
        while speak(&mut course).is_some() {}
        course.hear(Ear::First).expect("to hear");
        assert_eq!(course.deafen(Ear::First), []);
        assert_eq!(course.hear(Ear::Second).map(|(segment, ..)| segment), Some(SegmentId(1)));
        let orphans = course.deafen(Ear::Second);
        assert_eq!(orphans, [(SegmentId(1), 0), (SegmentId(2), 0)]);
        assert!(!course.durable(SegmentId(1), 1), "nobody listens");
    }

    #[test]
    fn what_is_on_disk_is_heard_and_not_spoken_again() {
        let waiting = Start { begin: Begin::Hear { take: 4 }, next_take: 5, ..start(1) };
        let mut course = Course::new(vec![waiting], false, MOST);
        assert_eq!(course.speak(), None);
        assert_eq!(course.hear(Ear::First), Some((SegmentId(1), key(1), 4)));
        course.refuse(SegmentId(1), Plan::whole("text"));
        assert_eq!(course.speak().map(|order| order.take), Some(5));
    }

    #[derive(Clone, Copy, Debug)]
    enum Deed {
        Speak,
        Hear(Ear),
        Accept,
        Doubt,
        Refuse(bool),
        Deafen(Ear),
    }

    fn any_deed() -> impl Strategy<Value = Deed> {
        let ear = || prop_oneof![Just(Ear::First), Just(Ear::Second)];
        prop_oneof![
            8 => Just(Deed::Speak),
            8 => ear().prop_map(Deed::Hear),
            4 => Just(Deed::Accept),
            2 => Just(Deed::Doubt),
            2 => any::<bool>().prop_map(Deed::Refuse),
            1 => ear().prop_map(Deed::Deafen),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: nothing is in two hands, numbers rise, and once everybody
        /// is kind the course ends.
        #[test]
        fn any_course_keeps_its_invariants_and_ends(
            deeds in prop::collection::vec(any_deed(), 0..200),
            has_second in any::<bool>(),
        ) {
            let mut course = course(12, has_second);
            let mut hands: Vec<(SegmentId, u32, Ear)> = Vec::new();
            let mut numbers: HashMap<SegmentId, u32> = HashMap::new();
            let mut settled = BTreeSet::new();
            let mut both_gone = false;
            let kind = (0..400).map(|n| match n % 4 {
                0 => Deed::Speak,
                1 => Deed::Hear(Ear::First),
                2 => Deed::Hear(Ear::Second),
                _ => Deed::Accept,
            });
            for deed in deeds.into_iter().chain(kind) {
                match deed {
                    Deed::Speak => {
                        let Some(order) = course.speak() else { continue };
                        match course.spoken(order.segment) {
                            Spoken::Piece => course.piece(order.segment, vec![0.0]),
                            Spoken::Stray => prop_assert!(false, "nobody waits for what was lent"),
                            _ => {
                                let last = numbers.insert(order.segment, order.take);
                                prop_assert!(last.is_none_or(|last| last < order.take));
                                if !course.durable(order.segment, order.take) {
                                    prop_assert!(both_gone);
                                    settled.extend(course.settle(order.segment));
                                }
                            }
                        }
                    }
                    Deed::Hear(ear) => {
                        if let Some((segment, _, take)) = course.hear(ear) {
                            prop_assert!(hands.iter().all(|(held, ..)| *held != segment));
                            hands.push((segment, take, ear));
                        }
                    }
                    Deed::Accept | Deed::Doubt | Deed::Refuse(_) => {
                        let Some((segment, take, ear)) = hands.pop() else { continue };
                        if !course.is_heard_by(segment, take, ear) {
                            continue;
                        }
                        match deed {
                            Deed::Doubt if ear == Ear::First && course.has_second() => {
                                prop_assert!(course.doubt(segment, take));
                            }
                            Deed::Refuse(in_pieces) => {
                                let count = if in_pieces { 3 } else { 1 };
                                course.refuse(segment, Plan::pieces(vec!["text".into(); count]));
                            }
                            _ => {
                                let news = course.settle(segment);
                                prop_assert_eq!(news.len(), 1);
                                settled.extend(news);
                            }
                        }
                    }
                    Deed::Deafen(ear) => {
                        for (segment, _) in course.deafen(ear) {
                            both_gone = true;
                            settled.extend(course.settle(segment));
                        }
                        hands.retain(|(_, _, of)| *of != ear);
                        both_gone |= !has_second || ear == Ear::Second || !course.has_second();
                    }
                }
                prop_assert_eq!(course.open, 12 - settled.len());
                prop_assert!(course.unheard <= MOST + 12);
            }
            prop_assert!(course.is_over(), "{course:?}");
        }
    }
}
