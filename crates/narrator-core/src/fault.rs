//! What can go wrong with a take, and what is done about it: one closed list, one table.
//!
//! The table *is* the policy. The supervisor holds no second opinion: it asks [`Fault::policy`] and acts
//! on the answer, so that what a fault costs can be read, argued about and tested in one place.
//!
//! New faults go to the end of the enum: their number is part of the protocol between the processes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Everything that can go wrong between a dispatch and an accepted take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The worker says that its settings cannot work.
    ConfigRejected,
    /// Another protocol, another build, a wrong nonce, or a peer that is not the child.
    HandshakeRefused,
    /// The process could not be started.
    SpawnFailed,
    /// The model could not be loaded.
    LoadFailed,
    /// Loading stopped moving, or the process never came to its pipe.
    LoadStalled,
    /// The process ended without being asked to.
    Crashed,
    /// Alive, or not even that, but without progress.
    Stalled,
    /// Moving, but far past the time that the text should take.
    DeadlineExceeded,
    /// Generation went past the cap on frames that the text allows.
    Runaway,
    /// Memory of the device ran out.
    OutOfMemory,
    /// The device's context is dead: the process must go.
    DeviceFault,
    /// Samples that are not finite, or silence, or of an impossible length.
    BadOutput,
    /// The text or request cannot be spoken by this engine.
    BadRequest,
    /// Bytes on the pipe that are not the protocol.
    ProtocolError,
    /// Stopped because somebody asked for it.
    Cancelled,
    /// Memory of the process grew past its limit: recycled between segments.
    Outgrown,
    /// The disk has no room for a finished take.
    DiskFull,
    /// A finished take could not be made durable for any other reason: nothing may be written after it.
    StoreFailed,
}

impl Fault {
    pub const ALL: [Self; 18] = [
        Self::ConfigRejected,
        Self::HandshakeRefused,
        Self::SpawnFailed,
        Self::LoadFailed,
        Self::LoadStalled,
        Self::Crashed,
        Self::Stalled,
        Self::DeadlineExceeded,
        Self::Runaway,
        Self::OutOfMemory,
        Self::DeviceFault,
        Self::BadOutput,
        Self::BadRequest,
        Self::ProtocolError,
        Self::Cancelled,
        Self::Outgrown,
        Self::DiskFull,
        Self::StoreFailed,
    ];

    /// The table: what each fault costs and what it leads to.
    #[expect(clippy::match_same_arms, reason = "a table has a row for each, so that a row can change alone")]
    pub const fn policy(self) -> Policy {
        const YES: bool = true;
        const NO: bool = false;
        #[rustfmt::skip]
        let [charge, reseed, condemn, restart, strike, shrink, park, pause, end] = match self {
            //                         charge reseed condemn restart strike shrink park pause end
            // Never better with another try of the same program under the same settings.
            Self::ConfigRejected   => [NO,    NO,    NO,     NO,     NO,    NO,    YES, NO,   NO],
            Self::HandshakeRefused => [NO,    NO,    NO,     NO,     NO,    NO,    YES, NO,   NO],
            // Before any text was in the worker's hands: the segment has no part in it.
            Self::SpawnFailed      => [NO,    NO,    NO,     YES,    YES,   NO,    NO,  NO,   NO],
            Self::LoadFailed       => [NO,    NO,    NO,     YES,    YES,   NO,    NO,  NO,   NO],
            Self::LoadStalled      => [NO,    NO,    NO,     YES,    YES,   NO,    NO,  NO,   NO],
            // The process is lost; the text may have been the reason.
            Self::Crashed          => [YES,   NO,    NO,     YES,    YES,   NO,    NO,  NO,   NO],
            Self::Stalled          => [YES,   NO,    NO,     YES,    YES,   NO,    NO,  NO,   NO],
            Self::DeadlineExceeded => [YES,   NO,    NO,     YES,    YES,   NO,    NO,  NO,   NO],
            Self::DeviceFault      => [YES,   NO,    NO,     YES,    YES,   NO,    NO,  NO,   NO],
            Self::ProtocolError    => [YES,   NO,    NO,     YES,    YES,   NO,    NO,  NO,   NO],
            // The worker itself names the segment and lives on; the dice decide, so throw them anew.
            Self::Runaway          => [YES,   YES,   NO,     NO,     NO,    NO,    NO,  NO,   NO],
            Self::BadOutput        => [YES,   YES,   NO,     NO,     NO,    NO,    NO,  NO,   NO],
            // A verdict on the text, not an accident.
            Self::BadRequest       => [YES,   NO,    YES,    NO,     NO,    NO,    NO,  NO,   NO],
            // Too much at once. Charged only where one row alone is too much.
            Self::OutOfMemory      => [NO,    NO,    NO,     NO,     NO,    YES,   NO,  NO,   NO],
            // Housekeeping.
            Self::Cancelled        => [NO,    NO,    NO,     NO,     NO,    NO,    NO,  NO,   NO],
            Self::Outgrown         => [NO,    NO,    NO,     YES,    NO,    NO,    NO,  NO,   NO],
            // The orchestrator's own disk: no worker and no segment has a part in it.
            Self::DiskFull         => [NO,    NO,    NO,     NO,     NO,    NO,    NO,  YES,  NO],
            Self::StoreFailed      => [NO,    NO,    NO,     NO,     NO,    NO,    NO,  NO,   YES],
        };
        Policy { charge, reseed, condemn, restart, strike, shrink, park, pause, end }
    }

