//! Every repository chore behind one command: `cargo xtask <chore>`.
//!
//! One module per chore; `repo`, `run`, `steps` and `report` are what they share, `system` knows the
//! machine, `binaries` builds what a chore runs and `processes` watches over it. Nothing of
//! Towline's own is linked here: a chore talks to the product as people do, by running it, and the
//! tool stays quick to compile when everything else is broken.

mod bench;
mod binaries;
mod check;
mod demo;
mod deploy;
mod devices;
mod display;
mod distribution;
mod fuzz;
mod generated;
mod namespaces;
mod netlab;
mod processes;
mod release_key;
mod repo;
mod report;
mod room;
mod run;
mod soak;
mod source;
mod steps;
mod system;
mod test;
mod ui;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::repo::Repo;

fn main() -> ExitCode {
    match chore(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::say(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn chore(cli: Cli) -> Result<()> {
    let repo = Repo::find()?;
    match cli.chore {
        Chore::Bench(args) => bench::bench(&repo, &args),
        Chore::Check(args) => check::check(&repo, &args),
        Chore::Demo(args) => demo::demo(&repo, &args),
        Chore::Deploy(args) => deploy::deploy(&repo, &args),
        Chore::Dist(args) => distribution::dist(&repo, &args),
        Chore::Fuzz(args) => fuzz::fuzz(&repo, &args),
        Chore::Gen(args) => generated::generate(&repo, &args),
        Chore::Manifest(args) => distribution::manifest(&args),
        Chore::Netlab(args) => netlab::netlab(&repo, &args),
        Chore::NetlabLine(line) => netlab::carry_line(&line),
        Chore::NetlabLiar(liar) => netlab::lie(&liar),
        Chore::ReleaseKey(args) => release_key::release_key(&repo, &args),
        Chore::Soak(args) => soak::soak(&repo, &args),
        Chore::System(args) => system::system(&repo, &args),
        Chore::Test(args) => test::test(&repo, &args),
    }
}

/// Towline's repository chores.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// How fast the shipped program is, beside rsync and syncthing.
    Bench(bench::BenchArgs),
    /// Formatting, lints, walls between the crates, licences, documents: all without running tests.
    Check(check::CheckArgs),
    /// Two devices on this computer that pair and keep a folder in sync, told in plain words.
    Demo(demo::DemoArgs),
    /// The files for administrators of servers: judged by what reads them, and tried with the real server.
    Deploy(deploy::DeployArgs),
    /// The bundles that people install, with their sums and a list of their parts; `--try` installs one.
    Dist(distribution::DistArgs),
    /// Throws bytes at every decoder that meets the network or the store, for minutes.
    Fuzz(fuzz::FuzzArgs),
    /// Writes the TypeScript types of the view and draws the app's pictures, or checks that they are current.
    Gen(generated::GenArgs),
    /// The manifest of updates for bundles that are signed.
    Manifest(distribution::ManifestArgs),
    /// Two devices in small internets of network namespaces: which path they find, and what changes of
    /// network do to a transfer.
    Netlab(netlab::NetlabArgs),
    /// A slow line between two devices of the network lab.
    #[command(hide = true)]
    NetlabLine(netlab::Line),
    /// A STUN server of the network lab that lies.
    #[command(hide = true)]
    NetlabLiar(netlab::Liar),
    /// Makes the pair of keys that signs updates, outside the repository and under a password.
    ReleaseKey(release_key::ReleaseKeyArgs),
    /// Runs simulated worlds until stopped and prints the seeds that fail.
    Soak(soak::SoakArgs),
    /// Says what this machine has and lacks; `--install` adds what is missing.
    System(system::SystemArgs),
    /// Everything that CI runs: installs what is missing, checks, and runs every test.
    Test(test::TestArgs),
}
