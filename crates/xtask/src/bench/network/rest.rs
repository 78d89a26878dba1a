//! What a connected peer costs while neither has anything to say.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::bench::report::{Goal, Section};
use crate::bench::towline::Pair;
use crate::bench::wire::{End, Wire};
use crate::bench::{Bench, usage};
use crate::report::Spinner;
use crate::run;

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let wire = Wire::lay();
    fs::create_dir_all(bench.work)?;
    let pair = Pair::start(bench.built, bench.work, wire.as_ref())?;
    let ids = pair.ids()?;
    if let Some(wire) = &wire {
        wire.load_rules(End::Target, RULES)?;
    }
    let spinner = Spinner::start(&format!("idling for {} s", WATCHED.as_secs()));
    // The measurement itself is the passing of time.
    std::thread::sleep(SETTLING);
    let counted = || wire.as_ref().map(count).transpose();
    let cpu = || Ok::<_, anyhow::Error>([usage::cpu(ids[0])?, usage::cpu(ids[1])?]);
    let (before, cpu_before) = (counted()?, cpu()?);
    std::thread::sleep(WATCHED);
    let (after, cpu_after) = (counted()?, cpu()?);
    drop(spinner);
    drop(pair);
    let minutes = WATCHED.as_secs_f64() / 60.0;
    let percent = |side: usize| {
        let spent = cpu_after[side].saturating_sub(cpu_before[side]);
        spent.as_secs_f64() / WATCHED.as_secs_f64() * 100.0
    };
    let mut rows = String::new();
    let mut peer = None;
    if let (Some(before), Some(after)) = (before, after) {
        for (at, (_, what)) in COUNTERS.iter().enumerate() {
            let bytes = after[at].0.saturating_sub(before[at].0) as f64 / minutes;
            let packets = after[at].1.saturating_sub(before[at].1) as f64 / minutes;
            rows.push_str(&format!("| {what} | {bytes:.0} | {packets:.1} |\n"));
            if at == 0 {
                peer = Some(bytes);
            }
        }
    }
    Ok(Section {
        title: "A peer at rest".to_owned(),
        text: format!(
            "Two connected devices without a folder, {} s. Counted by the kernel at the target, both directions, from IP\nupwards (`cargo xtask bench network`).\n\n| | bytes a minute | packets a minute |\n|---|---|---|\n{rows}\nProcessor time: {:.3} % and {:.3} % of a core.\n",
            WATCHED.as_secs(),
            percent(0),
            percent(1)
        ),
        goals: vec![
            Goal::at_most("between peers", peer, PEER_BYTES_MAX, "bytes a minute"),
            Goal::at_most(
                "processor",
                Some(percent(0).max(percent(1))),
                0.05,
                "% of a core",
            ),
        ],
    })
}

/// Bytes and packets of each counter so far.
fn count(wire: &Wire) -> Result<Vec<(u64, u64)>> {
    let mut command = wire.command(End::Target, "nft");
    let told = run::capture(command.args(["--json", "list", "counters"]))?;
    let told: Value = serde_json::from_str(&told)?;
    let all = told["nftables"].as_array().context("no counters")?;
    let of = |name: &str| {
        let mut counters = all.iter().map(|one| &one["counter"]);
        let counter = counters.find(|counter| counter["name"] == name)?;
        Some((counter["bytes"].as_u64()?, counter["packets"].as_u64()?))
    };
    let counted = COUNTERS.iter().map(|(name, _)| of(name));
    counted.collect::<Option<_>>().context("no such counter")
}

/// What is counted, with what it is in the report.
const COUNTERS: [(&str, &str); 3] = [
    ("peer", "between the peers, probes and QUIC"),
    ("server", "with the signal server"),
    ("local", "announcements on the local network"),
];

/// Who sends to groups speaks to no peer; the server is reached by TCP, but for STUN.
const RULES: &str = "table inet rest {
    counter peer {}
    counter server {}
    counter local {}
    chain sort {
        meta l4proto tcp counter name server return
        udp sport 3478-3479 counter name server return
        udp dport 3478-3479 counter name server return
        udp dport 5353 counter name local return
        meta l4proto udp counter name peer return
    }
    chain come { type filter hook input priority 0; iifname \"wire\" jump sort; }
    chain go { type filter hook output priority 0; oifname \"wire\" jump sort; }
}
";

/// After the connection stands: until late work (path probes, the search for a larger MTU) has ended.
const SETTLING: Duration = Duration::from_secs(45);

/// Then three minutes are watched.
const WATCHED: Duration = Duration::from_secs(180);

/// Keep-alive of one peer: 4 KB a minute.
const PEER_BYTES_MAX: f64 = 4096.0;
