//! What can go wrong with a worker, and what is done about it: one closed list, one table.

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
    /// Loading stopped moving.
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
}

impl Fault {
    pub const ALL: [Self; 16] = [
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
    ];

    /// The table: what each fault costs and what it leads to.
    pub const fn policy(self) -> Policy {
        // Columns: charge the segment, restart the worker, shrink the batch, counts against the slot
        // (restart intensity), end the run.
        let (charge, restart, shrink, strike, end) = match self {
            //                         charge restart shrink strike end
            Self::ConfigRejected => (false, false, false, false, true),
            Self::HandshakeRefused => (false, false, false, false, true),
            Self::SpawnFailed => (false, true, false, true, false),
            Self::LoadFailed => (false, true, false, true, false),
            Self::LoadStalled => (false, true, false, true, false),
            Self::Crashed => (true, true, false, true, false),
            Self::Stalled => (true, true, false, true, false),
            Self::DeadlineExceeded => (true, true, false, true, false),
            Self::Runaway => (true, false, false, false, false),
            Self::OutOfMemory => (false, false, true, false, false),
            Self::DeviceFault => (true, true, false, true, false),
            Self::BadOutput => (true, false, false, false, false),
            Self::BadRequest => (true, false, false, false, false),
            Self::ProtocolError => (true, true, false, true, false),
            Self::Cancelled => (false, false, false, false, false),
            Self::Outgrown => (false, true, false, false, false),
        };
        Policy { charge, restart, shrink, strike, end }
    }
}

/// One row of the policy table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The segment in hand counts this try against itself; three put it in quarantine.
    pub charge: bool,
    /// The worker process is replaced.
    pub restart: bool,
    /// The batch is halved first; only at one row is the segment charged.
    pub shrink: bool,
    /// The slot counts it: too many in too short a time park the slot.
    pub strike: bool,
    /// No other worker could do better: the run ends.
    pub end: bool,
}
