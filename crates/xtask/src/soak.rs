//! `cargo xtask soak`: simulated worlds until somebody stops them.
//!
//! The simulator does the work and prints failing seeds; this chore builds it optimised and hands
//! it the terminal. `--mutate` has it switch in its named bugs instead, each of which must be
//! caught: that is the test of the oracle. `--internet` takes worlds in which devices are behind routers and
//! their networks change, instead of worlds in which they share a folder. `--processes` has people work in the folders of three real
//! devices, round after round, which is the test in `process_people` for longer.

use anyhow::{Result, bail};
use clap::Args;

use crate::binaries::{self, Profile, Wanted};
use crate::repo::Repo;
use crate::{report, run};

/// Options of `cargo xtask soak`.
#[derive(Debug, Args)]
pub(crate) struct SoakArgs {
    /// Switches in the simulator's bugs, one by one, and fails when one is not caught.
    #[arg(long)]
    mutate: bool,
    /// Small internets instead of shared folders.
    #[arg(long, conflicts_with = "processes")]
    internet: bool,
    /// Ends after so many hours; without it, at Ctrl-C or the first failing seed.
    #[arg(long, conflicts_with = "mutate")]
    hours: Option<f64>,
    /// The first seed; without it, one that changes with the day and the commit.
    #[arg(long, visible_alias = "seed")]
    start: Option<u64>,
    /// Real processes on a real disk instead of simulated worlds.
    #[arg(long, conflicts_with_all = ["mutate", "hours"])]
    processes: bool,
    /// How often people work and rest.
    #[arg(long, requires = "processes", default_value_t = 200)]
    rounds: u64,
}

/// Runs the chore.
pub(crate) fn soak(repo: &Repo, args: &SoakArgs) -> Result<()> {
    if args.processes {
        return processes(repo, args);
    }
    if !binaries::has_simulator(repo)? {
        bail!("this checkout has no simulator yet");
    }
    let simulator = binaries::build_simulator(repo)?;
    let mut command = repo.command(&simulator.to_string_lossy());
    if args.internet {
        command.arg("internet");
    }
    command.arg(if args.mutate { "mutate" } else { "soak" });
    let start = args.start.unwrap_or_else(|| repo.seed_of_today());
    command.args(["--start", &start.to_string()]);
    if let Some(hours) = args.hours {
        command.args(["--hours", &hours.to_string()]);
    }
    run::run(&mut command)
}

fn processes(repo: &Repo, args: &SoakArgs) -> Result<()> {
    let built = binaries::build(repo, Profile::Debug, Wanted::Headless)?;
    let seed = args.start.unwrap_or_else(|| repo.seed_of_today());
    let mut command = repo.cargo();
    binaries::tell_paths(&mut command, &built);
    // cargo's own runner, because nextest ends a test that takes minutes.
    command.args(["test", "--package", "towline-cli", "--test", "processes"]);
    command.args(["--", "--exact", PEOPLE, "--nocapture"]);
    command.env("TOWLINE_ROUNDS", args.rounds.to_string());
    command.env("TOWLINE_SEED", seed.to_string());
    report::say(format!(
        "   seed {seed}; `--seed {seed}` does the same things again"
    ));
    run::run(&mut command)
}

/// The test that is run for long.
const PEOPLE: &str = "process_people::three_people_in_overlapping_folders_lose_nothing";
