//! `cargo xtask test`: everything that CI runs, on a machine that may have nothing yet.
//!
//! Room on the disk, packages, the whole check, unit and process tests, the simulator, the UI, and last the real
//! window. A phase whose subject does not exist is named as absent, never as passed. At the end
//! stand all phases with their times and the five slowest tests.

mod slowest;
mod window;

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::binaries::{self, Profile, Wanted};
use crate::repo::Repo;
use crate::report::say;
use crate::room::{GIGABYTE, Room};
use crate::steps::{Ending, OnFailure, Steps};
use crate::system::{Purpose, ensure_packages, has_program};
use crate::{check, deploy, netlab, run, ui};

/// Options of `cargo xtask test`.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Unit tests only: no packages, no check, no processes, no simulator, no window.
    #[arg(long)]
    fast: bool,
    /// Runs all phases even when one fails.
    #[arg(long)]
    keep_going: bool,
    /// The first seed for the simulators; without it, one that changes with the day and the commit for folders, and
    /// always the same for small internets.
    #[arg(long)]
    start: Option<u64>,
}

/// Runs the chore.
pub(crate) fn test(repo: &Repo, args: &TestArgs) -> Result<()> {
    let on_failure = if args.keep_going {
        OnFailure::KeepGoing
    } else {
        OnFailure::Stop
    };
    slowest::forget(repo)?;
    let mut steps = Steps::new(on_failure);
    let outcome = if args.fast {
        steps.run("unit tests", || unit_tests(repo))
    } else {
        everything(repo, args, &mut steps)
    };
    slowest::print(repo)?;
    steps.finish()?;
    outcome
}

fn everything(repo: &Repo, args: &TestArgs, steps: &mut Steps) -> Result<()> {
    steps.run("room", || ROOM.ask(repo).map(Ending::Passed))?;
    steps.run("packages", || packages(repo))?;
    check::add_steps(repo, steps)?;
    steps.run("tests", || all_tests(repo))?;
    steps.run("network lab", || netlab::quick_step(repo))?;
    deploy::add_steps(repo, steps)?;
    steps.run("examples in docs", || {
        run::run(repo.cargo().args(["test", "--doc", "--quiet"]))?;
        Ok(Ending::Passed(String::new()))
    })?;
    steps.run("simulator", || simulator(repo, args.start))?;
    steps.run("ui tests", || ui::tests(repo))?;
    steps.run("window tests", || window::tests(repo))
}

fn packages(repo: &Repo) -> Result<Ending> {
    let mut purposes = vec![
        Purpose::Headless,
        Purpose::ProcessTests,
        Purpose::Lab,
        Purpose::Deployment,
    ];
    if repo.has("tauri.conf.json") {
        purposes.extend([Purpose::Window, Purpose::WindowTests]);
    }
    ensure_packages(repo, &purposes)?;
    Ok(Ending::Passed("everything is here".into()))
}

/// Tests that start no programs of ours.
fn unit_tests(repo: &Repo) -> Result<Ending> {
    let mut command = repo.cargo();
    if has_program("cargo-nextest") {
        command.args(["nextest", "run", "--profile", "ci"]);
        command.args(["--filterset", "not test(/(^|::)process_/)"]);
    } else {
        command.args(["test", "--lib", "--bins", "--", "--skip", "process_"]);
    }
    tests_of([command])
}

/// Every test of the default members; those that start programs find them by variables, and have
/// the machine to themselves: nextest's configuration sees to that, for cargo we do.
fn all_tests(repo: &Repo) -> Result<Ending> {
    let built = if binaries::has_headless(repo)? {
        Some(binaries::build(repo, Profile::Debug, Wanted::Headless)?)
    } else {
        None
    };
    let runner = |words: &[&str]| {
        let mut command = repo.cargo();
        if let Some(built) = &built {
            binaries::tell_paths(&mut command, built);
        }
        command.args(words);
        command
    };
    if has_program("cargo-nextest") {
        return tests_of([runner(&["nextest", "run", "--profile", "ci"])]);
    }
    let cargo_test = ["test", "--lib", "--bins", "--tests", "--no-fail-fast"];
    let rest = [&cargo_test[..], &["--", "--skip", "process_"]].concat();
    let alone = [&cargo_test[..], &["--", "--test-threads=1", "process_"]].concat();
    tests_of([runner(&rest), runner(&alone)])
}

/// Runs all runners, also after one that failed; closes with their sums.
fn tests_of(commands: impl IntoIterator<Item = Command>) -> Result<Ending> {
    let mut closing = Vec::new();
    let mut verdicts = Vec::new();
    for mut command in commands {
        let (lines, verdict) = run::keeping(&mut command, is_closing)?;
        closing.extend(lines);
        verdicts.push(verdict);
    }
    verdicts.into_iter().collect::<Result<()>>()?;
    Ok(Ending::Passed(closing.join("; ")))
}

/// The sums that nextest and cargo's own test runner close with; those over no tests say nothing.
fn is_closing(line: &str) -> bool {
    let line = line.trim_start();
    let of_cargo = line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed");
    of_cargo || line.starts_with("Summary [")
}

fn simulator(repo: &Repo, start: Option<u64>) -> Result<Ending> {
    if !binaries::has_simulator(repo)? {
        return Ok(Ending::Absent("no simulator yet".into()));
    }
    let program = binaries::build_simulator(repo)?;
    let worlds = start.unwrap_or_else(|| repo.seed_of_today());
    let internets = start.unwrap_or(INTERNETS_FROM);
    say(format!(
        "   seeds from {worlds} and {internets}; `--start` chooses others"
    ));
    let mut last = Vec::new();
    for (words, first, count) in [
        (&["seeds"][..], worlds, SEEDS),
        (&["internet", "seeds"], internets, INTERNETS),
    ] {
        let mut command = repo.command(&program.to_string_lossy());
        command.args(words);
        command.args(["--start", &first.to_string(), "--count", count]);
        let (closing, verdict) = run::keeping(&mut command, |line| line.contains(" passed, "))?;
        verdict?;
        last.extend(closing.last().cloned());
    }
    Ok(Ending::Passed(last.join("; ")))
}

/// What all of it takes on the disk, as measured from a clean checkout; the window tests alone have 3 GB of files.
const ROOM: Room = Room {
    cold: 15 * GIGABYTE,
    warm: 4 * GIGABYTE,
};

/// Worlds per run: 2000. Enough to catch each of the simulator's named bugs, in minutes.
const SEEDS: &str = "2000";

/// The first of the small internets, the same in every run. What is judged there are rates (probes a minute, changes
/// of path), and one of two thousand exceeds a bound by chance; `cargo xtask soak --internet` looks for others.
const INTERNETS_FROM: u64 = 1;

/// Small internets per run: 1000, which take a minute on two processors.
const INTERNETS: &str = "1000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_both_runners_are_known() {
        assert!(is_closing(
            "     Summary [   2.1s] 31 tests run: 31 passed, 0 skipped"
        ));
        assert!(is_closing(
            "test result: FAILED. 3 passed; 1 failed; 0 ignored"
        ));
        assert!(!is_closing(
            "test result: ok. 0 passed; 0 failed; 0 ignored"
        ));
        assert!(!is_closing("running 3 tests"));
    }
}
