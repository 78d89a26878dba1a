//! Medians and ratios, for the terminal and for `docs/BENCHMARKS.md`.

use std::fs;
use std::time::Duration;

use anyhow::Result;

use super::idle::Idle;
use super::load::{self, Weight};
use super::{Contestant, Load, Measured};
use crate::repo::Repo;
use crate::report::say;
use crate::run;

/// All runs of one load.
#[derive(Debug)]
pub(super) struct Table {
    load: Load,
    weight: Weight,
    runs: Vec<(Contestant, Measured)>,
}

impl Table {
    pub(super) fn new(load: Load, weight: Weight) -> Self {
        Self {
            load,
            weight,
            runs: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, contestant: Contestant, measured: Measured) {
        self.runs.push((contestant, measured));
    }

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

    fn contestants(&self) -> Vec<Contestant> {
        Contestant::ALL
            .into_iter()
            .filter(|who| self.median(*who).is_some())
            .collect()
    }

    /// Medians, and how many times longer each peer took.
    pub(super) fn words(&self) -> String {
        let ours = self
            .median(Contestant::Towline)
            .map_or(Duration::ZERO, |ours| ours.wall);
        let mut lines = vec!["   medians:".to_owned()];
        for contestant in self.contestants() {
            if let Some(median) = self.median(contestant) {
                let ratio = median.wall.as_secs_f64() / ours.as_secs_f64();
                lines.push(format!(
                    "   {}   {ratio:.2} x towline",
                    line(contestant.name(), &median, self.weight)
                ));
            }
        }
        lines.join("\n")
    }

    fn markdown(&self) -> String {
        let ours = self
            .median(Contestant::Towline)
            .map_or(Duration::ZERO, |ours| ours.wall);
        let mut text = format!(
            "## {}\n\n{} files, {:.1} MB.\n\n| | wall s | MB/s | files/s | x towline | CPU s sender / receiver | peak MiB sender / receiver |\n|---|---|---|---|---|---|---|\n",
            load::title(self.load),
            self.weight.files,
            self.weight.bytes as f64 / 1e6
        );
        for contestant in self.contestants() {
            let Some(median) = self.median(contestant) else {
                continue;
            };
            let seconds = median.wall.as_secs_f64();
            let peak = if median.peak == (0, 0) {
                "not measured".to_owned()
            } else {
                format!(
                    "{:.0} / {:.0}",
                    mebibytes(median.peak.0),
                    mebibytes(median.peak.1)
                )
            };
            text.push_str(&format!(
                "| {} | {seconds:.2} | {:.1} | {:.0} | {:.2} | {:.2} / {:.2} | {peak} |\n",
                contestant.name(),
                self.weight.bytes as f64 / 1e6 / seconds,
                self.weight.files as f64 / seconds,
                seconds / ours.as_secs_f64(),
                median.cpu.0.as_secs_f64(),
                median.cpu.1.as_secs_f64()
            ));
        }
        text
    }
}

/// One run in one line.
pub(super) fn line(name: &str, measured: &Measured, weight: Weight) -> String {
    let seconds = measured.wall.as_secs_f64();
    format!(
        "{name:<14} {seconds:>7.2} s {:>8.1} MB/s {:>8.0} files/s  CPU {:>6.2} / {:>6.2} s  peak {:>5.0} / {:>5.0} MiB",
        weight.bytes as f64 / 1e6 / seconds,
        weight.files as f64 / seconds,
        measured.cpu.0.as_secs_f64(),
        measured.cpu.1.as_secs_f64(),
        mebibytes(measured.peak.0),
        mebibytes(measured.peak.1)
    )
}

/// Writes the report; what stands below the notes heading is kept.
pub(super) fn write(repo: &Repo, tables: &[Table], idle: Option<&Idle>, rounds: u32) -> Result<()> {
    let path = repo.path("docs/BENCHMARKS.md");
    let notes = fs::read_to_string(&path)
        .ok()
        .and_then(|old| old.split_once(NOTES).map(|(_, notes)| notes.to_owned()))
        .unwrap_or_else(|| "\n".to_owned());
    let mut text = format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench`; the notes at the end are kept. Medians of {rounds} interleaved rounds on {}.\nBoth sides of every contestant run on this one machine, over loopback. Towline is the release build at its default\nsettings: every file encrypted on the way, verified, and durable on disk before it is told. syncthing is Debian's\n({}), rsync is a plain daemon ({}),\nwhich neither encrypts nor syncs to disk; over ssh it encrypts.\nA round counts only when both trees were found equal, byte by byte.\n\n",
        machine(),
        version("syncthing", "--version"),
        version("rsync", "--version")
    );
    for table in tables {
        text.push_str(&table.markdown());
        text.push('\n');
    }
    if let Some(idle) = idle {
        text.push_str(&format!(
            "## Idle\n\nTwo connected devices with 20,000 files in sync, one minute, the larger of both: {:.1} MiB resident, {:.3} % of a core.\n\n",
            mebibytes(idle.resident),
            idle.core_share * 100.0
        ));
    }
    text.push_str(NOTES);
    text.push_str(&notes);
    fs::write(&path, text)?;
    say("   written to docs/BENCHMARKS.md");
    Ok(())
}

const NOTES: &str = "## Notes\n";

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

/// The median; the lower one of two.
fn middle<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort();
    let at = values.len().checked_sub(1)? / 2;
    values.into_iter().nth(at)
}

/// Processors and kernel, without the machine's name.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("a processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    format!("{cores} cores ({model})")
}

/// The first line of a program's own version.
fn version(program: &str, argument: &str) -> String {
    let output =
        run::capture(std::process::Command::new(program).arg(argument)).unwrap_or_default();
    let words: Vec<&str> = output
        .lines()
        .next()
        .unwrap_or("not installed")
        .split_whitespace()
        .take(3)
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::middle;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(middle([3, 1, 2].into_iter()), Some(2));
        assert_eq!(middle([4, 1].into_iter()), Some(1));
        assert_eq!(middle(std::iter::empty::<u8>()), None);
    }
}
