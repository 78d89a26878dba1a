//! `cargo xtask soak`: simulated worlds until somebody stops them.
//!
//! The simulator does the work and prints failing seeds; this chore builds it optimised and hands
//! it the terminal. `--mutate` has it switch in its named bugs instead, each of which must be
//! caught: that is the test of the oracle.

use anyhow::{Result, bail};
use clap::Args;

use crate::binaries;
use crate::repo::Repo;
use crate::run;

/// Options of `cargo xtask soak`.
#[derive(Debug, Args)]
pub(crate) struct SoakArgs {
    /// Switches in the simulator's bugs, one by one, and fails when one is not caught.
    #[arg(long)]
    mutate: bool,
    /// Ends after so many hours; without it, at Ctrl-C or the first failing seed.
    #[arg(long, conflicts_with = "mutate")]
    hours: Option<f64>,
    /// The first seed; without it, one that changes with the day and the commit.
    #[arg(long)]
    start: Option<u64>,
}

/// Runs the chore.
pub(crate) fn soak(repo: &Repo, args: &SoakArgs) -> Result<()> {
    if !binaries::has_simulator(repo)? {
        bail!("this checkout has no simulator yet");
    }
    let simulator = binaries::build_simulator(repo)?;
    let mut command = repo.command(&simulator.to_string_lossy());
    command.arg(if args.mutate { "mutate" } else { "soak" });
    let start = args.start.unwrap_or_else(|| repo.seed_of_today());
    command.args(["--start", &start.to_string()]);
    if let Some(hours) = args.hours {
        command.args(["--hours", &hours.to_string()]);
    }
    run::run(&mut command)
}
