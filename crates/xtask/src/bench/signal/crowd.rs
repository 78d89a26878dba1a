//! Clients in a process of their own.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Stage;
use super::server::{Server, with_descriptors};
use crate::bench::usage;
use crate::processes::Running;

/// Who they are and where they go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'a> {
    /// Of its log.
    pub(super) name: &'a str,
    /// Clients, or pairs of them.
    pub(super) count: u32,
    /// The number of the first one.
    pub(super) first: u32,
    pub(super) transport: Transport,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Plain,
    Tls,
}

/// A process of clients; ends when dropped.
pub(super) struct Crowd(Running);

/// What was done between two lines, and what it cost.
pub(super) struct Spent {
    pub(super) server: Duration,
    pub(super) clients: Duration,
    pub(super) told: Value,
}

impl Crowd {
    /// Lets them do `what` at these servers.
    pub(super) fn start(
        stage: &Stage,
        who: Who<'_>,
        at: &[&Server],
        what: &str,
        more: &[&str],
    ) -> Result<Self> {
        let mut command = with_descriptors(&stage.crowd);
        command.arg(what);
        for server in at {
            command.args(["--at", &server.at]);
        }
        let numbers = [who.count, who.first].map(|number| number.to_string());
        command.args(["--count", &numbers[0], "--first", &numbers[1]]);
        match who.transport {
            Transport::Plain => {}
            Transport::Tls => {
                command
                    .arg("--certificate")
                    .arg(stage.place.join("cert.pem"));
            }
        }
        // A reason is enough.
        command.args(more).env("RUST_BACKTRACE", "0");
        Ok(Self(Running::start(who.name, &mut command, &stage.logs)?))
    }

    /// Waits for a line.
    pub(super) fn wait(&mut self, event: &str) -> Result<Value> {
        let is_it = |line: &str| {
            serde_json::from_str::<Value>(line).is_ok_and(|told| told["event"] == event)
        };
        let line = self.0.wait_for_line(is_it, PATIENCE);
        let line = line.context("the log in artifacts/bench/signal says why")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Waits for the beginning and the end of what they do, and tells what it took of this server.
    pub(super) fn watch(&mut self, server: &Server) -> Result<Spent> {
        self.wait("begin")?;
        let running = |id: u32| usage::exact(id).map(|exact| exact.running);
        let before = (running(server.id())?, running(self.0.id())?);
        let told = self.wait("end")?;
        let after = running(server.id())?;
        // It may be gone already; what it waited for is then in nobody's account.
        let clients = running(self.0.id()).unwrap_or(before.1);
        Ok(Spent {
            server: after.saturating_sub(before.0),
            clients: clients.saturating_sub(before.1),
            told,
        })
    }

    /// Whether nobody was thrown out so far.
    pub(super) fn is_whole(&mut self) -> bool {
        self.0.is_running()
    }
}

/// A number that was told.
pub(super) fn number(told: &Value, name: &str) -> Result<f64> {
    let number = told[name].as_f64();
    number.with_context(|| format!("no {name} was told"))
}

/// Until thousands of connections stand on a machine with other work: ten minutes.
const PATIENCE: Duration = Duration::from_secs(600);
