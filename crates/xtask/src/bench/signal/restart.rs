//! A server that is restarted while all its clients are there.

use std::time::Instant;

use anyhow::Result;
use serde_json::Value;

use super::Stage;
use super::crowd::{Crowd, Transport, Who, number};
use super::server::Server;
use crate::bench::report::{Goal, Section, load};
use crate::report::Spinner;

pub(super) fn run(stage: &Stage) -> Result<Section> {
    let asked = come_back(stage, End::Asked, From::Loopback)?;
    let killed = come_back(stage, End::Killed, From::Loopback)?;
    let counted = come_back(stage, End::Asked, From::Public)?;
    let rows = [
        ("asked to end (SIGTERM)", &asked),
        ("killed", &killed),
        ("asked to end, addresses count", &counted),
    ];
    let rows: String = rows
        .into_iter()
        .map(|(what, back)| back.row(what))
        .collect();
    Ok(Section {
        title: "Coming back to a signal server".to_owned(),
        text: format!(
            "{} devices from 100 addresses of 127/8, TLS, default limits; the server is started again as soon as it has ended (`cargo xtask bench signal`). They come back by the rules of the\nengine: after the time that a draining server names, else after a pause that doubles from 1 s to 60 s with each failure in a row, half of it by\nchance. Loopback is exempt from the limits per address; in the last row a trusted proxy names a public address for each, and then 150 devices behind one\naddress have 100 connections a minute. Times from the moment at which the new server listens, and from losing the old one.\n\n| | all back after s | away p50 s | p99 s | longest s | failed attempts | for good | load |\n|---|---|---|---|---|---|---|---|\n{rows}",
            stage.counts.come_back
        ),
        goals: vec![
            Goal::at_most("asked to end: all back", Some(asked.all), 30.0, "s"),
            Goal::at_most("killed: all back", Some(killed.all), 30.0, "s"),
            Goal::at_most(
                "refused for good",
                Some(asked.for_good + killed.for_good + counted.for_good),
                0.0,
                "devices",
            ),
        ],
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Asked,
    Killed,
}

/// Where the server thinks that clients come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Loopback,
    Public,
}

struct Back {
    /// Seconds from the new server's first moment until all were there.
    all: f64,
    /// Seconds without a server, of each device: half, 99 of 100, all.
    away: [f64; 3],
    for_good: f64,
    failed: String,
    load: String,
}

impl Back {
    fn row(&self, what: &str) -> String {
        let [p50, p99, longest] = self.away;
        format!(
            "| {what} | {:.1} | {p50:.1} | {p99:.1} | {longest:.1} | {} | {:.0} | {} |\n",
            self.all, self.failed, self.for_good, self.load
        )
    }
}

fn come_back(stage: &Stage, end: End, from: From) -> Result<Back> {
    let mut words = stage.tls()?;
    let mut more = Vec::new();
    match from {
        From::Loopback => {}
        From::Public => {
            words.extend(["--trusted-proxies", "127.0.0.0/8"].map(str::to_owned));
            more.push("--forwarded");
        }
    }
    let first = Server::start(stage, "first-server", "127.0.0.1:0", &words)?;
    let at = first.at.clone();
    let who = Who {
        name: "come-back",
        count: stage.counts.come_back,
        first: 0,
        transport: Transport::Tls,
    };
    let spinner = Spinner::start(&format!("{} devices come back", who.count));
    let mut crowd = Crowd::start(stage, who, &[&first], "come-back", &more)?;
    crowd.wait("here")?;
    match end {
        End::Asked => first.drain()?,
        End::Killed => drop(first),
    }
    let second = Server::start(stage, "second-server", &at, &words)?;
    let back = crowd.wait("back")?;
    let all = Instant::now().duration_since(second.since).as_secs_f64();
    drop(spinner);
    let seconds = |name: &str| Ok::<_, anyhow::Error>(number(&back, name)? / 1e6);
    Ok(Back {
        all,
        away: [seconds("p50")?, seconds("p99")?, seconds("longest")?],
        for_good: number(&back, "for_good")?,
        failed: attempts(&back["failed"]),
        load: load(),
    })
}

/// What kinds of failures there were, and how many of each.
fn attempts(failed: &Value) -> String {
    let kinds = failed.as_object().into_iter().flatten();
    let kinds: Vec<String> = kinds
        .map(|(why, count)| format!("{why}: {count}"))
        .collect();
    if kinds.is_empty() {
        "none".to_owned()
    } else {
        kinds.join(", ")
    }
}
