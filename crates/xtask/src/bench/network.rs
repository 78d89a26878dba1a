//! What the endpoint of a device costs beside quinn alone: one stream from one process to another over
//! loopback, with the same encryption and transport settings.
//!
//! Once with the buffers that a device gets from a system that lets it have what it asks for, and once
//! as a user to whom the system grants its own limit.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{env, fs, process};

use anyhow::{Context, Result, bail};

use super::report::{Goal, Section};
use crate::repo::Repo;
use crate::report::say;
use crate::{binaries, run};

pub(super) fn run(repo: &Repo, rounds: u32) -> Result<Section> {
    let built = binaries::build_stream_end(repo)?;
    // Where a user without rights may run it.
    let directory = env::temp_dir().join(format!("towline-bench-{}", process::id()));
    fs::create_dir(&directory)?;
    let section = measure(&built, &directory, rounds);
    fs::remove_dir_all(&directory)?;
    section
}

fn measure(built: &Path, directory: &Path, rounds: u32) -> Result<Section> {
    let program = directory.join("measure_network");
    fs::copy(built, &program)?;
    let mut text = format!(
        "{} MB from one process to another over loopback, medians of {rounds} interleaved rounds. Granted buffers are those\nthat a device asks for; the system's are what it grants to a user without rights.\n\n| buffers | towline MB/s | quinn MB/s | median of the rounds' ratios | load |\n|---|---|---|---|---|\n",
        STREAM_BYTES / 1_000_000
    );
    let mut goals = Vec::new();
    for (title, user) in [("granted", User::Ours), ("the system's", User::Nobody)] {
        let (mut towline, mut quinn, mut ratios) = (vec![], vec![], vec![]);
        for round in 1..=rounds {
            // Who is first has the other's warm caches, so they take turns.
            let order = if round % 2 == 0 {
                ["quinn", "towline"]
            } else {
                ["towline", "quinn"]
            };
            let mut rates = [0.0; 2];
            for carrier in order {
                let rate = once(&program, carrier, user)?;
                rates[usize::from(carrier == "quinn")] = rate;
            }
            say(format!(
                "   round {round}, buffers {title}: towline {:.0} MB/s, quinn {:.0} MB/s",
                rates[0], rates[1]
            ));
            towline.push(rates[0]);
            quinn.push(rates[1]);
            ratios.push(rates[0] / rates[1]);
        }
        let ratio = median(ratios);
        text.push_str(&format!(
            "| {title} | {:.0} | {:.0} | {:.3} | {} |\n",
            median(towline).unwrap_or_default(),
            median(quinn).unwrap_or_default(),
            ratio.unwrap_or_default(),
            load()
        ));
        goals.push(Goal::at_least(
            format!("buffers {title}"),
            ratio,
            0.95,
            "x quinn",
        ));
    }
    Ok(Section {
        title: "A stream beside quinn".to_owned(),
        text,
        goals,
    })
}

/// Who runs the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    Ours,
    Nobody,
}

impl User {
    fn command(self, program: &Path) -> Command {
        match self {
            Self::Ours => Command::new(program),
            Self::Nobody => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
                command.arg(program);
                command
            }
        }
    }
}

/// One end that is ended when dropped.
struct End(Child);

impl Drop for End {
    fn drop(&mut self) {
        // It has ended by itself, or it is of no use any more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Megabytes a second of one stream.
fn once(program: &Path, carrier: &str, user: User) -> Result<f64> {
    let mut receiver = user.command(program);
    let child = receiver
        .args(["receive", carrier, "127.0.0.1"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut receiver = End(child);
    let output = receiver.0.stdout.take().context("no output")?;
    let mut to = String::new();
    BufReader::new(output).read_line(&mut to)?;
    let mut sender = user.command(program);
    sender.args(["send", carrier, "127.0.0.1", to.trim()]);
    let seconds: f64 = run::capture(sender.arg(STREAM_BYTES.to_string()))?
        .trim()
        .parse()?;
    if seconds <= 0.0 {
        bail!("a stream that took no time");
    }
    Ok(STREAM_BYTES as f64 / 1e6 / seconds)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// How many processes wanted a processor in the last minute.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// A second or two of it.
const STREAM_BYTES: u64 = 1_000_000_000;
