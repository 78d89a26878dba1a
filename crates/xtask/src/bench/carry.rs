//! A tree is carried from one side to the other by Towline and by its peers, in interleaved rounds.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::load::{self, Weight};
use super::report::{Goal, Section, mebibytes, middle};
use super::{Bench, Measured, Run, Workload, clear, rsync, syncthing, towline};
use crate::devices;
use crate::report::{Spinner, say};
use crate::system;

/// Who carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contestant {
    Towline,
    Syncthing,
    RsyncOverSsh,
    Rsync,
}

impl Contestant {
    /// Everybody, in the order of the report.
    const ALL: [Self; 4] = [
        Self::Towline,
        Self::Syncthing,
        Self::RsyncOverSsh,
        Self::Rsync,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Towline => "towline",
            Self::Syncthing => "syncthing",
            Self::RsyncOverSsh => "rsync over ssh",
            Self::Rsync => "rsync",
        }
    }

    /// The programs that it is made of.
    const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Towline => &[],
            Self::Syncthing => &["syncthing"],
            // Not installed by us: Debian starts a server for everybody with it.
            Self::RsyncOverSsh => &["rsync", "ssh", "ssh-keygen", "sshd"],
            Self::Rsync => &["rsync"],
        }
    }

    /// Whether it can run here; says so when not.
    pub(super) fn is_here(self) -> bool {
        let missing = self
            .programs()
            .iter()
            .find(|program| !system::has_program(program));
        if let Some(program) = missing {
            say(format!(
                "   {program} is not installed, so {} is left out",
                self.name()
            ));
        }
        missing.is_none()
    }
}

/// Carries one tree as often as there are rounds.
pub(super) fn run(bench: &Bench<'_>, workload: Workload) -> Result<Section> {
    let contestants: Vec<Contestant> = if bench.alone {
        vec![Contestant::Towline]
    } else {
        let all = Contestant::ALL.into_iter();
        all.filter(|contestant| contestant.is_here()).collect()
    };
    let source = load::prepare(workload, bench.work)?;
    let weight = load::weigh(&source)?;
    let mut table = Table {
        workload,
        weight,
        rounds: bench.rounds,
        runs: Vec::new(),
    };
    say(format!("== {}: {}", load::title(workload), weight.words()));
    let targets = bench.empty("targets")?;
    for round in 1..=bench.rounds {
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
                work: bench.work,
            };
            let measured = match contestant {
                Contestant::Towline => towline::run(&run, bench.built)?,
                Contestant::Syncthing => syncthing::run(&run)?,
                Contestant::RsyncOverSsh => rsync::run_over_ssh(&run)?,
                Contestant::Rsync => rsync::run(&run)?,
            };
            drop(spinner);
            if let Some(difference) = devices::trees_differ(&source, &target)? {
                bail!("{} left the trees unequal: {difference}", contestant.name());
            }
            say(line(contestant.name(), &measured, weight));
            table.runs.push((*contestant, measured));
            if weight.files == 1 {
                clear(&target)?;
            }
        }
    }
    fs::remove_dir_all(&targets).context("clearing the targets")?;
    fs::remove_dir_all(&source).context("clearing the source")?;
    Ok(table.section())
}

/// All runs of one load.
#[derive(Debug)]
struct Table {
    workload: Workload,
    weight: Weight,
    rounds: u32,
    runs: Vec<(Contestant, Measured)>,
}

impl Table {
    /// Medians of one contestant; `None` when it did not run.
    fn median(&self, contestant: Contestant) -> Option<Measured> {
        let runs: Vec<&Measured> = self
            .runs
            .iter()
            .filter(|(who, _)| *who == contestant)
            .map(|(_, measured)| measured)
            .collect();
        Some(Measured {
            wall: middle(runs.iter().map(|run| run.wall))?,
            cpu: (
                middle(runs.iter().map(|run| run.cpu.0))?,
                middle(runs.iter().map(|run| run.cpu.1))?,
            ),
            peak: (
                middle(runs.iter().map(|run| run.peak.0))?,
                middle(runs.iter().map(|run| run.peak.1))?,
            ),
        })
    }

    fn wall(&self, contestant: Contestant) -> Option<Duration> {
        self.median(contestant).map(|median| median.wall)
    }

    /// How many times longer than `other` Towline took.
    fn times(&self, other: Contestant) -> Option<f64> {
        let ours = self.wall(Contestant::Towline)?.as_secs_f64();
        Some(ours / self.wall(other)?.as_secs_f64())
    }

    fn section(&self) -> Section {
        let ours = self
            .wall(Contestant::Towline)
            .map_or(1.0, |wall| wall.as_secs_f64());
        let mut text = format!(
            "{}, median of {} interleaved rounds over loopback.\n\n| | wall s | MB/s | files/s | x towline | CPU s sender / receiver | peak MiB sender / receiver |\n|---|---|---|---|---|---|---|\n",
            self.weight.words(),
            self.rounds
        );
        for contestant in Contestant::ALL {
            let Some(median) = self.median(contestant) else {
                continue;
            };
            let seconds = median.wall.as_secs_f64();
            let peak = if median.peak == (0, 0) {
                "not measured".to_owned()
            } else {
                let (source, target) = median.peak;
                format!("{:.0} / {:.0}", mebibytes(source), mebibytes(target))
            };
            text.push_str(&format!(
                "| {} | {seconds:.2} | {:.1} | {:.0} | {:.2} | {:.2} / {:.2} | {peak} |\n",
                contestant.name(),
                self.weight.bytes as f64 / 1e6 / seconds,
                self.weight.files as f64 / seconds,
                seconds / ours,
                median.cpu.0.as_secs_f64(),
                median.cpu.1.as_secs_f64()
            ));
        }
        Section {
            title: load::title(self.workload).to_owned(),
            text,
            goals: self.goals(),
        }
    }

    fn goals(&self) -> Vec<Goal> {
        let over_ssh = self.times(Contestant::RsyncOverSsh);
        let syncthing = self.times(Contestant::Syncthing);
        match self.workload {
            Workload::LargeFile => vec![
                Goal::at_most("wall", over_ssh, 1.0, "x rsync over ssh"),
                Goal::at_least("faster than syncthing", syncthing.map(f64::recip), 2.0, "x"),
            ],
            Workload::SmallFiles
            | Workload::SourceTree
            | Workload::Changes
            | Workload::Latency
            | Workload::Rename
            | Workload::Idle
            | Workload::Index
            | Workload::Network
            | Workload::Signal
            | Workload::Window => {
                vec![Goal::at_most("wall", over_ssh, 1.2, "x rsync over ssh")]
            }
        }
    }
}

/// One run in one line.
fn line(name: &str, measured: &Measured, weight: Weight) -> String {
    let seconds = measured.wall.as_secs_f64();
    format!(
        "   {name:<14} {seconds:>7.2} s {:>8.1} MB/s {:>8.0} files/s  CPU {:>6.2} / {:>6.2} s  peak {:>5.0} / {:>5.0} MiB",
        weight.bytes as f64 / 1e6 / seconds,
        weight.files as f64 / seconds,
        measured.cpu.0.as_secs_f64(),
        measured.cpu.1.as_secs_f64(),
        mebibytes(measured.peak.0),
        mebibytes(measured.peak.1)
    )
}
