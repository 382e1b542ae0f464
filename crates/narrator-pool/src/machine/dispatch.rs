//! Which segment goes to which worker.
//!
//! In the order of the script, so that the listener's first chapter is done first; into rows before
//! queues, so that no worker waits while another has two. Segments that must go alone, or not to a
//! certain worker, come first of all: the worker with the least in hand is kept free for them.

use narrator_core::{Incarnation, SegmentId};

use super::messages::Action;
use super::run::{Machine, Phase};
use super::slot::{Row, State, Then};
use crate::event::What;
use crate::rules::deadline;

/// Dispatches beyond a worker's rows: one, so that it finds the next text when a row is free and loses
/// little when it dies.
const AHEAD: u32 = 1;

impl Machine {
    pub(super) fn dispatch(&mut self) {
        if self.phase != Phase::Running
            || self.desk.full_since.is_some()
            || self.desk.held_bytes >= self.settings.held_bytes
            || self.desk.waiting() == 0
        {
            return;
        }
        let kept = if self.desk.has_specials() { self.dispatch_specials() } else { Vec::new() };
        while let Some(segment) = self.desk.next_plain() {
            let best = (0..self.slots.len())
                .filter(|index| !kept.contains(index) && self.slots[*index].has_room(AHEAD))
                .min_by_key(|index| {
                    let (rows, limit) = (self.slots[*index].rows.len(), self.slots[*index].limit.limit());
                    (rows >= limit as usize, rows * 1000 / limit as usize, *index)
                });
            let Some(index) = best else { break };
            self.hand(index, segment, false);
        }
    }

    /// Serves the segments with conditions; the slots that are kept free for them are returned.
    fn dispatch_specials(&mut self) -> Vec<usize> {
        let tries = self.settings.tries;
        let mut order: Vec<usize> = (0..self.slots.len())
            .filter(|index| self.slots[*index].state == State::Ready && self.slots[*index].ended.is_none())
            .collect();
        order.sort_by_key(|index| (self.slots[*index].rows.len(), *index));
        let mut kept = Vec::new();
        for segment in self.desk.specials().collect::<Vec<_>>() {
            let Some(entry) = self.desk.entry(segment) else { continue };
            let (alone, not_by) = (entry.record.must_be_alone(), entry.record.not_by(tries));
            let fits = |index: &&usize| Some(self.slots[**index].incarnation) != not_by;
            match order.iter().filter(|index| !kept.contains(*index)).find(fits).copied() {
                Some(index) if alone => {
                    kept.push(index);
                    if self.slots[index].rows.is_empty() {
                        self.hand(index, segment, true);
                    }
                }
                Some(_) => {
                    let roomy = order.iter().copied().find(|index| {
                        !kept.contains(index)
                            && Some(self.slots[*index].incarnation) != not_by
                            && self.slots[*index].has_room(AHEAD)
                    });
                    if let Some(index) = roomy {
                        self.hand(index, segment, false);
                    }
                }
                None => {
                    if let Some(not_by) = not_by {
                        self.make_another(not_by);
                    }
                }
            }
        }
        kept
    }

    /// A segment waits for any worker but this one. When none is there or on its way, this one makes
    /// room for its successor.
    fn make_another(&mut self, not_by: Incarnation) {
        let other = self.slots.iter().any(|slot| slot.has_future() && slot.incarnation != not_by);
        if let Some(index) = self.slot_of(not_by)
            && !other
            && self.slots[index].state == State::Ready
        {
            self.recycle(index, "a segment needs the word of another worker".to_owned());
        }
    }

    /// Lets a worker finish its rows and leave; another takes its place at once.
    pub(super) fn recycle(&mut self, index: usize, why: String) {
        let slot = &mut self.slots[index];
        slot.state = State::Draining;
        slot.then = Then::Fresh;
        let (slot, incarnation) = (slot.id, slot.incarnation);
        self.tell(What::WorkerRecycled { slot, incarnation, why });
        self.act(Action::AskToLeave { incarnation });
        self.leave_when_empty(index);
    }

    fn hand(&mut self, index: usize, segment: SegmentId, alone: bool) {
        self.desk.hand_out(segment);
        let ticket = self.next_ticket();
        let Some(entry) = self.desk.entry_mut(segment) else { return };
        entry.attempts += 1;
        let (audio_s, attempt, take) = (entry.audio_s, entry.attempts, entry.record.take());
        let max_s = deadline::runaway_cap_s(audio_s, &self.settings);
        let deadline = deadline::deadline(audio_s, &self.settings);
        let now = self.now;
        let slot = &mut self.slots[index];
        if slot.rows.is_empty() {
            slot.progressed = now;
            slot.stepped = now;
        }
        slot.rows.push(Row {
            ticket,
            segment,
            attempt,
            alone,
            sent: now,
            accepted: None,
            deadline,
            samples: 0,
            max_s,
            epoch: slot.limit.epoch(),
            renewed: now,
        });
        let (id, incarnation) = (slot.id, slot.incarnation);
        self.counters.dispatched += 1;
        self.tell(What::SegmentDispatched { slot: id, incarnation, segment, attempt, alone });
        self.act(Action::Send { incarnation, ticket, segment, attempt, take, max_s });
    }
}
