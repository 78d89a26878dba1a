//! What a world has to suffer, drawn from its seed before anything happens.
//!
//! Everything that can go wrong has its measure here, so a world can be read from one line of its log,
//! and a test can make one that lacks or has just one thing.

use std::time::Duration;

use crate::dice::Dice;

/// The measure of everything that goes wrong. Percentages are of the events of their kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Faults {
    pub(crate) network: NetworkFaults,
    pub(crate) fetches: FetchFaults,
    /// By seat.
    pub(crate) disks: Vec<Disk>,
    /// Answers of the store that take long.
    pub(crate) slow_store_percent: usize,
    /// Changes of which the watcher says nothing.
    pub(crate) hints_lost_percent: usize,
    /// Changes of which the watcher says something seconds later.
    pub(crate) hints_late_percent: usize,
    /// Changes of which the watcher only says that there are some.
    pub(crate) hints_rough_percent: usize,
    /// Disasters that are drawn for the time in which people work.
    pub(crate) disasters: usize,
}

/// What links between devices are like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetworkFaults {
    /// From one device to another.
    pub(crate) latency: Duration,
    /// What comes on top, each time another part of it. Datagrams overtake each other by it; a
    /// stream's frames do not.
    pub(crate) jitter: Duration,
    /// Datagrams that are lost. What a stream sent in them comes after a pause.
    pub(crate) loss_percent: usize,
    /// From a device to the signal server.
    pub(crate) server_latency: Duration,
    pub(crate) returns: Returns,
}

/// Where a device listens after a restart, as QUIC sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Returns {
    /// Where it did: it disowns the connections of its former life.
    SamePort,
    /// Elsewhere: what is sent to its former life is lost.
    OtherPort,
}

/// What becomes of bytes on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FetchFaults {
    /// Fetches that a source does not answer.
    pub(crate) failing_percent: usize,
    /// Fetches that take many seconds.
    pub(crate) slow_percent: usize,
    /// Fetches that bring other bytes than were asked for.
    pub(crate) lying_percent: usize,
}

/// What a disk is like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) names: Names,
    pub(crate) times: Times,
}

/// How a disk tells names apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Names {
    /// By every byte.
    #[default]
    Exact,
    /// Not by case; it keeps the spelling in which a name was made.
    CaseBlind,
}

/// The steps in which a disk keeps modification times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Times {
    #[default]
    Fine,
    Seconds,
    TwoSeconds,
}

impl Times {
    /// One step in nanoseconds.
    pub(crate) const fn step(self) -> i64 {
        match self {
            Self::Fine => 1,
            Self::Seconds => 1_000_000_000,
            Self::TwoSeconds => 2_000_000_000,
        }
    }
}

impl Faults {
    /// The faults of a world with so many devices.
    pub(crate) fn drawn(dice: &mut Dice, devices: usize) -> Self {
        let jitter_most = if dice.chance(20) { 400 } else { 5 };
        let network = NetworkFaults {
            latency: dice.millis(1, 60),
            jitter: dice.millis(0, jitter_most),
            loss_percent: dice.measure(8, 15, 30),
            server_latency: dice.millis(1, 80),
            returns: if dice.chance(50) {
                Returns::SamePort
            } else {
                Returns::OtherPort
            },
        };
        let fetches = FetchFaults {
            failing_percent: dice.measure(4, 20, 40),
            slow_percent: dice.measure(4, 20, 40),
            lying_percent: dice.measure(6, 10, 30),
        };
        let disks = (0..devices).map(|_| Disk::drawn(dice)).collect();
        Self {
            network,
            fetches,
            disks,
            slow_store_percent: dice.measure(9, 10, 40),
            hints_lost_percent: dice.measure(10, 15, 60),
            hints_late_percent: dice.below(12),
            hints_rough_percent: dice.below(10),
            disasters: if dice.chance(80) { dice.below(10) } else { 0 },
        }
    }
}

impl Disk {
    fn drawn(dice: &mut Dice) -> Self {
        let names = if dice.chance(15) {
            Names::CaseBlind
        } else {
            Names::Exact
        };
        let times = match dice.below(12) {
            0 => Times::Seconds,
            1 => Times::TwoSeconds,
            _ => Times::Fine,
        };
        Self { names, times }
    }
}
