//! Every number that supervision decides by, in one place, with its origin.

use std::time::Duration;

/// Limits, patience and limits of patience. The defaults are for a real night with real models; tests
/// shrink them.
#[derive(Clone, PartialEq, Debug)]
pub struct SupervisionSettings {
    /// How often the machine is asked to look at its clocks. Nothing waits for it: work moves by events.
    pub tick: Duration,
    /// A pause between two looks longer than this means that this process itself did not run (it was
    /// stopped, or the machine slept): no worker is judged by time that nobody watched. Eight ticks: a
    /// busy machine delays a tick, it does not swallow eight.
    pub suspension_gap: Duration,

    /// From spawn to a held handshake. A worker binary maps libtorch (0.4 to 2 s, measured) first.
    pub connect: Duration,
    /// Loading may take as long as it likes while its counter moves; without a move for this long it has
    /// stopped. A cold disk delivers a shard well within it.
    pub load_stall: Duration,
    /// How often a worker beats.
    pub beat: Duration,
    /// How long a worker outlives the end of its pipe: enough to flush a log, half of the ten seconds in
    /// which no orphan may be left.
    pub orphan_grace: Duration,
    /// No frame at all for this long while beats come every second: five lost beats.
    pub alive: Duration,
    /// Floor of the stall limit: a first CUDA kernel's compilation takes some seconds.
    pub stall_floor: Duration,
    /// The stall limit in units of the slot's own 99th-percentile step.
    pub stall_steps: u32,
    /// Deadline of a dispatch: this much always, ...
    pub deadline_floor: Duration,
    /// ... and so many times what the slowest accepted speed would need. Four: generation length varies
    /// by about two for a given text, and a neighbour may take half of the machine.
    pub deadline_factor: f64,
    /// Slowest accepted speed in seconds of audio a second for one row: one row among sixteen of the
    /// 1.7B model on two cores moves at 0.078.
    pub slowest_speed: f64,
    /// Most audio for a text, as a multiple of the estimate; the worker holds the cap itself. A slow
    /// reader takes 1.6 times the mean; four times is no reading.
    pub runaway_factor: f64,
    /// Added to the cap, so that a one-word segment has room.
    pub runaway_floor_s: f64,
    /// What comes past the cap that the worker was given, as a multiple, is a worker out of control.
    pub overrun_factor: f64,

    /// Patience after a polite request to stop.
    pub cancel_grace: Duration,
    /// Patience after SIGABRT, for a core dump or a stack trace.
    pub abort_grace: Duration,
    /// A process that SIGKILL does not end in this time sits in the kernel: its device is wedged.
    pub wedge_after: Duration,
    /// How long a dead worker's pipe may hold frames that are still to be read, and how long a closed
    /// pipe's worker may take to die.
    pub settle: Duration,
    /// How long running segments may take to end after a drain was asked for.
    pub drain_limit: Duration,

    /// First ceiling of the backoff; it doubles with every strike.
    pub backoff_base: Duration,
    /// Last ceiling of the backoff.
    pub backoff_cap: Duration,
    /// So long ready without a fault wipes the backoff.
    pub good_after: Duration,
    /// So many good segments wipe it, too.
    pub good_segments: u32,
    /// More restarts than this within [`Self::intensity_window`] park the slot.
    pub intensity: u32,
    pub intensity_window: Duration,
    /// So many bad takes in a row, of at least three segments, are the worker's fault and not the texts'; of a worker
    /// with many rows in hand an eighth of them, where that is more.
    pub ill_after: u32,

    /// Tries that a segment may lose before it is quarantined; two incarnations and one certain charge
    /// are needed as well.
    pub tries: u32,
    /// Clean segments after which a halved batch grows by one row.
    pub grow_after: u32,
    /// Resident memory at which a worker is recycled.
    pub max_resident_bytes: Option<u64>,
    /// Resident growth at which a worker is recycled, in bytes an hour, once it has also grown by
    /// [`Self::growth_floor_bytes`]: a leak that would fill a 24 GB machine in a night.
    pub growth_bytes_per_hour: u64,
    /// Less growth than this is an allocator that settles.
    pub growth_floor_bytes: u64,
    /// Time between the samples of resident memory, sixty of which make the window of the slope.
    pub growth_sample: Duration,
    /// Device memory that must be free beyond a worker's measured need before another is started there.
    pub device_margin_bytes: u64,

    /// Segments leased ahead of the workers' rows, so that a dispatch never waits for the source.
    pub lookahead: u32,
    /// A lease is renewed at most this often.
    pub renew_every: Duration,
    /// Start workers for work that is there, not for work that may come: for a pool that may have none.
    pub staff_for_work_only: bool,
    /// Finished audio that may wait for the disk; beyond it nothing is dispatched.
    pub held_bytes: u64,
    /// Time between tries to write to a full disk.
    pub disk_retry: Duration,
    /// How long a full disk is waited for.
    pub disk_grace: Duration,
}

impl Default for SupervisionSettings {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(250),
            suspension_gap: Duration::from_secs(2),
            connect: Duration::from_secs(10),
            load_stall: Duration::from_mins(1),
            beat: Duration::from_secs(1),
            orphan_grace: Duration::from_secs(5),
            alive: Duration::from_secs(5),
            stall_floor: Duration::from_secs(15),
            stall_steps: 20,
            deadline_floor: Duration::from_secs(10),
            deadline_factor: 4.0,
            slowest_speed: 0.05,
            runaway_factor: 4.0,
            runaway_floor_s: 5.0,
            overrun_factor: 1.25,
            cancel_grace: Duration::from_secs(2),
            abort_grace: Duration::from_secs(2),
            wedge_after: Duration::from_secs(30),
            settle: Duration::from_secs(2),
            drain_limit: Duration::from_mins(2),
            backoff_base: Duration::from_millis(500),
            backoff_cap: Duration::from_mins(1),
            good_after: Duration::from_mins(2),
            good_segments: 5,
            intensity: 5,
            intensity_window: Duration::from_mins(10),
            ill_after: 5,
            tries: 3,
            grow_after: 50,
            max_resident_bytes: None,
            growth_bytes_per_hour: 2 << 30,
            growth_floor_bytes: 256 << 20,
            growth_sample: Duration::from_secs(10),
            device_margin_bytes: 512 << 20,
            lookahead: 8,
            staff_for_work_only: false,
            renew_every: Duration::from_secs(5),
            held_bytes: 64 << 20,
            disk_retry: Duration::from_secs(5),
            disk_grace: Duration::from_mins(10),
        }
    }
}
