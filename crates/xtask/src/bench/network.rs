//! What the endpoint of a device costs beside others: one stream from one process to another, in rounds in which
//! both carry the same, so that a machine with other work to do slows down both.
//!
//! Beside quinn alone, with the same encryption and transport settings, over loopback: once with the buffers that
//! a device gets from a system that lets it have what it asks for, and once as a user to whom the system grants
//! its own limit. Beside TCP, over a wire of ordinary packets. Beside a WebSocket, by way of a server. And what a
//! peer costs that is connected and has nothing to say.

mod ends;
mod rest;

use std::path::Path;
use std::{env, fs, process};

use anyhow::Result;

use super::Bench;
use super::report::{Goal, Section, load, median};
use super::wire::{End, Wire};
use crate::binaries;
use crate::devices::Server;
use crate::repo::Repo;
use crate::report::say;
use ends::{Ends, User};

pub(super) fn run(repo: &Repo, bench: &Bench<'_>) -> Result<Vec<Section>> {
    let built = binaries::build_stream_end(repo)?;
    // Where a user without rights may run it.
    let directory = env::temp_dir().join(format!("towline-bench-{}", process::id()));
    fs::create_dir(&directory)?;
    let sections = streams(bench, &built, &directory);
    fs::remove_dir_all(&directory)?;
    let mut sections = sections?;
    sections.push(rest::run(bench)?);
    Ok(sections)
}

fn streams(bench: &Bench<'_>, built: &Path, directory: &Path) -> Result<Vec<Section>> {
    fs::create_dir_all(bench.work)?;
    let program = directory.join("measure_network");
    fs::copy(built, &program)?;
    let rounds = bench.rounds.max(ROUNDS_MIN);
    let mut sections = vec![beside_quinn(&program, rounds)?];
    if let Some(wire) = Wire::lay() {
        wire.without_offloads()?;
        sections.push(beside_tcp(&program, &wire, rounds)?);
    }
    sections.push(beside_websocket(bench, &program, rounds)?);
    Ok(sections)
}

fn beside_quinn(program: &Path, rounds: u32) -> Result<Section> {
    let contests = [("granted", User::Ours), ("the system's", User::Nobody)];
    let mut table = Table::new("buffers", "quinn");
    for (buffers, user) in contests {
        let ends = Ends::here(program, user);
        table.hold(buffers, rounds, 0.95, |who| {
            ends.stream(who.of("towline", "quinn"), LOOPBACK_BYTES)
        })?;
    }
    Ok(table.section(
        "A stream beside quinn",
        &format!(
            "{} MB over loopback. Granted buffers are those that a device asks for; the system's are what it grants to a\nuser without rights.",
            LOOPBACK_BYTES / 1_000_000
        ),
    ))
}

fn beside_tcp(program: &Path, wire: &Wire, rounds: u32) -> Result<Section> {
    let contests = [("granted", User::Ours), ("the system's", User::Nobody)];
    let mut table = Table::new("buffers", "iperf3");
    for (buffers, user) in contests {
        let ends = Ends::at(program, user, wire);
        table.hold(buffers, rounds, 1.0, |who| match who {
            Who::Towline => ends.stream("towline", WIRE_BYTES),
            Who::Other => ends.tcp(WIRE_BYTES),
        })?;
    }
    // What of it the packets cost and what quinn and encryption, their ratio shows.
    table.hold(
        "granted, quinn in our place",
        rounds,
        0.0,
        |who| match who {
            Who::Towline => Ends::at(program, User::Ours, wire).stream("quinn", WIRE_BYTES),
            Who::Other => Ends::at(program, User::Ours, wire).tcp(WIRE_BYTES),
        },
    )?;
    Ok(table.section(
        "A stream beside TCP",
        &format!(
            "{} MB over a veth pair with an MTU of 1500 and without offloads (checksums, segmentation, coalescing). TCP is\niperf3's, which does not encrypt.",
            WIRE_BYTES / 1_000_000
        ),
    ))
}

