//! What has arrived where, as the kernel counts it: the lab believes no device's word about its traffic.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The counters of two networks, found by a process that lives in each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meter {
    /// The device that gets the file.
    pub(super) receiver: u32,
    /// The signal server.
    pub(super) server: u32,
    /// The TURN server, if there is one.
    pub(super) turn: Option<u32>,
}

/// What was counted so far, all interfaces but loopback together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Bytes that have come to the receiver.
    pub(super) arrived: u64,
    /// Bytes that the server has sent, to whomever.
    pub(super) through_server: u64,
    /// Packets that have come to the server.
    pub(super) server_packets: u64,
    /// Bytes that the TURN server has sent; packets may be many in one there.
    pub(super) through_turn: u64,
}

impl Count {
    fn since(self, before: Self) -> Self {
        Self {
            arrived: self.arrived.saturating_sub(before.arrived),
            through_server: self.through_server.saturating_sub(before.through_server),
            server_packets: self.server_packets.saturating_sub(before.server_packets),
            through_turn: self.through_turn.saturating_sub(before.through_turn),
        }
    }

    /// Bytes that have come directly; at least so many.
    fn direct(self) -> u64 {
        let through_servers = self.through_server.saturating_add(self.through_turn);
        self.arrived.saturating_sub(through_servers)
    }

    /// Bytes that have come through the TURN server; at most so many.
    fn by_turn(self) -> u64 {
        self.arrived.min(self.through_turn)
    }

    /// Bytes that have come through the server; at most so many.
    fn relayed(self) -> u64 {
        self.arrived.min(self.through_server)
    }
}

/// By which way bytes are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Any,
    Direct,
    Turn,
    Relay,
}

impl Meter {
    /// What is counted now.
    pub(super) fn count(&self) -> Result<Count> {
        let server = interfaces(self.server)?;
        let turn = self.turn.map(interfaces).transpose()?.unwrap_or_default();
        Ok(Count {
            arrived: interfaces(self.receiver)?.received,
            through_server: server.sent,
            server_packets: server.packets_received,
            through_turn: turn.sent,
        })
    }

    /// What was counted since then.
    pub(super) fn since(&self, before: Count) -> Result<Count> {
        Ok(self.count()?.since(before))
    }

    /// The time from `start` until [`FLOW_BYTES`] more than at `start` have come this way; `None` when they
    /// do not come within `patience`.
    pub(super) fn flows(
        &self,
        start: Instant,
        way: Way,
        patience: Duration,
    ) -> Result<Option<Duration>> {
        let before = self.count()?;
        loop {
            let now = self.since(before)?;
            let bytes = match way {
                Way::Any => now.arrived,
                Way::Direct => now.direct(),
                Way::Turn => now.by_turn(),
                Way::Relay => now.relayed(),
            };
            let took = start.elapsed();
            if bytes >= FLOW_BYTES {
                return Ok(Some(took));
            }
            if took > patience {
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
    }

    /// The longest time within `during` in which nothing that counts arrived.
    pub(super) fn longest_gap(&self, during: Duration) -> Result<Duration> {
        let end = Instant::now() + during;
        let mut longest = Duration::ZERO;
        let mut last = interfaces(self.receiver)?.received;
        let mut moved_at = Instant::now();
        while Instant::now() < end {
            thread::sleep(LOOK);
            let arrived = interfaces(self.receiver)?.received;
            longest = longest.max(moved_at.elapsed());
            if arrived.saturating_sub(last) >= GAP_BYTES {
                (last, moved_at) = (arrived, Instant::now());
            }
        }
        Ok(longest)
    }
}

/// What all interfaces of a network but loopback have carried.
#[derive(Debug, Clone, Copy, Default)]
struct Carried {
    /// Bytes.
    received: u64,
    /// Bytes.
    sent: u64,
    packets_received: u64,
}

/// The counters of the network in which a process lives (proc_pid_net(5)).
fn interfaces(process: u32) -> Result<Carried> {
    let text = fs::read_to_string(format!("/proc/{process}/net/dev"))?;
    let mut sum = Carried::default();
    for line in text.lines().skip(2) {
        let (name, numbers) = line
            .split_once(':')
            .context("an unexpected /proc/net/dev")?;
        if name.trim() == "lo" {
            continue;
        }
        let numbers: Vec<u64> = numbers
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let number = |at: usize| numbers.get(at).copied().unwrap_or_default();
        sum.received += number(0);
        sum.packets_received += number(1);
        sum.sent += number(8);
    }
    Ok(sum)
}

/// What counts as bytes that flow: 256 KiB. All probes, handshakes and messages of a recovery are a tenth of
/// it, and so is what the line still holds when it is cut; at the line's rate they take 50 ms.
const FLOW_BYTES: u64 = 256 * 1024;

/// What ends a gap: 16 KiB, more than acknowledgements and probes bring in a moment.
const GAP_BYTES: u64 = 16 * 1024;

/// Time between two looks: 10 ms, far below what is measured.
const LOOK: Duration = Duration::from_millis(10);
