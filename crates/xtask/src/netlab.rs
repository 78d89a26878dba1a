//! `cargo xtask netlab`: which path two devices find behind every pair of routers, in namespaces of this
//! machine.
//!
//! For each pair the real server runs on port 443 of a public network and two real devices in homes of their
//! own. They pair by code; then one of them ends and starts again, so that what is measured is how known
//! peers find each other. A path is judged by counters: while a file is carried on a direct path the server
//! gets fewer packets than the file has. Needs root, iproute2 and nftables.

mod lab;
mod nat;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::binaries::{self, Built, Profile, Wanted};
use crate::devices::{Device, Server, wait_until_equal};
use crate::repo::Repo;
use crate::report::say;
use crate::system::{self, Purpose};

use lab::{Lab, SERVER};
use nat::{Best, Nat};

/// Which pairs are tried.
#[derive(Debug, Args)]
pub(crate) struct NetlabArgs {
    /// Only homes behind this kind of router, on one side at least.
    #[arg(long)]
    with: Option<Nat>,
    /// How often each pair is tried.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
}

/// How long a better path than the first one is waited for: 10 s, far above the 3 s that a search may take.
const BETTER_WITHIN: Duration = Duration::from_secs(10);

/// How long a device may take to be connected, and a file to be carried: 30 s, so that a loaded machine is no
/// error.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the server answers STUN.
const STUN: [&str; 2] = ["203.0.113.10:3478", "203.0.113.10:3479"];

/// What is carried to see by which way: 4 MiB, about 3,500 packets.
const CARRIED_BYTES: usize = 4 << 20;

/// Packets that a server gets while that is carried directly: at most 500. Heartbeats and sealed addresses are
/// a few dozen.
const ASIDE_PACKETS_MAX: u64 = 500;

/// Tries all pairs; fails when one does not meet on the best path that there is.
pub(crate) fn netlab(repo: &Repo, args: &NetlabArgs) -> Result<()> {
    system::ensure_packages(repo, &[Purpose::Headless, Purpose::Lab])?;
    let built = binaries::build(repo, Profile::Debug, Wanted::Headless)?;
    let mut worse = 0;
    say("homes behind            best    found   connected  best path  packets at the server");
    for (one, other) in pairs(args.with) {
        for _ in 0..args.rounds {
            let best = one.best_with(other);
            let found = try_pair(repo, &built, [one, other])
                .with_context(|| format!("{one} and {other}"))?;
            worse += u32::from(found.path != best);
            say(format!(
                "{one:<10} {other:<10}   {best:<6}  {:<6}  {:>7.2} s  {:>7}  {:>6}{}",
                found.path,
                found.connected.as_secs_f64(),
                found.better.map_or_else(
                    || "-".to_owned(),
                    |after| format!("{:.2} s", after.as_secs_f64())
                ),
                found.server_packets,
                if found.path == best {
                    ""
                } else {
                    "   worse than it could be"
                },
            ));
        }
    }
    if worse > 0 {
        bail!("{worse} did not meet on the best path");
    }
    Ok(())
}

/// All pairs in both directions, for the one that is started last seeks the other.
fn pairs(with: Option<Nat>) -> impl Iterator<Item = (Nat, Nat)> {
    let all = Nat::ALL.into_iter();
    let all = all.flat_map(|one| Nat::ALL.into_iter().map(move |other| (one, other)));
    all.filter(move |(one, other)| with.is_none_or(|kind| *one == kind || *other == kind))
}

/// How two devices have found each other.
struct Found {
    path: Best,
    /// From the start of the second one until they were connected.
    connected: Duration,
    /// From there until they were on a direct path, where that came.
    better: Option<Duration>,
    /// While a file was carried.
    server_packets: u64,
}

fn try_pair(repo: &Repo, built: &Built, nats: [Nat; 2]) -> Result<Found> {
    let place = repo.path("artifacts/netlab");
    match fs::remove_dir_all(&place) {
        Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => return Err(fault.into()),
        Ok(()) | Err(_) => {}
    }
    fs::create_dir_all(&place)?;
    let lab = Lab::build(nats)?;
    let server = Server::start_at(
        &format!("{SERVER}:443"),
        &STUN
            .iter()
            .flat_map(|port| ["--stun-bind", port])
            .collect::<Vec<_>>(),
        &lab.server.words(),
        &built.signal,
        &place,
    )?;
    let device = |name: &str, home: usize| {
        let words = lab.homes[home].host.words();
        Device::new(name, place.join(name), &built.towline, &server, &place).behind(words)
    };
    let (mut anna, mut ben) = (device("Anna", 0), device("Ben", 1));
    anna.start()?;
    ben.start()?;
    anna.pair(&ben)?;
    let roots = ["anna-files", "ben-files"].map(|name| place.join(name));
    for root in &roots {
        fs::create_dir_all(root)?;
    }
    anna.share(&roots[0], &ben, &roots[1])?;
    wait_until_equal(&roots[0], &roots[1], &ben, PATIENCE, |_| {})?;
    ben.stop()?;
    let begun = Instant::now();
    ben.start()?;
    ben.wait("a connection", PATIENCE, |view| path_of(view).is_some())?;
    let connected = begun.elapsed();
    let is_direct = |view: &Value| path_of(view) == Some(Best::Direct);
    let better = match ben.wait("a direct path", BETTER_WITHIN, is_direct) {
        Ok(_) => Some(begun.elapsed().saturating_sub(connected)),
        Err(_) => None,
    };
    let server_packets = carry(&lab, &roots, &ben)?;
    let path = if server_packets <= ASIDE_PACKETS_MAX {
        Best::Direct
    } else {
        Best::Relay
    };
    if better.is_some() != (path == Best::Direct) {
        bail!("the devices say otherwise than {server_packets} packets at the server");
    }
    Ok(Found {
        path,
        connected,
        better,
        server_packets,
    })
}

/// Carries a file from the first root to the second one, and counts what the server gets meanwhile.
fn carry(lab: &Lab, roots: &[impl AsRef<Path>; 2], device: &Device) -> Result<u64> {
    let before = lab.server_packets()?;
    let mut bytes = Vec::with_capacity(CARRIED_BYTES);
    let mut state = 1_u64;
    while bytes.len() < CARRIED_BYTES {
        // Knuth's MMIX generator: bytes that nothing can compress.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    fs::write(roots[0].as_ref().join("carried"), bytes)?;
    wait_until_equal(
        roots[0].as_ref(),
        roots[1].as_ref(),
        device,
        PATIENCE,
        |_| {},
    )?;
    Ok(lab.server_packets()? - before)
}

/// The path to the only peer, if it is connected.
fn path_of(view: &Value) -> Option<Best> {
    let link = &view["peers"][0]["link"];
    if link["state"] != "up" {
        return None;
    }
    match link["path"]["kind"].as_str()? {
        "relayed" => Some(Best::Relay),
        _ => Some(Best::Direct),
    }
}
