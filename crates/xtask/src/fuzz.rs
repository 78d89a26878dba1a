//! `cargo xtask fuzz`: bytes at every decoder, for minutes.
//!
//! The targets are the package in `crates/fuzz`, a workspace of its own, built by cargo-fuzz with
//! libFuzzer. The toolchain is the pinned stable one: coverage needs no sanitizer, and our code has no
//! unsafe blocks that one would watch. What is found stays in `crates/fuzz/artifacts`, what covers more
//! in `crates/fuzz/corpus`; neither is committed: a finding becomes a test.

use std::fs;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::repo::Repo;
use crate::report::say;
use crate::run;
use crate::system::has_program;

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
    if !has_program("cargo-fuzz") {
        say("   cargo-fuzz is missing and installed");
        run::run(repo.cargo().args(["install", "--locked", CARGO_FUZZ]))?;
    }
    let all = targets(repo)?;
    let chosen: Vec<&String> = match &args.target {
        Some(target) => all.iter().filter(|name| *name == target).collect(),
        None => all.iter().collect(),
    };
    if chosen.is_empty() {
        bail!("the targets are {}", all.join(", "));
    }
    let seeds = repo.root().join(FUZZ).join("corpus");
    let seeds = seeds.to_string_lossy().into_owned();
    let mut write = repo.cargo();
    write.args([
        "run",
        "--quiet",
        "--manifest-path",
        "crates/fuzz/Cargo.toml",
    ]);
    write.args(["--target-dir", TARGET, "--bin", "seeds", "--", &seeds]);
    run::run(write.env("RUSTFLAGS", "--cfg fuzzing"))?;
    let seconds = format!("-max_total_time={:.0}", args.minutes * 60.0);
    let mut findings = Vec::new();
    for name in chosen {
        let mut command = repo.cargo();
        command.args(["fuzz", "run", "--fuzz-dir", FUZZ, "--sanitizer", "none"]);
        command.args(["--target-dir", TARGET, name, "--", &seconds]);
        command.args(["-print_final_stats=1", "-rss_limit_mb=512", "-verbosity=0"]);
        // The coverage counters are flags that only an unstable compiler admits to know.
        command.env("RUSTC_BOOTSTRAP", "1");
        let (closing, verdict) = run::keeping(&mut command, is_closing)?;
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
    line.starts_with("stat::number_of_executed_units") || line.starts_with("stat::peak_rss_mb")
}

/// Where the package lies.
const FUZZ: &str = "crates/fuzz";

/// Where it is built: apart from everything else, because its flags are.
const TARGET: &str = "target/fuzz";

/// What builds and runs the targets.
const CARGO_FUZZ: &str = "cargo-fuzz@0.13.2";
