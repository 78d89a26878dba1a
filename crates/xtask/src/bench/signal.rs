//! What a signal server costs and bears, as a process of the release build with real clients.
//!
//! Clients are processes of `signal-server/examples/crowd`, each some thousand devices with keys of their own, on this
//! machine: they take more of it than the server does. So what the server bears is told per second of *its* processor
//! time, and theirs stands beside it. Limits are those of the default settings but where a section says otherwise.
//! Descriptors are those that the system lets a process have; 20,000 are enough for all of it.

mod crowd;
mod rest;
mod restart;
mod server;
mod several;
mod traffic;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

use anyhow::{Context, Result, bail};

use super::report::Section;
use crate::binaries::{self, Profile};
use crate::repo::Repo;
use crate::run;

/// What each part is given.
struct Stage {
    server: PathBuf,
    crowd: PathBuf,
    /// Holds the certificate and Redis' socket, whose path must be short; gone when dropped.
    place: PathBuf,
    logs: PathBuf,
    rounds: u32,
    counts: Counts,
}

/// How many of everything.
#[derive(Debug, Clone, Copy)]
struct Counts {
    /// Connections in one process. With 20,000 descriptors a server takes 18,000.
    at_rest: u32,
    /// At each of four instances.
    at_each: u32,
    /// That lose their server.
    come_back: u32,
    /// Pairs that talk: 4,000. Each client says something 19 times a second, for it may 20 times; together more than
    /// a core can pass on, so that what it can shows.
    talking: u32,
    /// Pairs that ask and answer in turns: 400, 25 times each, for a client may ask 60 times at once.
    asking: u32,
    /// Pairs that make codes and claim them.
    pairing: u32,
    claims_per_second: u32,
    /// Seconds that rates are watched.
    seconds: u32,
    /// Seconds of rest before memory is read: 45, so that all were asked for a sign of life.
    settle: u64,
}

const FULL: Counts = Counts {
    at_rest: 18_000,
    at_each: 15_000,
    come_back: 15_000,
    talking: 4000,
    asking: 400,
    pairing: 1000,
    claims_per_second: 1000,
    seconds: 10,
    settle: 45,
};

/// Only shows that all of it works.
const QUICK: Counts = Counts {
    at_rest: 200,
    at_each: 100,
    come_back: 200,
    talking: 20,
    // So many that none of them sends more bytes than it may.
    asking: 100,
    pairing: 50,
    claims_per_second: 50,
    seconds: 2,
    settle: 1,
};

/// How much is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Full,
    Quick,
}

pub(super) fn run(
    repo: &Repo,
    work: &Path,
    rounds: u32,
    extent: Extent,
    mut finish: impl FnMut(Section) -> Result<()>,
) -> Result<()> {
    // Before minutes of building.
    if !run::succeeds(Command::new("redis-server").arg("--version")) {
        bail!("there is no redis-server; `cargo xtask system` says how it is installed");
    }
    let counts = match extent {
        Extent::Full => FULL,
        Extent::Quick => QUICK,
    };
    server::ensure_descriptors(u64::from(counts.at_rest) / 9 * 10)?;
    let logs = work.join("signal");
    fs::create_dir_all(&logs)?;
    let stage = Stage {
        server: binaries::build_signal_server(repo)?,
        crowd: binaries::build_crowd(repo, Profile::Release)?,
        place: env::temp_dir().join(format!("towline-bench-{}", process::id())),
        logs,
        rounds: match extent {
            Extent::Full => rounds,
            Extent::Quick => 1,
        },
        counts,
    };
    fs::create_dir(&stage.place)?;
    run::run(
        Command::new(&stage.crowd)
            .arg("certificate")
            .arg(&stage.place),
    )?;
    finish(rest::run(&stage)?)?;
    finish(traffic::run(&stage)?)?;
    finish(several::run(&stage)?)?;
    finish(restart::run(&stage)?)
}

impl Stage {
    /// What servers are told to speak TLS.
    fn tls(&self) -> Result<Vec<String>> {
        let file = |name: &str| {
            let path = self.place.join(name);
            path.to_str()
                .map(str::to_owned)
                .context("a path that is no text")
        };
        let words = ["--tls-cert".to_owned(), file("cert.pem")?];
        Ok(words
            .into_iter()
            .chain(["--tls-key".to_owned(), file("key.pem")?])
            .collect())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left are two small files in the system's place for such.
        let _ = fs::remove_dir_all(&self.place);
    }
}
