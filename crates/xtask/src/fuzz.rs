//! `cargo xtask fuzz`: bytes at every decoder, for minutes.
//!
//! The targets are the package in `crates/fuzz`, a workspace of its own, with libFuzzer. Only our own
//! crates are built with counters: what they stand on is not what is tried, and SQLite's and the
//! ciphers' build scripts stay out of it. cargo-fuzz gives its flags to everything, so cargo is asked
//! itself. The toolchain is the pinned stable one: coverage needs no sanitizer, and our code has no
//! unsafe blocks that one would watch. What is found stays in `crates/fuzz/artifacts` beside a log, what covers more
//! in `crates/fuzz/corpus`; neither is committed: a finding becomes a test.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::repo::Repo;
use crate::report::say;
use crate::run;

/// Options of `cargo xtask fuzz`.
#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// How long each target runs.
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// Only this target; without it, all, one after the other.
    target: Option<String>,
}

/// Runs the chore.
pub(crate) fn fuzz(repo: &Repo, args: &FuzzArgs) -> Result<()> {
    let all = targets(repo)?;
    let chosen: Vec<&String> = match &args.target {
        Some(target) => all.iter().filter(|name| *name == target).collect(),
        None => all.iter().collect(),
    };
    if chosen.is_empty() {
        bail!("the targets are {}", all.join(", "));
    }
    say("   building the targets");
    run::run(&mut build(repo))?;
    let place = repo.root().join(FUZZ);
    let corpus = place.join("corpus");
    let programs = repo.root().join(TARGET).join("release");
    run::run(Command::new(programs.join("seeds")).arg(&corpus))?;
    let seconds = format!("-max_total_time={:.0}", args.minutes * 60.0);
    let mut findings = Vec::new();
    for name in chosen {
        let artifacts = place.join("artifacts").join(name);
        fs::create_dir_all(&artifacts).context("making a place for findings")?;
        let mut command = Command::new(programs.join(name));
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        command.args([&seconds, "-print_final_stats=1", "-rss_limit_mb=512"]);
        command.arg(corpus.join(name));
        let log = artifacts.with_extension("log");
        let verdict = run::logged(&mut command, &format!("   {name}"), &log);
        let told = fs::read_to_string(&log).context("reading what libFuzzer told")?;
        let closing: Vec<&str> = told.lines().filter(|line| is_closing(line)).collect();
        say(format!("   {name}: {}", closing.join("; ")));
        if verdict.is_err() {
            findings.push(name.as_str());
        }
    }
    if findings.is_empty() {
        return Ok(());
    }
    bail!(
        "found something in {}; see {FUZZ}/artifacts",
        findings.join(", ")
    )
}

/// What builds all targets, with counters in our own crates.
fn build(repo: &Repo) -> Command {
    let mut command = repo.cargo();
    command.args(["build", "--quiet", "--release", "--bins"]);
    command.args(["--manifest-path", "crates/fuzz/Cargo.toml"]);
    command.args(["--target-dir", TARGET, "-Zprofile-rustflags"]);
    let flags: Vec<String> = COUNTERS.iter().map(|flag| format!("\"{flag}\"")).collect();
    for own in OWN {
        let flags = flags.join(",");
        command.arg("--config");
        command.arg(format!("profile.release.package.{own}.rustflags=[{flags}]"));
    }
    // Flags for single packages are something that only an unstable cargo admits to know.
    command.env("RUSTC_BOOTSTRAP", "1");
    command
}

/// The names of the targets, as their files say.
fn targets(repo: &Repo) -> Result<Vec<String>> {
    let place = repo.root().join(FUZZ).join("targets");
    let entries = fs::read_dir(place).context("looking for fuzz targets")?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

fn is_closing(line: &str) -> bool {
    line.starts_with("Done ") || line.starts_with("stat::peak_rss_mb") || line.contains(" DONE ")
}

/// Where the package lies.
const FUZZ: &str = "crates/fuzz";

/// Where it is built: apart from everything else, because its flags are.
const TARGET: &str = "target/fuzz";

/// The crates that have doors, and the one behind them.
const OWN: [&str; 5] = [
    "towline-wire",
    "towline-core",
    "towline-store",
    "towline-engine",
    "signal-server",
];

/// What makes a compiler count for libFuzzer, as cargo-fuzz 0.13 has it without a sanitizer; and what
/// lets the doors in.
const COUNTERS: [&str; 8] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];
