//! `cargo xtask check`: everything that can be wrong without running a test.
//!
//! The cheap steps come first. Licences and unused dependencies are judged here and not by
//! `cargo-deny` and `cargo-machete`: building the former costs three minutes of processor time on
//! every fresh machine, the rules we need are a page each, and they read the same `deny.toml` and
//! the same `ignored` lists, so both tools stay usable for whoever has them.

mod licences;
mod promises;
mod tidy;
mod unused;
mod walls;
mod words;
mod workflows;

use anyhow::{Result, bail};
use clap::Args;

use crate::binaries::{APP, APP_FEATURES};
use crate::repo::Repo;
use crate::report::say;
use crate::steps::{Ending, OnFailure, Steps};
use crate::{generated, run, system, ui};

/// Options of `cargo xtask check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Runs all steps even when one fails.
    #[arg(long)]
    keep_going: bool,
}

/// Runs the chore.
pub(crate) fn check(repo: &Repo, args: &CheckArgs) -> Result<()> {
    let on_failure = if args.keep_going {
        OnFailure::KeepGoing
    } else {
        OnFailure::Stop
    };
    let mut steps = Steps::new(on_failure);
    add_steps(repo, &mut steps)?;
    steps.finish()
}

/// Runs every step of the check among `steps`.
pub(crate) fn add_steps(repo: &Repo, steps: &mut Steps) -> Result<()> {
    steps.run("format", || {
        run::run(repo.cargo().args(["fmt", "--all", "--", "--check", "-l"]))?;
        Ok(passed("as `cargo fmt` would have it"))
    })?;
    steps.run("tidy", || verdict(tidy::complaints(repo)?))?;
    steps.run("promises", || verdict(promises::complaints(repo)?))?;
    steps.run("workflows", || verdict(workflows::complaints(repo)?))?;
    steps.run("walls", || verdict(walls::complaints(repo)?))?;
    steps.run("banned words", || verdict(words::complaints(repo)?))?;
    steps.run("licences", || verdict(licences::complaints(repo)?))?;
    steps.run("unused dependencies", || verdict(unused::complaints(repo)?))?;
    steps.run("generated files", || generated::compare(repo))?;
    steps.run("clippy", || {
        let lint = [
            "clippy",
            "--all-targets",
            // What only benchmarks build.
            "--features",
            "towline-engine/measure",
            "--keep-going",
            "--",
            "-D",
            "warnings",
        ];
        run::run(repo.cargo().args(lint))?;
        Ok(passed("everything that builds without WebKit"))
    })?;
    steps.run("documents", || {
        let mut command = repo.cargo();
        command.args(["doc", "--no-deps", "--keep-going"]);
        run::run(command.env("RUSTDOCFLAGS", "-Dwarnings"))?;
        Ok(passed("no broken links"))
    })?;
    steps.run("ui check", || ui::script(repo, "check"))?;
    steps.run("clippy app", || clippy_app(repo))
}

/// Lints the app with the features of the build that the window tests use, so that nothing is
/// compiled twice. Tauri embeds the built UI, which therefore comes first.
fn clippy_app(repo: &Repo) -> Result<Ending> {
    if !repo.has("tauri.conf.json") {
        return Ok(Ending::Absent("no tauri.conf.json".into()));
    }
    if !system::can_build_window() {
        return Ok(Ending::Absent("WebKitGTK's headers are not here".into()));
    }
    ui::script(repo, "build")?;
    let mut command = repo.cargo();
    command.args(["clippy", "--package", APP, "--all-targets"]);
    command.args(["--features", APP_FEATURES, "--", "-D", "warnings"]);
    run::run(&mut command)?;
    Ok(passed("the app"))
}

/// What the rules found: what must be mended, and what may become a complaint.
#[derive(Debug, Default)]
struct Findings {
    complaints: Vec<String>,
    warnings: Vec<String>,
    looked_at: String,
}

fn verdict(findings: Findings) -> Result<Ending> {
    for warning in &findings.warnings {
        say(format!("   warning: {warning}"));
    }
    for complaint in &findings.complaints {
        say(format!("   {complaint}"));
    }
    match findings.complaints.len() {
        0 => Ok(passed(&findings.looked_at)),
        1 => bail!("1 complaint"),
        many => bail!("{many} complaints"),
    }
}

fn passed(closing: &str) -> Ending {
    Ending::Passed(closing.to_owned())
}