    /// The stable name, as events and records carry it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfigRejected => "config_rejected",
            Self::HandshakeRefused => "handshake_refused",
            Self::SpawnFailed => "spawn_failed",
            Self::LoadFailed => "load_failed",
            Self::LoadStalled => "load_stalled",
            Self::Crashed => "crashed",
            Self::Stalled => "stalled",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Runaway => "runaway",
            Self::OutOfMemory => "out_of_memory",
            Self::DeviceFault => "device_fault",
            Self::BadOutput => "bad_output",
            Self::BadRequest => "bad_request",
            Self::ProtocolError => "protocol_error",
            Self::Cancelled => "cancelled",
            Self::Outgrown => "outgrown",
            Self::DiskFull => "disk_full",
            Self::StoreFailed => "store_failed",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One row of the policy table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The segment in hand counts this try against itself; three tries put it in quarantine.
    pub charge: bool,
    /// The next try draws other random numbers. Only where the same numbers would end the same way, so
    /// that the sound of a book does not depend on which processes happened to die.
    pub reseed: bool,
    /// No other try could end otherwise: the segment is quarantined at once.
    pub condemn: bool,
    /// The worker process is replaced.
    pub restart: bool,
    /// The slot counts it: too many in too short a time park the slot.
    pub strike: bool,
    /// The batch is halved first; only at one row is the segment charged.
    pub shrink: bool,
    /// The slot is given up at once; the run ends when no slot is left.
    pub park: bool,
    /// Dispatch stops until the condition is over, and the run drains when it does not end.
    pub pause: bool,
    /// Nothing can be done any more: the run ends.
    pub end: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table a second time, as a person would write it on paper: a change of policy is a change of
    /// this text.
    const ON_PAPER: &str = "\
config_rejected park
handshake_refused park
spawn_failed restart strike
load_failed restart strike
load_stalled restart strike
crashed charge restart strike
stalled charge restart strike
deadline_exceeded charge restart strike
runaway charge reseed
out_of_memory shrink
device_fault charge restart strike
bad_output charge reseed
bad_request charge condemn
protocol_error charge restart strike
cancelled
outgrown restart
disk_full pause
store_failed end
";

    #[test]
    fn every_cell_is_as_it_is_on_paper() {
        let mut table = String::new();
        for fault in Fault::ALL {
            let p = fault.policy();
            table.push_str(fault.name());
            for (set, column) in [
                (p.charge, " charge"),
                (p.reseed, " reseed"),
                (p.condemn, " condemn"),
                (p.restart, " restart"),
                (p.strike, " strike"),
                (p.shrink, " shrink"),
                (p.park, " park"),
                (p.pause, " pause"),
                (p.end, " end"),
            ] {
                if set {
                    table.push_str(column);
                }
            }
            table.push('\n');
        }
        assert_eq!(table, ON_PAPER);
    }

    #[test]
    fn rows_make_sense_together() {
        for fault in Fault::ALL {
            let p = fault.policy();
            assert!(!p.strike || p.restart, "{fault}: a strike without a restart");
            assert!(!p.reseed || p.charge, "{fault}: another seed without a charge would never end");
            assert!(!p.condemn || p.charge, "{fault}: quarantine without a charge");
            assert!(!(p.park && p.restart), "{fault}: parked and restarted");
            assert!(!(p.end && p.pause), "{fault}: ended and paused");
        }
    }

    #[test]
    fn names_are_those_of_the_records() {
        for fault in Fault::ALL {
            // serde's name and ours must not drift apart; bincode-free check through the Debug name.
            let snake: String = format!("{fault:?}")
                .chars()
                .enumerate()
                .flat_map(|(at, c)| {
                    let gap = c.is_uppercase() && at > 0;
                    gap.then_some('_').into_iter().chain(c.to_lowercase())
                })
                .collect();
            assert_eq!(snake, fault.name());
        }
        let distinct: std::collections::BTreeSet<_> = Fault::ALL.iter().collect();
        assert_eq!(distinct.len(), Fault::ALL.len());
    }
}
