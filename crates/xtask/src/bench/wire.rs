//! Two network namespaces joined by one veth pair: a wire whose bytes the kernel counts.
//!
//! What a contestant says of its own traffic is not believed. The source's side is one namespace,
//! the target's the other; the signal server lives on the source's side. The kernel cuts every
//! packet to the wire's size before it is counted, as a card would. Needs root; without it nothing
//! is counted, and both sides meet on loopback.

use std::process::{self, Command};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::report::say;
use crate::run;

/// The namespaces; gone when dropped.
#[derive(Debug)]
pub(super) struct Wire {
    prefix: String,
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
        let wire = Self {
            prefix: format!("tlbench{}", process::id() % 100_000),
        };
        match wire.build() {
            Ok(()) => Some(wire),
            Err(error) => {
                say(format!(
                    "   no network namespaces (they need root), so the wire is not counted: {error:#}"
                ));
                None
            }
        }
    }

    fn build(&self) -> Result<()> {
        for end in End::BOTH {
            self.ip(&["netns", "add", &self.name(end)])?;
        }
        let [source, target] = End::BOTH.map(|end| self.name(end));
        let link = ["link", "add", DEVICE, "netns", &source, "type", "veth"];
        let peer = ["peer", "name", DEVICE, "netns", &target];
        self.ip(&[&link[..], &peer[..]].concat())?;
        for end in End::BOTH {
            let name = self.name(end);
            let inside = |words: &[&str]| self.ip(&[&["-n", &name], words].concat());
            let address = format!("{}/24", end.address());
            inside(&["addr", "add", &address, "dev", DEVICE])?;
            // Counted packet by packet, and not as the bundles that the kernel passes on.
            inside(&["link", "set", DEVICE, "gso_max_segs", "1"])?;
            inside(&["link", "set", DEVICE, "up"])?;
            inside(&["link", "set", "lo", "up"])?;
        }
        Ok(())
    }

    /// The words before a command that runs at one end.
    pub(super) fn words(&self, end: End) -> Vec<String> {
        ["ip", "netns", "exec", &self.name(end)]
            .map(str::to_owned)
            .to_vec()
    }

    /// A command that runs at one end.
    pub(super) fn command(&self, end: End, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(end), program]);
        command
    }

    /// All that has gone over it so far.
    pub(super) fn traffic(&self) -> Result<Traffic> {
        let name = self.name(End::Source);
        let mut show = Command::new("ip");
        show.args(["-n", &name, "-s", "-j", "link", "show", "dev", DEVICE]);
        let shown: Value = serde_json::from_str(&run::capture(&mut show)?)?;
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

    fn name(&self, end: End) -> String {
        format!("{}{}", self.prefix, end.letter())
    }

    fn ip(&self, words: &[&str]) -> Result<()> {
        run::capture(Command::new("ip").args(words)).map(drop)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for end in End::BOTH {
            // Fails when it was never made; then there is nothing to remove.
            let _ = self.ip(&["netns", "delete", &self.name(end)]);
        }
    }
}

/// The name of the veth device at either end.
const DEVICE: &str = "wire";