fn beside_websocket(bench: &Bench<'_>, program: &Path, rounds: u32) -> Result<Section> {
    let mut table = Table::new("between", "WebSocket");
    let mut hold = |what: &str, wire: Option<&Wire>, bytes: u64, least: f64| {
        let (ends, words, at) = match wire {
            None => (Ends::here(program, User::Ours), Vec::new(), "127.0.0.1"),
            Some(wire) => (
                Ends::at(program, User::Ours, wire),
                wire.words(End::Target),
                End::Target.address(),
            ),
        };
        let unbounded = ["--relay-bytes-per-second", "0"];
        let (signal, logs) = (&bench.built.signal, bench.work);
        let server = Server::start_at(&format!("{at}:0"), &unbounded, &words, signal, logs)?;
        let at = server
            .url
            .trim_start_matches("ws://")
            .trim_end_matches("/ws");
        table.hold(what, rounds, least, |who| match who {
            Who::Towline => ends.by_server("relay", at, bytes),
            Who::Other => ends.by_forwarder(bytes),
        })
    };
    if let Some(wire) = Wire::lay() {
        wire.bound_to_a_gigabit()?;
        hold("a line of 1 Gbit/s", Some(&wire), WIRE_BYTES, 0.8)?;
    }
    hold("loopback", None, RELAY_BYTES, 0.0)?;
    Ok(table.section(
        "A stream through the relay",
        "Through the signal server's packet channel without its bound of 2 MiB/s, beside messages of the same length in two WebSockets and a\nforwarder between them that does nothing else and does not encrypt. The line is between the sender and the server; over loopback\nthe processor is the bound.",
    ))
}

/// Who has a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Towline,
    Other,
}

impl Who {
    const fn of<'a>(self, towline: &'a str, other: &'a str) -> &'a str {
        match self {
            Self::Towline => towline,
            Self::Other => other,
        }
    }
}

/// Contests against one other.
struct Table {
    other: &'static str,
    rows: String,
    goals: Vec<Goal>,
    rounds: u32,
}

impl Table {
    fn new(what: &str, other: &'static str) -> Self {
        Self {
            other,
            rows: format!(
                "| {what} | towline MB/s | {other} MB/s | median of the rounds' ratios | load |\n|---|---|---|---|---|\n"
            ),
            goals: Vec::new(),
            rounds: 0,
        }
    }

    /// Lets both have their turns; `rate` measures one. The median of the ratios must be at least `least`, unless
    /// that is 0.
    fn hold(
        &mut self,
        what: &str,
        rounds: u32,
        least: f64,
        rate: impl Fn(Who) -> Result<f64>,
    ) -> Result<()> {
        let (mut ours, mut theirs, mut ratios) = (vec![], vec![], vec![]);
        for round in 1..=rounds {
            // Who is first has the other's warm caches, so they take turns.
            let (our, their) = if round % 2 == 0 {
                let their = rate(Who::Other)?;
                (rate(Who::Towline)?, their)
            } else {
                (rate(Who::Towline)?, rate(Who::Other)?)
            };
            say(format!(
                "   {what}, round {round}: towline {our:.0} MB/s, {} {their:.0} MB/s",
                self.other
            ));
            ours.push(our);
            theirs.push(their);
            ratios.push(our / their);
        }
        let ratio = median(ratios);
        self.rounds = rounds;
        self.rows.push_str(&format!(
            "| {what} | {:.0} | {:.0} | {:.3} | {} |\n",
            median(ours).unwrap_or_default(),
            median(theirs).unwrap_or_default(),
            ratio.unwrap_or_default(),
            load()
        ));
        if least > 0.0 {
            let unit = format!("x {}", self.other);
            self.goals
                .push(Goal::at_least(what.to_owned(), ratio, least, &unit));
        }
        Ok(())
    }

    fn section(self, title: &str, about: &str) -> Section {
        Section {
            title: title.to_owned(),
            text: format!(
                "{about}\nMedians of {} interleaved rounds (`cargo xtask bench network`).\n\n{}",
                self.rounds, self.rows
            ),
            goals: self.goals,
        }
    }
}

/// Fewer rounds show a machine's moods: 8.
const ROUNDS_MIN: u32 = 8;

/// A second or two of it, each.
const LOOPBACK_BYTES: u64 = 1_000_000_000;
const WIRE_BYTES: u64 = 400_000_000;
const RELAY_BYTES: u64 = 200_000_000;
