//! `cargo xtask bench`: how fast the shipped program is, beside syncthing, rsync and rsync over ssh.
//!
//! Every contestant carries the same tree from one directory of this machine to another, in
//! interleaved rounds, so that a machine that drifts drifts for all. A round counts only when an
//! outside judge finds both trees equal, byte by byte. Medians and their ratios go to the terminal
//! and to `docs/BENCHMARKS.md`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::binaries::{self, Profile, Wanted};
use crate::devices;
use crate::repo::Repo;
use crate::report::{Spinner, say};
use crate::system::{self, Purpose};

mod idle;
mod load;
mod report;
mod rsync;
mod syncthing;
mod towline;
mod usage;

/// Options of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Only this load; without it, all of them.
    #[arg(long)]
    only: Option<Load>,
    /// Interleaved rounds; the report shows medians.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only Towline, without the peers and without writing the report: for work on speed.
    #[arg(long)]
    alone: bool,
}

/// What is carried from one device to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Load {
    /// One file of 2 GiB.
    LargeFile,
    /// 20,000 files of 0 to 16 KiB.
    SmallFiles,
    /// A source tree of 30,000 files or more.
    SourceTree,
}

/// Who carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contestant {
    Towline,
    Syncthing,
    Rsync,
    RsyncOverSsh,
}

impl Contestant {
    /// Everybody, in the order of the report.
    const ALL: [Self; 4] = [
        Self::Towline,
        Self::Syncthing,
        Self::RsyncOverSsh,
        Self::Rsync,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Towline => "towline",
            Self::Syncthing => "syncthing",
            Self::Rsync => "rsync",
            Self::RsyncOverSsh => "rsync over ssh",
        }
    }
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

/// How long one run may take: 10 minutes, many times what any contestant needs.
const RUN_PATIENCE: Duration = Duration::from_secs(600);

/// Runs the chore.
pub(crate) fn bench(repo: &Repo, args: &BenchArgs) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("processor time and memory are read from /proc, so benchmarks run on Linux only");
    }
    system::ensure_packages(repo, &[Purpose::Headless, Purpose::Benchmarks])?;
    let built = binaries::build(repo, Profile::Release, Wanted::Headless)?;
    let directory = repo.artifacts()?.join("bench");
    let contestants = contestants(args);
    let loads = args
        .only
        .map_or_else(|| Load::value_variants().to_vec(), |load| vec![load]);
    let mut tables = Vec::new();
    for load in loads {
        let source = load::prepare(load, &directory)?;
        let weight = load::weigh(&source)?;
        say(format!(
            "== {}: {} files, {:.1} MB",
            load::title(load),
            weight.files,
            weight.bytes as f64 / 1e6
        ));
        let mut table = report::Table::new(load, weight);
        let targets = directory.join("targets");
        clear(&targets)?;
        for round in 1..=args.rounds {
            for (number, contestant) in contestants.iter().enumerate() {
                // Trees stay until all have run: a filesystem may go through what was freed just
                // now, and the next one would pay for that.
                let target = targets.join(format!("{round}-{number}"));
                clear(&target)?;
                let spinner = Spinner::start(&format!("round {round}: {}", contestant.name()));
                let run = Run {
                    source: &source,
                    target: &target,
                    weight,
                    work: &directory,
                };
                let measured = match contestant {
                    Contestant::Towline => towline::run(&run, &built)?,
                    Contestant::Syncthing => syncthing::run(&run)?,
                    Contestant::Rsync => rsync::run(&run)?,
                    Contestant::RsyncOverSsh => rsync::run_over_ssh(&run)?,
                };
                drop(spinner);
                if let Some(difference) = devices::trees_differ(&source, &target)? {
                    bail!("{} left the trees unequal: {difference}", contestant.name());
                }
                say(format!(
                    "   round {round}: {}",
                    report::line(contestant.name(), &measured, weight)
                ));
                table.add(*contestant, measured);
                if weight.files == 1 {
                    clear(&target)?;
                }
            }
        }
        say(table.words());
        tables.push(table);
        fs::remove_dir_all(&targets).context("clearing the targets")?;
        fs::remove_dir_all(&source).context("clearing the source")?;
    }
    let idle = if args.only.is_none() {
        Some(idle::run(&built, &directory)?)
    } else {
        None
    };
    if let Some(idle) = &idle {
        say(idle.words());
    }
    if !args.alone && args.only.is_none() {
        report::write(repo, &tables, idle.as_ref(), args.rounds)?;
    }
    Ok(())
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

/// Towline, and the peers that are installed.
fn contestants(args: &BenchArgs) -> Vec<Contestant> {
    if args.alone {
        return vec![Contestant::Towline];
    }
    let is_here = |contestant: &Contestant| {
        let needed: &[&str] = match contestant {
            Contestant::Towline => &[],
            Contestant::Syncthing => &["syncthing"],
            Contestant::Rsync => &["rsync"],
            // Not installed by us: Debian starts a server for everybody with it.
            Contestant::RsyncOverSsh => &["rsync", "ssh", "ssh-keygen", "sshd"],
        };
        let missing = needed.iter().find(|program| !system::has_program(program));
        if let Some(program) = missing {
            say(format!(
                "   {program} is not installed, so {} is left out",
                contestant.name()
            ));
        }
        missing.is_none()
    };
    Contestant::ALL.into_iter().filter(is_here).collect()
}

/// Makes an empty directory, and lets what is dirty reach the disk so that no run pays for another.
fn clear(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    crate::run::run(&mut std::process::Command::new("sync"))
}
