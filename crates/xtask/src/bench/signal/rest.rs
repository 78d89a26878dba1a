//! A server with many clients that have nothing to say, and one with none.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use super::Stage;
use super::crowd::{Crowd, Transport, Who};
use super::server::{Server, time_to_serve};
use crate::bench::report::{Goal, Section, load, mebibytes, middle};
use crate::bench::usage;
use crate::report::Spinner;

pub(super) fn run(stage: &Stage) -> Result<Section> {
    let starts: Result<Vec<Duration>> = (0..STARTS).map(|_| time_to_serve(stage)).collect();
    let start = middle(starts?.into_iter()).map(|start| start.as_secs_f64() * 1000.0);
    let binary = fs::metadata(&stage.server)?.len() as f64 / 1e6;
    let plain = measure(stage, Transport::Plain)?;
    let tls = measure(stage, Transport::Tls)?;
    let row = |name: &str, held: &Held| {
        format!(
            "| {name} | {} | {:.0} | {:.1} | {:.1} | {:.2} | {:.2} |\n",
            held.count,
            held.came.as_secs_f64() * 1e6,
            mebibytes(held.empty),
            mebibytes(held.full),
            held.each / 1000.0,
            held.cpu_percent,
        )
    };
    Ok(Section {
        title: "A signal server at rest".to_owned(),
        text: format!(
            "One process, all clients registered devices; the server's processor time from a client's first packet until it is registered, its key\nproven; resident memory after {} s, in which each was asked for a sign of life; processor while they rest (`cargo xtask bench signal`). The program has {binary:.1} MB; started, it answers after {:.0} ms (median of {STARTS}).\n\n| | connections | µs each to come | MiB without | MiB with | KB each | % of a core |\n|---|---|---|---|---|---|---|\n{}{}\nLoad of the machine at the end: {}.\n",
            stage.counts.settle,
            start.unwrap_or_default(),
            row("plain", &plain),
            row("TLS", &tls),
            load(),
        ),
        goals: vec![
            Goal::at_most("start to serving", start, 100.0, "ms"),
            Goal::at_most("program", Some(binary), 12.0, "MB"),
            Goal::at_most(
                "memory without clients",
                Some(plain.empty.max(tls.empty) as f64 / 1e6),
                15.0,
                "MB",
            ),
            Goal::at_most(
                "each connection, plain",
                Some(plain.each / 1000.0),
                7.0,
                "KB",
            ),
            Goal::at_most("each connection, TLS", Some(tls.each / 1000.0), 12.0, "KB"),
        ],
    })
}

/// What a server holds for its clients.
struct Held {
    count: u32,
    /// Processor time that the coming of one took.
    came: Duration,
    /// Bytes without any.
    empty: u64,
    /// Bytes with all.
    full: u64,
    /// Bytes.
    each: f64,
    cpu_percent: f64,
}

fn measure(stage: &Stage, transport: Transport) -> Result<Held> {
    let (name, mut words) = match transport {
        Transport::Plain => ("plain", Vec::new()),
        Transport::Tls => ("TLS", stage.tls()?),
    };
    let count = stage.counts.at_rest;
    words.extend(["--max-connections".to_owned(), count.to_string()]);
    let server = Server::start(stage, "rest-server", "127.0.0.1:0", &words)?;
    let settle = Duration::from_secs(stage.counts.settle);
    // What a start has needed and gives back.
    thread::sleep(EMPTY_AFTER);
    let empty = usage::resident(server.id())?;
    let spinner = Spinner::start(&format!("{count} clients come and rest ({name})"));
    let running = || usage::exact(server.id()).map(|exact| exact.running);
    let alone = running()?;
    let who = Who {
        name: "rest",
        count,
        first: 0,
        transport,
    };
    let mut crowd = Crowd::start(stage, who, &[&server], "rest", &[])?;
    crowd.wait("here")?;
    let here = running()?;
    // The measurement itself is the passing of time.
    thread::sleep(settle);
    let spent = running()?.saturating_sub(here);
    let full = usage::resident(server.id())?;
    drop(spinner);
    if !crowd.is_whole() {
        bail!("some clients were thrown out; the log in artifacts/bench/signal says why");
    }
    Ok(Held {
        count,
        came: here.saturating_sub(alone) / count,
        empty,
        full,
        each: full.saturating_sub(empty) as f64 / f64::from(count),
        cpu_percent: spent.as_secs_f64() / settle.as_secs_f64() * 100.0,
    })
}

/// An odd number of starts, each a tenth of a second or less: 9.
const STARTS: u32 = 9;

const EMPTY_AFTER: Duration = Duration::from_secs(1);
