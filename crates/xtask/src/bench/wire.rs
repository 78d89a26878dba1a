//! Two network namespaces joined by one veth pair: a wire whose bytes the kernel counts.
//!
//! What a contestant says of its own traffic is not believed. The source's side is one namespace,
//! the target's the other; the signal server lives on the source's side. The kernel cuts every
//! packet to the wire's size before it is counted, as a card would. Needs root; without it nothing
//! is counted, and both sides meet on loopback.

use std::process::{self, Command};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::namespaces::Namespace;
use crate::report::say;
use crate::run;

/// The namespaces; gone when dropped.
#[derive(Debug)]
pub(super) struct Wire {
    source: Namespace,
    target: Namespace,
}

/// One end of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Source,
    Target,
}

impl End {
    const BOTH: [Self; 2] = [Self::Source, Self::Target];

    /// Its address, of a block that is for benchmarks (RFC 2544).
    pub(super) const fn address(self) -> &'static str {
        match self {
            Self::Source => "198.18.0.1",
            Self::Target => "198.18.0.2",
        }
    }

    const fn letter(self) -> &'static str {
        match self {
            Self::Source => "a",
            Self::Target => "b",
        }
    }
}

/// What has gone over a wire, both directions together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Traffic {
    /// Bytes with all headers down to Ethernet.
    pub(super) bytes: u64,
    pub(super) packets: u64,
}

impl Traffic {
    /// What came after `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(before.bytes),
            packets: self.packets.saturating_sub(before.packets),
        }
    }
}

impl Wire {
    /// Makes the namespaces; `None` without the rights or the tool for it.
    pub(super) fn lay() -> Option<Self> {
        match Self::build() {
            Ok(wire) => Some(wire),
            Err(error) => {
                say(format!(
                    "   no network namespaces (they need root), so the wire is not counted: {error:#}"
                ));
                None
            }
        }
    }

    fn build() -> Result<Self> {
        let prefix = format!("tlbench{}", process::id() % 100_000);
        let make = |end: End| Namespace::make(format!("{prefix}{}", end.letter()));
        let wire = Self {
            source: make(End::Source)?,
            target: make(End::Target)?,
        };
        wire.source.plug(DEVICE, &wire.target, DEVICE)?;
        for end in End::BOTH {
            let namespace = wire.end(end);
            namespace.address(DEVICE, &format!("{}/24", end.address()))?;
            // Counted packet by packet, and not as the bundles that the kernel passes on.
            namespace.ip(&["link", "set", DEVICE, "gso_max_segs", "1"])?;
        }
        Ok(wire)
    }

    /// The words before a command that runs at one end.
    pub(super) fn words(&self, end: End) -> Vec<String> {
        self.end(end).words()
    }

    /// A command that runs at one end.
    pub(super) fn command(&self, end: End, program: &str) -> Command {
        self.end(end).command(program)
    }

    /// Takes away what the kernel leaves to cards: both ends make and check ordinary packets themselves. Within the
    /// kernel they may go in bundles, as before any card; that cut one by one is for counting, and TCP pays more for
    /// it than for all the rest (a small part of its rate is left).
    pub(super) fn without_offloads(&self) -> Result<()> {
        for end in End::BOTH {
            self.lets_bundles_through(end)?;
            let mut ethtool = self.command(end, "ethtool");
            ethtool.args(["--features", DEVICE]);
            for feature in ["tx", "rx", "tso", "gso", "gro"] {
                ethtool.args([feature, "off"]);
            }
            run::capture(&mut ethtool)?;
        }
        Ok(())
    }

    /// Lets no more through than a gigabit a second, each way, as the cards of most computers do; what waits for that is
    /// 20 ms of it at most.
    pub(super) fn bound_to_a_gigabit(&self) -> Result<()> {
        for end in End::BOTH {
            self.lets_bundles_through(end)?;
            let mut tc = self.command(end, "tc");
            tc.args(["qdisc", "add", "dev", DEVICE, "root", "tbf"]);
            tc.args(["rate", "1gbit", "burst", "512kb", "latency", "20ms"]);
            run::capture(&mut tc)?;
        }
        Ok(())
    }

    fn lets_bundles_through(&self, end: End) -> Result<()> {
        let bundles = ["link", "set", DEVICE, "gso_max_segs", "65535"];
        self.end(end).ip(&bundles).map(drop)
    }

    /// Loads rules of nftables at one end.
    pub(super) fn load_rules(&self, end: End, rules: &str) -> Result<()> {
        self.end(end).feed("nft", &["--file", "-"], rules)
    }

    /// All that has gone over it so far.
    pub(super) fn traffic(&self) -> Result<Traffic> {
        let shown = self
            .source
            .ip(&["-s", "-j", "link", "show", "dev", DEVICE])?;
        let shown: Value = serde_json::from_str(&shown)?;
        let stats = &shown[0]["stats64"];
        let sum = |what: &str| {
            let of = |way: &str| stats[way][what].as_u64().context("no count of the wire");
            Ok::<u64, anyhow::Error>(of("rx")? + of("tx")?)
        };
        Ok(Traffic {
            bytes: sum("bytes")?,
            packets: sum("packets")?,
        })
    }

    const fn end(&self, end: End) -> &Namespace {
        match end {
            End::Source => &self.source,
            End::Target => &self.target,
        }
    }
}

/// The name of the veth device at either end.
const DEVICE: &str = "wire";
