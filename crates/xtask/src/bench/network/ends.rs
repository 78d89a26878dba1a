//! The two ends of one stream, and who is between them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::wire::{End, Wire};
use crate::run;

/// Where both ends run.
pub(super) struct Ends<'a> {
    program: &'a Path,
    user: User,
    wire: Option<&'a Wire>,
}

/// Who runs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// Who runs the benchmark.
    Ours,
    /// One without rights, to whom the system grants what it grants to everybody.
    Nobody,
}

/// A process that is ended when dropped.
struct Going(Child);

impl Drop for Going {
    fn drop(&mut self) {
        // It has ended by itself, or it is of no use any more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl<'a> Ends<'a> {
    pub(super) const fn here(program: &'a Path, user: User) -> Self {
        Self {
            program,
            user,
            wire: None,
        }
    }

    pub(super) const fn at(program: &'a Path, user: User, wire: &'a Wire) -> Self {
        Self {
            program,
            user,
            wire: Some(wire),
        }
    }

    /// Megabytes a second of a stream that goes directly.
    pub(super) fn stream(&self, carrier: &str, bytes: u64) -> Result<f64> {
        let at = format!("{}:0", self.address(End::Target));
        let mut receiver = self.command(End::Target);
        let (_receiver, to) = begin(receiver.args(["receive", carrier, &at]), |_| true)?;
        let mut sender = self.command(End::Source);
        sender.args(["send", carrier, self.address(End::Source), &to]);
        finish(&mut sender, bytes)
    }

    /// The same by way of a server.
    pub(super) fn by_server(&self, carrier: &str, server: &str, bytes: u64) -> Result<f64> {
        let mut receiver = self.command(End::Target);
        let (_receiver, to) = begin(receiver.args(["receive", carrier, server]), |_| true)?;
        let mut sender = self.command(End::Source);
        sender.args(["send", carrier, self.address(End::Source), &to]);
        finish(&mut sender, bytes)
    }

    /// The same by way of a server that only forwards, where the receiver is.
    pub(super) fn by_forwarder(&self, bytes: u64) -> Result<f64> {
        let mut forwarder = self.command(End::Target);
        forwarder.args(["forward", self.address(End::Target)]);
        let (_forwarder, at) = begin(&mut forwarder, |_| true)?;
        self.by_server("websocket", &at, bytes)
    }

    /// The same of iperf3's TCP.
    pub(super) fn tcp(&self, bytes: u64) -> Result<f64> {
        let at = self.address(End::Target);
        let mut receiver = self.around(End::Target, Path::new("iperf3"));
        receiver.args(["--server", "--one-off", "--forceflush", "--bind", at]);
        let (_receiver, _) = begin(&mut receiver, |line| line.contains("listening"))?;
        let mut sender = self.around(End::Source, Path::new("iperf3"));
        sender.args(["--json", "--client", at, "--bytes", &bytes.to_string()]);
        let told: Value = serde_json::from_str(&run::capture(&mut sender)?)?;
        let bits = told["end"]["sum_received"]["bits_per_second"].as_f64();
        Ok(bits.context("iperf3 says no rate")? / 8e6)
    }

    fn command(&self, end: End) -> Command {
        self.around(end, self.program)
    }

    fn around(&self, end: End, program: &Path) -> Command {
        let program = program.to_string_lossy();
        let mut words = self.wire.map_or_else(Vec::new, |wire| wire.words(end));
        if self.user == User::Nobody {
            let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
            words.extend(nobody.split(' ').map(str::to_owned));
        }
        words.push(program.into_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    fn address(&self, end: End) -> &'static str {
        self.wire.map_or("127.0.0.1", |_| end.address())
    }
}

/// Starts a program and waits for the line that says that it is ready.
fn begin(command: &mut Command, is_it: impl Fn(&str) -> bool) -> Result<(Going, String)> {
    let mut going = Going(command.stdout(Stdio::piped()).spawn()?);
    let output = going.0.stdout.take().context("no output")?;
    let mut lines = BufReader::new(output).lines();
    let said = lines.find(|line| line.as_ref().map_or(true, |line| is_it(line)));
    let said = said.context("an end did not begin")??;
    // What it says later must not fill a pipe, nor end it.
    std::thread::spawn(move || lines.for_each(drop));
    Ok((going, said.trim().to_owned()))
}

fn finish(sender: &mut Command, bytes: u64) -> Result<f64> {
    let seconds: f64 = run::capture(sender.arg(bytes.to_string()))?
        .trim()
        .parse()?;
    if seconds <= 0.0 {
        bail!("a stream that took no time");
    }
    Ok(bytes as f64 / 1e6 / seconds)
}
