//! What a verdict is made from.

use narrator_core::{Hearing, SegmentId};

use crate::signal::Signal;

/// Whom else one could ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listener {
    /// Only the first listener was asked; a doubt goes to a second one.
    First,
    /// Nobody else is there to ask, or everybody has been: what is doubted now is held against the take.
    Last,
}

#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    pub segment: Option<SegmentId>,
    /// What was to be said.
    pub text: &'a str,
    /// One for each listener, in the order in which they were asked.
    pub hearings: &'a [Hearing],
    /// What the samples show, where they were looked at.
    pub signal: Option<&'a Signal>,
    pub listener: Listener,
}
