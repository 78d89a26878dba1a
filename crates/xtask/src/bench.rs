//! `cargo xtask bench`: how fast the shipped program is, beside syncthing, rsync and rsync over ssh.
//!
//! Trees are carried from one directory of this machine to another by every contestant, in
//! interleaved rounds, so that a machine that drifts drifts for all; a round counts only when an
//! outside judge finds both trees equal, byte by byte. The other workloads look at a folder that is in
//! sync: what a change costs and how soon it is there, a rename, rest, the index, a million entries.
//! Figures, and whether they reach what they must, go to the terminal and to `docs/BENCHMARKS.md`,
//! section by section.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::binaries::{self, Built, Profile, Wanted};
use crate::repo::Repo;
use crate::report::say;
use crate::system::{self, Purpose};
use report::Section;

mod carry;
mod changes;
mod idle;
mod index;
mod latency;
mod load;
mod million;
mod network;
mod rename;
mod report;
mod rsync;
mod signal;
mod syncthing;
mod towline;
mod usage;
mod window;
mod wire;

/// Options of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Only these; without any, all of them.
    workloads: Vec<Workload>,
    /// Interleaved rounds of what is carried, indexed, changed and renamed; the report shows medians.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only Towline, without the peers and without writing the report: for work on speed.
    #[arg(long)]
    alone: bool,
    /// Also a million small entries; takes many minutes and needs 10 GB.
    #[arg(long)]
    million: bool,
    /// Of `signal`: few clients and little time, only to see that it works; writes no report.
    #[arg(long)]
    quick: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// One file of 2 GiB is carried.
    LargeFile,
    /// 20,000 files of 0 to 16 KiB are carried.
    SmallFiles,
    /// A source tree of 36,000 files and 500 MB is carried.
    SourceTree,
    /// A file of 1 GiB is overwritten, inserted into and appended to.
    Changes,
    /// 1 KiB is changed until the other side reads it, with 20,000 and with 100,000 files.
    Latency,
    /// A directory of 1 GiB gets another name.
    Rename,
    /// 100,000 files are left alone.
    Idle,
    /// 2 GiB and the source tree are indexed for the first time.
    Index,
    /// One stream goes through the endpoint of a device, and through others; a peer rests.
    Network,
    /// What a signal server costs and bears, alone and as one of several.
    Signal,
    /// How soon the window is painted, and what it costs with much in it and at rest.
    Window,
}

/// What one run cost.
#[derive(Debug, Clone, Copy)]
struct Measured {
    wall: Duration,
    /// Processor time of the sending and the receiving side.
    cpu: (Duration, Duration),
    /// Peak resident memory of the sending and the receiving side in bytes; 0 where not measured.
    peak: (u64, u64),
}

/// How long one run may take: 20 minutes, many times what any contestant needs.
const RUN_PATIENCE: Duration = Duration::from_secs(1200);

/// What every workload is given.
struct Bench<'a> {
    built: &'a Built,
    /// For trees, homes and logs.
    work: &'a Path,
    rounds: u32,
    alone: bool,
}

/// Runs the chore.
pub(crate) fn bench(repo: &Repo, args: &BenchArgs) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("processor time and memory are read from /proc, so benchmarks run on Linux only");
    }
    system::ensure_packages(repo, &[Purpose::Headless, Purpose::Benchmarks])?;
    let work = repo.artifacts()?.join("bench");
    let rounds = args.rounds.max(1);
    let mut finish = |section: Section| {
        say(section.words());
        if args.alone || args.quick {
            return Ok(());
        }
        // At once, so that a run that is broken off has not measured for nothing.
        report::write(repo, &section)
    };
    let mut workloads = args.workloads();
    let before = workloads.len();
    workloads.retain(|workload| *workload != Workload::Signal);
    if workloads.len() < before {
        let extent = if args.quick {
            signal::Extent::Quick
        } else {
            signal::Extent::Full
        };
        signal::run(repo, &work, rounds, extent, &mut finish)?;
    }
    let before = workloads.len();
    workloads.retain(|workload| *workload != Workload::Window);
    if workloads.len() < before {
        let sections = window::run(repo, &work.join("window"), rounds)?;
        sections.into_iter().try_for_each(&mut finish)?;
    }
    if workloads.is_empty() && !args.million {
        // The other programs take minutes to build.
        return Ok(());
    }
    let built = binaries::build(repo, Profile::Release, Wanted::Headless)?;
    let bench = Bench {
        built: &built,
        work: &work,
        rounds,
        alone: args.alone,
    };
    for workload in workloads {
        let sections = match workload {
            Workload::LargeFile | Workload::SmallFiles | Workload::SourceTree => {
                vec![carry::run(&bench, workload)?]
            }
            Workload::Changes => vec![changes::run(&bench)?],
            Workload::Latency => vec![latency::run(&bench)?],
            Workload::Rename => vec![rename::run(&bench)?],
            Workload::Idle => vec![idle::run(&bench)?],
            Workload::Index => vec![index::run(&bench)?],
            Workload::Network => network::run(repo, &bench)?,
            // Done.
            Workload::Signal | Workload::Window => Vec::new(),
        };
        sections.into_iter().try_for_each(&mut finish)?;
    }
    if args.million {
        finish(million::run(&bench)?)?;
    }
    Ok(())
}

impl BenchArgs {
    fn workloads(&self) -> Vec<Workload> {
        if !self.workloads.is_empty() {
            self.workloads.clone()
        } else if self.million {
            // Asked for by itself: it takes as long as all the others together.
            Vec::new()
        } else {
            Workload::value_variants().to_vec()
        }
    }
}

impl Bench<'_> {
    /// A directory that holds nothing yet.
    fn empty(&self, name: &str) -> Result<PathBuf> {
        let directory = self.work.join(name);
        clear(&directory)?;
        Ok(directory)
    }
}

/// One run of one contestant.
#[derive(Debug, Clone, Copy)]
struct Run<'a> {
    source: &'a Path,
    target: &'a Path,
    weight: load::Weight,
    /// For homes and logs.
    work: &'a Path,
}

/// Makes an empty directory, and lets what is dirty reach the disk so that no run pays for another.
fn clear(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    crate::run::run(&mut std::process::Command::new("sync"))
}
