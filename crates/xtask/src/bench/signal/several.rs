//! Four servers that share a Redis, with many clients at each: what it costs, and what crosses between them.

use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use super::Stage;
use super::crowd::{Crowd, Transport, Who, number};
use super::server::{Redis, Server};
use super::traffic::ask_and_answer;
use crate::bench::report::{Goal, Section, load, mebibytes};
use crate::bench::usage;
use crate::report::Spinner;

pub(super) fn run(stage: &Stage) -> Result<Section> {
    let redis = Redis::start(stage)?;
    let start = |name: &str| {
        let words = ["--redis-url", &redis.url(), "--instance", name];
        let words = [&words[..], &["--max-connections", "18000"]].concat();
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let server = Server::start(stage, &format!("server-{name}"), "127.0.0.1:0", &words)?;
        server.wait_until_ready()?;
        anyhow::Ok(server)
    };
    let servers = NAMES.into_iter().map(start).collect::<Result<Vec<_>>>()?;
    let empty = usage::resident(redis.id())?;
    let all = stage.counts.at_each * NAMES.len() as u32;
    let spinner = Spinner::start(&format!("{all} clients come to four servers"));
    let mut crowds = Vec::new();
    for (number, (server, name)) in (0..).zip(servers.iter().zip(NAMES)) {
        let who = Who {
            name: &format!("rest-{name}"),
            count: stage.counts.at_each,
            first: number * NUMBERS_EACH,
            transport: Transport::Plain,
        };
        crowds.push(Crowd::start(stage, who, &[server], "rest", &[])?);
    }
    let mut came = 0.0_f64;
    for crowd in &mut crowds {
        came = came.max(number(&crowd.wait("here")?, "seconds")?);
    }
    thread::sleep(Duration::from_secs(stage.counts.settle));
    drop(spinner);
    let memory = servers
        .iter()
        .map(|server| Ok(format!("{:.0}", mebibytes(usage::resident(server.id())?))))
        .collect::<Result<Vec<_>>>()?;
    let kept = usage::resident(redis.id())?.saturating_sub(empty) as f64 / f64::from(all);
    let two = [&servers[0], &servers[1]];
    let trips = ask_and_answer(stage, &two, 10 * NUMBERS_EACH)?;
    let claims = claims(stage, &two)?;
    if !crowds.iter_mut().all(Crowd::is_whole) {
        bail!("some clients were thrown out; the log in artifacts/bench/signal says why");
    }
    let (rate, p50, p99) = (
        number(&claims, "count")? / number(&claims, "seconds")?,
        number(&claims, "p50")? / 1000.0,
        number(&claims, "p99")? / 1000.0,
    );
    Ok(Section {
        title: "Four signal servers that share a Redis".to_owned(),
        text: format!(
            "{all} registered devices, plain, {} at each, which came within {came:.0} s and stay to the end (`cargo xtask bench signal`).\nResident MiB of the servers: {}; Redis has {kept:.0} bytes for each device.\n\nWhile they rest, between two of the servers, one question at a time: a message to its receiver and the answer take p50 {:.0} µs,\np99 {:.0} µs. Codes that are made at the one and claimed at the other, {rate:.0} a second: claims take p50 {p50:.1} ms, p99 {p99:.1} ms, the longest {:.1} ms.\nLoad of the machine at the end: {}.\n",
            stage.counts.at_each,
            memory.join(", "),
            trips.trip.0,
            trips.trip.1,
            number(&claims, "longest")? / 1000.0,
            load(),
        ),
        goals: vec![
            Goal::at_least(
                "connections together",
                Some(f64::from(all)),
                60_000.0,
                "connections",
            ),
            Goal::at_most(
                "to a peer at another server and back, p50",
                Some(trips.trip.0 / 1000.0),
                1.0,
                "ms",
            ),
            // A tenth less is a machine that others use, too.
            Goal::at_least("claims", Some(rate), 900.0, "a second"),
            Goal::at_most("claims, p99", Some(p99), 20.0, "ms"),
        ],
    })
}

fn claims(stage: &Stage, two: &[&Server]) -> Result<serde_json::Value> {
    let who = Who {
        name: "pair",
        count: stage.counts.pairing,
        first: 11 * NUMBERS_EACH,
        transport: Transport::Plain,
    };
    let words = [
        "--per-second",
        &stage.counts.claims_per_second.to_string(),
        "--seconds",
        &stage.counts.seconds.to_string(),
    ];
    let mut crowd = Crowd::start(stage, who, two, "pair", &words)?;
    crowd.wait("end")
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Numbers of devices that one process of clients has for itself.
const NUMBERS_EACH: u32 = 100_000;
